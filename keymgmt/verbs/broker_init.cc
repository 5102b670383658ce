// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <ostream>

#include "formats/cli/json_output.h"
#include "keymgmt/broker/server/tls.h"
#include "keymgmt/keystore/keygen.h"
#include "keymgmt/verbs/broker_folder.h"

namespace sealpack::broker {
namespace {

using keystore::Role;

constexpr std::uint32_t kCertificateDays = 825;

struct Options {
  std::string folder;
  std::string store = "sqlite:store.db";
  std::string recipient_key;
  std::string listen;
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

// A key pair in the folder, listed in the store.
Status make_key(const BrokerConfig& config, Store& store, Role role, KeyUse use,
                const std::string& name, keystore::PassphraseSource* passphrases) {
  const auto files =
      TRY(keystore::generate_key_pair(role, std::nullopt, config.path(name), "", passphrases));
  const auto made = TRY(keystore::load_public_key(*files.public_path, std::nullopt));
  (void)TRY(store.apply(AddKey{{use, made.spki, 0, 0}}, unix_time()));
  return done();
}

// A key that is elsewhere: a token, a TPM, another file. Its public half goes into the folder.
Status take_recipient(const BrokerFolder& folder) {
  const ServiceKeys keys = TRY(folder.keys());
  const crypto::EncryptionKey& key = keys.recipients.front()->public_key();
  const std::string text = TRY(keystore::serialize_public_key(Role::kBroker, "", key.spki()));
  TRY(keystore::store_file(folder.config.path("broker.pub"), as_bytes(text), 0644,
                           Overwrite::kRefuse));
  (void)TRY(
      folder.store->apply(AddKey{{KeyUse::kRecipient, to_vector(key.spki()), 0, 0}}, unix_time()));
  return done();
}

Status make_certificate(const Options& options, const BrokerConfig& config) {
  if (!options.certificate.empty()) return done();
  std::vector<std::string> names = options.names;
  if (names.empty()) names = {"localhost", "127.0.0.1", "::1"};
  const SelfSigned made = TRY(make_self_signed(names, unix_time(), kCertificateDays));
  TRY(keystore::store_file(config.path(config.certificate), as_bytes(made.certificate), 0644,
                           Overwrite::kRefuse));
  return keystore::store_file(config.path(config.key), made.key.reveal(), 0600, Overwrite::kRefuse);
}

Status fill(const Options& options, BrokerConfig& config) {
  keystore::FilePassphrase file(options.passphrase_file);
  keystore::PassphraseSource* passphrases = options.passphrase_file.empty() ? nullptr : &file;
  TRY(store_broker_config(config, false));
  BrokerFolder folder{config, TRY(Store::create(config.store_uri(), unix_time()))};
  Store& store = *folder.store;
  TRY(make_key(config, store, Role::kGrantSigner, KeyUse::kGrants, "grants", passphrases));
  TRY(make_key(config, store, Role::kLog, KeyUse::kLog, "log", passphrases));
  if (options.recipient_key.empty()) {
    TRY(make_key(config, store, Role::kBroker, KeyUse::kRecipient, "broker", passphrases));
  } else {
    TRY(take_recipient(folder));
  }
  return make_certificate(options, config);
}

Status init(const Options& options, cli::Terminal& terminal) {
  BrokerConfig config;
  config.folder = options.folder;
  config.store = options.store;
  const auto whole = [](const std::string& path) {
    return std::filesystem::absolute(path).string();
  };
  if (!options.recipient_key.empty()) {
    const bool file = config.key_ref(options.recipient_key) != options.recipient_key;
    config.recipient_keys = {file ? whole(options.recipient_key) : options.recipient_key};
  }
  if (!options.passphrase_file.empty()) config.passphrase_file = whole(options.passphrase_file);
  if (!options.certificate.empty()) {
    config.certificate = whole(options.certificate);
    config.key = whole(options.key);
  }
  if (!options.listen.empty()) config.listen = options.listen;
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
  std::ostream& out = terminal.out();
  out << "broker       " << printable(folder.string()) << "\n"
      << "recipient    " << printable((folder / "broker.pub").string())
      << "   vendors build --to it\n"
      << "grants       " << printable((folder / "grants.pub").string())
      << "   TEEs are launched with it: run --broker-key\n"
      << "log          " << printable((folder / "log.pub").string())
      << "   auditors check checkpoints with it\n"
      << "certificate  " << printable(config.path(config.certificate).string())
      << "   clients pin it: run --broker-ca\n";
  if (options.passphrase_file.empty()) {
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
  verb->add_option("--recipient-key", options->recipient_key,
                   "A key that is there already and opens bundles: a .key of role broker, "
                   "pkcs11:…, tpm:…")
      ->type_name("KEYREF");
  verb->add_option("--listen", options->listen, "ADDRESS:PORT to serve on (127.0.0.1:8443)");
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
  verb->footer(
      cli::exit_codes({{ErrorCode::kUsage, "wrong command line, or the folder is there"},
                       {ErrorCode::kIo, "a file cannot be written, or the database not be reached"},
                       {ErrorCode::kRefused, "the database has a broker's store already"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return init(*options, terminal); };
  });
}

}  // namespace sealpack::broker
