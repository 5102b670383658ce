// SPDX-License-Identifier: Apache-2.0
// Rules for a policy from the manifests of a GPU's driver and VBIOS.
#include <algorithm>
#include <memory>
#include <ostream>

#include "attest/files/endorsement_folder.h"
#include "attest/files/roots_file.h"
#include "attest/measure/rim/manifest_file.h"
#include "attest/measure/rim/reference_manifest.h"
#include "attest/policy/claim_text.h"
#include "attest/verbs/measured.h"
#include "attest/verbs/proving.h"
#include "formats/base/utc_text.h"
#include "formats/cli/help.h"
#include "formats/files/file_source.h"

namespace sealpack::attest {
namespace {

using rim::ManifestKind;
using rim::ReferenceManifest;

constexpr std::string_view kAlone = "nvidia-gpu";
constexpr const char* kOfDecoder = "measurement35";
constexpr const char* kEachHasARule = "each active measurement has a rule of its own";

struct Options {
  std::vector<std::string> files;
  std::string tee{kAlone};
  std::string roots;
  std::string now;
  std::string endorsements;
};

const char* to_string(ManifestKind kind) {
  return kind == ManifestKind::kDriver ? "driver" : "VBIOS";
}

Result<Endorsements> load_all(const std::string& path) {
  if (path.empty()) return Endorsements{};
  return load_endorsements(path);
}

Result<std::vector<x509::OcspResponse>> read_responses(const Endorsements& endorsements) {
  std::vector<x509::OcspResponse> responses;
  for (const ByteVector& der : endorsements.ocsp_responses) {
    responses.push_back(TRY(x509::OcspResponse::parse_der(der)));
  }
  return responses;
}

Result<std::vector<ReferenceManifest>> verify_all(const Options& options, cli::Terminal& terminal) {
  Roots roots = vendor_roots();
  if (!options.roots.empty()) roots = TRY(load_roots(options.roots)).roots;
  const Endorsements endorsements = TRY(load_all(options.endorsements));
  const std::vector<x509::OcspResponse> responses = TRY(read_responses(endorsements));
  rim::ManifestRules rules;
  rules.now = TRY(time_to_judge_by(options.now));
  rules.roots = roots.nvidia_rim;
  rules.revocation_lists = endorsements.revocation_lists;
  rules.ocsp_responses = responses;
  rules.must_be_unrevoked = !options.endorsements.empty();
  std::vector<ReferenceManifest> manifests;
  for (const std::string& path : options.files) {
    const ByteVector file = TRY(load_file(path, rim::kMaxManifestFile));
    const ByteVector xml = TRY(rim::unwrap_manifest(file).within(printable(path)));
    std::vector<Reason> reasons;
    auto manifest = rim::verify_manifest(xml, rules, reasons);
    if (!manifest.ok()) terminal.give_reasons(std::move(reasons));
    manifests.push_back(TRY(std::move(manifest).within(printable(path))));
  }
  return manifests;
}

// One environment has one driver and one VBIOS: values of two drivers side by side would accept
// mixtures that nobody tested.
Status check_together(const std::vector<ReferenceManifest>& manifests) {
  if (manifests.size() > 2) return Error(ErrorCode::kUsage, "more than two manifests");
  if (manifests.size() < 2) return done();
  const ReferenceManifest& a = manifests[0];
  const ReferenceManifest& b = manifests[1];
  if (a.kind == b.kind) {
    return Error(ErrorCode::kUsage, std::string("two manifests of a ") + to_string(a.kind) + ", " +
                                        a.version + " and " + b.version)
        .with_hint("each driver and VBIOS is an [[environment]] of its own");
  }
  if (a.product != b.product) {
    return Error(ErrorCode::kUsage, "manifests for " + a.product + " and " + b.product);
  }
  for (const rim::GoldenMeasurement& one : a.measurements) {
    for (const rim::GoldenMeasurement& other : b.measurements) {
      if (one.index != other.index) continue;
      return Error(ErrorCode::kMalformed,
                   "both manifests have a value for measurement " + std::to_string(one.index));
    }
  }
  return done();
}

// A claim, and all its accepted values.
struct Rule {
  std::string claim;
  std::vector<ByteVector> values;
};

std::vector<Rule> rules_of(const std::vector<ReferenceManifest>& manifests,
                           const std::string& prefix) {
  std::vector<Rule> rules;
  const auto add_text = [&](const char* claim, const std::string& text) {
    rules.push_back({prefix + claim, {to_vector(as_bytes(text))}});
  };
  add_text("architecture", manifests.front().architecture);
  for (const ReferenceManifest& manifest : manifests) {
    add_text(manifest.kind == ManifestKind::kDriver ? "driver_version" : "vbios_version",
             manifest.version);
    for (const rim::GoldenMeasurement& one : manifest.measurements) {
      const std::string number = std::to_string(one.index);
      rules.push_back(
          {prefix + "measurement" + (number.size() == 1 ? "0" : "") + number, one.values});
    }
  }
  std::sort(rules.begin(), rules.end(),
            [](const Rule& a, const Rule& b) { return a.claim < b.claim; });
  return rules;
}

cli::Json manifest_json(const ReferenceManifest& manifest) {
  return {{"kind", manifest.kind == ManifestKind::kDriver ? "driver" : "vbios"},
          {"version", manifest.version},
          {"product", manifest.product},
          {"tag_id", manifest.tag_id},
          {"signer", manifest.signers.front().subject_common_name()}};
}

void print_as_json(const std::vector<ReferenceManifest>& manifests, const std::vector<Rule>& rules,
                   const std::string& tee, cli::Terminal& terminal) {
  cli::Json from = cli::Json::array();
  for (const ReferenceManifest& manifest : manifests) from.push_back(manifest_json(manifest));
  cli::Json claims = cli::Json::object();
  for (const Rule& rule : rules) {
    const policy::ClaimName* name = policy::find_claim(*policy::find_tee(tee), rule.claim);
    for (const ByteVector& value : rule.values) {
      claims[rule.claim].push_back(name->is_text() ? std::string(as_text(value)) : to_hex(value));
    }
  }
  cli::print_json(terminal, {{"tee", tee}, {"manifests", from}, {"accept", claims}});
}

void print_as_policy(const std::vector<ReferenceManifest>& manifests,
                     const std::vector<Rule>& rules, const std::string& tee,
                     const std::string& prefix, cli::Terminal& terminal) {
  std::ostream& out = terminal.out();
  out << "# " << tee << '\n';
  for (const ReferenceManifest& manifest : manifests) {
    out << "# " << to_string(manifest.kind) << ' ' << manifest.version << ", " << manifest.product
        << ", signed by " << printable(manifest.signers.front().subject_common_name())
        << ", whose certificate ends " << utc_text(manifest.signers.front().not_after()) << '\n';
  }
  for (const Rule& rule : rules) {
    const policy::ClaimName* name = policy::find_claim(*policy::find_tee(tee), rule.claim);
    std::string values;
    for (const ByteVector& value : rule.values) {
      values += (values.empty() ? "" : ", ") + policy::value_in_toml(*name, value);
    }
    out << rule.claim << " = { accept = [" << values << "] }\n";
  }
  out << prefix << "measurements = { ignore = \"" << kEachHasARule << "\" }\n";
}

Status measure_rim(const Options& options, cli::Terminal& terminal) {
  const policy::TeeClaims* tee = policy::find_tee(options.tee);
  const std::string prefix = options.tee == kAlone ? "" : "gpu_";
  if (tee == nullptr || policy::find_claim(*tee, prefix + "driver_version") == nullptr) {
    return Error(ErrorCode::kUsage, printable(options.tee) + " has no claims about a GPU");
  }
  const auto manifests = TRY(verify_all(options, terminal));
  TRY(check_together(manifests));
  const std::vector<Rule> rules = rules_of(manifests, prefix);
  if (terminal.json()) {
    print_as_json(manifests, rules, options.tee, terminal);
  } else {
    print_as_policy(manifests, rules, options.tee, prefix, terminal);
  }
  if (manifests.size() == 1) {
    terminal.note(std::string("what the ") +
                  to_string(manifests[0].kind == ManifestKind::kDriver ? ManifestKind::kVbios
                                                                       : ManifestKind::kDriver) +
                  " measures has no rule: give its manifest too");
  }
  if (std::any_of(rules.begin(), rules.end(),
                  [&](const Rule& rule) { return rule.claim == prefix + kOfDecoder; })) {
    terminal.note(prefix + kOfDecoder + " holds for GPUs with " + prefix +
                  "nvdec 'enabled' alone: others need an environment without it");
  }
  if (options.endorsements.empty()) {
    terminal.note("whether a signer was revoked is not known: --endorsements says");
  }
  return done();
}

}  // namespace

void add_measure_rim(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = group.add_subcommand(
      "nvidia-rim", "Accepted measurements of a GPU, from NVIDIA's signed manifests");
  verb->add_option("FILE", options->files,
                   "Manifest of a driver, of a VBIOS, or both: .swidtag, or JSON as NVIDIA answers")
      ->required()
      ->expected(1, 2);
  verb->add_option("--tee", options->tee,
                   "For a GPU beside this TEE: sev-snp, tdx, azure-sev-snp, azure-tdx");
  verb->add_option("--roots", options->roots,
                   "roots.toml: whom a private installation believes; NVIDIA otherwise");
  verb->add_option("--now", options->now,
                   "Time to judge by, RFC 3339 or Unix seconds (host clock)");
  verb->add_option("--endorsements", options->endorsements,
                   "Folder or file of OCSP responses and lists: they must cover all signers");
  verb->footer(cli::help_footer(
      "sealpack attest measure nvidia-rim driver.swidtag vbios.swidtag",
      "prints lines for a policy, a list of accepted values for each measurement",
      {{ErrorCode::kUsage, "wrong command line, or manifests that do not belong together"},
       {ErrorCode::kIo, "a file cannot be read"},
       {ErrorCode::kMalformed, "no manifest"},
       {ErrorCode::kUnsupported, "another signature, product or kind"},
       {ErrorCode::kNotAuthentic, "not proven to be NVIDIA's"},
       {ErrorCode::kLimit, "a file is too large"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return measure_rim(*options, terminal); };
  });
}

}  // namespace sealpack::attest
