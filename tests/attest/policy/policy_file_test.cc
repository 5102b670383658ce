// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/policy_file.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "attest/policy/claim_names.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::policy {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string hex(std::size_t size, const char* byte = "ab") {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += byte;
  return out;
}

const std::string kSimulated =
    "[[environment]]\ntee = \"simulated\"\n[environment.claims]\nmeasurement = { accept = [\"" +
    hex(32) + "\"] }\nroot = { accept = [\"" + hex(32, "cd") + "\"] }\n";

// A valid rule for any claim.
std::string rule_for(const ClaimName& claim) {
  if (claim.bad_news && claim.kind == ClaimKind::kFlag) return "{ ignore = \"a test\" }";
  switch (claim.kind) {
    case ClaimKind::kBytes:
    case ClaimKind::kBits:
    case ClaimKind::kBytesSet:
      return "{ accept = [\"" + hex(claim.sizes.front()) + "\"] }";
    case ClaimKind::kFlag:
      return "{ accept = [false] }";
    case ClaimKind::kNumber:
      return "{ minimum = 3 }";
    case ClaimKind::kText:
    case ClaimKind::kTextSet:
      return "{ accept = [\"" + std::string(claim.texts.empty() ? "x" : claim.texts.front()) +
             "\"] }";
  }
  return {};
}

std::string full_environment(const TeeClaims& tee, std::string_view without = {}) {
  std::string text =
      "[[environment]]\ntee = \"" + std::string(tee.tee) + "\"\n[environment.claims]\n";
  for (const ClaimName& claim : tee.claims) {
    if (claim.name != without) text += std::string(claim.name) + " = " + rule_for(claim) + "\n";
  }
  return text;
}

std::string simulated_with(const std::string& measurement_rule) {
  return "[[environment]]\ntee = \"simulated\"\n[environment.claims]\nroot = { accept = [\"" +
         hex(32, "cd") + "\"] }\nmeasurement = " + measurement_rule + "\n";
}

TEST(PolicyFile, KeepsEveryClaimOfEveryTeeOnItsWayThroughText) {
  for (const TeeClaims& tee : all_tee_claims()) {
    const auto policy = parse_policy(full_environment(tee), "p");
    ASSERT_THAT(policy, Succeeds()) << tee.tee;
    EXPECT_EQ(policy->policy.environments.at(0).rules.size(), tee.claims.size());
    EXPECT_THAT(check_policy(policy->policy), Succeeds()) << tee.tee;
    const std::string text = serialize_policy(*policy);
    const auto again = parse_policy(text, "p");
    ASSERT_THAT(again, Succeeds()) << text;
    EXPECT_EQ(*again, *policy);
    EXPECT_EQ(serialize_policy(*again), text);
  }
}

TEST(PolicyFile, DemandsEveryMandatoryClaimOfEveryTee) {
  for (const TeeClaims& tee : all_tee_claims()) {
    for (const ClaimName& claim : tee.claims) {
      const auto policy = parse_policy(full_environment(tee, claim.name), "p");
      EXPECT_EQ(policy.ok(), !claim.mandatory && !claim.mandatory_with_gpu)
          << tee.tee << " without " << claim.name;
    }
  }
}

TEST(PolicyFile, NamesAllMissingClaimsAtOnce) {
  const auto policy = parse_policy(
      "[[environment]]\ntee = \"sgx\"\n[environment.claims]\ndebug = { accept = [false] }\n",
      "p.toml");
  ASSERT_THAT(policy,
              FailsWith(ErrorCode::kUsage,
                        AllOf(StartsWith("p.toml:2:1: "),
                              HasSubstr("isv_prod_id, isv_svn, mrenclave, mrsigner, tcb_status"))));
  EXPECT_THAT(policy.error().hint(), HasSubstr("ignore"));
}

TEST(PolicyFile, SortsWhatItReads) {
  const auto policy = parse_policy(
      simulated_with("{ accept = [\"" + hex(32, "bb") + "\", \"" + hex(32, "AA") + "\"] }"), "p");
  ASSERT_THAT(policy, Succeeds());
  const auto& rules = policy->policy.environments[0].rules;
  EXPECT_EQ(rules[0].claim, "measurement");
  EXPECT_EQ(rules[0].accepted[0][0], 0xaa);
  EXPECT_EQ(rules[0].accepted[1][0], 0xbb);
}

TEST(PolicyFile, AcceptsAnyoneForAReasonAlone) {
  const auto policy = parse_policy("[anyone]\nbecause = \"the appliance has no TEE\"\n", "p");
  ASSERT_THAT(policy, Succeeds());
  EXPECT_FALSE(policy->policy.requires_attestation());
  EXPECT_EQ(explain(policy->policy).at(0),
            "any holder of a recipient key, anywhere, because 'the appliance has no TEE'");
  for (const char* text : {"[anyone]\n", "[anyone]\nbecause = \"\"\n", "[anyone]\nbecause = true\n",
                           "anyone = true\n", "[anyone]\nbecause = \"a\\u001b[31m\"\n"}) {
    EXPECT_THAT(parse_policy(text, "p"), Fails(ErrorCode::kMalformed)) << text;
  }
}

TEST(PolicyFile, RefusesToAcceptNobodyOrBoth) {
  EXPECT_THAT(parse_policy("", "p"), FailsWith(ErrorCode::kUsage, HasSubstr("nobody")));
  EXPECT_THAT(parse_policy("[answer]\nform = \"scores\"\n", "p"), Fails(ErrorCode::kUsage));
  EXPECT_THAT(parse_policy("[anyone]\nbecause = \"x\"\n" + kSimulated, "p"),
              Fails(ErrorCode::kUsage));
}

TEST(PolicyFile, RefusesUnknownKeysWithTheirPlace) {
  EXPECT_THAT(parse_policy("allow_debug = true\n" + kSimulated, "p.toml"),
              FailsWith(ErrorCode::kMalformed, "p.toml:1:1: unknown key 'allow_debug'"));
  EXPECT_THAT(parse_policy(kSimulated + "mesurement = { ignore = \"typo\" }\n", "p.toml"),
              FailsWith(ErrorCode::kMalformed,
                        "p.toml:6:1: simulated evidence makes no claim 'mesurement'"));
  EXPECT_THAT(
      parse_policy("[[environment]]\ntee = \"sev\"\n", "p.toml"),
      FailsWith(ErrorCode::kMalformed, AllOf(StartsWith("p.toml:2:1: "), HasSubstr("sev-snp"))));
  EXPECT_THAT(parse_policy(simulated_with("{ deny = [\"x\"] }"), "p"),
              Fails(ErrorCode::kMalformed));
}

TEST(PolicyFile, RefusesRulesThatSayNothingOrTwoThings) {
  const std::string value = "\"" + hex(32) + "\"";
  for (const std::string& rule :
       {std::string("{}"), std::string("{ accept = [] }"), "{ accept = " + value + " }", value,
        "{ accept = [" + value + "], ignore = \"x\" }", std::string("{ ignore = \"\" }"),
        std::string("{ ignore = true }"), std::string("{ minimum = 1 }"),
        "{ accept = [" + value + ", " + value + "] }",
        "{ accept = [\"" + hex(32, "AB") + "\", " + value + "] }"}) {
    EXPECT_THAT(parse_policy(simulated_with(rule), "p"), Fails(ErrorCode::kMalformed)) << rule;
  }
}

TEST(PolicyFile, RefusesValuesOfTheWrongSizeOrKind) {
  for (const std::string& value :
       {"\"" + hex(31) + "\"", "\"" + hex(33) + "\"", "\"" + hex(31) + "a\"",
        "\"" + hex(31) + "zz\"", std::string("\"\""), std::string("7"), std::string("true"),
        std::string("1.5")}) {
    EXPECT_THAT(parse_policy(simulated_with("{ accept = [" + value + "] }"), "p"),
                Fails(ErrorCode::kMalformed))
        << value;
  }
}

std::string sgx_with(const std::string& claim, const std::string& rule) {
  return full_environment(*find_tee("sgx"), claim) + claim + " = " + rule + "\n";
}

TEST(PolicyFile, KnowsNumbersFlagsAndNames) {
  EXPECT_THAT(parse_policy(sgx_with("isv_prod_id", "{ accept = [1, 300] }"), "p"), Succeeds());
  EXPECT_THAT(parse_policy(sgx_with("isv_prod_id", "{ accept = [\"1\"] }"), "p"),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_policy(sgx_with("isv_svn", "{ minimum = 0 }"), "p"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("demands nothing")));
  EXPECT_THAT(parse_policy(sgx_with("debug", "{ accept = [0] }"), "p"),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_policy(sgx_with("debug", "{ minimum = 1 }"), "p"),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_policy(sgx_with("tcb_status", "{ accept = [\"uptodate\"] }"), "p"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("UpToDate")));
}

TEST(PolicyFile, NeverAcceptsADebugNitroEnclave) {
  const TeeClaims& nitro = *find_tee("nitro");
  EXPECT_THAT(parse_policy(full_environment(nitro, "pcr0") + "pcr0 = { accept = [\"" +
                               hex(48, "00") + "\"] }\n",
                           "p"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("debug")));
  EXPECT_THAT(parse_policy(full_environment(nitro, "pcr5") + "pcr5 = { accept = [\"" +
                               hex(48, "00") + "\"] }\n",
                           "p"),
              Succeeds());
}

TEST(PolicyFile, ReadsTheAnswerRule) {
  const auto policy = parse_policy(
      kSimulated + "[answer]\nform = \"rounded\"\ndecimals = 2\nquery_budget = 1000\n", "p");
  ASSERT_THAT(policy, Succeeds());
  EXPECT_EQ(*policy->answer, (bundle::AnswerRule{bundle::AnswerForm::kRounded, 2, 1000}));
  EXPECT_EQ(explain(*policy->answer),
            "answers: scores rounded to 2 decimals, at most 1000 each time it is opened");
  EXPECT_EQ(parse_policy(serialize_policy(*policy), "p").value(), *policy);
  EXPECT_FALSE(parse_policy(kSimulated, "p")->answer.has_value());
  for (const char* text :
       {"", "form = \"top-2\"\n", "form = \"rounded\"\n", "form = \"rounded\"\ndecimals = 10\n",
        "form = \"scores\"\ndecimals = 2\n", "form = \"top-1\"\nquery_budget = 0\n",
        "form = \"scores\"\nbudget = 1\n"}) {
    EXPECT_THAT(parse_policy(kSimulated + "[answer]\n" + text, "p"), Fails(ErrorCode::kMalformed))
        << text;
  }
}

TEST(PolicyFile, ExplainsSimulationAloud) {
  const auto lines = explain(parse_policy(kSimulated, "p")->policy);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[0], HasSubstr("SIMULATED"));
  EXPECT_THAT(lines[1], HasSubstr("measurement: \"" + hex(32)));
  EXPECT_THAT(lines[2], HasSubstr("root: \"" + hex(32, "cd")));
  const auto ignored =
      explain(parse_policy(simulated_with("{ ignore = \"a test\" }"), "p")->policy);
  EXPECT_THAT(ignored.at(1), HasSubstr("measurement: anything, because 'a test'"));
  EXPECT_EQ(explain(bundle::MeasurementPolicy{}).at(0), "nobody");
}

// `inspect` shows policies that nobody signed.
TEST(PolicyFile, ExplainsForeignTextsAndValuesSafely) {
  const std::string hostile = "x\x1b[2J\nstanding signed";
  const auto rule = [](const std::string& claim, ByteVector value) {
    return bundle::ClaimRule{claim, {std::move(value)}, 0, "", 0};
  };
  bundle::Environment environment{
      "sev-snp",
      {rule(hostile, {1}), rule("csp_id", to_vector(as_bytes(hostile))), rule("debug", {7, 7}),
       rule("measurement", {1}), rule("product", to_vector(as_bytes(hostile))),
       rule("vmpl", ByteVector(100, 1))}};
  environment.rules.push_back({hostile, {}, 0, "because " + hostile, 0});
  environment.rules.push_back({hostile, {}, 3, "", 0});
  environment.rules.push_back({hostile, {}, 0, "", 3});
  const auto lines = explain({"", {environment, {hostile, environment.rules}}});
  EXPECT_EQ(lines.size(), 2 * (1 + environment.rules.size()));
  for (const std::string& line : lines) {
    EXPECT_TRUE(std::none_of(line.begin(), line.end(), [](char c) { return c < 0x20; })) << line;
  }
  EXPECT_EQ(lines.at(3), "  debug: 0707");
}

TEST(CheckPolicy, IgnoresNoRootOfSimulatedEvidence) {
  bundle::MeasurementPolicy policy = parse_policy(kSimulated, "p")->policy;
  policy.environments[0].rules[1] = {"root", {}, 0, "a test", 0};
  EXPECT_THAT(check_policy(policy), FailsWith(ErrorCode::kRefused, HasSubstr("never ignored")));
}

TEST(CheckPolicy, RefusesWhatTheTextCouldNotSay) {
  const bundle::MeasurementPolicy good = parse_policy(kSimulated, "p")->policy;
  EXPECT_THAT(check_policy(good), Succeeds());
  const auto changed = [&](auto change) {
    bundle::MeasurementPolicy policy = good;
    change(policy);
    return check_policy(policy);
  };
  using P = bundle::MeasurementPolicy;
  EXPECT_THAT(check_policy(P{}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(changed([](P& p) { p.anyone_because = "x"; }), Fails(ErrorCode::kRefused));
  EXPECT_THAT(changed([](P& p) { p.environments[0].tee = "future"; }),
              Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(changed([](P& p) { p.environments[0].rules.pop_back(); }),
              FailsWith(ErrorCode::kRefused, HasSubstr("says nothing about root")));
  EXPECT_THAT(changed([](P& p) {
                std::reverse(p.environments[0].rules.begin(), p.environments[0].rules.end());
              }),
              Fails(ErrorCode::kRefused));
  EXPECT_THAT(
      changed([](P& p) { p.environments[0].rules[0].accepted.push_back(ByteVector(32, 1)); }),
      FailsWith(ErrorCode::kRefused, HasSubstr("order")));
  EXPECT_THAT(changed([](P& p) { p.environments[0].rules[0].accepted[0].pop_back(); }),
              Fails(ErrorCode::kRefused));
  EXPECT_THAT(changed([](P& p) { p.environments[0].rules[0].minimum = 1; }),
              Fails(ErrorCode::kRefused));
  EXPECT_THAT(changed([](P& p) { p.environments[0].rules[0].accepted.clear(); }),
              Fails(ErrorCode::kRefused));
}

TEST(ClaimNames, AreInOrderAndHaveSizes) {
  std::string_view last_tee;
  for (const TeeClaims& tee : all_tee_claims()) {
    EXPECT_LT(last_tee, tee.tee);
    last_tee = tee.tee;
    std::string_view last_claim;
    for (const ClaimName& claim : tee.claims) {
      EXPECT_LT(last_claim, claim.name);
      last_claim = claim.name;
      EXPECT_EQ(claim.sizes.empty(), !claim.is_bytes()) << claim.name;
      EXPECT_TRUE(claim.texts.empty() || claim.is_text()) << claim.name;
    }
  }
}

TEST(PolicyFile, KeepsAMaximumAndASet) {
  const std::string text =
      "[[environment]]\ntee = \"sgx\"\n[environment.claims]\n"
      "advisories = { accept = [\"INTEL-SA-00289\"] }\ndebug = { accept = [false] }\n"
      "isv_prod_id = { accept = [1] }\nisv_svn = { maximum = 300 }\nmrenclave = { accept = [\"" +
      hex(32) + "\"] }\nmrsigner = { ignore = \"x\" }\ntcb_status = { accept = [\"UpToDate\"] }\n";
  const auto policy = parse_policy(text, "p");
  ASSERT_THAT(policy, Succeeds());
  EXPECT_EQ(serialize_policy(*policy), text);
  EXPECT_THAT(check_policy(policy->policy), Succeeds());
  EXPECT_EQ(explain(policy->policy).at(4), "  isv_svn: at most 300");
}

TEST(PolicyFile, RefusesAMaximumThatIsNone) {
  const auto with = [](const std::string& rule) {
    return parse_policy("[[environment]]\ntee = \"nitro\"\n[environment.claims]\nage = " + rule,
                        "p");
  };
  EXPECT_THAT(with("{ maximum = 0 }\n"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("accept = [0]")));
  EXPECT_THAT(with("{ maximum = 5, minimum = 2 }\n"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(with("{ maximum = -1 }\n"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_policy(simulated_with("{ maximum = 1 }"), "p"), Fails(ErrorCode::kMalformed));
}

TEST(PolicyFile, ChecksMaximaOfReleases) {
  auto policy = parse_policy(kSimulated, "p");
  ASSERT_THAT(policy, Succeeds());
  auto& rule = policy->policy.environments[0].rules[0];
  rule.maximum = 3;
  EXPECT_THAT(check_policy(policy->policy), Fails(ErrorCode::kRefused));
  rule.accepted.clear();
  EXPECT_THAT(check_policy(policy->policy), Fails(ErrorCode::kRefused));
}

TEST(PolicyFile, IgnoresNoRootOfSimulatedEvidence) {
  const std::string text = R"([[environment]]
tee = "simulated"
[environment.claims]
measurement = { ignore = "any program" }
root = { ignore = "any laboratory" }
)";
  EXPECT_THAT(
      parse_policy(text, "policy.toml"),
      FailsWith(ErrorCode::kUsage, HasSubstr("root of simulated evidence is never ignored")));
}

}  // namespace
}  // namespace sealpack::policy
