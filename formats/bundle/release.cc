// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/release.h"

#include "formats/bundle/message_reader.h"

namespace sealpack::bundle {
namespace {

constexpr std::size_t kMaxEnvironments = 256;
constexpr std::size_t kMaxRules = 256;
constexpr std::size_t kMaxAccepted = 4096;
constexpr std::size_t kMaxClaimSize = 1024;
constexpr std::uint32_t kMaxDecimals = 9;

Result<ClaimRule> parse_rule(Bytes message) {
  MessageReader in(message, "policy rule");
  ClaimRule rule;
  rule.claim = TRY(in.text(1, "claim", 64));
  while (TRY(in.at(2))) {
    const Bytes value = TRY(in.element(2, "accepted value"));
    if (value.empty() || value.size() > kMaxClaimSize) return in.malformed("accepted value size");
    if (rule.accepted.size() == kMaxAccepted) return in.malformed("too many accepted values");
    if (!rule.accepted.empty() && !(rule.accepted.back() < to_vector(value))) {
      return in.malformed("accepted values are not ascending");
    }
    rule.accepted.push_back(to_vector(value));
  }
  rule.minimum = TRY(in.u64(3, "minimum"));
  rule.ignore_because = TRY(in.text(4, "reason to ignore", kMaxTextSize));
  rule.maximum = TRY(in.u64(5, "maximum"));
  TRY(in.finish());

  if (rule.claim.empty()) return in.malformed("a rule names no claim");
  const int kinds = (rule.accepted.empty() ? 0 : 1) + (rule.minimum == 0 ? 0 : 1) +
                    (rule.ignore_because.empty() ? 0 : 1) + (rule.maximum == 0 ? 0 : 1);
  if (kinds != 1) return in.malformed("a rule states " + std::to_string(kinds) + " conditions");
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
