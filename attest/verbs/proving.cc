// SPDX-License-Identifier: Apache-2.0
#include "attest/verbs/proving.h"

#include <algorithm>
#include <ctime>
#include <ostream>

#include "attest/files/endorsement_folder.h"
#include "attest/files/evidence_file.h"
#include "attest/files/roots_file.h"
#include "attest/files/text_encodings.h"
#include "attest/policy/claim_text.h"
#include "attest/verbs/next_step.h"
#include "attest/verify/endorsements.h"
#include "attest/verify/malformed.h"
#include "formats/cli/help.h"
#include "formats/files/file_source.h"

namespace sealpack::attest {
namespace {

// Of a file that the caller wrote to say what he believes or accepts.
template <typename T>
Result<T> callers_fault(Result<T> loaded) {
  if (loaded.ok() || loaded.error().code() != ErrorCode::kMalformed) return loaded;
  const Error& wrong = loaded.error();
  return Error(ErrorCode::kUsage, wrong.message()).with_hint(wrong.hint());
}

constexpr std::size_t kMaxReportData = 64;

Result<std::optional<ByteVector>> parse_bound(const std::string& hex, const std::string& option) {
  if (hex.empty()) return std::optional<ByteVector>();
  ByteVector bytes = TRY(hex_argument(hex, option));
  if (bytes.empty() || bytes.size() > kMaxReportData) {
    return Error(ErrorCode::kUsage,
                 option + " takes 1 to 64 bytes, not " + std::to_string(bytes.size()));
  }
  return std::optional<ByteVector>(std::move(bytes));
}

const policy::ClaimName* name_of(const Claims& claims, const Claim& claim) {
  const policy::TeeClaims* tee = policy::find_tee(claims.tee);
  return tee == nullptr ? nullptr : policy::find_claim(*tee, claim.name);
}

cli::Json value_json(const policy::ClaimName* name, Bytes value) {
  if (name == nullptr) return to_hex(value);
  const std::string text = policy::value_for_people(*name, value);
  if (name->kind == policy::ClaimKind::kFlag && value.size() == 1) return text == "true";
  if (name->kind == policy::ClaimKind::kNumber && value.size() == 8) return std::stoull(text);
  if (name->is_text()) return std::string(as_text(value));
  return text;
}

}  // namespace

bool asks_for_proof(const ProvingOptions& options) {
  const auto texts = {&options.roots, &options.now, &options.report_data, &options.gpu_nonce};
  return !options.endorsements.empty() || options.minimum_tcb_evaluation != 0 ||
         std::any_of(texts.begin(), texts.end(), [](auto* text) { return !text->empty(); });
}

Result<ByteVector> hex_argument(const std::string& text, const std::string& option) {
  auto bytes = decode_hex_text(text);
  if (bytes.ok()) return bytes;
  return Error(ErrorCode::kUsage, option + " takes hex: " + bytes.error().message())
      .with_hint("two digits a byte, no 0x; of base64: base64 -d | xxd -p -c 0");
}

Result<std::uint64_t> time_to_judge_by(const std::string& text) {
  if (text.empty()) return static_cast<std::uint64_t>(std::time(nullptr));
  return cli::parse_time(text);
}

void add_evidence_argument(CLI::App& verb, ProvingOptions& options) {
  verb.add_option("EVIDENCE", options.evidence, "File or folder, in any form that is known")
      ->required();
}

void add_proving_options(CLI::App& verb, ProvingOptions& options) {
  verb.add_option("--item", options.items,
                  "KIND=FILE: an item more of the evidence, or another; may be repeated")
      ->allow_extra_args(false);
  verb.add_option(
          "--endorsements", options.endorsements,
          "Folder or file of certificates, revocation lists and collateral; may be repeated")
      ->allow_extra_args(false);
  verb.add_option("--roots", options.roots,
                  "roots.toml: whom a private installation believes; the manufacturers' otherwise");
  verb.add_option("--now", options.now, "Time to judge by, RFC 3339 or Unix seconds (host clock)");
  verb.add_option("--report-data", options.report_data,
                  "HEX: what the evidence must be bound to, all bytes of that field");
  verb.add_option("--gpu-nonce", options.gpu_nonce,
                  "HEX: what the GPU beside the TEE must have signed");
  verb.add_option("--min-tcb-evaluation", options.minimum_tcb_evaluation,
                  "Refuse older evaluations of Intel's collateral");
  verb.add_flag("--lab", options.lab, "Let SIMULATED evidence count");
}

Result<Evidence> load_evidence_of(const ProvingOptions& options, Endorsements& beside) {
  Evidence evidence = TRY(load_evidence(options.evidence, &beside));
  for (const std::string& item : options.items) {
    const std::size_t equals = item.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error(ErrorCode::kUsage, "--item takes KIND=FILE, not " + printable(item));
    }
    const std::string kind = item.substr(0, equals);
    TRY(set_item(evidence, kind,
                 TRY(load_file(item.substr(equals + 1), max_item_file_size(kind)))));
  }
  return evidence;
}

Result<Proof> prove(const ProvingOptions& options) {
  Endorsements endorsements;
  Proof proof;
  proof.evidence = TRY(load_evidence_of(options, endorsements));
  for (const std::string& path : options.endorsements) {
    merge_endorsements(endorsements, TRY(load_endorsements(path)));
  }
  RootsFile roots{vendor_roots(), {}};
  if (!options.roots.empty()) roots = TRY(callers_fault(load_roots(options.roots)));
  for (ByteVector& key : roots.public_keys) endorsements.public_keys.push_back(std::move(key));
  VerifyInput input{proof.evidence, endorsements, roots.roots};
  input.now = proof.now = TRY(time_to_judge_by(options.now));
  input.report_data = TRY(parse_bound(options.report_data, "--report-data"));
  input.gpu_nonce = TRY(parse_bound(options.gpu_nonce, "--gpu-nonce"));
  input.minimum_tcb_evaluation = options.minimum_tcb_evaluation;
  proof.compared_report_data = input.report_data.has_value();
  proof.verdict = verify(input);
  return proof;
}

Error not_genuine(const Proof& proof, cli::Terminal& terminal) {
  const auto& reasons = proof.verdict.reasons;
  const bool malformed = std::any_of(reasons.begin(), reasons.end(), [](const Reason& reason) {
    return says_malformed(reason.code);
  });
  const std::string hint = step_to_proof(proof.evidence.tee, reasons);
  terminal.give_reasons(reasons);
  if (malformed) {
    return Error(ErrorCode::kMalformed,
                 "the evidence of " + proof.evidence.tee + " breaks the rules of its format")
        .with_hint(hint);
  }
  return Error(ErrorCode::kNotAuthentic,
               "the evidence of " + proof.evidence.tee + " is not proven to be genuine")
      .with_hint(hint);
}

std::string judging_footer(const std::string& example, const char* refused) {
  return cli::help_footer(
      example, "",
      {{ErrorCode::kUsage, "wrong command line, roots or policy"},
       {ErrorCode::kIo, "a file cannot be read"},
       {ErrorCode::kMalformed, "evidence or an endorsement breaks its format"},
       {ErrorCode::kUnsupported, "a form, an algorithm or a version that is not known"},
       {ErrorCode::kNotAuthentic, "the evidence is not proven to be genuine"},
       {ErrorCode::kRefused, refused},
       {ErrorCode::kLimit, "a file is larger than it may be"}});
}

Result<policy::PolicyFile> load_policy_to_apply(const std::string& path) {
  return callers_fault(policy::load_policy(path));
}

policy::Judgement judge_proof(const Proof& proof, const bundle::MeasurementPolicy& policy,
                              bool lab) {
  policy::Judgement judged = policy::judge_all(*proof.verdict.claims, policy);
  if (proof.evidence.tee == "simulated" && !lab) {
    judged.reasons.push_back(
        {"policy.simulated",
         "SIMULATED evidence protects nothing and counts only in a laboratory"});
  }
  return judged;
}

void print_claims(const Claims& claims, std::ostream& out) {
  std::size_t width = 0;
  for (const Claim& claim : claims.claims) width = std::max(width, claim.name.size());
  for (const Claim& claim : claims.claims) {
    const policy::ClaimName* name = name_of(claims, claim);
    out << "  " << claim.name << std::string(width - claim.name.size() + 2, ' ')
        << (name == nullptr ? to_hex(claim.value) : policy::value_for_people(*name, claim.value))
        << '\n';
  }
}

cli::Json claims_json(const Claims& claims) {
  cli::Json json = cli::Json::object();
  for (const Claim& claim : claims.claims) {
    const policy::ClaimName* name = name_of(claims, claim);
    if (name != nullptr && name->is_set()) {
      json[claim.name].push_back(value_json(name, claim.value));
    } else {
      json[claim.name] = value_json(name, claim.value);
    }
  }
  return json;
}

}  // namespace sealpack::attest
