// SPDX-License-Identifier: Apache-2.0
// rotate: a new key beside the old one, then the old one's end.
#include <memory>
#include <ostream>

#include "formats/cli/json_output.h"
#include "keymgmt/keystore/keygen.h"
#include "keymgmt/verbs/broker_folder.h"

namespace sealpack::broker {
namespace {

using keystore::Role;

struct Options {
  std::string folder;
  std::string use;
  std::string end_old;
};

struct NamedUse {
  const char* name;
  KeyUse use;
  Role role;
  const char* file;
};
constexpr NamedUse kUses[] = {{"recipient", KeyUse::kRecipient, Role::kBroker, "broker"},
                              {"grants", KeyUse::kGrants, Role::kGrantSigner, "grants"},
                              {"log", KeyUse::kLog, Role::kLog, "log"}};

// The first of NAME-2, NAME-3 … that is free.
std::string free_name(const BrokerConfig& config, const std::string& base) {
  std::error_code failed;
  for (int number = 2;; ++number) {
    std::string name = base + "-" + std::to_string(number);
    if (!std::filesystem::exists(config.path(name + ".key"), failed)) return name;
  }
}

std::vector<Digest> keys_in_use(const State& state, KeyUse use) {
  std::vector<Digest> out;
  for (const BrokerKey& key : state.keys) {
    if (key.use == use && key.not_after == 0) out.push_back(key.digest());
  }
  return out;
}

// Makes the key, lists it and writes broker.toml anew.
Result<keystore::PublicKey> make_key(BrokerFolder& folder, const NamedUse& named) {
  BrokerConfig& config = folder.config;
  keystore::FilePassphrase file(config.passphrase_file.empty()
                                    ? std::filesystem::path()
                                    : config.path(config.passphrase_file));
  const std::string name = free_name(config, named.file);
  const auto files =
      TRY(keystore::generate_key_pair(named.role, std::nullopt, config.path(name), "",
                                      config.passphrase_file.empty() ? nullptr : &file));
  keystore::PublicKey made = TRY(keystore::load_public_key(*files.public_path, std::nullopt));
  (void)TRY(folder.store->apply(AddKey{{named.use, made.spki, unix_time(), 0}}, unix_time()));
  const std::string key = name + ".key";
  if (named.use == KeyUse::kRecipient) {
    config.recipient_keys.insert(config.recipient_keys.begin(), key);
  } else if (named.use == KeyUse::kGrants) {
    config.grant_keys.insert(config.grant_keys.begin(), key);
  } else {
    config.log_key = key;
  }
  TRY(store_broker_config(config, true));
  return made;
}

Status rotate(const Options& options, cli::Terminal& terminal) {
  BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  const NamedUse* named = nullptr;
  for (const NamedUse& entry : kUses) {
    if (options.use == entry.name) named = &entry;
  }
  if (named == nullptr)
    return Error(ErrorCode::kUsage, "there is no use " + printable(options.use));
  const std::vector<Digest> old = keys_in_use(*TRY(folder.state()), named->use);
  std::uint64_t end = 0;  // not yet
  if (!options.end_old.empty()) end = TRY(cli::parse_time(options.end_old).within("--end-old"));
  const keystore::PublicKey made = TRY(make_key(folder, *named));
  for (const Digest& digest : old) {
    if (end != 0) (void)TRY(folder.store->apply(EndKey{digest, end}, unix_time()));
  }
  if (terminal.json()) {
    cli::print_json(terminal, {{"use", named->name},
                               {"digest", cli::json_digest(made.digest)},
                               {"ended", end != 0 ? old.size() : 0}});
  } else {
    terminal.out() << named->name << " key " << cli::json_digest(made.digest) << " is first now; "
                   << old.size() << " older one(s) " << (end != 0 ? "end then" : "stay in use")
                   << '\n';
  }
  terminal.note("a broker that is running takes the new key when it is started again");
  return done();
}

}  // namespace

void add_broker_rotate(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = group.add_subcommand("rotate", "A new key, and an end for those before it");
  verb->add_option("USE", options->use, "recipient, grants or log")
      ->required()
      ->check(CLI::IsMember({"recipient", "grants", "log"}));
  add_folder_option(*verb, options->folder);
  verb->add_option("--end-old", options->end_old,
                   "When the keys before it are used for the last time; default: not yet")
      ->type_name("TIME");
  verb->footer(cli::exit_codes({{ErrorCode::kUsage, "wrong command line"},
                                {ErrorCode::kIo, "a file or the store cannot be written"},
                                {ErrorCode::kRefused, "others may read the folder"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return rotate(*options, terminal); };
  });
}

}  // namespace sealpack::broker
