// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/verify/tpm/quoting_tpm.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::kQuoteTime;
using testing::MintCertificate;
using testing::MintExtension;
using testing::MintKey;
using testing::MintKeyType;
using testing::Refused;
using testing::RefusedAlsoFor;
using testing::text_of;

// Keys that a maker of TPMs certified.
class CertifiedKeys : public testing::QuotingTpm {
 protected:
  CertifiedKeys() : root_key(MintKey::generate(MintKeyType::kP256)) {
    roots.tpm_enrolments.clear();
    roots.tpm = {root_key.digest()};
    root.subject = "TPM maker";
    root.authority = true;
    leaf.subject = "attestation key";
    leaf.extensions = {{"2.5.29.15", true, {0x03, 0x02, 0x07, 0x80}}};
  }
  void certify() {
    endorsements.certificates = {mint(root, root_key, nullptr, root_key),
                                 mint(leaf, tpm.key(), &root, root_key)};
  }

  MintKey root_key;
  MintCertificate root;
  MintCertificate leaf;
};

TEST_F(CertifiedKeys, AreTrustedAndBindNoEndorsementKey) {
  certify();
  const Verdict verdict = verify_fields();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(claim(verdict, "ek_name"), text_of("(no claim)"));
  EXPECT_EQ(claim(verdict, "ak_name"), tpm.name());
}

TEST_F(CertifiedKeys, AreRefusedUnderAnotherRoot) {
  certify();
  roots.tpm = {MintKey::generate(MintKeyType::kP256).digest()};
  EXPECT_THAT(verify_fields(), RefusedAlsoFor("tpm.ak-untrusted"));
}

TEST_F(CertifiedKeys, AreRefusedOutsideTheirValidity) {
  leaf.not_after = kQuoteTime - 1;
  certify();
  EXPECT_THAT(verify_fields(), RefusedAlsoFor("chain.expired"));
}

TEST_F(CertifiedKeys, AreRefusedWhenTheCertificateIsNotForSigning) {
  leaf.extensions[0].value = {0x03, 0x02, 0x05, 0x20};  // keyEncipherment: an endorsement key
  certify();
  EXPECT_THAT(verify_fields(), RefusedAlsoFor("tpm.ak-certificate"));
  leaf.extensions.clear();
  certify();
  EXPECT_THAT(verify_fields(), RefusedAlsoFor("tpm.ak-certificate"));
}

// Its key signs what it is given: a quote, if whoever has the machine writes one.
TEST_F(CertifiedKeys, AreRefusedWhenTheMakerSaysTheyAreNotRestricted) {
  const auto policies = [](std::vector<std::uint8_t> capabilities) {
    ByteVector out{0x30, static_cast<std::uint8_t>(10 * capabilities.size())};
    for (const std::uint8_t one : capabilities) {
      const std::uint8_t policy[] = {0x30, 0x08, 0x06, 0x06, 0x67, 0x81, 0x05, 0x0b, 0x01, one};
      out.insert(out.end(), std::begin(policy), std::end(policy));
    }
    return out;
  };
  leaf.extensions.push_back({"2.5.29.32", false, policies({1, 2})});  // resident, fixed: an IDevID
  certify();
  EXPECT_THAT(verify_fields(), RefusedAlsoFor("tpm.ak-certificate"));
  leaf.extensions.back().value = policies({1, 3});
  certify();
  EXPECT_THAT(verify_fields(), Accepted());
}

// Then nobody but the evidence says that the key signs nothing it is given.
TEST_F(CertifiedKeys, AreBadNewsWhenTheMakerDoesNotSayWhatTheyAreFor) {
  const MintExtension restricted{"2.5.29.32", false, from_hex("300a300806066781050b0103").value()};
  const MintExtension quotes{"2.5.29.37", false, from_hex("300706056781050803").value()};
  const MintExtension other{"2.5.29.37", false, from_hex("300706056781050801").value()};
  // 1.3.6.5.103.133.8.3, with the bytes of the purpose inside.
  const MintExtension alike{"2.5.29.37", false, from_hex("300a06082b06056781050803").value()};
  const MintCertificate silent = leaf;
  for (const auto& [extension, stated] :
       {std::pair(restricted, true), {quotes, true}, {other, false}, {alike, false}}) {
    leaf.extensions = {silent.extensions[0], extension};
    certify();
    EXPECT_EQ(claim(verify_fields(), "ak_purpose_unstated") == ByteVector{1}, !stated);
    endorsements.certificates.push_back(mint(silent, tpm.key(), &root, root_key));
    EXPECT_EQ(claim(verify_fields(), "ak_purpose_unstated") == ByteVector{1}, !stated);
  }
}

TEST_F(CertifiedKeys, AreRefusedBehindMoreCertificatesThanAKeyHas) {
  certify();
  for (std::uint64_t serial = 100; serial < 108; ++serial) {
    MintCertificate forged = leaf;
    forged.serial = serial;
    endorsements.certificates.insert(endorsements.certificates.begin(),
                                     mint(forged, tpm.key(), &root, tpm.key()));
    EXPECT_EQ(verify_fields().accepted(), serial < 107) << serial;
  }
  EXPECT_THAT(verify_fields(), RefusedAlsoFor("tpm.ak-certificate"));
}

TEST_F(CertifiedKeys, AreRefusedWhenTheCertificateIsOfAnotherKey) {
  certify();
  const MintKey other = MintKey::generate(MintKeyType::kP256);
  endorsements.certificates[1] = mint(leaf, other, &root, root_key);
  EXPECT_THAT(verify_fields(), Refused("tpm.ak-untrusted"));
}

TEST_F(CertifiedKeys, AreRefusedOnceRevoked) {
  leaf.serial = 77;
  certify();
  testing::MintList list;
  list.revoked = {77};
  endorsements.revocation_lists = {mint_list(list, root, root_key)};
  EXPECT_THAT(verify_fields(), RefusedAlsoFor("chain.revoked"));
}

}  // namespace
}  // namespace sealpack::attest
