// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <ostream>

#include "attest/policy/policy_file.h"
#include "formats/base/utc_text.h"
#include "formats/cli/json_output.h"
#include "formats/files/parallel.h"
#include "unpacker/core/bundle_check.h"
#include "unpacker/verbs/opening.h"
#include "unpacker/verbs/text_cells.h"
#include "unpacker/verbs/verbs.h"

namespace sealpack::unpacker {
namespace {

struct Options {
  std::string bundle;
  TrustOptions trust;
  bool explain = false;
  unsigned threads = 0;
};

struct CheckedBytes {
  std::uint64_t units = 0;
  std::uint64_t bytes = 0;
};

// Proves every byte.
Result<CheckedBytes> check_everything(const VerifiedBundle& bundle, unsigned threads,
                                      cli::Terminal& terminal) {
  const BundleCheck check(bundle);
  CheckedBytes checked{check.unit_count(), 0};
  for (std::uint64_t unit = 0; unit < check.unit_count(); ++unit) {
    checked.bytes += check.unit_size(unit);
  }
  cli::Progress progress(terminal, "verify", checked.bytes);
  TRY(run_parallel(threads, check.unit_count(), [&] {
    return [&, reader = FileReader(bundle)](std::uint64_t unit) mutable -> Status {
      TRY(check.check(unit, reader));
      progress.add(check.unit_size(unit));
      return done();
    };
  }));
  return checked;
}

std::size_t accepted_count(const VerifiedBundle& bundle, const std::string& role) {
  const auto& all = bundle.accepted_signatures();
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const auto& one) { return one.role == role; }));
}

void explain_text(const VerifiedBundle& bundle, const LoadedTrust& trust,
                  const CheckedBytes& checked, std::ostream& out) {
  const bundle::Release& release = bundle.release();
  out << "authority    " << cli::json_digest(bundle.content().authority) << '\n';
  for (const SignerRule& rule : trust.trust.signers) {
    out << "signatures   " << rule.role << ": " << accepted_count(bundle, rule.role) << " of "
        << rule.keys.size() << " trusted keys, " << rule.threshold << " needed\n";
  }
  for (const AcceptedSignature& one : bundle.accepted_signatures()) {
    out << "             " << one.role << ' ' << cli::json_digest(one.key) << '\n';
  }
  out << "unknown      " << bundle.unknown_signature_count()
      << " signature(s) by keys that are not trusted; they count for nothing\n"
      << "counter      " << release.counter << ", floor " << trust.trust.counter_floor << '\n'
      << "validity     " << validity_text(release) << "; judged by " << trust.time_source;
  if (trust.clock.unix_seconds) out << ", " << utc_text(*trust.clock.unix_seconds);
  out << "\nrevocations  "
      << (trust.trust.revocations.serial == 0
              ? std::string("none given")
              : "serial " + std::to_string(trust.trust.revocations.serial))
      << "\ncontent      " << cli::json_digest(release.content_digest) << '\n';
  for (const std::string& line : policy::explain(release.policy))
    out << "policy       " << line << '\n';
  out << "checked      " << format_size(checked.bytes) << " in " << checked.units << " units, "
      << crypto::bulk_engine() << '\n';
}

cli::Json explain_json(const VerifiedBundle& bundle, const LoadedTrust& trust,
                       const CheckedBytes& checked) {
  cli::Json json;
  json["authority"] = cli::json_digest(bundle.content().authority);
  json["signer_rules"] = cli::Json::array();
  for (const SignerRule& rule : trust.trust.signers) {
    json["signer_rules"].push_back({{"role", rule.role},
                                    {"valid", accepted_count(bundle, rule.role)},
                                    {"needed", rule.threshold},
                                    {"keys", rule.keys.size()}});
  }
  json["signatures"] = cli::Json::array();
  for (const AcceptedSignature& one : bundle.accepted_signatures()) {
    json["signatures"].push_back({{"role", one.role}, {"key", cli::json_digest(one.key)}});
  }
  json["unknown_signatures"] = bundle.unknown_signature_count();
  json["counter_floor"] = trust.trust.counter_floor;
  json["not_before"] = bundle.release().not_before;
  json["not_after"] = bundle.release().not_after;
  json["time_source"] = trust.time_source;
  json["time"] = trust.clock.unix_seconds ? cli::Json(*trust.clock.unix_seconds) : nullptr;
  json["revocation_serial"] = trust.trust.revocations.serial;
  json["policy"] = policy::explain(bundle.release().policy);
  json["units"] = checked.units;
  json["bytes"] = checked.bytes;
  json["engine"] = crypto::bulk_engine();
  return json;
}

Status verify(const Options& options, cli::Terminal& terminal) {
  const LoadedTrust trust = TRY(load_trust_options(options.trust));
  const VerifiedBundle bundle = TRY(open_verified(options.bundle, trust));
  const CheckedBytes checked = TRY(check_everything(bundle, thread_count(options.threads), terminal)
                                       .within(printable(options.bundle)));
  const bundle::Release& release = bundle.release();
  if (bundle.head().updating()) {
    terminal.warning("an update of the head was interrupted; 'sealpack reseal --in-place' ends it");
  }
  if (terminal.json()) {
    cli::Json json = {{"verified", true},
                      {"bundle", options.bundle},
                      {"product", release.product},
                      {"version", release.version},
                      {"counter", release.counter},
                      {"release_digest", cli::json_digest(bundle.release_digest())},
                      {"content_digest", cli::json_digest(release.content_digest)}};
    if (options.explain) json["explanation"] = explain_json(bundle, trust, checked);
    cli::print_json(terminal, json);
    return done();
  }
  terminal.out() << "OK " << printable(release.product) << " version " << printable(release.version)
                 << " counter " << release.counter << " release "
                 << cli::json_digest(bundle.release_digest()) << '\n';
  if (options.explain) explain_text(bundle, trust, checked, terminal.out());
  return done();
}

}  // namespace

void add_verify(CLI::App& app, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("verify", "Prove every byte of a bundle; needs no key");
  add_bundle_argument(*verb, options->bundle);
  add_trust_options(*verb, options->trust, TrustNeed::kRequired);
  verb->add_flag("--explain", options->explain, "Say which rules and signatures let it pass");
  add_threads_option(*verb, options->threads);
  verb->footer(cli::exit_codes(
      {{ErrorCode::kUsage, "wrong command line or trust file"},
       {ErrorCode::kIo, "a file cannot be read"},
       {ErrorCode::kMalformed, "the bundle breaks the rules of its format"},
       {ErrorCode::kUnsupported, "it needs a newer sealpack"},
       {ErrorCode::kNotAuthentic, "a signature or a byte is not what it should be"},
       {ErrorCode::kRefused, "authentic, but expired, revoked, rolled back or not trusted"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return verify(*options, terminal); };
  });
}

}  // namespace sealpack::unpacker
