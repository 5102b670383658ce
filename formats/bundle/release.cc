// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/release.h"

#include <algorithm>

#include "formats/bundle/message_reader.h"

namespace sealpack::bundle {
namespace {

constexpr std::size_t kMaxEnvironments = 256;
constexpr std::size_t kMaxRules = 256;
constexpr std::size_t kMaxAccepted = 4096;
constexpr std::size_t kMaxClaimSize = 1024;
constexpr std::uint32_t kMaxDecimals = 9;

// Values of a claim, `what` for messages: "accepted".
Result<std::vector<ByteVector>> parse_values(MessageReader& in, std::uint32_t field,
                                             const std::string& what) {
  std::vector<ByteVector> values;
  while (TRY(in.at(field))) {
    const Bytes value = TRY(in.element(field, what + " value"));
    if (value.empty() || value.size() > kMaxClaimSize) return in.malformed(what + " value size");
    if (values.size() == kMaxAccepted) return in.malformed("too many " + what + " values");
    if (!values.empty() && !(values.back() < to_vector(value))) {
      return in.malformed(what + " values are not ascending");
    }
    values.push_back(to_vector(value));
  }
  return values;
}

Result<ByteVector> parse_bits(MessageReader& in, std::uint32_t field, const char* name) {
  return to_vector(TRY(in.bytes(field, name, kMaxClaimSize)));
}

Result<ClaimRule> parse_rule(Bytes message) {
  MessageReader in(message, "policy rule");
  ClaimRule rule;
  rule.claim = TRY(in.text(1, "claim", 64));
  rule.accepted = TRY(parse_values(in, 2, "accepted"));
  rule.minimum = TRY(in.u64(3, "minimum"));
  rule.ignore_because = TRY(in.text(4, "reason to ignore", kMaxTextSize));
  rule.maximum = TRY(in.u64(5, "maximum"));
  rule.require_bits = TRY(parse_bits(in, 6, "required bits"));
  rule.allow_bits = TRY(parse_bits(in, 7, "allowed bits"));
  rule.required = TRY(parse_values(in, 8, "required"));
  TRY(in.finish());

  if (rule.claim.empty()) return in.malformed("a rule names no claim");
  const int forms = rule.form_count();
  if (forms != 1) return in.malformed("a rule states " + std::to_string(forms) + " conditions");
  for (const ByteVector& value : rule.required) {
    if (std::binary_search(rule.accepted.begin(), rule.accepted.end(), value)) {
      return in.malformed("a value is both accepted and required");
    }
  }
  return rule;
}

Result<Environment> parse_environment(Bytes message) {
  MessageReader in(message, "policy environment");
  Environment environment;
  environment.tee = TRY(in.text(1, "TEE", 64));
  while (TRY(in.at(2))) {
    ClaimRule rule = TRY(parse_rule(TRY(in.element(2, "rule"))));
    if (environment.rules.size() == kMaxRules) return in.malformed("too many rules");
    if (!environment.rules.empty() && !(environment.rules.back().claim < rule.claim)) {
      return in.malformed("rules are not ascending by claim");
    }
    environment.rules.push_back(std::move(rule));
  }
  TRY(in.finish());
  if (environment.tee.empty()) return in.malformed("an environment names no TEE");
  if (environment.rules.empty()) return in.malformed("an environment states no rule");
  return environment;
}

Result<MeasurementPolicy> parse_policy(Bytes message) {
  MessageReader in(message, "policy");
  MeasurementPolicy policy;
  policy.anyone_because = TRY(in.text(1, "reason to admit anyone", kMaxTextSize));
  while (TRY(in.at(2))) {
    if (policy.environments.size() == kMaxEnvironments) {
      return in.malformed("too many environments");
    }
    const Bytes element = TRY(in.element(2, "environment"));
    policy.environments.push_back(TRY(parse_environment(element)));
  }
  TRY(in.finish());
  if (policy.anyone_because.empty() == policy.environments.empty()) {
    return in.malformed("a policy either admits anyone or lists environments");
  }
  return policy;
}

Result<AnswerRule> parse_answer(Bytes message) {
  MessageReader in(message, "answer rule");
  AnswerRule rule;
  switch (TRY(in.u32(1, "answer form"))) {
    case 1:
      rule.form = AnswerForm::kScores;
      break;
    case 2:
      rule.form = AnswerForm::kRounded;
      break;
    case 3:
      rule.form = AnswerForm::kTop1;
      break;
    default:
      return in.malformed("unknown answer form");
  }
  rule.decimals = TRY(in.u32(2, "decimals"));
  rule.query_budget = TRY(in.u64(3, "query budget"));
  TRY(in.finish());
  if (rule.decimals > kMaxDecimals) return in.malformed("more than 9 decimals");
  if (rule.decimals != 0 && rule.form != AnswerForm::kRounded) {
    return in.malformed("decimals without rounding");
  }
  return rule;
}

Result<Escrow> parse_escrow(Bytes message) {
  MessageReader in(message, "escrow");
  Escrow escrow;
  escrow.key = TRY(in.digest(1, "escrow key"));
  escrow.because = TRY(in.text(2, "escrow reason", kMaxTextSize));
  TRY(in.finish());
  if (escrow.because.empty()) return in.malformed("escrow without a reason");
  // Zeros stand for "a passphrase" where slots name recipients: an escrow is always a key.
  if (escrow.key == Digest{}) return in.malformed("escrow without a key");
  return escrow;
}

}  // namespace

Result<Release> parse_release(Bytes payload) {
  MessageReader in(payload, "release");
  Release release;
  release.content_digest = TRY(in.digest(1, "content digest"));
  release.content_size = TRY(in.u64(2, "content size"));
  release.key_commitment = TRY(in.digest(3, "key commitment"));
  release.product = TRY(in.text(4, "product", kMaxTextSize));
  release.version = TRY(in.text(5, "version", kMaxTextSize));
  release.counter = TRY(in.u64(6, "counter"));
  release.not_before = TRY(in.u64(7, "not before"));
  release.not_after = TRY(in.u64(8, "not after"));
  release.min_loader = TRY(in.u32(9, "minimum loader"));
  release.policy = TRY(parse_policy(TRY(in.element(10, "policy"))));
  release.answer = TRY(parse_answer(TRY(in.element(11, "answer rule"))));
  release.licence = TRY(in.text(12, "licence", kMaxLicenceSize));
  if (TRY(in.at(13))) release.escrow = TRY(parse_escrow(TRY(in.element(13, "escrow"))));
  TRY(in.finish());

  if (release.product.empty()) return in.malformed("no product");
  if (release.counter == 0) return in.malformed("no counter");
  if (release.min_loader == 0) return in.malformed("no minimum loader");
  if (release.content_size == 0) return in.malformed("no content size");
  if (release.content_size > kMaxContentSize) {
    return Error(ErrorCode::kLimit, "content manifest of " + std::to_string(release.content_size) +
                                        " bytes, at most " + std::to_string(kMaxContentSize) +
                                        " are allowed");
  }
  if (release.not_after != 0 && release.not_after <= release.not_before) {
    return in.malformed("validity ends before it begins");
  }
  return release;
}

}  // namespace sealpack::bundle
