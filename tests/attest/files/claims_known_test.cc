// SPDX-License-Identifier: Apache-2.0
// What verifiers claim is what policies can state: real evidence, proven, against the closed list.
#include "attest/files/endorsement_folder.h"
#include "attest/files/evidence_file.h"
#include "attest/policy/claim_names.h"
#include "attest/policy/judge.h"
#include "attest/verify/endorsements.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using ::sealpack::testing::Succeeds;

struct Sample {
  const char* evidence;
  std::vector<const char*> endorsements;
  std::uint64_t now;
};

constexpr std::uint64_t kJune2026 = 1780300000;
constexpr std::uint64_t kJuly2025 = 1751328000;

std::vector<Sample> samples() {
  return {{"snp/ms-genoa_attestation_report.bin",
           {"snp/ms-genoa_vcek.pem", "snp/genoa_ask_ark_asvk.pem"},
           kJune2026},
          {"snp/ms-milan_attestation_report.bin",
           {"snp/ms-milan_vcek.pem", "snp/milan_ask_ark_asvk.pem"},
           kJune2026},
          {"sgx/phala-sgx_quote", {"sgx/phala-sgx_quote_collateral.json"}, kJuly2025},
          {"tdx/phala-tdx_quote", {"tdx/phala-tdx_quote_collateral.json"}, kJuly2025},
          {"cca/trustee-cca-example-token.cbor", {"cca/trustee-cpak-pub.json"}, kJune2026},
          {"psa/psatoken-tfm-psa-2_0_0_sign1.bin", {"psa/psatoken-tfm-public.pem"}, kJune2026},
          {"az-snp-vtpm/evidence-v0.json", {"snp/milan_ask_ark_asvk.pem"}, kJune2026}};
}

// A policy that accepts each claim as it is, and every mandatory claim that is not made.
bundle::Environment exactly(const Claims& claims, const policy::TeeClaims& tee) {
  bundle::Environment environment{claims.tee, {}};
  for (const policy::ClaimName& name : tee.claims) {
    bundle::ClaimRule rule{std::string(name.name), {}, 0, {}};
    for (const Claim& claim : claims.claims) {
      if (claim.name == name.name) rule.accepted.push_back(claim.value);
    }
    if (name.bad_news && name.kind == policy::ClaimKind::kFlag && !rule.accepted.empty()) {
      rule.accepted.clear();
      rule.ignore_because = "a test";
    }
    if (rule.accepted.empty() && name.mandatory) rule.ignore_because = "not claimed";
    if (rule.form_count() != 0) environment.rules.push_back(rule);
  }
  return environment;
}

TEST(RealEvidence, ClaimsNothingThatAPolicyCannotState) {
  const std::filesystem::path vectors = std::filesystem::path(SEALPACK_VECTORS) / "attest";
  if (!std::filesystem::exists(vectors)) GTEST_SKIP() << "no samples in " << vectors;
  for (const Sample& sample : samples()) {
    Endorsements endorsements;
    const auto evidence = load_evidence(vectors / sample.evidence, &endorsements);
    ASSERT_THAT(evidence, Succeeds()) << sample.evidence;
    for (const char* path : sample.endorsements) {
      const auto more = load_endorsements(vectors / path);
      ASSERT_THAT(more, Succeeds()) << path;
      merge_endorsements(endorsements, *more);
    }
    Roots roots = vendor_roots();
    for (const ByteVector& key : endorsements.public_keys) {
      roots.cca.push_back(crypto::sha256(key));
      roots.psa.push_back(crypto::sha256(key));
    }
    VerifyInput input{*evidence, endorsements, roots};
    input.now = sample.now;
    const Verdict verdict = verify(input);
    std::string reasons;
    for (const Reason& reason : verdict.reasons) reasons += reason.code + ": " + reason.text + "\n";
    ASSERT_TRUE(verdict.accepted()) << sample.evidence << '\n' << reasons;
    const policy::TeeClaims* tee = policy::find_tee(verdict.claims->tee);
    ASSERT_NE(tee, nullptr) << verdict.claims->tee;
    for (const Claim& claim : verdict.claims->claims) {
      EXPECT_NE(policy::find_claim(*tee, claim.name), nullptr) << tee->tee << ' ' << claim.name;
    }
    const bundle::MeasurementPolicy policy{{}, {exactly(*verdict.claims, *tee)}};
    const auto refused = policy::judge(*verdict.claims, policy);
    EXPECT_TRUE(refused.empty()) << sample.evidence << ' ' << refused.front().code << ": "
                                 << refused.front().text;
  }
}

}  // namespace
}  // namespace sealpack::attest
