// SPDX-License-Identifier: Apache-2.0
#include "attest/verbs/next_step.h"

#include <gmock/gmock.h>

#include "attest/fetch/fetch.h"
#include "attest/policy/claim_names.h"

namespace sealpack::attest {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string step(const std::string& tee, const std::vector<std::string>& codes) {
  std::vector<Reason> reasons;
  for (const std::string& code : codes) reasons.push_back({code, "a test"});
  return step_to_proof(tee, reasons);
}

TEST(NextStep, WhatManufacturersPublishIsFetched) {
  for (const char* code :
       {"chain.issuer", "chain.revocation-unknown", "dcap.qe-identity-missing",
        "dcap.tcb-info-missing", "snp.chip-id", "snp.leaf-missing", "snp.product", "snp.tcb"}) {
    EXPECT_THAT(step("sev-snp", {code}), HasSubstr("attest fetch")) << code;
    EXPECT_THAT(step("nitro", {code}), AllOf(HasSubstr("--endorsements"), Not(HasSubstr("fetch"))))
        << code;
  }
}

TEST(NextStep, KeysThatNobodyVouchesForAreNamedAsRoots) {
  for (const char* code : {"cca.platform.key", "psa.key", "simulated.root", "tpm.ak-untrusted"}) {
    EXPECT_THAT(step("tpm", {code}), HasSubstr("--roots")) << code;
  }
  // A certificate that only looks like a manufacturer's is not to be believed for that.
  EXPECT_THAT(step("tdx", {"chain.root"}), IsEmpty());
}

TEST(NextStep, WhatEndedIsJudgedAtItsTimeOrHadAnew) {
  for (const char* code :
       {"chain.expired", "chain.not-yet-valid", "chain.revocation-stale",
        "dcap.qe-identity-expired", "dcap.qe-identity-not-yet-valid", "dcap.tcb-info-expired",
        "dcap.tcb-info-not-yet-valid", "nitro.future"}) {
    EXPECT_THAT(step("nitro", {code}), HasSubstr("--now")) << code;
  }
}

TEST(NextStep, OfAnotherQuestionAllBytesAreCompared) {
  for (const char* code :
       {"cca.realm.challenge", "dcap.report-data", "nitro.nonce", "nvidia.nonce", "psa.nonce",
        "simulated.report-data", "snp.report-data", "tpm.report-data"}) {
    EXPECT_THAT(step("psa", {code}), HasSubstr("padded")) << code;
  }
}

TEST(NextStep, NamesEachStepOnceAndNoneWhereNothingHelps) {
  const std::string both = step("tdx", {"chain.expired", "evidence.item-missing", "chain.expired"});
  EXPECT_THAT(both, AllOf(HasSubstr("--item"), HasSubstr("; "), HasSubstr("--now")));
  EXPECT_EQ(both.find("--now"), both.rfind("--now"));
  EXPECT_THAT(step("tdx", {"dcap.quote-signature", "chain.revoked"}), IsEmpty());
  EXPECT_THAT(step("tdx", {}), IsEmpty());
}

TEST(NextStep, AListThatIsMissingIsFetchedForAPolicyThatWantsIt) {
  Claims claims;
  claims.add_flag("gpu_revocation_unchecked", true);
  const std::vector<Reason> refused = {{"policy.not-stated", "a test"}};
  EXPECT_THAT(step_to_acceptance(claims, refused), HasSubstr("attest fetch"));
  EXPECT_THAT(step_to_acceptance(Claims(), refused), IsEmpty());
  EXPECT_THAT(step_to_acceptance(claims, std::vector<Reason>{{"policy.not-accepted", "a test"}}),
              IsEmpty());
}

TEST(IsFetched, OnlyForTeesThatThereAre) {
  std::size_t count = 0;
  for (const policy::TeeClaims& tee : policy::all_tee_claims())
    if (is_fetched(tee.tee)) ++count;
  EXPECT_EQ(count, 6U);
  EXPECT_FALSE(is_fetched("nitro"));
}

}  // namespace
}  // namespace sealpack::attest
