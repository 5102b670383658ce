// SPDX-License-Identifier: Apache-2.0
// From the value of a policy to text: the file, and lines for people.
#include "attest/policy/check_policy.h"
#include "attest/policy/claim_text.h"
#include "attest/policy/policy_file.h"

namespace sealpack::policy {

namespace {

// As a file has them. Those that no file could have are shown safely: policies of bundles that
// nobody verified are explained as well.
std::string joined_values(const ClaimName& claim, const std::vector<ByteVector>& values,
                          const char* separator) {
  std::string out;
  for (const ByteVector& value : values) {
    const bool possible = internal::why_not_a_value(claim, value).empty();
    out += (out.empty() ? "" : separator) +
           (possible ? value_in_toml(claim, value) : value_for_people(claim, value));
  }
  return out;
}

const char* form_name(bundle::AnswerForm form) {
  switch (form) {
    case bundle::AnswerForm::kScores:
      return "scores";
    case bundle::AnswerForm::kRounded:
      return "rounded";
    case bundle::AnswerForm::kTop1:
      return "top-1";
  }
  return "unknown";
}

std::string rule_text(const ClaimName& claim, const bundle::ClaimRule& rule) {
  if (!rule.ignore_because.empty()) return "{ ignore = " + text_in_toml(rule.ignore_because) + " }";
  if (rule.minimum != 0) return "{ minimum = " + std::to_string(rule.minimum) + " }";
  if (rule.maximum != 0) return "{ maximum = " + std::to_string(rule.maximum) + " }";
  std::string parts;
  const auto add = [&](const char* key, const std::string& value) {
    parts += (parts.empty() ? "" : ", ") + std::string(key) + " = " + value;
  };
  if (!rule.required.empty()) {
    add("require", "[" + joined_values(claim, rule.required, ", ") + "]");
  }
  if (!rule.accepted.empty()) {
    add("accept", "[" + joined_values(claim, rule.accepted, ", ") + "]");
  }
  if (!rule.require_bits.empty()) add("require_bits", text_in_toml(to_hex(rule.require_bits)));
  if (!rule.allow_bits.empty()) add("allow_bits", text_in_toml(to_hex(rule.allow_bits)));
  return "{ " + parts + " }";
}

// What a rule about values or bits demands, for people.
std::string demand_line(const ClaimName& claim, const bundle::ClaimRule& rule) {
  if (!rule.required.empty()) {
    const std::string others = joined_values(claim, rule.accepted, " or ");
    return joined_values(claim, rule.required, " and ") +
           (others.empty() ? ", nothing else" : ", besides only " + others);
  }
  if (!rule.accepted.empty()) {
    return (claim.is_set() ? "nothing but " : "") + joined_values(claim, rule.accepted, " or ");
  }
  std::string out;
  if (!rule.require_bits.empty()) out = "the bits " + to_hex(rule.require_bits) + " are set";
  if (rule.allow_bits.empty()) return out;
  return out + (out.empty() ? "no bits but " : ", and none but ") + to_hex(rule.allow_bits);
}

std::string rule_line(const ClaimName* claim, const bundle::ClaimRule& rule) {
  if (claim == nullptr) return printable(rule.claim) + ": a claim that this version does not know";
  if (!rule.ignore_because.empty()) {
    return rule.claim + ": anything, because " + printable(rule.ignore_because);
  }
  if (rule.minimum != 0) return rule.claim + ": at least " + std::to_string(rule.minimum);
  if (rule.maximum != 0) return rule.claim + ": at most " + std::to_string(rule.maximum);
  return rule.claim + ": " + demand_line(*claim, rule);
}

}  // namespace

std::string serialize_policy(const PolicyFile& file) {
  std::string out;
  if (!file.policy.requires_attestation()) {
    out += "[anyone]\nbecause = " + text_in_toml(file.policy.anyone_because) + "\n";
  }
  for (const bundle::Environment& environment : file.policy.environments) {
    const TeeClaims* tee = find_tee(environment.tee);
    if (tee == nullptr) die("serialize_policy: unchecked policy");
    out += (out.empty() ? "" : "\n") + std::string("[[environment]]\ntee = ") +
           text_in_toml(environment.tee) + "\n[environment.claims]\n";
    for (const bundle::ClaimRule& rule : environment.rules) {
      const ClaimName* claim = find_claim(*tee, rule.claim);
      if (claim == nullptr) die("serialize_policy: unchecked policy");
      out += rule.claim + " = " + rule_text(*claim, rule) + "\n";
    }
  }
  if (file.answer) {
    out += std::string("\n[answer]\nform = ") + text_in_toml(form_name(file.answer->form)) + "\n";
    if (file.answer->form == bundle::AnswerForm::kRounded) {
      out += "decimals = " + std::to_string(file.answer->decimals) + "\n";
    }
    if (file.answer->query_budget != 0) {
      out += "query_budget = " + std::to_string(file.answer->query_budget) + "\n";
    }
  }
  return out;
}

std::vector<std::string> explain(const bundle::MeasurementPolicy& policy) {
  if (!policy.requires_attestation()) {
    return {"any holder of a recipient key, anywhere, because " + printable(policy.anyone_because)};
  }
  if (policy.environments.empty()) return {"nobody"};
  std::vector<std::string> lines;
  std::size_t next = 1;
  for (const bundle::Environment& environment : policy.environments) {
    const TeeClaims* tee = find_tee(environment.tee);
    const char* warning = environment.tee == "simulated" ? " (SIMULATED: protects nothing)" : "";
    const bool several = policy.environments.size() > 1;
    const std::string number = std::to_string(next++);
    lines.push_back((several ? number + ": " : "") + "whoever proves an environment of type " +
                    printable(environment.tee) + warning + " with");
    for (const bundle::ClaimRule& rule : environment.rules) {
      const ClaimName* claim = tee == nullptr ? nullptr : find_claim(*tee, rule.claim);
      lines.push_back("  " + rule_line(claim, rule));
    }
  }
  return lines;
}

std::string explain(const bundle::AnswerRule& answer) {
  std::string out = "answers: ";
  switch (answer.form) {
    case bundle::AnswerForm::kScores:
      out += "all scores";
      break;
    case bundle::AnswerForm::kRounded:
      out += "scores rounded to " + std::to_string(answer.decimals) + " decimals";
      break;
    case bundle::AnswerForm::kTop1:
      out += "the best class alone";
      break;
  }
  if (answer.query_budget == 0) return out + ", as many as asked for";
  return out + ", at most " + std::to_string(answer.query_budget) + " each time it is opened";
}

}  // namespace sealpack::policy
