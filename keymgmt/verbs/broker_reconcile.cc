// SPDX-License-Identifier: Apache-2.0
// reconcile: what a store that was restored cannot know, and that a clock is right again.
#include <algorithm>
#include <memory>
#include <ostream>

#include "formats/cli/json_output.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/verbs/broker_folder.h"

namespace sealpack::broker {
namespace {

struct Options {
  std::string folder;
  std::vector<std::string> revoke;
  std::vector<std::string> floors;
  std::vector<std::string> ended;
  std::vector<std::string> end_keys;
  bool floors_unchanged = false;
  bool keys_as_configured = false;
  bool no_lease_is_missing = false;
  bool clock = false;
};

// "device=HEX": up to the last '=', which no value has; products may have some.
Result<std::pair<std::string, std::string>> parse_pair(const std::string& text,
                                                       const std::string& option) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) {
    return Error(ErrorCode::kUsage, option + ": " + printable(text) + " has no '='");
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<RevokedKind> parse_kind(const std::string& text) {
  for (const RevokedKind kind : {RevokedKind::kDevice, RevokedKind::kContent, RevokedKind::kRelease,
                                 RevokedKind::kMeasurement, RevokedKind::kSigner}) {
    const std::string name = kind == RevokedKind::kContent ? "bundle" : to_string(kind);
    if (text == name) return kind;
  }
  return Error(ErrorCode::kUsage, "--revoke: there is nothing called " + printable(text));
}

Result<std::uint64_t> parse_counter(const std::string& text) {
  if (!text.empty() && text.size() < 20 &&
      text.find_first_not_of("0123456789") == std::string::npos) {
    return std::stoull(text);
  }
  return Error(ErrorCode::kUsage, "--floor: " + printable(text) + " is no number");
}

// PRODUCT=N, or PRODUCT=N@AUTHORITY where several authorities have it.
Result<ProductFloor> parse_floor(const State& state, const std::string& text) {
  const auto [product, value] = TRY(parse_pair(text, "--floor"));
  const std::size_t at = value.find('@');
  const std::string authority = at == std::string::npos ? "" : value.substr(at + 1);
  const ProductName name = TRY(find_product(state, product, authority));
  const std::uint64_t counter = TRY(parse_counter(value.substr(0, at)));
  return ProductFloor{name.authority, name.product, {counter, std::nullopt}};
}

Result<loader::Instance> parse_instance(const std::string& text) {
  const ByteVector bytes = TRY(parse_value(text, "--ended"));
  loader::Instance instance{};
  if (bytes.size() != instance.size()) {
    return Error(ErrorCode::kUsage, "--ended: an instance has 16 bytes");
  }
  std::copy(bytes.begin(), bytes.end(), instance.begin());
  return instance;
}

// broker.toml is newer than the backup: what it names and what the store lists may differ.
struct KeyDifferences {
  std::vector<BrokerKey> unlisted;    // configured, and the store does not know them
  std::vector<BrokerKey> configless;  // in use as the store has it, and not configured
  // All of them, for people, but old log keys: a log is signed with one, and those before it are
  // in use until somebody ends them.
  std::string text;
};

Result<KeyDifferences> compare_keys(const BrokerFolder& folder, const State& state,
                                    std::uint64_t now) {
  KeyDifferences out;
  const auto tell = [&](const BrokerKey& key, const std::string& what) {
    out.text += (out.text.empty() ? "" : "; ") + std::string(to_string(key.use)) + " key " +
                cli::json_digest(key.digest()) + what;
  };
  std::vector<ByteVector> configured;
  for (const NamedUse& use : kUses) {
    for (const std::string& key_ref : key_refs(folder.config, use.use)) {
      const BrokerKey key{use.use, TRY(public_half(folder.config, use, key_ref)), now, 0};
      configured.push_back(key.spki);
      const bool listed = std::any_of(state.keys.begin(), state.keys.end(),
                                      [&](const BrokerKey& one) { return one.spki == key.spki; });
      if (listed) continue;
      tell(key, " (" + printable(key_ref) + ") is not in the store");
      out.unlisted.push_back(key);
    }
  }
  for (const BrokerKey& key : state.keys) {
    const bool over = key.not_after != 0 && key.not_after <= now;
    if (over) continue;
    if (std::find(configured.begin(), configured.end(), key.spki) != configured.end()) continue;
    if (key.use != KeyUse::kLog) tell(key, " is not in broker.toml");
    out.configless.push_back(key);
  }
  return out;
}

// The keys and their ends as broker.toml and --end-key have them. Returns those that end because
// broker.toml does not name them, for people.
Result<std::vector<std::string>> add_keys(const Options& options, const BrokerFolder& folder,
                                          const State& state, Reconcile& change) {
  const std::uint64_t now = unix_time();
  KeyDifferences differences = TRY(compare_keys(folder, state, now));
  if (!differences.text.empty() && !options.keys_as_configured) {
    return Error(ErrorCode::kRefused, "keys changed since the backup: " + differences.text)
        .with_hint(
            "--keys-as-configured takes them as broker.toml has them; with --end-key KEY=TIME for "
            "those of them that have ended");
  }
  change.keys = std::move(differences.unlisted);
  for (const std::string& text : options.end_keys) {
    const auto [key, time] = TRY(parse_pair(text, "--end-key"));
    change.ended_keys.push_back(
        {TRY(parse_key_digest(key, "--end-key")), TRY(parse_moment(time, "--end-key"))});
  }
  std::vector<std::string> notes;
  if (!options.keys_as_configured) return notes;
  for (const BrokerKey& key : differences.configless) {
    const auto& ends = change.ended_keys;
    const bool said = std::any_of(ends.begin(), ends.end(),
                                  [&](const EndKey& end) { return end.key == key.digest(); });
    if (said) continue;
    change.ended_keys.push_back({key.digest(), now});
    notes.push_back(std::string(to_string(key.use)) + " key " + cli::json_digest(key.digest()) +
                    " is ended: broker.toml does not name it");
  }
  return notes;
}

Status reconcile(const Options& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  if (options.clock) {
    return folder.apply(ConfirmClock{}, "the clock is right: keys are released again", terminal);
  }
  const auto state = TRY(folder.state());
  if (state->reconciled) {
    return Error(ErrorCode::kRefused, "the store was not restored, or is reconciled already");
  }
  Reconcile change;
  for (const std::string& text : options.revoke) {
    const auto [kind, value] = TRY(parse_pair(text, "--revoke"));
    change.revocations.push_back({TRY(parse_kind(kind)), TRY(parse_value(value, "--revoke")),
                                  "revoked before the restore", unix_time()});
  }
  for (const std::string& text : options.floors) {
    change.floors.push_back(TRY(parse_floor(*state, text)));
  }
  for (const std::string& text : options.ended) {
    change.ended.push_back(TRY(parse_instance(text)));
  }
  change.no_lease_is_missing = options.no_lease_is_missing;
  change.floors_unchanged = options.floors_unchanged;
  const std::vector<std::string> ended = TRY(add_keys(options, folder, *state, change));
  TRY(folder.apply(change, "reconciled: keys are released again", terminal)
          .with_hint("--floor PRODUCT=N for each, N the counter of its newest release ever added "
                     "here; --floors-unchanged where the backup has that"));
  for (const std::string& note : ended) terminal.note(note);
  if (!options.no_lease_is_missing) {
    terminal.note(
        "leases that the backup does not know may still run: new instances of products "
        "with limits wait until those have ended");
  }
  return done();
}

void add_list(CLI::App& verb, const char* flag, std::vector<std::string>& values, const char* text,
              const char* type) {
  verb.add_option(flag, values, text)->type_name(type)->allow_extra_args(false)->take_all();
}

}  // namespace

void add_broker_reconcile(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = group.add_subcommand(
      "reconcile",
      "After a restore: say what the backup does not know; after a wrong clock: --clock. "
      "Releases again");
  add_folder_option(*verb, options->folder);
  add_list(*verb, "--floor", options->floors,
           "The newest counter that was ever added of a product; for each product", "PRODUCT=N");
  verb->add_flag("--floors-unchanged", options->floors_unchanged,
                 "Your word that of all others nothing was added since the backup");
  add_list(*verb, "--revoke", options->revoke,
           "Revoked since the backup, as for revoke; may be repeated", "KIND=HEX");
  verb->add_flag("--keys-as-configured", options->keys_as_configured,
                 "Where keys changed since the backup: use those of broker.toml and no others");
  add_list(*verb, "--end-key", options->end_keys,
           "A key that ends, or has ended: its digest or .pub; may be repeated", "KEY=TIME");
  add_list(*verb, "--ended", options->ended, "An instance that runs no longer; may be repeated",
           "HEX");
  verb->add_flag("--no-lease-is-missing", options->no_lease_is_missing,
                 "Your word that no lease was granted since the backup");
  CLI::Option* clock = verb->add_flag(
      "--clock", options->clock,
      "Your word that the clock of this machine is right now, where keys are refused for it");
  for (CLI::Option* other : verb->get_options()) {
    if (other != clock && other->get_name() != "--dir" && other->get_name() != "--help") {
      clock->excludes(other);
    }
  }
  verb->footer(broker_help(
      "sealpack broker reconcile --dir D --floor acme/ranker=41 --revoke device=C0C1 --ended 0102\n"
      "sealpack broker reconcile --dir D --floors-unchanged --keys-as-configured",
      "DIR/broker.toml and the keys that it names, DIR/store.db or the database",
      {{ErrorCode::kRefused,
        "there is nothing to reconcile, it is not said where a product's floor is or which keys "
        "are in use, or a floor would be lowered"},
       {ErrorCode::kNotAuthentic, "a key is in another TPM than the one that answers"},
       {ErrorCode::kKeyUnavailable, "a key of broker.toml cannot be opened"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return reconcile(*options, terminal); };
  });
}

}  // namespace sealpack::broker
