// SPDX-License-Identifier: Apache-2.0
#include "attest/verbs/policy_template.h"

#include <gmock/gmock.h>

#include "attest/policy/claim_names.h"
#include "attest/policy/judge.h"
#include "attest/policy/policy_file.h"
#include "attest/policy/relaxations.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// What careful people run, on Milan, where one level is 0.
Claims snp_claims() {
  Claims claims;
  claims.tee = "sev-snp";
  claims.add_flag("debug", false);
  claims.add_bytes("host_data", ByteVector(32, 5));
  claims.add_bytes("measurement", ByteVector(48, 0x3e));
  claims.add_flag("migrate_ma", false);
  claims.add_bytes("mitigations", ByteVector(8, 2));
  claims.add_text("product", "Milan");
  claims.add_bytes("report_id", ByteVector(32, 9));
  claims.add_number("tcb_bootloader", 4);
  claims.add_number("tcb_microcode", 219);
  claims.add_number("tcb_snp", 24);
  claims.add_number("tcb_tee", 0);
  claims.add_number("vmpl", 0);
  return claims;
}

PolicyDraft drafted(Claims claims) {
  claims.sort();
  return environment_of(claims, "A test");
}

std::vector<Reason> judged(Claims claims, const PolicyDraft& draft) {
  claims.sort();
  const auto policy = policy::parse_policy(draft.text, "made.toml");
  if (!policy.ok()) return {{"made.toml", policy.error().message()}};
  return policy::judge(claims, policy->policy);
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  ASSERT_NE(at, text.npos) << from << " in\n" << text;
  text.replace(at, from.size(), to);
}

TEST(PolicyDraft, AcceptsACarefulSampleAndHigherLevels) {
  const PolicyDraft draft = drafted(snp_claims());
  EXPECT_THAT(draft.undecided, IsEmpty());
  EXPECT_THAT(judged(snp_claims(), draft), IsEmpty());
  Claims newer = snp_claims();
  for (Claim& claim : newer.claims) {
    if (claim.name.starts_with("tcb_")) claim.value.back() = 0xff;
  }
  EXPECT_THAT(judged(newer, draft), IsEmpty());
  for (Claim& claim : newer.claims) {
    if (claim.name == "tcb_snp") claim.value.back() = 23;
  }
  EXPECT_EQ(judged(newer, draft).at(0).code, "policy.below-minimum");
}

TEST(PolicyDraft, BoundsNoLevelThatIsZero) {
  EXPECT_THAT(drafted(snp_claims()).text, HasSubstr("tcb_tee = { ignore = \"the sample's level"));
}

TEST(PolicyDraft, LeavesDebuggingToItsAuthor) {
  Claims claims = snp_claims();
  claims.claims[0].value = {1};
  ASSERT_EQ(claims.claims[0].name, "debug");
  PolicyDraft draft = drafted(claims);
  EXPECT_THAT(draft.undecided, ElementsAre("debug"));
  EXPECT_EQ(judged(claims, draft).at(0).text, "debug is true, accepted is false");
  replace(draft.text, "\ndebug = { accept = [false] }\n", "\n");
  replace(draft.text, "# debug = { ignore", "debug = { ignore");
  EXPECT_THAT(policy::parse_policy(draft.text, "made.toml"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("ignore gives the reason")));
  replace(draft.text, "debug = { ignore = \"\" }", "debug = { ignore = \"a lab\" }");
  EXPECT_THAT(judged(claims, draft), IsEmpty());
}

TEST(PolicyDraft, LeavesBadNewsToItsAuthor) {
  Claims claims = snp_claims();
  claims.add_flag("revocation_unchecked", true);
  claims.add_flag("chip_id_masked", true);
  PolicyDraft draft = drafted(claims);
  EXPECT_THAT(draft.undecided, ElementsAre("chip_id_masked", "revocation_unchecked"));
  EXPECT_EQ(judged(claims, draft).size(), 2U);
  EXPECT_THAT(policy::relaxations(policy::parse_policy(draft.text, "p")->policy),
              ElementsAre(HasSubstr("tcb_tee")));
  replace(draft.text, "# chip_id_masked = { ignore = \"\" }",
          "chip_id_masked = { ignore = \"the cloud hides its chips\" }");
  replace(draft.text, "# revocation_unchecked = { ignore = \"\" }",
          "revocation_unchecked = { ignore = \"no list reaches this site\" }");
  EXPECT_THAT(judged(claims, draft), IsEmpty());
}

TEST(PolicyDraft, SaysWhatEachPieceOfBadNewsMeans) {
  std::size_t count = 0;
  for (const policy::TeeClaims& tee : policy::all_tee_claims()) {
    for (const policy::ClaimName& claim : tee.claims) {
      if (!claim.bad_news) continue;
      Claims claims;
      claims.tee = tee.tee;
      if (claim.kind == policy::ClaimKind::kFlag) {
        claims.add_flag(std::string(claim.name), true);
      } else {
        claims.add_text(std::string(claim.name), "INTEL-SA-00001");
      }
      EXPECT_THAT(drafted(claims).text, HasSubstr("; refused unless you ")) << claim.name;
      ++count;
    }
  }
  EXPECT_GT(count, 10U);
}

// A required claim that the sample does not make, or makes as none may be accepted.
TEST(PolicyDraft, LeavesWhatTheSampleCannotSayToItsAuthor) {
  Claims claims;
  claims.tee = "nitro";
  claims.add_flag("debug", true);
  claims.add_bytes("pcr0", ByteVector(48, 0));
  claims.add_bytes("pcr1", ByteVector(48, 1));
  const PolicyDraft draft = drafted(claims);
  EXPECT_THAT(draft.undecided, ElementsAre("debug", "pcr0", "pcr2"));
  EXPECT_THAT(policy::parse_policy(draft.text, "made.toml"),
              FailsWith(ErrorCode::kUsage, HasSubstr("says nothing about pcr0, pcr2")));
}

// Each suggestion, taken, must hold for the sample, and for the next one of the same machine.
TEST(PolicyDraft, SuggestsNothingThatCannotHoldAgain) {
  Claims claims = snp_claims();
  claims.add_bytes("report_id_ma", ByteVector(32, 7));
  PolicyDraft draft = drafted(claims);
  EXPECT_THAT(draft.text, Not(HasSubstr("report_id")));
  replace(draft.text, "# mitigations", "mitigations");
  EXPECT_THAT(judged(claims, draft), IsEmpty());

  Claims nitro;
  nitro.tee = "nitro";
  nitro.add_number("age", 12345);
  nitro.add_text("module_id", "i-1-enc2");
  EXPECT_THAT(drafted(nitro).text, HasSubstr("# age = { maximum = 300 }"));
  EXPECT_THAT(drafted(nitro).text, Not(HasSubstr("module_id")));

  Claims tpm;
  tpm.tee = "tpm";
  tpm.add_number("clock", 1000);
  tpm.add_number("reset_count", 3);
  tpm.add_number("restart_count", 4);
  EXPECT_THAT(drafted(tpm).text, HasSubstr("# clock = { minimum = 1000 }"));
  EXPECT_THAT(drafted(tpm).text, HasSubstr("# reset_count = { minimum = 3 }"));
  EXPECT_THAT(drafted(tpm).text, Not(HasSubstr("restart_count")));
}

TEST(PolicyDraft, RequiresEveryComponentOfTheSample) {
  Claims claims;
  claims.tee = "psa";
  claims.add_text("client_id", "5");
  claims.add_bytes("implementation_id", ByteVector(32, 1));
  claims.add_bytes("measurement", ByteVector(32, 2));
  claims.add_bytes("measurement", ByteVector(32, 3));
  claims.add_text("security_lifecycle", "secured");
  const PolicyDraft draft = drafted(claims);
  EXPECT_THAT(judged(claims, draft), IsEmpty());
  claims.claims.pop_back();
  std::erase_if(claims.claims, [](const Claim& one) { return one.value == ByteVector(32, 3); });
  claims.add_text("security_lifecycle", "secured");
  EXPECT_EQ(judged(claims, draft).at(0).code, "policy.value-missing");
}

TEST(PolicyDraft, HasRulesForWhatTheProductAndTheGpuMakeMandatory) {
  Claims claims = snp_claims();
  for (Claim& claim : claims.claims) {
    if (claim.name == "product") claim.value = to_vector(as_bytes("Turin"));
  }
  claims.add_number("tcb_fmc", 1);
  claims.add_text("gpu_architecture", "hopper");
  claims.add_number("gpu_count", 1);
  claims.add_text("gpu_driver_version", "580.95.05");
  claims.add_bytes("gpu_measurements", ByteVector(32, 1));
  claims.add_text("gpu_mode", "single-gpu");
  claims.add_bytes("gpu_nonce", ByteVector(32, 2));
  claims.add_text("gpu_vbios_version", "96.00.5E.00.01");
  const PolicyDraft draft = drafted(claims);
  EXPECT_THAT(judged(claims, draft), IsEmpty());
  EXPECT_THAT(draft.text, Not(HasSubstr("gpu_nonce")));
}

// All of them are in one digest, which has a rule.
TEST(PolicyDraft, HasNoLineForEachMeasurementOfAGpu) {
  Claims claims;
  claims.tee = "nvidia-gpu";
  claims.add_bytes("measurements", ByteVector(32, 1));
  claims.add_bytes("measurement00", ByteVector(48, 2));
  claims.add_bytes("measurement63", ByteVector(48, 3));
  for (const std::string& text :
       {drafted(claims).text, *empty_environment("nvidia-gpu"), *empty_environment("sev-snp")}) {
    EXPECT_THAT(text, HasSubstr("measurements = {"));
    EXPECT_THAT(text, HasSubstr("'sealpack attest measure nvidia-rim'"));
    EXPECT_THAT(text, Not(HasSubstr("measurement00 =")));
    EXPECT_THAT(text, Not(HasSubstr("measurement63 =")));
  }
}

TEST(PolicyDraft, OfNothingHasToBeFilledIn) {
  const auto text = empty_environment("tdx");
  ASSERT_THAT(text, Succeeds());
  EXPECT_THAT(*text, HasSubstr("sept_ve_disable = { accept = [true] }"));
  EXPECT_THAT(*text, HasSubstr("# service_td = { ignore = \"\" }"));
  EXPECT_THAT(*text, HasSubstr("# mr_servicetd = { accept = [\"" + std::string(96, '0') + "\"] }"));
  EXPECT_THAT(*text, HasSubstr("the rule refuses evidence that does not say it"));
  // Without a rule for it a GPU's evidence does not pass.
  const std::size_t mode = text->find("# gpu_mode = ");
  ASSERT_NE(mode, std::string::npos);
  EXPECT_THAT(text->substr(mode, text->find('\n', mode) - mode), Not(HasSubstr("otherwise")));
  EXPECT_THAT(*text, HasSubstr("# xfam = { require_bits = \"\", allow_bits = \"\" }"));
  EXPECT_THAT(empty_environment("quantum"), FailsWith(ErrorCode::kUsage, HasSubstr("'quantum'")));
}

}  // namespace
}  // namespace sealpack::attest
