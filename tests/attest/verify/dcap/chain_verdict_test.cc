// SPDX-License-Identifier: Apache-2.0
// Whose platform a quote is of: the PCK's chain and the lists that revoke.
#include <gtest/gtest.h>

#include "tests/attest/verify/dcap/dcap_fixture.h"

namespace sealpack::attest::dcap {
namespace {

using testing::Accepted;
using testing::kDcapNow;
using testing::Refused;
using testing::RefusedAlsoFor;
using Kind = MintDcap::Kind;

TEST(DcapChain, TheChainMayComeWithTheEndorsements) {
  MintDcap platform(Kind::kTdx4);
  platform.chain_with_authority = false;
  EXPECT_THAT(verdict_of(platform), Refused("chain.issuer"));
  Endorsements endorsements = platform.endorsements();
  endorsements.certificates.push_back(platform.platform_ca_der());
  EXPECT_THAT(verdict_of(platform, platform.quote(), endorsements), Accepted());
}

TEST(DcapChain, CarriesNoCertificateBesideItsChain) {
  MintDcap platform(Kind::kTdx4);
  ByteVector chain = platform.pck_chain();
  const ByteVector more = testing::pem_of(platform.signing_der());
  chain.insert(chain.end(), more.begin(), more.end());
  platform.certification_data = chain;
  EXPECT_THAT(verdict_of(platform), Refused("dcap.certification-data"));
}

ByteVector pem_chain(std::initializer_list<ByteVector> certificates) {
  ByteVector pem;
  for (const ByteVector& der : certificates) {
    const ByteVector one = testing::pem_of(der);
    pem.insert(pem.end(), one.begin(), one.end());
  }
  return pem;
}

TEST(DcapChain, CarriesItsCertificatesInTheirOrder) {
  MintDcap platform(Kind::kTdx4);
  platform.certification_data =
      pem_chain({platform.pck_der(), platform.root_der(), platform.platform_ca_der()});
  EXPECT_THAT(verdict_of(platform), Refused("dcap.certification-data"));
}

TEST(DcapChain, IsOfThreeCertificates) {
  const testing::MintDcapKeys& keys = testing::mint_dcap_keys();
  MintDcap platform(Kind::kSgx3);
  platform.root.path_length = 2;
  const testing::MintCertificate between{.subject = "Intel SGX", .serial = 5, .authority = true};
  platform.certification_data = pem_chain(
      {platform.pck_der(),
       testing::mint(platform.platform_ca, keys.platform_ca, &between, keys.signing),
       testing::mint(between, keys.signing, &platform.root, keys.root), platform.root_der()});
  Endorsements endorsements = platform.endorsements();
  endorsements.revocation_lists.push_back(testing::mint_list({}, between, keys.signing));
  EXPECT_THAT(verdict_of(platform, platform.quote(), endorsements),
              Refused("dcap.pck-certificate"));
}

TEST(DcapChain, RefusesLookAlikesOfThePck) {
  for (const char* name : {"Intel SGX PCK Certificate ", "intel SGX PCK Certificate",
                           "My Intel SGX PCK Certificate", "Intel SGX TCB Signing", ""}) {
    MintDcap platform(Kind::kSgx3);
    platform.pck.subject = name;
    EXPECT_THAT(verdict_of(platform), Refused("dcap.pck-certificate")) << name;
  }
  MintDcap authority(Kind::kSgx3);
  authority.pck.authority = true;
  EXPECT_THAT(verdict_of(authority), RefusedAlsoFor("dcap.pck-certificate"));
  MintDcap issuer(Kind::kSgx3);
  issuer.platform_ca.subject = "Intel SGX PCK Cloud CA";
  EXPECT_THAT(verdict_of(issuer), Refused("dcap.pck-certificate"));
}

TEST(DcapChain, AcceptsTheProcessorsAuthority) {
  MintDcap platform(Kind::kSgx3);
  platform.platform_ca.subject = "Intel SGX PCK Processor CA";
  platform.extension.platform_instance_id.reset();
  platform.extension.smt_enabled.reset();
  const Verdict verdict = verdict_of(platform);
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(hex_of(verdict, "platform_instance_id"), "absent");
}

// As Intel's own test quotes have it: another root of the same name.
TEST(DcapChain, RefusesARootOfTheSameName) {
  const MintDcap platform(Kind::kTdx4);
  const Evidence evidence{"tdx", {{"quote", platform.quote()}}};
  const Endorsements endorsements = platform.endorsements();
  const Roots roots = vendor_roots();
  const Verdict verdict =
      verify({.evidence = evidence, .endorsements = endorsements, .roots = roots, .now = kDcapNow});
  EXPECT_THAT(verdict, Refused("chain.root"));
}

TEST(DcapChain, RefusesAPckWithoutOrWithAMalformedExtension) {
  MintDcap platform(Kind::kSgx3);
  platform.extension_value = ByteVector{0x30, 0x00};
  EXPECT_THAT(verdict_of(platform), Refused("dcap.pck-extension"));
}

TEST(DcapChain, RefusesARevokedPckAndARevokedAuthority) {
  MintDcap leaf(Kind::kSgx3);
  leaf.platform_list.revoked = {leaf.pck.serial};
  EXPECT_THAT(verdict_of(leaf), Refused("chain.revoked"));
  MintDcap authority(Kind::kTdx4);
  authority.root_list.revoked = {authority.platform_ca.serial};
  EXPECT_THAT(verdict_of(authority), Refused("chain.revoked"));
  MintDcap signing(Kind::kTdx4);
  signing.root_list.revoked = {signing.signing.serial};
  EXPECT_THAT(verdict_of(signing), Refused("chain.revoked"));
}

TEST(DcapChain, RefusesStaleAndMissingLists) {
  MintDcap platform(Kind::kSgx3);
  platform.platform_list.next_update = kDcapNow;
  EXPECT_THAT(verdict_of(platform), Refused("chain.revocation-stale"));
  MintDcap endless(Kind::kSgx3);
  endless.root_list.next_update.reset();
  EXPECT_FALSE(verdict_of(endless).accepted());
  const MintDcap none(Kind::kSgx3);
  Endorsements endorsements = none.endorsements();
  endorsements.revocation_lists.pop_back();
  EXPECT_THAT(verdict_of(none, none.quote(), endorsements), Refused("chain.revocation-unknown"));
  endorsements.revocation_lists.clear();
  EXPECT_THAT(verdict_of(none, none.quote(), endorsements), Refused("chain.revocation-unknown"));
}

TEST(DcapChain, RefusesCertificatesOutsideTheirTime) {
  MintDcap expired(Kind::kSgx3);
  expired.pck.not_after = kDcapNow - 1;
  EXPECT_THAT(verdict_of(expired), Refused("chain.expired"));
  MintDcap early(Kind::kSgx3);
  early.platform_ca.not_before = kDcapNow + 1;
  EXPECT_THAT(verdict_of(early), Refused("chain.not-yet-valid"));
  MintDcap signing(Kind::kSgx3);
  signing.signing.not_after = kDcapNow - 1;
  EXPECT_THAT(verdict_of(signing), Refused("chain.expired"));
}

}  // namespace
}  // namespace sealpack::attest::dcap
