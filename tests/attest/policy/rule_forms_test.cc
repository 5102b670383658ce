// SPDX-License-Identifier: Apache-2.0
// Rules about masks of bits, about what must occur in a set, and rules that others make mandatory.
#include <gmock/gmock.h>

#include "attest/policy/judge.h"
#include "attest/policy/policy_file.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::policy {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

auto reason(const char* code, const std::string& text) {
  return AllOf(Field(&Reason::code, code), Field(&Reason::text, HasSubstr(text)));
}

std::string hex(std::size_t size, const char* byte) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += byte;
  return out;
}

std::string environment(const std::string& tee, const std::vector<std::string>& ignored,
                        const std::string& rules) {
  std::string out = "[[environment]]\ntee = \"" + tee + "\"\n[environment.claims]\n";
  for (const std::string& claim : ignored) out += claim + " = { ignore = \"a test\" }\n";
  return out + rules;
}

std::string snp(const std::string& rules, const std::string& product = "[\"Genoa\"]") {
  return environment("sev-snp",
                     {"debug", "host_data", "measurement", "migrate_ma", "tcb_bootloader",
                      "tcb_microcode", "tcb_snp", "tcb_tee", "vmpl"},
                     "product = { accept = " + product + " }\n" + rules);
}

std::string psa(const std::string& rules) {
  return environment("psa", {"client_id", "implementation_id", "security_lifecycle"}, rules);
}

std::vector<Reason> judged(const attest::Claims& claims, const std::string& text) {
  const auto policy = parse_policy(text, "p.toml");
  if (!policy.ok()) die(policy.error().message().c_str());
  return judge(claims, policy->policy);
}

attest::Claims snp_claims(const char* mitigations = "0000000000000006") {
  attest::Claims claims;
  claims.tee = "sev-snp";
  claims.add_bytes("mitigations", from_hex(mitigations).value());
  claims.add_text("product", "Genoa");
  claims.sort();
  return claims;
}

attest::Claims psa_claims(const std::vector<std::uint8_t>& components) {
  attest::Claims claims;
  claims.tee = "psa";
  for (const std::uint8_t one : components) claims.add_bytes("measurement", ByteVector(32, one));
  claims.sort();
  return claims;
}

TEST(BitRules, DemandBitsAndForbidOthers) {
  const auto with = [](const char* mitigations, const std::string& rule) {
    return judged(snp_claims(mitigations), snp("mitigations = " + rule + "\n"));
  };
  const std::string require = "{ require_bits = \"0000000000000006\" }";
  EXPECT_THAT(with("0000000000000006", require), IsEmpty());
  EXPECT_THAT(with("ff00000000000007", require), IsEmpty());
  EXPECT_THAT(with("0000000000000004", require),
              ElementsAre(reason("policy.bits-missing", "without the bits 0000000000000002")));
  const std::string allow = "{ allow_bits = \"0000000000000007\" }";
  EXPECT_THAT(with("0000000000000000", allow), IsEmpty());
  EXPECT_THAT(with("0000000000000007", allow), IsEmpty());
  EXPECT_THAT(with("8000000000000001", allow),
              ElementsAre(reason("policy.bits-not-allowed", "with the bits 8000000000000000")));
  const std::string both =
      "{ require_bits = \"0000000000000006\", allow_bits = \"0000000000000007\" }";
  EXPECT_THAT(with("0000000000000007", both), IsEmpty());
  EXPECT_THAT(with("0000000000000009", both),
              UnorderedElementsAre(reason("policy.bits-missing", "0000000000000006"),
                                   reason("policy.bits-not-allowed", "0000000000000008")));
  EXPECT_THAT(with("0000000000000009", "{ allow_bits = \"0000000000000000\" }"),
              ElementsAre(reason("policy.bits-not-allowed", "0000000000000009")));
}

TEST(BitRules, RefuseEvidenceThatSaysNothing) {
  attest::Claims claims = snp_claims();
  std::erase_if(claims.claims, [](const auto& claim) { return claim.name == "mitigations"; });
  EXPECT_THAT(judged(claims, snp("mitigations = { require_bits = \"0000000000000006\" }\n")),
              ElementsAre(reason("policy.claim-missing", "the bits 0000000000000006")));
}

TEST(BitRules, StayInTextAndForPeople) {
  const std::string rule =
      "{ require_bits = \"0000000000000006\", allow_bits = \"0000000000000007\" }";
  const auto policy = parse_policy(snp("mitigations = " + rule + "\n"), "p");
  ASSERT_THAT(policy, Succeeds());
  EXPECT_THAT(check_policy(policy->policy), Succeeds());
  EXPECT_EQ(*parse_policy(serialize_policy(*policy), "p"), *policy);
  EXPECT_THAT(serialize_policy(*policy), HasSubstr("mitigations = " + rule + "\n"));
  EXPECT_THAT(explain(policy->policy),
              ::testing::Contains("  mitigations: the bits 0000000000000006 are set, and none but "
                                  "0000000000000007"));
}

TEST(BitRules, AreRefusedWhereTheyMakeNoSense) {
  for (const char* rule :
       {"mitigations = { require_bits = \"0000000000000000\" }",
        "mitigations = { allow_bits = \"ffffffffffffffff\" }",
        "mitigations = { require_bits = \"06\" }", "mitigations = { require_bits = \"\" }",
        "mitigations = { require_bits = 6 }", "mitigations = { require_bits = \"zz\" }",
        "mitigations = { require_bits = \"0000000000000006\", allow_bits = \"0000000000000004\" }",
        "mitigations = { require_bits = \"0000000000000006\", ignore = \"x\" }",
        "mitigations = { accept = [\"0000000000000006\"], allow_bits = \"0000000000000006\" }",
        "mitigations = { minimum = 6 }", "guest_svn = { require_bits = \"0000000000000006\" }"}) {
    EXPECT_THAT(parse_policy(snp(rule + std::string("\n")), "p"), Fails(ErrorCode::kMalformed))
        << rule;
  }
  EXPECT_THAT(parse_policy(snp("chip_id = { allow_bits = \"" + hex(64, "01") + "\" }\n"), "p"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("no mask of bits")));
}

TEST(BitRules, AreRefusedInReleasesThatNoFileCanMake) {
  bundle::MeasurementPolicy policy =
      parse_policy(snp("mitigations = { require_bits = \"0000000000000006\" }\n"), "p")->policy;
  bundle::ClaimRule* rule = nullptr;
  for (bundle::ClaimRule& one : policy.environments[0].rules) {
    if (one.claim == "mitigations") rule = &one;
  }
  ASSERT_NE(rule, nullptr);
  rule->require_bits.pop_back();
  EXPECT_THAT(check_policy(policy), Fails(ErrorCode::kRefused));
  EXPECT_THAT(judge(snp_claims(), policy), ElementsAre(reason("policy.unknown-rule", "8 bytes")));
}

TEST(SetRules, DemandWhatTheyRequireAndAcceptNothingElse) {
  const std::string both =
      psa("measurement = { require = [\"" + hex(32, "01") + "\", \"" + hex(32, "02") + "\"] }\n");
  EXPECT_THAT(judged(psa_claims({1, 2}), both), IsEmpty());
  EXPECT_THAT(judged(psa_claims({1}), both),
              ElementsAre(reason("policy.value-missing", "measurement is never " + hex(32, "02"))));
  EXPECT_THAT(judged(psa_claims({1, 2, 3}), both),
              ElementsAre(reason("policy.not-accepted", "measurement is " + hex(32, "03"))));
  const std::string besides = psa("measurement = { require = [\"" + hex(32, "01") +
                                  "\"], accept = [\"" + hex(32, "02") + "\"] }\n");
  EXPECT_THAT(judged(psa_claims({1}), besides), IsEmpty());
  EXPECT_THAT(judged(psa_claims({1, 2}), besides), IsEmpty());
  EXPECT_THAT(judged(psa_claims({2}), besides),
              ElementsAre(reason("policy.value-missing", hex(32, "01"))));
  // What `accept` lists may be left out.
  const std::string accepted =
      psa("measurement = { accept = [\"" + hex(32, "01") + "\", \"" + hex(32, "02") + "\"] }\n");
  EXPECT_THAT(judged(psa_claims({1}), accepted), IsEmpty());
}

TEST(SetRules, StayInTextAndForPeople) {
  const auto policy =
      parse_policy(psa("measurement = { require = [\"" + hex(32, "02") + "\", \"" + hex(32, "01") +
                       "\"], accept = [\"" + hex(32, "03") + "\"] }\n"),
                   "p");
  ASSERT_THAT(policy, Succeeds());
  EXPECT_THAT(check_policy(policy->policy), Succeeds());
  EXPECT_EQ(*parse_policy(serialize_policy(*policy), "p"), *policy);
  EXPECT_THAT(explain(policy->policy),
              ::testing::Contains(AllOf(HasSubstr("\"" + hex(32, "01") + "\" and \""),
                                        HasSubstr(", besides only \"" + hex(32, "03")))));
}

TEST(SetRules, AreRefusedWhereTheyMakeNoSense) {
  const std::string value = "\"" + hex(32, "01") + "\"";
  for (const std::string& rule :
       {"measurement = { require = [" + value + "], accept = [" + value + "] }",
        std::string("measurement = { require = [] }"),
        "measurement = { require = [" + value + ", " + value + "] }",
        "measurement = { require = [" + value + "], ignore = \"x\" }",
        std::string("measurement = { require = [\"01\"] }")}) {
    EXPECT_THAT(parse_policy(psa(rule + "\n"), "p"), Fails(ErrorCode::kMalformed)) << rule;
  }
  EXPECT_THAT(parse_policy(snp("id_key_digest = { require = [\"" + hex(48, "01") + "\"] }\n"), "p"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("write accept")));
  EXPECT_THAT(parse_policy(environment("sgx",
                                       {"debug", "isv_prod_id", "isv_svn", "mrenclave", "mrsigner",
                                        "tcb_status"},
                                       "advisories = { require = [\"INTEL-SA-00001\"] }\n"),
                           "p"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("bad news")));
}

// Bad news that is a flag is never told when it does not hold: a rule that waits for `false` would
// refuse everybody, and one that accepts `true` would give no reason.
TEST(BadNews, IsLetInForAStatedReasonAlone) {
  for (const char* value : {"true", "false", "true, false"}) {
    EXPECT_THAT(
        parse_policy(snp("chip_id_masked = { accept = [" + std::string(value) + "] }\n"), "p"),
        FailsWith(ErrorCode::kMalformed, HasSubstr("leave the rule out")));
  }
  attest::Claims claims = snp_claims();
  claims.add_flag("chip_id_masked", true);
  EXPECT_THAT(judged(claims, snp("")), ElementsAre(reason("policy.not-stated", "chip_id_masked")));
  const std::string ignored = snp("chip_id_masked = { ignore = \"the cloud hides its chips\" }\n");
  EXPECT_THAT(judged(claims, ignored), IsEmpty());
  bundle::MeasurementPolicy policy = parse_policy(ignored, "p")->policy;
  policy.environments[0].rules[0] = {"chip_id_masked", {{1}}, 0, {}};
  EXPECT_THAT(check_policy(policy), Fails(ErrorCode::kRefused));
  EXPECT_THAT(judge(claims, policy), ElementsAre(reason("policy.unknown-rule", "chip_id_masked")));
}

TEST(BadNews, IsAServiceTd) {
  attest::Claims claims;
  claims.tee = "tdx";
  claims.add_flag("service_td", true);
  const std::vector<std::string> others = {"debug",           "migratable", "mrconfigid", "mrtd",
                                           "rtmr0",           "rtmr1",      "rtmr2",      "rtmr3",
                                           "sept_ve_disable", "tcb_status", "tee_tcb_svn"};
  EXPECT_THAT(judged(claims, environment("tdx", others, "")),
              ElementsAre(reason("policy.not-stated", "service_td is true")));
  const std::string ignored = environment("tdx", others, "service_td = { ignore = \"ours\" }\n");
  EXPECT_THAT(judged(claims, ignored), IsEmpty());
}

// Turin's first firmware (FMC) has a level of its own, which no other product states.
// PCR 8 to 15 begin as 0 to 7 do: whoever boots another system extends them by what the right one
// has in those, and their digest is the same.
TEST(QuotedPcrs, AreNamedWhereTheirDigestIs) {
  const std::string digest = "pcr_digest = { accept = [\"" + hex(32, "ab") + "\"] }\n";
  EXPECT_THAT(
      parse_policy(environment("tpm", {"ek_name", "pcr_selection"}, digest), "p"),
      FailsWith(ErrorCode::kUsage, HasSubstr("pcr_selection of tpm evidence is not ignored")));
  EXPECT_THAT(parse_policy(environment("tpm", {"ek_name", "pcr_digest", "pcr_selection"}, ""), "p"),
              Succeeds());
  const std::string named = "pcr_selection = { accept = [\"ff0000\"] }\n";
  auto policy = parse_policy(environment("tpm", {"ek_name"}, digest + named), "p");
  ASSERT_THAT(policy, Succeeds());
  attest::Claims claims;
  claims.tee = "tpm";
  claims.add_bytes("pcr_digest", ByteVector(32, 0xab));
  claims.add_bytes("pcr_selection", from_hex("00ff00").value());
  EXPECT_THAT(judge(claims, policy->policy),
              ElementsAre(reason("policy.not-accepted", "pcr_selection is 00ff00")));
  // A release that no file could have made.
  auto& rule = policy->policy.environments[0].rules[2];
  ASSERT_EQ(rule.claim, "pcr_selection");
  rule.accepted.clear();
  rule.ignore_because = "the digest covers it";
  EXPECT_THAT(judge(claims, policy->policy),
              ElementsAre(reason("policy.never-ignored", "pcr_selection")));
  EXPECT_THAT(check_policy(policy->policy), Fails(ErrorCode::kRefused));
}

// Any program of a device gets a token with the nonce that it names.
TEST(Psa, NeedsARuleForWhoAsked) {
  const std::vector<std::string> others = {"implementation_id", "measurement",
                                           "security_lifecycle"};
  EXPECT_THAT(parse_policy(environment("psa", others, ""), "p"),
              FailsWith(ErrorCode::kUsage, HasSubstr("client_id")));
  attest::Claims claims;
  claims.tee = "psa";
  claims.add_text("client_id", "-1");
  const std::string loader = "client_id = { accept = [\"5\"] }\n";
  EXPECT_THAT(judged(claims, environment("psa", others, loader)),
              ElementsAre(reason("policy.not-accepted", "client_id is '-1'")));
  claims.claims[0].value = {'5'};
  EXPECT_THAT(judged(claims, environment("psa", others, loader)), IsEmpty());
}

TEST(Turin, NeedsARuleForItsFmc) {
  for (const char* product : {"[\"Turin\"]", "[\"Genoa\", \"Turin\"]"}) {
    EXPECT_THAT(parse_policy(snp("", product), "p"),
                FailsWith(ErrorCode::kUsage, HasSubstr("says nothing about tcb_fmc")))
        << product;
    EXPECT_THAT(parse_policy(snp("tcb_fmc = { minimum = 1 }\n", product), "p"), Succeeds());
  }
  EXPECT_THAT(parse_policy(snp("", "[\"Genoa\", \"Milan\"]"), "p"), Succeeds());
  std::string any = snp("");
  any.replace(any.find("accept = [\"Genoa\"]"), 18, "ignore = \"any\"");
  EXPECT_THAT(parse_policy(any, "p"), FailsWith(ErrorCode::kUsage, HasSubstr("tcb_fmc")));

  // A release that says it otherwise.
  bundle::MeasurementPolicy policy =
      parse_policy(snp("tcb_fmc = { minimum = 2 }\n", "[\"Turin\"]"), "p")->policy;
  attest::Claims claims;
  claims.tee = "sev-snp";
  claims.add_text("product", "Turin");
  claims.add_number("tcb_fmc", 1);
  EXPECT_THAT(judge(claims, policy), ElementsAre(reason("policy.below-minimum", "tcb_fmc")));
  std::erase_if(policy.environments[0].rules, [](const auto& r) { return r.claim == "tcb_fmc"; });
  EXPECT_THAT(check_policy(policy), FailsWith(ErrorCode::kRefused, HasSubstr("tcb_fmc")));
  EXPECT_THAT(judge(claims, policy), ElementsAre(reason("policy.not-stated", "tcb_fmc")));
}

TEST(GpuBesideATee, NeedsTheRulesThatAGpuAloneNeeds) {
  attest::Claims claims = snp_claims();
  claims.add_text("gpu_mode", "unstated");
  claims.add_bytes("gpu_measurements", ByteVector(32, 1));
  claims.sort();
  EXPECT_THAT(judged(snp_claims(), snp("")), IsEmpty());
  EXPECT_THAT(judged(claims, snp("")),
              ElementsAre(reason("policy.not-stated", "gpu_architecture"),
                          reason("policy.not-stated", "gpu_count"),
                          reason("policy.not-stated", "gpu_driver_version"),
                          reason("policy.not-stated", "gpu_measurements"),
                          reason("policy.not-stated", "gpu_mode"),
                          reason("policy.not-stated", "gpu_vbios_version")));
  // Who has a rule for the GPU says what it is.
  EXPECT_THAT(
      parse_policy(snp("gpu_ueid = { accept = [\"" + hex(32, "01") + "\"] }\n"), "p"),
      FailsWith(ErrorCode::kUsage, AllOf(HasSubstr("gpu_mode"), HasSubstr("gpu_measurements"))));
}

}  // namespace
}  // namespace sealpack::policy
