// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <ostream>

#include "formats/cli/json_output.h"
#include "keymgmt/broker/server/server.h"
#include "keymgmt/broker/server/tls.h"
#include "keymgmt/verbs/broker_folder.h"

namespace sealpack::broker {
namespace {

constexpr std::uint32_t kCertificateDays = 825;

struct Options {
  std::string folder;
  std::string store = "sqlite:store.db";
  std::array<std::string, kUses.size()> keys;  // KEYREFs of keys that are there, as kUses; or empty
  std::string listen;
  std::string admin;
  std::string passphrase_file;
  std::vector<std::string> names;
  std::string certificate;
  std::string key;
};

Status make_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0) return done();
  if (errno != EEXIST) return io_error("cannot make " + printable(folder.string()), errno);
  return Error(ErrorCode::kUsage, printable(folder.string()) + " is there already")
      .with_hint("a broker begins with a folder of its own");
}

Status make_certificate(const Options& options, const BrokerConfig& config) {
  if (!options.certificate.empty()) {
    (void)TRY(TlsContext::load(config.certificate, config.key));
    return done();
  }
  std::vector<std::string> names = options.names;
  if (names.empty()) names = {"localhost", "127.0.0.1", "::1"};
  const SelfSigned made = TRY(make_self_signed(names, unix_time(), kCertificateDays));
  TRY(keystore::store_file(config.path(config.certificate), as_bytes(made.certificate), 0644,
                           Overwrite::kRefuse));
  return keystore::store_file(config.path(config.key), made.key.reveal(), 0600, Overwrite::kRefuse);
}

// A key of every use, made here or taken from where it is.
Result<std::vector<BrokerKey>> make_keys(const Options& options, BrokerConfig& config) {
  std::vector<BrokerKey> keys;
  config.recipient_keys.clear();
  config.grant_keys.clear();
  for (std::size_t i = 0; i < kUses.size(); ++i) {
    const NamedUse& use = kUses[i];
    const std::string& given = options.keys[i];
    const NewKey made =
        TRY(given.empty() ? make_key(config, use, use.file)
                          : take_key(config, use, use.file, absolute_key_ref(given)));
    for (const BrokerKey& other : keys) {
      if (other.spki != made.spki) continue;
      return Error(ErrorCode::kUsage, "one key cannot be for " + std::string(to_string(other.use)) +
                                          " and for " + use.name);
    }
    put_first(config, use.use, made.key_ref);
    keys.push_back({use.use, made.spki, 0, 0});
  }
  return keys;
}

Status fill(const Options& options, BrokerConfig& config) {
  TRY(make_certificate(options, config));
  const std::vector<BrokerKey> keys = TRY(make_keys(options, config));
  TRY(store_broker_config(config, false));
  // The store last: a database elsewhere is not taken back when something fails.
  const auto store = TRY(Store::create(config.store_uri(), unix_time()));
  for (const BrokerKey& key : keys) (void)TRY(store->apply(AddKey{key}, unix_time()));
  return done();
}

// What the command line says, before anything is made.
Result<BrokerConfig> config_of(const Options& options) {
  BrokerConfig config;
  config.folder = options.folder;
  config.store = options.store;
  const auto whole = [](const std::string& path) {
    return std::filesystem::absolute(path).string();
  };
  if (!options.passphrase_file.empty()) config.passphrase_file = whole(options.passphrase_file);
  if (!options.certificate.empty()) {
    config.certificate = whole(options.certificate);
    config.key = whole(options.key);
  }
  if (!options.listen.empty()) config.listen = options.listen;
  if (!options.admin.empty()) config.admin = TRY(admin_address(options.admin));
  TRY(check_listen_address(config.listen, "--listen"));
  return config;
}

Status init(const Options& options, cli::Terminal& terminal) {
  BrokerConfig config = TRY(config_of(options));
  TRY(make_folder(config.folder));
  const Status filled = fill(options, config);
  if (!filled.ok()) {
    // All of it is ours, made a moment ago.
    std::error_code ignored;
    std::filesystem::remove_all(config.folder, ignored);
    return filled;
  }
  const std::filesystem::path& folder = config.folder;
  if (terminal.json()) {
    cli::print_json(terminal, {{"folder", folder.string()},
                               {"recipient", (folder / "broker.pub").string()},
                               {"grants", (folder / "grants.pub").string()},
                               {"log", (folder / "log.pub").string()},
                               {"certificate", config.path(config.certificate).string()},
                               {"listen", config.listen}});
    return done();
  }
  std::ostream& out = terminal.report();
  out << "broker       " << printable(folder.string()) << "\n"
      << "recipient    " << printable((folder / "broker.pub").string())
      << "   vendors build --to it\n"
      << "grants       " << printable((folder / "grants.pub").string())
      << "   TEEs are launched with it: run --broker-key\n"
      << "log          " << printable((folder / "log.pub").string())
      << "   auditors check checkpoints with it\n"
      << "certificate  " << printable(config.path(config.certificate).string())
      << "   clients pin it: run --broker-ca\n";
  const bool makes_keys =
      std::any_of(options.keys.begin(), options.keys.end(), [](auto& key) { return key.empty(); });
  if (options.passphrase_file.empty() && makes_keys) {
    terminal.note("the private keys are not encrypted: whoever reads the folder has them");
  }
  return done();
}

}  // namespace

void add_broker_init(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = group.add_subcommand(
      "init", "Make the folder of a broker: keys, certificate, store, broker.toml");
  verb->add_option("--dir", options->folder, "The folder, which must not be there yet")
      ->type_name("DIR")
      ->required();
  verb->add_option("--store", options->store,
                   "sqlite:FILE in the folder, or postgresql://… for several brokers")
      ->capture_default_str();
  const std::pair<const char*, const char*> keys[kUses.size()] = {
      {"--recipient-key",
       "A key that is there already and opens bundles: a .key of role broker, pkcs11:…, tpm:…"},
      {"--grant-key", "One that signs grants, of role grant-signer"},
      {"--log-key", "One that signs checkpoints, of role log: Ed25519, which TPMs do not have"}};
  for (std::size_t i = 0; i < kUses.size(); ++i) {
    verb->add_option(keys[i].first, options->keys[i], keys[i].second)->type_name("KEYREF");
  }
  verb->add_option("--listen", options->listen, "ADDRESS:PORT to serve on (127.0.0.1:8443)");
  verb->add_option("--admin", options->admin,
                   "ADDRESS:PORT for /metrics and /healthz without TLS (127.0.0.1:8444), or none");
  verb->add_option("--passphrase-file", options->passphrase_file,
                   "Encrypts the keys and opens them when the broker starts; mode 0600")
      ->type_name("FILE");
  CLI::Option* names =
      verb->add_option("--name", options->names,
                       "A DNS name or address for the self-signed certificate; may be repeated")
          ->allow_extra_args(false)
          ->take_all();
  CLI::Option* certificate = verb->add_option("--tls-cert", options->certificate,
                                              "A certificate chain that is there (PEM)")
                                 ->type_name("FILE")
                                 ->excludes(names);
  CLI::Option* key = verb->add_option("--tls-key", options->key, "Its private key (PEM, mode 0600)")
                         ->type_name("FILE")
                         ->needs(certificate);
  certificate->needs(key);
  verb->footer(broker_help(
      "sealpack broker init --dir D --listen 0.0.0.0:8443 --name broker.example.org\n"
      "sealpack broker init --dir D --recipient-key "
      "\"pkcs11:token=t;object=o?pin-source=file:/etc/pin\"",
      "makes DIR with broker.key, grants.key, log.key (but those that are given), their .pub,\n"
      "tls.crt, tls.key, store.db, broker.toml",
      {{ErrorCode::kUsage, "wrong command line, the folder is there, or one key for two uses"},
       {ErrorCode::kIo, "a file cannot be read or written, or a TPM not be reached"},
       {ErrorCode::kMalformed, "a key, the certificate or its key breaks its format"},
       {ErrorCode::kUnsupported, "a key of a type that its use does not have"},
       {ErrorCode::kRefused,
        "the database has a broker's store already, or others may read a secret file"},
       {ErrorCode::kNotAuthentic, "a key is in another TPM than the one that answers"},
       {ErrorCode::kKeyUnavailable,
        "a passphrase or PIN is wrong, or a token or its key is not there"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return init(*options, terminal); };
  });
}

}  // namespace sealpack::broker
