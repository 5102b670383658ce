// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/check_policy.h"

#include <algorithm>

#include "attest/policy/policy_file.h"

namespace sealpack::policy {

namespace internal {

std::string why_not_a_value(const ClaimName& claim, Bytes value) {
  switch (claim.kind) {
    case ClaimKind::kBytes:
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

std::string missing_claims(const TeeClaims& tee, const bundle::Environment& environment) {
  std::string missing;
  for (const ClaimName& claim : tee.claims) {
    const bool stated = std::any_of(environment.rules.begin(), environment.rules.end(),
                                    [&](const auto& rule) { return rule.claim == claim.name; });
    if (claim.mandatory && !stated)
      missing += (missing.empty() ? "" : ", ") + std::string(claim.name);
  }
  return missing;
}

bool may_ignore(const ClaimName& claim, const bundle::Environment& environment) {
  if (!claim.never_ignored) return true;
  if (claim.or_stated.empty()) return false;
  const auto is_zero = [](const ByteVector& value) {
    return std::all_of(value.begin(), value.end(), [](auto byte) { return byte == 0; });
  };
  return std::any_of(environment.rules.begin(), environment.rules.end(),
                     [&](const bundle::ClaimRule& rule) {
                       return rule.claim == claim.or_stated && !rule.accepted.empty() &&
                              std::none_of(rule.accepted.begin(), rule.accepted.end(), is_zero);
                     });
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

Status check_rule(const ClaimName& claim, const bundle::ClaimRule& rule) {
  const int set = (rule.accepted.empty() ? 0 : 1) + (rule.minimum == 0 ? 0 : 1) +
                  (rule.ignore_because.empty() ? 0 : 1) + (rule.maximum == 0 ? 0 : 1);
  if (set != 1) {
    return refused("a rule accepts values, states a minimum or a maximum, or ignores: one of them");
  }
  if (!rule.ignore_because.empty()) {
    return internal::is_reason(rule.ignore_because)
               ? done()
               : refused("a reason that is not printable text");
  }
  if (rule.minimum != 0 || rule.maximum != 0) {
    if (claim.kind != ClaimKind::kNumber || ((rule.minimum | rule.maximum) >> 63U) != 0) {
      return refused("a minimum or maximum for what is no number");
    }
    return done();
  }
  if (rule.accepted.size() > kMaxAccepted) return refused("more than 1024 accepted values");
  for (std::size_t i = 0; i < rule.accepted.size(); ++i) {
    const std::string why = internal::why_not_a_value(claim, rule.accepted[i]);
    if (!why.empty()) return refused("a value of this claim " + why);
    if (i > 0 && !(rule.accepted[i - 1] < rule.accepted[i])) {
      return refused("accepted values out of order");
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
