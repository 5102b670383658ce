// SPDX-License-Identifier: Apache-2.0
// rotate: a new key beside the old ones. end-key: the end of one of them.
#include <algorithm>
#include <memory>
#include <ostream>
#include <set>

#include "formats/base/utc_text.h"
#include "formats/cli/json_output.h"
#include "keymgmt/verbs/broker_folder.h"

namespace sealpack::broker {
namespace {

struct Options {
  std::string folder;
  std::string use;
  std::string key;  // KEYREF of one that is there; empty: it is made
  std::string end_old;
};

// The first of NAME-2, NAME-3 … that is free.
std::string free_name(const BrokerConfig& config, const std::string& base) {
  std::error_code failed;
  for (int number = 2;; ++number) {
    std::string name = base + "-" + std::to_string(number);
    const bool taken = std::filesystem::exists(config.path(name + ".key"), failed) ||
                       std::filesystem::exists(config.path(name + ".pub"), failed);
    if (!taken) return name;
  }
}

Result<NamedUse> use_called(const std::string& name) {
  for (const NamedUse& use : kUses) {
    if (name == use.name) return use;
  }
  return Error(ErrorCode::kUsage, "there is no use " + printable(name));
}

bool is_over(const BrokerKey& key, std::uint64_t time) {
  return key.not_after != 0 && key.not_after <= time;
}

// All that would be used beyond `end`; none for 0. One that ends before is left to end then.
std::vector<Change> ends_of(const State& state, KeyUse use, std::uint64_t end) {
  std::vector<Change> out;
  for (const BrokerKey& key : state.keys) {
    if (end == 0 || key.use != use || is_over(key, end)) continue;
    out.push_back(EndKey{key.digest(), end});
  }
  return out;
}

// The configuration with the new key first and without those whose time is over at `now`: rotations
// would fill its list with them.
Result<BrokerConfig> config_after(const BrokerFolder& folder, const State& state,
                                  const NamedUse& use, const std::string& key_ref,
                                  std::uint64_t now, std::uint64_t end) {
  BrokerConfig next = folder.config;
  std::set<ByteVector> over;
  for (const BrokerKey& key : state.keys) {
    const bool ends_now = end != 0 && end <= now;
    if (key.use == use.use && (ends_now || is_over(key, now))) over.insert(key.spki);
  }
  for (const std::string& old : key_refs(folder.config, use.use)) {
    if (over.empty()) break;
    // A key that does not open may be in a token that is away: it stays.
    const auto spki = public_half(folder.config, use, old);
    if (spki.ok() && over.contains(*spki)) drop_key(next, use.use, old);
  }
  put_first(next, use.use, key_ref);
  const std::size_t count = key_refs(next, use.use).size();
  if (count > kMaxKeysOfUse) {
    return Error(ErrorCode::kLimit, "broker.toml names " + std::to_string(count - 1) + " " +
                                        use.name + " keys, none of which has ended")
        .with_hint("end one that nobody needs, sealpack broker end-key, then rotate again");
  }
  TRY(check_broker_config(next));
  return next;
}

// Makes or takes the key and lists it.
Result<Digest> begin_key(const BrokerFolder& folder, const Options& options, const NamedUse& use,
                         const std::string& name, const std::string& key_ref) {
  const BrokerConfig& config = folder.config;
  const NewKey made =
      TRY(options.key.empty() ? make_key(config, use, name) : take_key(config, use, name, key_ref));
  const BrokerKey key{use.use, made.spki, unix_time(), 0};
  const auto listed = folder.store->apply(AddKey{key}, unix_time());
  if (listed.ok()) return key.digest();
  // Neither listed nor configured: what was made a moment ago is nobody's.
  std::error_code ignored;
  for (const char* ending : {".key", ".pub"}) {
    std::filesystem::remove(config.path(name + ending), ignored);
  }
  return Result(listed).take_error();
}

Status rotate(const Options& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  const NamedUse use = TRY(use_called(options.use));
  std::uint64_t end = 0;  // not yet
  if (!options.end_old.empty()) end = TRY(parse_moment(options.end_old, "--end-old"));
  const auto state = TRY(folder.state());
  const std::vector<Change> ends = ends_of(*state, use.use, end);
  const std::string name = free_name(folder.config, use.file);
  const std::string key_ref = options.key.empty() ? name + ".key" : absolute_key_ref(options.key);
  const BrokerConfig next = TRY(config_after(folder, *state, use, key_ref, unix_time(), end));
  const Digest made = TRY(begin_key(folder, options, use, name, key_ref));
  TRY(store_broker_config(next, true));
  if (!ends.empty()) (void)TRY(folder.store->apply_all(ends, unix_time()));
  const std::string public_key = folder.config.path(name + ".pub").string();
  if (terminal.json()) {
    cli::print_json(terminal, {{"use", use.name},
                               {"digest", cli::json_digest(made)},
                               {"public_key", public_key},
                               {"ended", ends.size()}});
  } else {
    std::ostream& out = terminal.report();
    out << use.name << " key " << cli::json_digest(made) << " is first now";
    if (end != 0) {
      out << "; before it, " << ends.size() << " in use until " << utc_text(end);
    }
    out << "\npublic key " << printable(public_key) << '\n';
  }
  if (end == 0 && use.use == KeyUse::kLog) {
    terminal.note(
        "checkpoints are signed with the new key alone; those of the keys before it stay "
        "verifiable: auditors need both .pub");
  } else if (end == 0) {
    terminal.note("the keys before it stay in use until `sealpack broker end-key` ends them");
  }
  terminal.note("a broker that is running takes the new key when it is started again");
  return done();
}

struct EndOptions {
  std::string folder;
  std::string key;
  std::string at;
};

// A use without a key is a broker that does not start.
Status check_not_last(const State& state, const BrokerKey& ended, std::uint64_t at) {
  for (const BrokerKey& other : state.keys) {
    const bool stays = other.use == ended.use && other.not_before <= at && !is_over(other, at);
    if (stays && other.spki != ended.spki) return done();
  }
  return Error(ErrorCode::kRefused, std::string("no other ") + to_string(ended.use) +
                                        " key is in use at " + utc_text(at))
      .with_hint(std::string("make one first: sealpack broker rotate ") + to_string(ended.use));
}

Status end_key(const EndOptions& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  const Digest digest = TRY(parse_key_digest(options.key, "KEY"));
  std::uint64_t at = unix_time();
  if (!options.at.empty()) at = TRY(parse_moment(options.at, "--at"));
  const auto state = TRY(folder.state());
  const auto key = std::find_if(state->keys.begin(), state->keys.end(),
                                [&](const BrokerKey& one) { return one.digest() == digest; });
  if (key == state->keys.end()) {
    return Error(ErrorCode::kRefused, "the store lists no key " + to_hex(digest.bytes))
        .with_hint("sealpack broker list --json shows them");
  }
  TRY(check_not_last(*state, *key, at));
  return folder.apply(EndKey{digest, at},
                      std::string(to_string(key->use)) + " key " + cli::json_digest(digest) +
                          " ends " + utc_text(at),
                      terminal);
}

}  // namespace

void add_broker_rotate(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = group.add_subcommand("rotate", "A new key, and an end for those before it");
  verb->add_option("USE", options->use, "recipient, grants or log")
      ->required()
      ->check(CLI::IsMember({"recipient", "grants", "log"}));
  add_folder_option(*verb, options->folder);
  verb->add_option("--key", options->key,
                   "Instead of a new file: a key that is there already, in a file, pkcs11:…, tpm:…")
      ->type_name("KEYREF");
  verb->add_option("--end-old", options->end_old,
                   "When all keys before it are used for the last time; default: not yet")
      ->type_name("TIME");
  verb->footer(broker_help(
      "sealpack broker rotate grants --dir D\n"
      "sealpack broker rotate recipient --dir D --key \"tpm:/etc/broker.tpmkey\" --end-old "
      "2027-01-01",
      "makes NAME-2.key and NAME-2.pub in DIR, NAME-3 the next time; writes broker.toml anew",
      {{ErrorCode::kUsage, "wrong command line, or a key of another role"},
       {ErrorCode::kUnsupported,
        "the store is of a newer version, or a key of a type that its use does not have"},
       {ErrorCode::kRefused, "others may read the folder or a key, or the key is listed already"},
       {ErrorCode::kNotAuthentic, "a key is in another TPM than the one that answers"},
       {ErrorCode::kLimit, "broker.toml names 8 keys for this already, none of which has ended"},
       {ErrorCode::kKeyUnavailable,
        "a passphrase or PIN is wrong, or a token or its key is not there"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return rotate(*options, terminal); };
  });
}

void add_broker_end_key(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<EndOptions>();
  CLI::App* verb = group.add_subcommand("end-key", "Use a key of the broker no longer");
  verb->add_option("KEY", options->key, "Its digest, as `list --json` has it, or its .pub")
      ->required();
  add_folder_option(*verb, options->folder);
  verb->add_option("--at", options->at, "When it is used for the last time; default: now")
      ->type_name("TIME");
  verb->footer(broker_help(
      "sealpack broker end-key D/grants.pub --at 2027-01-01 --dir D",
      "DIR/broker.toml, DIR/store.db or the database that broker.toml names",
      {{ErrorCode::kRefused,
        "no such key, one that ends before, or the last of its use; others may read the folder"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return end_key(*options, terminal); };
  });
}

}  // namespace sealpack::broker
