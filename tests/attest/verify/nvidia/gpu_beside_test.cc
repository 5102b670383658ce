// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "attest/evidence/gpu_nonce.h"
#include "attest/policy/claim_names.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/attest/verify/nvidia/gpu_maker.h"
#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::GpuMaker;
using testing::Refused;
using testing::RefusedAlsoFor;
using testing::SnpLab;

const ByteVector kTranscript{'t', 1, 2, 3};

// A guest on SEV-SNP that was asked for a GPU as well.
class GpuBeside : public ::testing::Test {
 protected:
  GpuBeside() {
    roots = lab.roots;
    roots.nvidia = {gpu.root_key.digest()};
    endorsements.certificates = {lab.ark_der(), lab.authority_der(), lab.leaf_der()};
    evidence = {"sev-snp", {{"report", lab.signed_report()}}};
    gpu.nonce = gpu_nonce(kTranscript, evidence);
    gpu_expected = gpu.nonce;
    gpu.add_to(evidence);
  }
  Verdict run() const {
    return verify({evidence, endorsements, roots, SnpLab::kNow, expected, gpu_expected});
  }

  SnpLab lab{"Milan"};
  GpuMaker gpu;
  Evidence evidence;
  Endorsements endorsements;
  Roots roots;
  std::optional<ByteVector> expected = lab.expected;
  std::optional<ByteVector> gpu_expected;
};

TEST_F(GpuBeside, AddsItsClaimsToTheTees) {
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->tee, "sev-snp");
  ASSERT_NE(verdict.claims->find("measurement"), nullptr);
  EXPECT_EQ(as_text(verdict.claims->find("gpu_architecture")->value), "hopper");
  EXPECT_EQ(as_text(verdict.claims->find("gpu_mode")->value), "single-gpu");
  EXPECT_EQ(verdict.claims->find("gpu_nonce")->value, gpu.nonce);
  EXPECT_EQ(verdict.claims->find("gpu_measurement07")->value, ByteVector(48, 8));
  EXPECT_TRUE(std::is_sorted(verdict.claims->claims.begin(), verdict.claims->claims.end()));
}

TEST_F(GpuBeside, MakesOnlyClaimsThatPoliciesKnow) {
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  for (const char* tee : {"sev-snp", "tdx", "azure-sev-snp", "azure-tdx"}) {
    for (const Claim& claim : verdict.claims->claims) {
      if (!claim.name.starts_with("gpu_")) continue;
      const policy::ClaimName* row = policy::find_claim(*policy::find_tee(tee), claim.name);
      ASSERT_NE(row, nullptr) << tee << ' ' << claim.name;
      EXPECT_FALSE(row->mandatory) << tee << ' ' << claim.name;
    }
  }
}

TEST_F(GpuBeside, IsBoundToTheTranscriptAndToTheEvidenceOfTheTee) {
  Evidence cpu{"sev-snp", {{"report", {1, 2, 3}}}};
  const ByteVector nonce = gpu_nonce(kTranscript, cpu);
  ASSERT_EQ(nonce.size(), 32U);
  crypto::Sha256 hash;
  const Digest digest = crypto::sha256(serialize_evidence(cpu));
  EXPECT_EQ(
      nonce,
      to_vector(
          hash.update(as_bytes("gpu")).update(kTranscript).update(digest.bytes).finish().bytes));
  EXPECT_NE(nonce, gpu_nonce(ByteVector{'t', 1, 2, 4}, cpu));
  cpu.items[0].bytes[0] ^= 1;
  EXPECT_NE(nonce, gpu_nonce(kTranscript, cpu));
  cpu.items[0].bytes[0] ^= 1;
  gpu.add_to(cpu);
  EXPECT_EQ(nonce, gpu_nonce(kTranscript, cpu));  // what the GPU says does not count
}

TEST_F(GpuBeside, RefusesAReportRelayedFromAnotherTeeOrDay) {
  for (const ByteVector& nonce :
       {ByteVector(32, 1), gpu_nonce(ByteVector{'o'}, evidence),
        gpu_nonce(kTranscript, {"sev-snp", {{"report", ByteVector(1184)}}})}) {
    gpu_expected = nonce;
    EXPECT_THAT(run(), Refused("nvidia.nonce"));
  }
}

TEST_F(GpuBeside, RefusesAGpuWhereTheTeeIsBoundAndTheGpuIsNot) {
  gpu_expected.reset();
  expected = ByteVector(64);
  EXPECT_THAT(run(), RefusedAlsoFor("evidence.gpu-nonce"));
}

TEST_F(GpuBeside, StatesTheNonceWhereNothingIsAskedFor) {
  expected.reset();
  gpu_expected.reset();
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->find("gpu_nonce")->value, gpu.nonce);
}

TEST_F(GpuBeside, RefusesTheTeeWithAGpuThatFails) {
  evidence.items[2].bytes[100] ^= 1;
  EXPECT_THAT(run(), Refused("nvidia.signature"));
  roots.nvidia.clear();
  EXPECT_THAT(run(), RefusedAlsoFor("chain.root"));
}

TEST_F(GpuBeside, RefusesTheGpuWithATeeThatFails) {
  evidence.items[0].bytes[0x90] ^= 1;
  const Verdict verdict = run();
  EXPECT_FALSE(verdict.accepted());
  EXPECT_FALSE(verdict.claims);
}

TEST_F(GpuBeside, IsNotLookedAtWhereTheTeeFails) {
  evidence.items[2].bytes[100] ^= 1;
  evidence.items[0].bytes[0x90] ^= 1;
  endorsements.ocsp_responses = {{1, 2, 3}};
  const Verdict verdict = run();
  EXPECT_FALSE(verdict.accepted());
  for (const Reason& reason : verdict.reasons) {
    EXPECT_FALSE(reason.code.starts_with("nvidia.")) << reason.code;
  }
}

TEST_F(GpuBeside, RefusesOnlySomeOfItsItems) {
  for (std::size_t i = 1; i < 4; ++i) {
    const Evidence whole = evidence;
    evidence.items.erase(evidence.items.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(run(), Refused("evidence.item-missing")) << i;
    evidence = whole;
  }
}

TEST_F(GpuBeside, IsNotMissedWhereItIsNot) {
  evidence.items.resize(1);
  gpu_expected.reset();
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->find("gpu_nonce"), nullptr);
}

TEST_F(GpuBeside, IsRefusedBesideTeesThatHaveNone) {
  evidence.tee = "simulated";
  EXPECT_THAT(run(), RefusedAlsoFor("evidence.gpu"));
}

}  // namespace
}  // namespace sealpack::attest
