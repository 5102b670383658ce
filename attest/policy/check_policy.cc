// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/check_policy.h"

#include <algorithm>

#include "attest/policy/policy_file.h"

namespace sealpack::policy {

namespace internal {

std::string why_not_a_value(const ClaimName& claim, Bytes value) {
  switch (claim.kind) {
    case ClaimKind::kBytes:
    case ClaimKind::kBits:
    case ClaimKind::kBytesSet: {
      if (std::find(claim.sizes.begin(), claim.sizes.end(), value.size()) == claim.sizes.end()) {
        std::string sizes;
        for (const std::size_t size : claim.sizes) {
          sizes += (sizes.empty() ? "" : " or ") + std::to_string(size);
        }
        return "has " + sizes + " bytes, not " + std::to_string(value.size());
      }
      const bool zero =
          std::all_of(value.begin(), value.end(), [](auto byte) { return byte == 0; });
      return zero && claim.zero_is_debug ? "of all zeros marks a debug environment" : "";
    }
    case ClaimKind::kFlag:
      return value.size() == 1 && value[0] <= 1 ? "" : "is true or false";
    case ClaimKind::kNumber:
      return value.size() == 8 && value[0] < 0x80 ? "" : "is a whole number below 2^63";
    case ClaimKind::kText:
    case ClaimKind::kTextSet: {
      const std::string_view text = as_text(value);
      if (!is_reason(text)) return "is a printable text of 1 to 4096 bytes";
      const bool known = claim.texts.empty() || std::find(claim.texts.begin(), claim.texts.end(),
                                                          text) != claim.texts.end();
      if (known) return "";
      std::string all;
      for (const std::string_view name : claim.texts)
        all += (all.empty() ? "" : ", ") + std::string(name);
      return "is one of " + all;
    }
  }
  return "is of no known kind";
}

const bundle::ClaimRule* find_rule(const bundle::Environment& environment, std::string_view claim) {
  for (const bundle::ClaimRule& rule : environment.rules) {
    if (rule.claim == claim) return &rule;
  }
  return nullptr;
}

bool is_mandatory(const ClaimName& claim, const bundle::Environment& environment) {
  if (claim.mandatory) return true;
  if (claim.mandatory_with_gpu) {
    return std::any_of(environment.rules.begin(), environment.rules.end(),
                       [](const auto& rule) { return rule.claim.starts_with(kGpuPrefix); });
  }
  if (claim.mandatory_where.claim.empty()) return false;
  const bundle::ClaimRule* rule = find_rule(environment, claim.mandatory_where.claim);
  if (rule == nullptr) return false;  // which is mandatory itself
  const auto& accepted = rule->accepted;
  return !rule->ignore_because.empty() ||
         std::any_of(accepted.begin(), accepted.end(), [&](const ByteVector& value) {
           return as_text(value) == claim.mandatory_where.value;
         });
}

std::string missing_claims(const TeeClaims& tee, const bundle::Environment& environment) {
  std::string missing;
  for (const ClaimName& claim : tee.claims) {
    if (find_rule(environment, claim.name) != nullptr || !is_mandatory(claim, environment))
      continue;
    missing += (missing.empty() ? "" : ", ") + std::string(claim.name);
  }
  return missing;
}

namespace {

bool has_size_of(const ClaimName& claim, Bytes mask) {
  return std::find(claim.sizes.begin(), claim.sizes.end(), mask.size()) != claim.sizes.end();
}

std::string why_not_bits(const ClaimName& claim, Bytes require, Bytes allow) {
  if (claim.kind != ClaimKind::kBits) return "is no mask of bits";
  for (const Bytes mask : {require, allow}) {
    if (!mask.empty() && !has_size_of(claim, mask)) return why_not_a_value(claim, mask);
  }
  const auto all = [](Bytes mask, std::uint8_t byte) {
    return !mask.empty() &&
           std::all_of(mask.begin(), mask.end(), [&](auto b) { return b == byte; });
  };
  if (all(require, 0)) return "has no bit in require_bits, which demands nothing";
  if (all(allow, 0xff)) return "has every bit in allow_bits, which demands nothing";
  for (std::size_t i = 0; i < require.size() && i < allow.size(); ++i) {
    if ((require[i] & ~allow[i]) != 0) return "has bits in require_bits that allow_bits lacks";
  }
  return "";
}

}  // namespace

std::string why_not_a_rule(const ClaimName& claim, const bundle::ClaimRule& rule) {
  if (rule.form_count() != 1) {
    return "takes one of accept and require, minimum, maximum, require_bits and allow_bits, ignore";
  }
  if (!rule.ignore_because.empty()) return "";
  if (claim.bad_news && claim.kind == ClaimKind::kFlag) {
    return "is claimed only where it holds: leave the rule out to refuse it, or write { ignore = "
           "\"because …\" }";
  }
  if (rule.minimum != 0 || rule.maximum != 0) {
    const char* bound = rule.minimum != 0 ? "minimum" : "maximum";
    if (claim.kind != ClaimKind::kNumber) return std::string("is no number and has no ") + bound;
    const bool fits = ((rule.minimum | rule.maximum) >> 63U) == 0;
    return fits ? "" : std::string("has a ") + bound + " of 2^63 or more";
  }
  if (!rule.require_bits.empty() || !rule.allow_bits.empty()) {
    return why_not_bits(claim, rule.require_bits, rule.allow_bits);
  }
  if (!rule.required.empty() && !claim.is_set()) return "occurs once: write accept";
  if (!rule.required.empty() && claim.bad_news) return "is bad news, which nobody requires";
  return "";
}

std::string why_not_ignored(const ClaimName& claim, const bundle::Environment& environment) {
  const std::string of = std::string(claim.name) + " of " + environment.tee + " evidence is ";
  if (!claim.not_ignored_with.empty()) {
    const bundle::ClaimRule* values = find_rule(environment, claim.not_ignored_with);
    if (values == nullptr || values->accepted.empty()) return "";
    return of + "not ignored where " + std::string(claim.not_ignored_with) +
           " is accepted, which says nothing without it";
  }
  if (!claim.never_ignored) return "";
  const std::string never = of + "never ignored";
  if (claim.or_stated.empty()) return never;
  const auto is_zero = [](const ByteVector& value) {
    return std::all_of(value.begin(), value.end(), [](auto byte) { return byte == 0; });
  };
  const bundle::ClaimRule* other = find_rule(environment, claim.or_stated);
  const bool stated = other != nullptr && !other->accepted.empty() &&
                      std::none_of(other->accepted.begin(), other->accepted.end(), is_zero);
  return stated ? "" : never + " unless the policy names " + std::string(claim.or_stated);
}

ByteVector number_value(std::uint64_t number) {
  ByteVector out(8);
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<std::uint8_t>(number >> (56U - 8U * i));
  return out;
}

std::uint64_t parse_number_value(Bytes value) {
  std::uint64_t number = 0;
  for (const std::uint8_t byte : value) number = (number << 8U) | byte;
  return number;
}

// Reasons and names are shown to people: text that printable() would not change.
bool is_reason(std::string_view text) {
  return !text.empty() && text.size() <= bundle::kMaxTextSize &&
         printable(text) == "'" + std::string(text) + "'";
}

}  // namespace internal

namespace {

Error refused(const std::string& why) {
  return Error(ErrorCode::kRefused, why);
}

Status check_values(const ClaimName& claim, const std::vector<ByteVector>& values) {
  if (values.size() > kMaxAccepted) return refused("more than 1024 accepted values");
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string why = internal::why_not_a_value(claim, values[i]);
    if (!why.empty()) return refused("a value of this claim " + why);
    if (i > 0 && !(values[i - 1] < values[i])) return refused("values out of order");
  }
  return done();
}

Status check_rule(const ClaimName& claim, const bundle::ClaimRule& rule) {
  const std::string why = internal::why_not_a_rule(claim, rule);
  if (!why.empty()) return refused(std::string(claim.name) + " " + why);
  if (!rule.ignore_because.empty() && !internal::is_reason(rule.ignore_because)) {
    return refused("a reason that is not printable text");
  }
  TRY(check_values(claim, rule.accepted));
  TRY(check_values(claim, rule.required));
  for (const ByteVector& value : rule.required) {
    if (std::binary_search(rule.accepted.begin(), rule.accepted.end(), value)) {
      return refused("a value both accepted and required");
    }
  }
  return done();
}

Status check_environment(const bundle::Environment& environment) {
  const TeeClaims* tee = find_tee(environment.tee);
  if (tee == nullptr) {
    return Error(ErrorCode::kUnsupported,
                 "this version knows no TEE " + printable(environment.tee));
  }
  const std::string* previous = nullptr;
  for (const bundle::ClaimRule& rule : environment.rules) {
    const ClaimName* claim = find_claim(*tee, rule.claim);
    if (claim == nullptr) return refused("evidence makes no claim " + printable(rule.claim));
    if (previous != nullptr && !(*previous < rule.claim)) return refused("claims out of order");
    previous = &rule.claim;
    TRY(check_rule(*claim, rule).within("claim " + rule.claim));
  }
  const std::string missing = internal::missing_claims(*tee, environment);
  if (!missing.empty()) return refused("says nothing about " + missing);
  for (const bundle::ClaimRule& rule : environment.rules) {
    if (rule.ignore_because.empty()) continue;
    const std::string why = internal::why_not_ignored(*find_claim(*tee, rule.claim), environment);
    if (!why.empty()) return refused(why);
  }
  return done();
}

}  // namespace

Status check_policy(const bundle::MeasurementPolicy& policy) {
  if (!policy.requires_attestation()) {
    if (!policy.environments.empty())
      return refused("policy for anyone and for environments at once");
    if (!internal::is_reason(policy.anyone_because))
      return refused("a reason that is not printable text");
    return done();
  }
  if (policy.environments.empty()) return refused("policy accepts nobody");
  if (policy.environments.size() > kMaxEnvironments) return refused("more than 64 environments");
  for (const bundle::Environment& environment : policy.environments) {
    TRY(check_environment(environment).within("policy for " + printable(environment.tee)));
  }
  return done();
}

}  // namespace sealpack::policy
