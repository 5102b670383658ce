// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/judge.h"

#include <gmock/gmock.h>

#include <tuple>

#include "attest/policy/claim_names.h"
#include "attest/policy/policy_file.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::policy {
namespace {

using ::sealpack::testing::Succeeds;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

auto has_code(const char* code) {
  return Field(&Reason::code, code);
}
auto reason(const char* code, const std::string& text) {
  return ::testing::AllOf(Field(&Reason::code, code), Field(&Reason::text, HasSubstr(text)));
}

std::string hex(std::size_t size, const char* byte = "ab") {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += byte;
  return out;
}

// A value that rule_for accepts.
ByteVector value_of(const ClaimName& claim) {
  switch (claim.kind) {
    case ClaimKind::kBytes:
    case ClaimKind::kBits:
    case ClaimKind::kBytesSet:
      return ByteVector(claim.sizes.front(), 0xab);
    case ClaimKind::kFlag:
      return {0};
    case ClaimKind::kNumber:
      return {0, 0, 0, 0, 0, 0, 0, 7};
    case ClaimKind::kText:
    case ClaimKind::kTextSet:
      return to_vector(as_bytes(claim.texts.empty() ? "x" : claim.texts.front()));
  }
  return {};
}

bool is_only_ignored(const ClaimName& claim) {
  return claim.bad_news && claim.kind == ClaimKind::kFlag;
}

bundle::Environment full_environment(const TeeClaims& tee) {
  bundle::Environment environment{std::string(tee.tee), {}};
  for (const ClaimName& claim : tee.claims) {
    bundle::ClaimRule& rule = environment.rules.emplace_back();
    rule.claim = claim.name;
    if (is_only_ignored(claim)) {
      rule.ignore_because = "a test";
    } else {
      rule.accepted = {value_of(claim)};
    }
  }
  return environment;
}

attest::Claims full_claims(const TeeClaims& tee) {
  attest::Claims claims;
  claims.tee = tee.tee;
  for (const ClaimName& claim : tee.claims) claims.add_bytes(claim.name, value_of(claim));
  claims.sort();
  return claims;
}

bundle::ClaimRule& rule_of(bundle::Environment& environment, const std::string& name) {
  for (bundle::ClaimRule& rule : environment.rules) {
    if (rule.claim == name) return rule;
  }
  die("the test asks for a rule that is not there");
}

void remove_claim(attest::Claims& claims, std::string_view name) {
  std::erase_if(claims.claims, [&](const attest::Claim& claim) { return claim.name == name; });
}

void remove_rule(bundle::Environment& environment, std::string_view name) {
  std::erase_if(environment.rules, [&](const auto& rule) { return rule.claim == name; });
}

// SGX evidence, and a policy of TOML that accepts it but for what the test appends.
attest::Claims sgx_claims() {
  attest::Claims claims;
  claims.tee = "sgx";
  claims.add_flag("debug", false);
  claims.add_number("isv_prod_id", 1);
  claims.add_number("isv_svn", 7);
  claims.add_bytes("mrenclave", ByteVector(32, 0xab));
  claims.add_bytes("mrsigner", ByteVector(32, 0xcd));
  claims.add_text("tcb_status", "UpToDate");
  claims.sort();
  return claims;
}

std::string sgx_text(const std::string& isv_svn = "{ minimum = 7 }",
                     const std::string& debug = "{ accept = [false] }") {
  return "[[environment]]\ntee = \"sgx\"\n[environment.claims]\ndebug = " + debug +
         "\nisv_prod_id = { accept = [1] }\nisv_svn = " + isv_svn + "\nmrenclave = { accept = [\"" +
         hex(32) + "\"] }\nmrsigner = { accept = [\"" + hex(32, "cd") +
         "\"] }\ntcb_status = { accept = [\"UpToDate\"] }\n";
}

std::vector<Reason> judge_text(const attest::Claims& claims, const std::string& text) {
  const auto policy = parse_policy(text, "p.toml");
  if (!policy.ok()) die(policy.error().message().c_str());
  return judge(claims, policy->policy);
}

TEST(Judge, AcceptsEveryTeeWhoseClaimsAreAllAccepted) {
  for (const TeeClaims& tee : all_tee_claims()) {
    EXPECT_THAT(judge(full_claims(tee), {{}, {full_environment(tee)}}), IsEmpty()) << tee.tee;
  }
}

TEST(Judge, RefusesEachClaimOfEachTeeThatHasAnotherValue) {
  for (const TeeClaims& tee : all_tee_claims()) {
    for (const ClaimName& claim : tee.claims) {
      if (is_only_ignored(claim)) continue;
      attest::Claims claims = full_claims(tee);
      for (attest::Claim& made : claims.claims) {
        if (made.name == claim.name) made.value.back() ^= 1U;
      }
      EXPECT_THAT(judge(claims, {{}, {full_environment(tee)}}),
                  ElementsAre(reason("policy.not-accepted", std::string(claim.name) + " is ")))
          << tee.tee << ' ' << claim.name;
    }
  }
}

TEST(Judge, RefusesEachClaimWithARuleThatTheEvidenceDoesNotMake) {
  for (const TeeClaims& tee : all_tee_claims()) {
    for (const ClaimName& claim : tee.claims) {
      if (is_only_ignored(claim)) continue;
      attest::Claims claims = full_claims(tee);
      remove_claim(claims, claim.name);
      const auto reasons = judge(claims, {{}, {full_environment(tee)}});
      if (claim.is_set() && !claim.mandatory && !claim.never_empty) {
        EXPECT_THAT(reasons, IsEmpty()) << tee.tee << ' ' << claim.name;
      } else {
        EXPECT_THAT(reasons, ElementsAre(reason("policy.claim-missing", std::string(claim.name))))
            << tee.tee << ' ' << claim.name;
      }
    }
  }
}

TEST(Judge, RefusesAPolicyThatDoesNotStateAMandatoryClaim) {
  for (const TeeClaims& tee : all_tee_claims()) {
    for (const ClaimName& claim : tee.claims) {
      bundle::Environment environment = full_environment(tee);
      remove_rule(environment, claim.name);
      const auto reasons = judge(full_claims(tee), {{}, {environment}});
      if (claim.mandatory || claim.bad_news || claim.mandatory_with_gpu) {
        EXPECT_THAT(reasons, ElementsAre(has_code("policy.not-stated")))
            << tee.tee << ' ' << claim.name;
      } else {
        EXPECT_THAT(reasons, IsEmpty()) << tee.tee << ' ' << claim.name;
      }
    }
  }
}

TEST(Judge, AcceptsWhatTheEvidenceDoesNotSayWhereItIsIgnored) {
  attest::Claims claims = sgx_claims();
  remove_claim(claims, "isv_svn");
  EXPECT_THAT(judge_text(claims, sgx_text("{ ignore = \"a test\" }")), IsEmpty());
}

TEST(Judge, GivesAllReasonsWithValuesAndWhatIsAccepted) {
  attest::Claims claims = sgx_claims();
  for (attest::Claim& claim : claims.claims) {
    if (claim.name == "debug") claim.value = {1};
    if (claim.name == "tcb_status") claim.value = to_vector(as_bytes("OutOfDate"));
    if (claim.name == "isv_svn") claim.value.back() = 6;
  }
  EXPECT_THAT(
      judge_text(claims, sgx_text()),
      UnorderedElementsAre(
          Reason{"policy.not-accepted", "debug is true, accepted is false"},
          Reason{"policy.below-minimum", "isv_svn is 6, at least 7 is accepted"},
          Reason{"policy.not-accepted", "tcb_status is 'OutOfDate', accepted is 'UpToDate'"}));
}

TEST(Judge, KeepsAMinimumAndAMaximumInclusive) {
  const auto with_svn = [](std::uint8_t svn, const std::string& rule) {
    attest::Claims claims = sgx_claims();
    for (attest::Claim& claim : claims.claims) {
      if (claim.name == "isv_svn") claim.value.back() = svn;
    }
    return judge_text(claims, sgx_text(rule));
  };
  EXPECT_THAT(with_svn(7, "{ minimum = 7 }"), IsEmpty());
  EXPECT_THAT(with_svn(255, "{ minimum = 7 }"), IsEmpty());
  EXPECT_THAT(with_svn(6, "{ minimum = 7 }"), ElementsAre(has_code("policy.below-minimum")));
  EXPECT_THAT(with_svn(7, "{ maximum = 7 }"), IsEmpty());
  EXPECT_THAT(with_svn(0, "{ maximum = 7 }"), IsEmpty());
  EXPECT_THAT(with_svn(8, "{ maximum = 7 }"),
              ElementsAre(reason("policy.above-maximum", "isv_svn is 8, at most 7")));
}

TEST(Judge, ComparesNumbersOf63BitsWhole) {
  attest::Claims claims = sgx_claims();
  for (attest::Claim& claim : claims.claims) {
    if (claim.name == "isv_svn") claim.value = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  }
  EXPECT_THAT(judge_text(claims, sgx_text("{ minimum = 9223372036854775807 }")), IsEmpty());
  EXPECT_THAT(judge_text(claims, sgx_text("{ maximum = 9223372036854775806 }")),
              ElementsAre(has_code("policy.above-maximum")));
}

TEST(Judge, LetsDebugInByPolicyOnly) {
  attest::Claims claims = sgx_claims();
  claims.claims.front().value = {1};
  ASSERT_EQ(claims.claims.front().name, "debug");
  EXPECT_THAT(judge_text(claims, sgx_text()), ElementsAre(has_code("policy.not-accepted")));
  EXPECT_THAT(judge_text(claims, sgx_text("{ minimum = 7 }", "{ accept = [false, true] }")),
              IsEmpty());
  EXPECT_THAT(judge_text(claims, sgx_text("{ minimum = 7 }", "{ ignore = \"a lab\" }")), IsEmpty());
}

TEST(Judge, RefusesMeasurementsOfADebugEnclave) {
  const TeeClaims& nitro = *find_tee("nitro");
  attest::Claims claims = full_claims(nitro);
  for (attest::Claim& claim : claims.claims) {
    if (claim.name == "pcr0") claim.value.assign(48, 0);
  }
  bundle::Environment environment = full_environment(nitro);
  // Not even a release that lists them, which no policy file can make.
  rule_of(environment, "pcr0").accepted = {ByteVector(48, 0)};
  EXPECT_THAT(judge(claims, {{}, {environment}}),
              ElementsAre(reason("policy.debug-measurement", "pcr0 is all zeros")));
}

TEST(Judge, DemandsThatEveryOccurrenceOfASetIsAccepted) {
  const TeeClaims& psa = *find_tee("psa");
  attest::Claims claims = full_claims(psa);
  claims.add_bytes("measurement", ByteVector(32, 0xcd));
  claims.sort();
  bundle::Environment environment = full_environment(psa);
  EXPECT_THAT(judge(claims, {{}, {environment}}),
              ElementsAre(reason("policy.not-accepted", "measurement is " + hex(32, "cd"))));
  rule_of(environment, "measurement").accepted.emplace_back(32, std::uint8_t{0xcd});
  EXPECT_THAT(judge(claims, {{}, {environment}}), IsEmpty());
}

TEST(Judge, RefusesAdvisoriesThatNoRuleAccepts) {
  attest::Claims claims = sgx_claims();
  EXPECT_THAT(judge_text(claims, sgx_text()), IsEmpty());
  claims.add_text("advisories", "INTEL-SA-00289");
  claims.add_text("advisories", "INTEL-SA-00615");
  claims.sort();
  EXPECT_THAT(judge_text(claims, sgx_text()),
              ElementsAre(reason("policy.not-stated", "INTEL-SA-00289"),
                          reason("policy.not-stated", "INTEL-SA-00615")));
  const std::string rule = "advisories = ";
  EXPECT_THAT(judge_text(claims, sgx_text() + rule + "{ accept = [\"INTEL-SA-00289\"] }\n"),
              ElementsAre(reason("policy.not-accepted", "INTEL-SA-00615")));
  EXPECT_THAT(judge_text(claims, sgx_text() + rule +
                                     "{ accept = [\"INTEL-SA-00615\", \"INTEL-SA-00289\"] }\n"),
              IsEmpty());
  EXPECT_THAT(judge_text(claims, sgx_text() + rule + "{ ignore = \"mitigated in software\" }\n"),
              IsEmpty());
}

TEST(Judge, RefusesASingleClaimThatOccursTwice) {
  attest::Claims claims = sgx_claims();
  claims.add_flag("debug", false);
  claims.sort();
  EXPECT_THAT(judge_text(claims, sgx_text()), ElementsAre(has_code("policy.ambiguous")));
}

TEST(Judge, NeverIgnoresTheRootOfASimulatedEnvironment) {
  attest::Claims claims;
  claims.tee = "simulated";
  claims.add_bytes("measurement", ByteVector(32, 0xab));
  claims.add_bytes("root", ByteVector(32, 0xcd));
  const std::string text =
      "[[environment]]\ntee = \"simulated\"\n[environment.claims]\nmeasurement = { accept = [\"" +
      hex(32) + "\"] }\nroot = ";
  // No file says so, but a release might.
  auto policy = parse_policy(text + "{ accept = [\"" + hex(32) + "\"] }\n", "p.toml")->policy;
  rule_of(policy.environments[0], "root") = {"root", {}, 0, "a test"};
  EXPECT_THAT(judge(claims, policy),
              ElementsAre(reason("policy.never-ignored", "root of simulated")));
  EXPECT_THAT(judge_text(claims, text + "{ accept = [\"" + hex(32) + "\"] }\n"),
              ElementsAre(has_code("policy.not-accepted")));
  EXPECT_THAT(judge_text(claims, text + "{ accept = [\"" + hex(32, "cd") + "\"] }\n"), IsEmpty());
}

// Whoever runs other firmware in his own guest names a TPM of his own making in its report.
TEST(Judge, NeverIgnoresTheFirmwareThatMakesAzuresTpm) {
  const TeeClaims& snp = *find_tee("azure-sev-snp");
  bundle::Environment environment = full_environment(snp);
  rule_of(environment, "measurement") = {"measurement", {}, 0, "Azure changes it"};
  EXPECT_THAT(judge(full_claims(snp), {{}, {environment}}), IsEmpty());  // by its signer
  rule_of(environment, "id_key_digest").accepted = {ByteVector(48, 0xab), ByteVector(48, 0)};
  EXPECT_THAT(judge(full_claims(snp), {{}, {environment}}),
              ElementsAre(reason("policy.never-ignored", "unless the policy names id_key_digest")));
  rule_of(environment, "id_key_digest") = {"id_key_digest", {}, 0, "a test"};
  EXPECT_THAT(judge(full_claims(snp), {{}, {environment}}),
              ElementsAre(has_code("policy.never-ignored")));
  remove_rule(environment, "id_key_digest");
  EXPECT_THAT(judge(full_claims(snp), {{}, {environment}}),
              ElementsAre(has_code("policy.never-ignored")));

  const TeeClaims& tdx = *find_tee("azure-tdx");
  environment = full_environment(tdx);
  rule_of(environment, "mrtd") = {"mrtd", {}, 0, "Azure changes it"};
  EXPECT_THAT(judge(full_claims(tdx), {{}, {environment}}),
              ElementsAre(reason("policy.never-ignored", "mrtd of azure-tdx")));
}

// A device may state that nothing was measured: then nobody signed what runs.
TEST(Judge, DemandsASignerWhereThePolicyNamesSigners) {
  for (const auto& [name, measurement, signer] :
       {std::tuple("psa", "measurement", "signer_id"),
        std::tuple("cca", "platform_measurement", "platform_signer_id")}) {
    const TeeClaims& tee = *find_tee(name);
    bundle::Environment environment = full_environment(tee);
    rule_of(environment, measurement) = {measurement, {}, 0, "its signer decides"};
    attest::Claims claims = full_claims(tee);
    remove_claim(claims, measurement);
    EXPECT_THAT(judge(claims, {{}, {environment}}), IsEmpty());
    remove_claim(claims, signer);
    EXPECT_THAT(judge(claims, {{}, {environment}}),
                ElementsAre(reason("policy.claim-missing", signer)));
  }
}

TEST(Judge, RefusesTeesThatThePolicyDoesNotAdmit) {
  attest::Claims claims = sgx_claims();
  claims.tee = "tdx";
  EXPECT_THAT(judge_text(claims, sgx_text() + sgx_text()),
              ElementsAre(Reason{"policy.tee",
                                 "the policy admits no environment of type 'tdx', but 'sgx'"}));
  EXPECT_THAT(judge(claims, {}), ElementsAre(reason("policy.tee", "nobody")));
}

TEST(Judge, RefusesATeeThatItDoesNotKnowEvenIfThePolicyNamesIt) {
  attest::Claims claims;
  claims.tee = "quantum";
  bundle::MeasurementPolicy policy{{}, {{"quantum", {{"debug", {}, 0, "x"}}}}};
  EXPECT_THAT(judge(claims, policy), ElementsAre(has_code("policy.tee")));
}

TEST(Judge, RefusesRulesAndClaimsThatItDoesNotKnow) {
  const TeeClaims& sgx = *find_tee("sgx");
  bundle::Environment environment = full_environment(sgx);
  environment.rules.push_back({"zeal", {}, 0, "of a later version"});
  EXPECT_THAT(judge(full_claims(sgx), {{}, {environment}}),
              ElementsAre(reason("policy.unknown-claim", "'zeal'")));
  attest::Claims claims = full_claims(sgx);
  claims.add_flag("zeal", true);
  EXPECT_THAT(judge(claims, {{}, {full_environment(sgx)}}),
              ElementsAre(reason("policy.unknown-claim", "'zeal'")));
}

TEST(Judge, RefusesRulesAndValuesOfTheWrongForm) {
  const TeeClaims& sgx = *find_tee("sgx");
  bundle::Environment environment = full_environment(sgx);
  rule_of(environment, "mrenclave") = {"mrenclave", {}, 1, {}};
  EXPECT_THAT(judge(full_claims(sgx), {{}, {environment}}),
              ElementsAre(reason("policy.unknown-rule", "mrenclave")));
  rule_of(environment, "mrenclave") = {"mrenclave", {}, 0, {}};
  EXPECT_THAT(judge(full_claims(sgx), {{}, {environment}}),
              ElementsAre(has_code("policy.unknown-rule")));
  // Of two forms only one would be looked at.
  const ByteVector svn = value_of(*find_claim(sgx, "isv_svn"));
  environment = full_environment(sgx);
  rule_of(environment, "isv_svn") = {"isv_svn", {svn}, 100, {}};
  EXPECT_THAT(judge(full_claims(sgx), {{}, {environment}}),
              ElementsAre(reason("policy.unknown-rule", "isv_svn")));
  rule_of(environment, "isv_svn") = {"isv_svn", {svn}, 0, "a test"};
  EXPECT_THAT(judge(full_claims(sgx), {{}, {environment}}),
              ElementsAre(reason("policy.unknown-rule", "isv_svn")));
  attest::Claims claims = full_claims(sgx);
  for (attest::Claim& claim : claims.claims) {
    if (claim.name == "debug") claim.value = {2};
  }
  EXPECT_THAT(judge(claims, {{}, {full_environment(sgx)}}),
              ElementsAre(reason("policy.unknown-value", "debug")));
}

TEST(Judge, LetsOneOfSeveralEnvironmentsSufficeAndElseGivesTheClosestReasons) {
  const std::string other = sgx_text("{ minimum = 100 }", "{ accept = [true] }");
  EXPECT_THAT(judge_text(sgx_claims(), other + sgx_text()), IsEmpty());
  const auto policy = parse_policy(other + sgx_text("{ minimum = 8 }") + other, "p");
  const Judgement judged = judge_all(sgx_claims(), policy->policy);
  EXPECT_THAT(judged.reasons, ElementsAre(Reason{"policy.below-minimum",
                                                 "environment 2: isv_svn is 7, at least 8 is "
                                                 "accepted"}));
  EXPECT_THAT(judged.others,
              ElementsAre(reason("policy.not-accepted", "environment 1: debug is false"),
                          reason("policy.below-minimum", "environment 1: isv_svn is 7"),
                          reason("policy.not-accepted", "environment 3: debug is false"),
                          reason("policy.below-minimum", "environment 3: isv_svn is 7")));
}

TEST(Judge, BoundsTheReasonsOfOtherEnvironments) {
  std::string text;
  for (int i = 0; i < 64; ++i) text += sgx_text("{ minimum = 100 }", "{ accept = [true] }");
  const Judgement judged = judge_all(sgx_claims(), parse_policy(text, "p")->policy);
  EXPECT_EQ(judged.reasons.size(), 2U);
  EXPECT_EQ(judged.others.size(), kMaxOtherReasons);
}

TEST(Judge, AsksNothingWhereAnyoneMayOpen) {
  EXPECT_THAT(judge(sgx_claims(), {"no TEE here", {}}), IsEmpty());
}

TEST(Judge, ShowsTextsOfTheEvidenceSafely) {
  const TeeClaims& gpu = *find_tee("nvidia-gpu");
  attest::Claims claims = full_claims(gpu);
  for (attest::Claim& claim : claims.claims) {
    if (claim.name == "driver_version") claim.value = to_vector(as_bytes("550.90"));
    if (claim.name == "vbios_version") claim.value = to_vector(as_bytes("96\x1b[31m"));
  }
  for (const Reason& one : judge(claims, {{}, {full_environment(gpu)}})) {
    EXPECT_EQ(one.text.find('\x1b'), std::string::npos) << one.text;
  }
  EXPECT_THAT(judge(claims, {{}, {full_environment(gpu)}}),
              ElementsAre(has_code("policy.not-accepted"), has_code("policy.unknown-value")));
}

}  // namespace
}  // namespace sealpack::policy
