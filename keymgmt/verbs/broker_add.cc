// SPDX-License-Identifier: Apache-2.0
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
};

// The vendor as the store has him, or as --trust makes him.
Result<Vendor> vendor_of(const Options& options, const State& state) {
  if (!options.trust.empty()) {
    const unpacker::TrustFile file =
        TRY(unpacker::load_trust({options.trust.begin(), options.trust.end()}));
    return Vendor{options.vendor, file.trust};
  }
  for (const Vendor& vendor : state.vendors) {
    if (vendor.name == options.vendor) return vendor;
  }
  return Error(ErrorCode::kUsage, "no vendor " + printable(options.vendor) + " is known here")
      .with_hint("say whom to believe the first time: --trust");
}

Result<std::vector<bundle::Grant>> load_grants(const std::vector<std::string>& paths) {
  std::vector<bundle::Grant> grants;
  for (const std::string& path : paths) {
    const ByteVector bytes = TRY(load_file(path, bundle::kMaxGrantSize));
    grants.push_back(TRY(bundle::parse_grant(bytes).within(printable(path))));
  }
  return grants;
}

bool has_vendor(const State& state, const Vendor& vendor) {
  for (const Vendor& known : state.vendors) {
    if (known.name == vendor.name) return true;
  }
  return false;
}

Status add(const Options& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  const auto state = TRY(folder.state());
  const Vendor vendor = TRY(vendor_of(options, *state));
  const std::vector<bundle::Grant> grants = TRY(load_grants(options.grants));
  const ServiceKeys keys = TRY(folder.keys());
  RegisteredRelease release = TRY(register_bundle(TRY(FileSource::open(options.bundle)), vendor,
                                                  {unix_time()}, grants, keys.recipients)
                                      .within(printable(options.bundle)));
  if (!options.trust.empty() || !has_vendor(*state, vendor)) {
    (void)TRY(folder.store->apply(PutVendor{vendor}, unix_time()));
  }
  const std::uint64_t index = TRY(folder.store->apply(AddRelease{release}, unix_time()));
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
  terminal.out() << "product  " << printable(release.product) << ", counter " << release.counter
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
  verb->add_option("--grant", options->grants,
                   "A slot for the broker in a file of its own; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->take_all();
  verb->footer(cli::exit_codes(
      {{ErrorCode::kUsage, "wrong command line, or a vendor that is not known"},
       {ErrorCode::kIo, "a file or the store cannot be read"},
       {ErrorCode::kMalformed, "the bundle breaks the rules of its format"},
       {ErrorCode::kNotAuthentic, "a signature does not hold"},
       {ErrorCode::kRefused, "not trusted, older than what is here, revoked, or for anybody"},
       {ErrorCode::kKeyUnavailable, "it has no slot for this broker"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return add(*options, terminal); };
  });
}

}  // namespace sealpack::broker
