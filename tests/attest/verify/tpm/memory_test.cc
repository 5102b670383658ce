// SPDX-License-Identifier: Apache-2.0
// Keys and variable data that were read are remembered; that they may be trusted is not.
#include <gtest/gtest.h>

#include "attest/verify/chain_cache.h"
#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/tpm/hcl_lab.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::HclLab;
using testing::MintedLog;
using testing::MintedTpm;
using testing::Refused;
using testing::replace_once;
using testing::SnpLab;

const ByteVector kNonce = {1, 2, 3, 4};

class RememberedKeys : public ::testing::Test {
 protected:
  RememberedKeys() { roots.tpm_attestation_keys = {enrolled.key_digest()}; }
  Verdict run(const MintedTpm& tpm) {
    const auto values = MintedLog().boot(true).values(crypto::HashAlgorithm::kSha256, {0, 4, 7});
    const Evidence evidence = tpm.evidence(tpm.fields_for(values), values);
    VerifyInput input{evidence, {}, roots, SnpLab::kNow, kNonce};
    input.cache = &cache;
    return verify(input);
  }

  MintedTpm enrolled;
  Roots roots;
  ChainCache cache;
};

TEST_F(RememberedKeys, SignTheNextQuote) {
  EXPECT_THAT(run(enrolled), Accepted());
  EXPECT_THAT(run(enrolled), Accepted());
}

TEST_F(RememberedKeys, AreTrustedByTheRootsOfEachQuote) {
  ASSERT_THAT(run(enrolled), Accepted());
  const MintedTpm other;
  EXPECT_THAT(run(other), Refused("tpm.ak-untrusted"));
  EXPECT_THAT(run(other), Refused("tpm.ak-untrusted"));
  roots.tpm_attestation_keys.clear();
  EXPECT_THAT(run(enrolled), Refused("tpm.ak-untrusted"));
}

TEST_F(RememberedKeys, WithOtherAttributesAreOthers) {
  ASSERT_THAT(run(enrolled), Accepted());
  enrolled.attributes &= ~tpm::kRestricted;
  EXPECT_THAT(run(enrolled), Refused("tpm.ak-attributes"));
}

TEST(RememberedVariableData, AreBoundToTheReportOfEachQuote) {
  SnpLab snp("Milan");
  HclLab lab(2);
  ChainCache cache;
  Endorsements endorsements;
  endorsements.certificates = {snp.ark_der(), snp.authority_der(), snp.leaf_der()};
  snp.set_bytes(0x50, lab.binding());
  const ByteVector hardware = snp.signed_report();
  const auto run = [&] {
    const Evidence evidence = lab.evidence("azure-sev-snp", hardware);
    VerifyInput input{evidence, endorsements, snp.roots, SnpLab::kNow, kNonce};
    input.cache = &cache;
    return verify(input);
  };
  ASSERT_THAT(run(), Accepted());
  EXPECT_THAT(run(), Accepted());
  replace_once(lab.json, "\"secure-boot\":true", "\"secure-boot\":false");
  EXPECT_THAT(run(), Refused("azure.binding"));
  EXPECT_THAT(run(), Refused("azure.binding"));
}

}  // namespace
}  // namespace sealpack::attest
