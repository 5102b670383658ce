// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/policy_file.h"

#include <algorithm>
#include <numeric>

#include "attest/policy/check_policy.h"
#include "formats/files/file_source.h"
#include "formats/toml/toml_table.h"

namespace sealpack::policy {

namespace {

constexpr ErrorCode kBad = ErrorCode::kMalformed;
constexpr const char* kForms =
    "a rule is { accept = [values] }, { minimum = N }, { maximum = N } or { ignore = \"because …\" "
    "}; docs/POLICY.md has all forms";

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

// The values of `key`, accept or require; none where it is not there.
Result<std::vector<ByteVector>> parse_values(const ClaimName& claim, TomlTable& table,
                                             const std::string& key) {
  std::vector<ByteVector> values;
  const auto scalars = TRY(table.list(key).with_hint(kForms));
  if (!scalars) return values;
  if (scalars->empty()) return table.error_at(kBad, key, key + " lists at least one value");
  if (scalars->size() > kMaxAccepted) {
    return table.error_at(ErrorCode::kLimit, key, key + " lists at most 1024 values");
  }
  for (const TomlScalar& scalar : *scalars) {
    ByteVector value = TRY(parse_value(claim, scalar, table));
    if (std::find(values.begin(), values.end(), value) != values.end()) {
      return table.error_at(kBad, scalar.position, "the same value twice");
    }
    values.push_back(std::move(value));
  }
  std::sort(values.begin(), values.end());
  return values;
}

// A minimum or a maximum, by `key`; 0 where it is not there.
Result<std::uint64_t> parse_bound(TomlTable& table, const std::string& key, const char* at_zero) {
  const auto bound = TRY(table.number(key));
  if (bound == 0U) return table.error_at(kBad, key, "a " + key + " of 0 " + at_zero);
  return bound.value_or(0);
}

Result<ByteVector> parse_bits(TomlTable& table, const std::string& key) {
  const auto text = TRY(table.text(key));
  if (!text) return ByteVector();
  auto bits = from_hex(*text);
  if (!bits.ok() || bits->empty()) {
    return table.error_at(kBad, key, key + " is written in hex, as long as the claim");
  }
  return bits;
}

Result<bundle::ClaimRule> parse_rule(const ClaimName& claim, TomlTable table) {
  bundle::ClaimRule rule;
  rule.claim = claim.name;
  rule.accepted = TRY(parse_values(claim, table, "accept"));
  rule.required = TRY(parse_values(claim, table, "require"));
  rule.minimum =
      TRY(parse_bound(table, "minimum", "demands nothing; write ignore = \"because …\""));
  rule.maximum = TRY(parse_bound(table, "maximum", "is one value; write accept = [0]"));
  rule.require_bits = TRY(parse_bits(table, "require_bits"));
  rule.allow_bits = TRY(parse_bits(table, "allow_bits"));
  rule.ignore_because = TRY(table.text("ignore")).value_or("");
  if (table.has("ignore") && !internal::is_reason(rule.ignore_because)) {
    return table.error_at(kBad, "ignore", "ignore gives the reason, in printable text");
  }
  TRY(table.finish().with_hint(kForms));
  const std::string why = internal::why_not_a_rule(claim, rule);
  if (!why.empty()) return table.error_at(kBad, "", rule.claim + " " + why);
  for (const ByteVector& value : rule.required) {
    if (!std::binary_search(rule.accepted.begin(), rule.accepted.end(), value)) continue;
    return table.error_at(kBad, "require", "what require lists is accepted: list it once");
  }
  return rule;
}

Status check_ignored(const TomlTable& table, const TeeClaims& tee,
                     const bundle::Environment& environment) {
  for (const bundle::ClaimRule& rule : environment.rules) {
    if (rule.ignore_because.empty()) continue;
    const std::string why = internal::why_not_ignored(*find_claim(tee, rule.claim), environment);
    if (!why.empty()) return table.error_at(ErrorCode::kUsage, "tee", why);
  }
  return done();
}

// Letters to be added, removed or changed to make one of the other (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

// A hint for a claim that there is not.
std::string meant_instead_of(std::string_view name, const TeeClaims& tee) {
  const auto all =
      "'sealpack policy init --tee " + std::string(tee.tee) + "' writes down all claims";
  constexpr std::size_t kLongest = 64;
  if (name.size() > kLongest) return all;
  const auto nearest = std::min_element(tee.claims.begin(), tee.claims.end(),
                                        [&](const ClaimName& a, const ClaimName& b) {
                                          return distance(name, a.name) < distance(name, b.name);
                                        });
  constexpr std::size_t kTypo = 3;
  if (distance(name, nearest->name) > kTypo) return all;
  return printable(nearest->name) + " is meant? " + all;
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
        return claims
            ->error_at(kBad, name, *tee_name + " evidence makes no claim " + printable(name))
            .with_hint(meant_instead_of(name, *tee));
      }
      auto rule_table = TRY(claims->table(name).with_hint(kForms));
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
