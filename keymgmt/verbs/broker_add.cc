// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <ostream>

#include "formats/bundle/head.h"
#include "formats/cli/json_output.h"
#include "formats/files/file_source.h"
#include "keymgmt/broker/registration.h"
#include "keymgmt/verbs/broker_folder.h"
#include "unpacker/trust_file.h"

namespace sealpack::broker {
namespace {

struct Options {
  std::string folder;
  std::string bundle;
  std::string vendor = "vendor";
  std::vector<std::string> trust;
  std::vector<std::string> grants;
  bool replace_trust = false;
};

const Vendor* find_vendor(const State& state, const std::string& name) {
  const auto at = std::find_if(state.vendors.begin(), state.vendors.end(),
                               [&](const Vendor& one) { return one.name == name; });
  return at == state.vendors.end() ? nullptr : &*at;
}

// The vendor as the store has him, or as --trust makes him.
Result<Vendor> vendor_of(const Options& options, const State& state) {
  const Vendor* known = find_vendor(state, options.vendor);
  if (options.trust.empty()) {
    if (known != nullptr) return *known;
    return Error(ErrorCode::kUsage, "no vendor " + printable(options.vendor) + " is known here")
        .with_hint("say whom to believe the first time: --trust");
  }
  const unpacker::TrustFile file =
      TRY(unpacker::load_trust({options.trust.begin(), options.trust.end()}));
  Vendor vendor{options.vendor, file.trust};
  const bool other = known != nullptr && TRY(trust_digest(*known)) != TRY(trust_digest(vendor));
  if (!other || options.replace_trust) return vendor;
  return Error(ErrorCode::kRefused,
               "vendor " + printable(options.vendor) + " is known here by another trust")
      .with_hint(
          "another vendor gets a name of his own: --vendor NAME; --replace-trust believes the new "
          "one in place of the old, and what the old one vouched for has to be added again");
}

Result<std::vector<bundle::Grant>> load_grants(const std::vector<std::string>& paths) {
  std::vector<bundle::Grant> grants;
  for (const std::string& path : paths) {
    const ByteVector bytes = TRY(load_file(path, bundle::kMaxGrantSize));
    grants.push_back(TRY(bundle::parse_grant(bytes).within(printable(path))));
  }
  return grants;
}

// The broker's recipients without those that have ended: a slot for one of these opens no more, and
// a release with no other would take the place of one that can be given out.
Result<std::vector<std::unique_ptr<crypto::Decryptor>>> recipients_in_use(
    const BrokerFolder& folder, const State& state, std::uint64_t now) {
  ServiceKeys keys = TRY(folder.keys());
  std::erase_if(keys.recipients, [&](const auto& recipient) {
    const Digest digest = recipient->public_key().digest();
    return std::any_of(state.keys.begin(), state.keys.end(), [&](const BrokerKey& key) {
      return key.digest() == digest && key.not_after != 0 && key.not_after <= now;
    });
  });
  return std::move(keys.recipients);
}

// Of other releases that are given out: those that only the trust before vouched for.
void warn_of_stopped(const State& state, const Vendor& vendor, const RegisteredRelease& added,
                     const Digest& trust, cli::Terminal& terminal) {
  for (auto one = state.releases.begin(); one != state.releases.end(); ++one) {
    const auto next = std::next(one);
    const bool highest = next == state.releases.end() || next->authority != one->authority ||
                         next->product != one->product;
    const bool replaced = one->authority == added.authority && one->product == added.product;
    if (one->vendor != vendor.name || one->trust == trust || !highest || replaced) continue;
    terminal.warning(printable(one->product) + " counter " + std::to_string(one->counter) +
                     " is given out no longer: only the trust that was replaced vouched for it; "
                     "add it again");
  }
}

// Limits are kept per authority: a product that comes by another one has none.
void warn_of_limits(const State& state, const RegisteredRelease& added, cli::Terminal& terminal) {
  const auto warn = [&](const auto& records, const std::string& what, const char* verb) {
    const auto has = [&](bool ours) {
      return std::any_of(records.begin(), records.end(), [&](const auto& one) {
        return one.product == added.product && (one.authority == added.authority) == ours;
      });
    };
    if (has(true) || !has(false)) return;
    terminal.warning(printable(added.product) + " has " + what +
                     " under another authority and none under this one: sealpack broker " + verb +
                     " " + printable(added.product) + " --authority " +
                     to_hex(added.authority.bytes));
  };
  warn(state.licences, "a licence", "licence");
  warn(state.policies, "a policy of the broker's own", "policy");
}

Status add(const Options& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  const auto state = TRY(folder.state());
  const Vendor vendor = TRY(vendor_of(options, *state));
  const std::vector<bundle::Grant> grants = TRY(load_grants(options.grants));
  const auto recipients = TRY(recipients_in_use(folder, *state, unix_time()));
  RegisteredRelease release = TRY(register_bundle(TRY(FileSource::open(options.bundle)), vendor,
                                                  {unix_time()}, grants, recipients)
                                      .within(printable(options.bundle)));
  const Digest trust = TRY(trust_digest(vendor));
  const Vendor* known = find_vendor(*state, vendor.name);
  std::vector<Change> changes;
  if (known == nullptr || TRY(trust_digest(*known)) != trust) changes.push_back(PutVendor{vendor});
  changes.push_back(AddRelease{release});
  const std::uint64_t index = TRY(folder.store->apply_all(changes, unix_time()));
  warn_of_stopped(*state, vendor, release, trust, terminal);
  warn_of_limits(*state, release, terminal);
  if (terminal.json()) {
    cli::print_json(terminal, {{"vendor", vendor.name},
                               {"product", release.product},
                               {"counter", release.counter},
                               {"authority", cli::json_digest(release.authority)},
                               {"content", cli::json_digest(release.content)},
                               {"release", cli::json_digest(release.release)},
                               {"slots", release.head.slots.size()},
                               {"log_index", index}});
    return done();
  }
  terminal.report() << "product  " << printable(release.product) << ", counter " << release.counter
                    << "\nrelease  " << cli::json_digest(release.release) << "\ncontent  "
                    << cli::json_digest(release.content) << "\nvendor   " << printable(vendor.name)
                    << " (log entry " << index << ")\n";
  return done();
}

}  // namespace

void add_broker_add(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = group.add_subcommand("add", "Take a release of a bundle, once it is verified");
  verb->add_option("BUNDLE", options->bundle, "The bundle (.seal)")->required();
  add_folder_option(*verb, options->folder);
  verb->add_option("--vendor", options->vendor, "Whose it is: 1 to 64 of a-z, 0-9 and '-'")
      ->capture_default_str();
  verb->add_option("--trust", options->trust,
                   "Whom to believe for this vendor, now and later: a .pub or a trust.toml")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->take_all();
  verb->add_flag("--replace-trust", options->replace_trust,
                 "Believe --trust from now on instead of what was believed for this vendor");
  verb->add_option("--grant", options->grants,
                   "A slot for the broker in a file of its own; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->take_all();
  verb->footer(broker_help(
      "sealpack broker add model.seal --dir D --trust vendor.pub\n"
      "sealpack broker add next.seal --dir D",
      "DIR/broker.toml, DIR/store.db or the database that broker.toml names; the recipient keys",
      {{ErrorCode::kUsage, "wrong command line, or a vendor that is not known"},
       {ErrorCode::kMalformed, "the bundle, a grant or broker.toml breaks the rules of its format"},
       {ErrorCode::kUnsupported, "the bundle or the store is of a newer version"},
       {ErrorCode::kNotAuthentic, "a signature does not hold, or a key is in another TPM"},
       {ErrorCode::kRefused,
        "not trusted, or by another trust than before; older than what is here, revoked, or for "
        "anybody"},
       {ErrorCode::kKeyUnavailable,
        "it has no slot for this broker, or the broker's key cannot be used"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return add(*options, terminal); };
  });
}

}  // namespace sealpack::broker
