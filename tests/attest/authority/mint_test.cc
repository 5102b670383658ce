// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/authority/mint.h"

#include <gtest/gtest.h>

#include "keymgmt/crypto/device_signature.h"
#include "keymgmt/x509/chain.h"

namespace sealpack::testing {
namespace {

using crypto::DeviceKey;
using crypto::HashAlgorithm;

const Bytes kMessage = as_bytes("what a device says");

TEST(MintKey, SignsOnBothCurvesAsDevicesDo) {
  for (const MintKeyType type : {MintKeyType::kP256, MintKeyType::kP384}) {
    const MintKey key = MintKey::generate(type);
    const DeviceKey public_key = DeviceKey::from_point(key.point()).value();
    EXPECT_EQ(public_key.spki(), key.spki());
    ByteVector signature = key.sign(HashAlgorithm::kSha384, kMessage);
    EXPECT_TRUE(public_key.verify_ecdsa(HashAlgorithm::kSha384, kMessage, signature).ok());
    signature[0] ^= 1;
    EXPECT_FALSE(public_key.verify_ecdsa(HashAlgorithm::kSha384, kMessage, signature).ok());
  }
}

TEST(MintKey, SignsWithRsaInBothPaddings) {
  const MintKey key = MintKey::generate(MintKeyType::kRsa2048);
  const DeviceKey public_key = DeviceKey::from_rsa(key.modulus(), 65537).value();
  EXPECT_EQ(public_key.spki(), key.spki());
  const ByteVector pkcs1 = key.sign(HashAlgorithm::kSha256, kMessage);
  const ByteVector pss = key.sign_pss(HashAlgorithm::kSha384, kMessage);
  EXPECT_TRUE(public_key.verify_rsa_pkcs1(HashAlgorithm::kSha256, kMessage, pkcs1).ok());
  EXPECT_TRUE(public_key.verify_rsa_pss(HashAlgorithm::kSha384, kMessage, pss).ok());
  EXPECT_FALSE(public_key.verify_rsa_pss(HashAlgorithm::kSha384, kMessage, pkcs1).ok());
}

TEST(MintKey, SignsWithEd25519) {
  EXPECT_EQ(MintKey::generate(MintKeyType::kEd25519).sign(HashAlgorithm::kSha256, kMessage).size(),
            64U);
}

TEST(Mint, WritesWhatItIsTold) {
  const MintKey root_key = MintKey::generate(MintKeyType::kP256);
  const MintKey leaf_key = MintKey::generate(MintKeyType::kP384);
  const MintCertificate root{.subject = "Root", .organization = "Maker", .authority = true};
  const MintCertificate leaf{
      .subject = "Leaf", .serial = 0, .extensions = {{"1.3.6.1.4.1.3704.1.4", false, {1, 2, 3}}}};
  const auto parsed = x509::Certificate::parse_der(mint(leaf, leaf_key, &root, root_key)).value();
  EXPECT_EQ(parsed.subject_common_name(), "Leaf");
  EXPECT_EQ(parsed.issuer_common_name(), "Root");
  EXPECT_EQ(parsed.serial(), ByteVector{0});
  EXPECT_EQ(parsed.not_before(), leaf.not_before);
  EXPECT_EQ(parsed.not_after(), leaf.not_after);
  EXPECT_EQ(parsed.spki(), leaf_key.spki());
  EXPECT_EQ(parsed.key_digest(), leaf_key.digest());
  EXPECT_EQ(parsed.extension("1.3.6.1.4.1.3704.1.4"), (ByteVector{1, 2, 3}));
  EXPECT_FALSE(parsed.is_authority());
  const auto self = x509::Certificate::parse_der(mint(root, root_key, nullptr, root_key)).value();
  EXPECT_TRUE(self.is_authority());
  EXPECT_EQ(self.subject_name(), parsed.issuer_name());
}

TEST(Mint, WritesPemThatParses) {
  const MintKey key = MintKey::generate(MintKeyType::kP256);
  const ByteVector der = mint({.subject = "Alone"}, key, nullptr, key);
  const auto parsed = x509::Certificate::parse_pem(pem_of(der)).value();
  ASSERT_EQ(parsed.size(), 1U);
  EXPECT_EQ(to_vector(parsed[0].der()), der);
}

}  // namespace
}  // namespace sealpack::testing
