// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/policy_file.h"

#include <algorithm>

#include "attest/policy/check_policy.h"
#include "formats/files/file_source.h"
#include "formats/toml/toml_table.h"

namespace sealpack::policy {

namespace {

constexpr ErrorCode kBad = ErrorCode::kMalformed;

Result<ByteVector> parse_value(const ClaimName& claim, const TomlScalar& scalar,
                               const TomlTable& at) {
  const auto* text = std::get_if<std::string>(&scalar.value);
  const auto* number = std::get_if<std::uint64_t>(&scalar.value);
  const auto* flag = std::get_if<bool>(&scalar.value);
  const std::string name(claim.name);
  ByteVector value;
  if (claim.is_bytes() && text != nullptr) {
    Result<ByteVector> bytes = from_hex(*text);
    if (!bytes.ok()) return at.error_at(kBad, scalar.position, name + " is written in hex");
    value = std::move(bytes).value();
  } else if (claim.is_text() && text != nullptr) {
    value = to_vector(as_bytes(*text));
  } else if (claim.kind == ClaimKind::kNumber && number != nullptr) {
    value = internal::number_value(*number);
  } else if (claim.kind == ClaimKind::kFlag && flag != nullptr) {
    value = {static_cast<std::uint8_t>(*flag ? 1 : 0)};
  }
  const std::string why = internal::why_not_a_value(claim, value);
  if (!why.empty()) return at.error_at(kBad, scalar.position, name + " " + why);
  return value;
}

Status parse_accepted(const ClaimName& claim, const std::vector<TomlScalar>& scalars,
                      const TomlTable& at, bundle::ClaimRule& rule) {
  if (scalars.empty()) return at.error_at(kBad, "accept", "accept lists at least one value");
  if (scalars.size() > kMaxAccepted) {
    return at.error_at(ErrorCode::kLimit, "accept", "accept lists at most 1024 values");
  }
  for (const TomlScalar& scalar : scalars) {
    ByteVector value = TRY(parse_value(claim, scalar, at));
    if (std::find(rule.accepted.begin(), rule.accepted.end(), value) != rule.accepted.end()) {
      return at.error_at(kBad, scalar.position, "the same value twice");
    }
    rule.accepted.push_back(std::move(value));
  }
  std::sort(rule.accepted.begin(), rule.accepted.end());
  return done();
}

// A minimum or a maximum of `claim`, by `key`.
Result<std::uint64_t> parse_bound(const ClaimName& claim, TomlTable& table, const std::string& key,
                                  const char* at_zero) {
  const auto bound = TRY(table.number(key));
  if (!bound) return std::uint64_t{0};
  if (claim.kind != ClaimKind::kNumber) {
    return table.error_at(kBad, key, std::string(claim.name) + " is no number and has no " + key);
  }
  if (*bound == 0) return table.error_at(kBad, key, "a " + key + " of 0 " + at_zero);
  return *bound;
}

Result<bundle::ClaimRule> parse_rule(const ClaimName& claim, TomlTable table) {
  bundle::ClaimRule rule;
  rule.claim = claim.name;
  const auto accepted = TRY(table.list("accept"));
  rule.minimum =
      TRY(parse_bound(claim, table, "minimum", "demands nothing; write ignore = \"because …\""));
  rule.maximum = TRY(parse_bound(claim, table, "maximum", "is one value; write accept = [0]"));
  const auto reason = TRY(table.text("ignore"));
  TRY(table.finish());
  if (int{accepted.has_value()} + int{rule.minimum != 0} + int{rule.maximum != 0} +
          int{reason.has_value()} !=
      1) {
    return table.error_at(kBad, "", rule.claim + " takes one of accept, minimum, maximum, ignore");
  }
  if (accepted) TRY(parse_accepted(claim, *accepted, table, rule));
  if (reason) {
    if (!internal::is_reason(*reason)) {
      return table.error_at(kBad, "ignore", "ignore gives the reason, in printable text");
    }
    rule.ignore_because = *reason;
  }
  return rule;
}

Status check_ignored(const TomlTable& table, const TeeClaims& tee,
                     const bundle::Environment& environment) {
  for (const bundle::ClaimRule& rule : environment.rules) {
    const ClaimName& claim = *find_claim(tee, rule.claim);
    if (rule.ignore_because.empty() || internal::may_ignore(claim, environment)) continue;
    const std::string unless =
        claim.or_stated.empty() ? "" : " unless the policy names " + std::string(claim.or_stated);
    return table.error_at(
        ErrorCode::kUsage, "tee",
        rule.claim + " of " + environment.tee + " evidence is never ignored" + unless);
  }
  return done();
}

Result<bundle::Environment> parse_environment(TomlTable table) {
  const auto tee_name = TRY(table.text("tee"));
  const TeeClaims* tee = tee_name ? find_tee(*tee_name) : nullptr;
  if (tee == nullptr) {
    std::string known;
    for (const TeeClaims& entry : all_tee_claims()) {
      known += (known.empty() ? "" : ", ") + std::string(entry.tee);
    }
    return table.error_at(kBad, "tee", "an environment names its tee: one of " + known);
  }
  bundle::Environment environment{*tee_name, {}};
  auto claims = TRY(table.table("claims"));
  TRY(table.finish());
  if (claims) {
    for (const std::string& name : claims->keys()) {
      const ClaimName* claim = find_claim(*tee, name);
      if (claim == nullptr) {
        return claims->error_at(kBad, name,
                                *tee_name + " evidence makes no claim " + printable(name));
      }
      auto rule_table = TRY(claims->table(name));
      environment.rules.push_back(TRY(parse_rule(*claim, std::move(*rule_table))));
    }
  }
  const std::string missing = internal::missing_claims(*tee, environment);
  if (!missing.empty()) {
    return table
        .error_at(ErrorCode::kUsage, "tee",
                  "the " + *tee_name + " policy says nothing about " + missing)
        .with_hint(
            "what is not stated accepts nothing; write a rule, or { ignore = \"because …\" }");
  }
  TRY(check_ignored(table, *tee, environment));
  return environment;
}

Result<std::string> parse_anyone(TomlTable table) {
  const auto because = TRY(table.text("because"));
  TRY(table.finish());
  if (!because || !internal::is_reason(*because)) {
    return table.error_at(kBad, "because", "[anyone] gives the reason: because = \"…\"");
  }
  return *because;
}

Result<bundle::AnswerRule> parse_answer(TomlTable table) {
  const auto form = TRY(table.text("form"));
  const auto decimals = TRY(table.number("decimals"));
  const auto budget = TRY(table.number("query_budget"));
  TRY(table.finish());
  bundle::AnswerRule answer;
  if (form == "scores") {
    answer.form = bundle::AnswerForm::kScores;
  } else if (form == "rounded") {
    answer.form = bundle::AnswerForm::kRounded;
  } else if (form == "top-1") {
    answer.form = bundle::AnswerForm::kTop1;
  } else {
    return table.error_at(kBad, "form", "form is \"scores\", \"rounded\" or \"top-1\"");
  }
  if (decimals.has_value() != (answer.form == bundle::AnswerForm::kRounded) ||
      decimals.value_or(0) > kMaxDecimals) {
    return table.error_at(kBad, "decimals",
                          "decimals, 0 to 9, belongs to form = \"rounded\", and only there");
  }
  if (budget && *budget == 0) {
    return table.error_at(kBad, "query_budget",
                          "query_budget is at least 1; leave it out for no limit");
  }
  answer.decimals = static_cast<std::uint32_t>(decimals.value_or(0));
  answer.query_budget = budget.value_or(0);
  return answer;
}

}  // namespace

Result<PolicyFile> parse_policy(std::string_view text, const std::string& name) {
  TomlTable root = TRY(TomlTable::parse(text, name));
  PolicyFile out;
  auto anyone = TRY(root.table("anyone"));
  std::vector<TomlTable> environments = TRY(root.tables("environment"));
  auto answer = TRY(root.table("answer"));
  TRY(root.finish());
  if (anyone && !environments.empty()) {
    return root.error_at(ErrorCode::kUsage, "anyone",
                         "[anyone] and [[environment]] contradict each other");
  }
  if (!anyone && environments.empty()) {
    return root.error_at(ErrorCode::kUsage, "", "the policy accepts nobody")
        .with_hint("write [[environment]] with its claims, or [anyone] with because = \"…\"");
  }
  if (environments.size() > kMaxEnvironments) {
    return root.error_at(ErrorCode::kLimit, "environment", "a policy has at most 64 environments");
  }
  if (anyone) out.policy.anyone_because = TRY(parse_anyone(std::move(*anyone)));
  for (TomlTable& table : environments) {
    out.policy.environments.push_back(TRY(parse_environment(std::move(table))));
  }
  if (answer) out.answer = TRY(parse_answer(std::move(*answer)));
  return out;
}

Result<PolicyFile> load_policy(const std::filesystem::path& path) {
  const ByteVector content = TRY(load_file(path, TomlTable::kMaxSize));
  return parse_policy(as_text(content), path.string());
}

}  // namespace sealpack::policy
