// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/key_wrap.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "keymgmt/crypto/hpke.h"
#include "keymgmt/crypto/hpke_ephemeral.h"
#include "keymgmt/crypto/private_key.h"
#include "tests/keymgmt/crypto/hex.h"
#include "tests/keymgmt/crypto/hpke_derive.h"
#include "tests/keymgmt/crypto/printing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::crypto {
namespace {

using internal::KeyKind;
using internal::spki_from_raw;
using sealpack::testing::Fails;
using sealpack::testing::hex;
using sealpack::testing::pattern;
using sealpack::testing::Succeeds;

WrappingKey wrapping_key(std::string_view text) {
  return WrappingKey::from(SecretBytes::copy_of(hex(text))).value();
}

// C2SP/wycheproof aes_kwp_test.json, tests 161 and 168.
TEST(KeyWrap, GivesThePublishedBytes) {
  const WrappingKey first =
      wrapping_key("fce0429c610658ef8e7cfb0154c51de2239a8a317f5af5b6714f985fb5c4d75c");
  EXPECT_EQ(to_hex(kwp_wrap(first, hex("287326b5ed0078e7ca0164d748f667e7"))),
            "e3eab96d9a2fda12f9e252053aff15e753e5ea6f5172c92b");
  const WrappingKey second =
      wrapping_key("c641f1689d81caa8ba37d895272240664054ed974cfffc40e6c5c0cad1b916c7");
  const ByteVector secret = hex("3fd0ba19955e46749f54d88e99d080b7339d588fe612ec0f4021ca3ca2104270");
  const ByteVector wrapped = kwp_wrap(second, secret);
  EXPECT_EQ(to_hex(wrapped),
            "837cfc316b49299edaf427e0988020ee876204b29d847669daab72c8660b0d860e9de3bd851198ff");
  EXPECT_TRUE(kwp_unwrap(second, wrapped)->equals(secret));
  EXPECT_THAT(kwp_unwrap(first, wrapped), Fails(ErrorCode::kKeyUnavailable));
}

TEST(KeyWrap, ReturnsEverySizeAndNoBitFlip) {
  const WrappingKey key = WrappingKey::random();
  for (std::size_t size = 1; size < 70; ++size) {
    const ByteVector secret = pattern(size);
    ByteVector wrapped = kwp_wrap(key, secret);
    ASSERT_TRUE(kwp_unwrap(key, wrapped)->equals(secret)) << size;
    if (size % 23 != 9) continue;
    for (std::size_t bit = 0; bit < wrapped.size() * 8; ++bit) {
      wrapped[bit / 8] = static_cast<std::uint8_t>(wrapped[bit / 8] ^ 1U << bit % 8);
      EXPECT_THAT(kwp_unwrap(key, wrapped), Fails(ErrorCode::kKeyUnavailable));
      wrapped[bit / 8] = static_cast<std::uint8_t>(wrapped[bit / 8] ^ 1U << bit % 8);
    }
  }
}

TEST(KeyWrap, RefusesSizesThatCannotBe) {
  const WrappingKey key = WrappingKey::random();
  for (const std::size_t size : {0U, 8U, 15U, 17U, 23U, 65544U}) {
    EXPECT_THAT(kwp_unwrap(key, ByteVector(size)), Fails(ErrorCode::kKeyUnavailable)) << size;
  }
}

TEST(KeyWrapDeathTest, EndsTheProcessOnAnEmptySecret) {
  EXPECT_DEATH(kwp_wrap(WrappingKey::random(), {}), "1 byte");
}

struct HpkeVector {
  KeyKind kind;
  const char* recipient_private;
  const char* recipient_public;
  const char* ephemeral_seed;
  const char* enc;
  const char* ciphertext;
};

// RFC 9180 test vectors as google/boringssl crypto/hpke publishes them: mode 0, KDF 1, AEAD 2, KEM
// 32 and 16, encryption 0.
const HpkeVector kHpkeVectors[] = {
    {KeyKind::kX25519, "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d",
     "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c",
     "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11",
     "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256",
     "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a"},
    {KeyKind::kP256, "317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2",
     "04abc7e49a4c6b3566d77d0304addc6ed0e98512ffccf505e6a8e3eb25c685136f"
     "853148544876de76c0f2ef99cdc3a05ccf5ded7860c7c021238f9e2073d2356c",
     "a90d3417c3da9cb6c6ae19b4b5dd6cc9529a4cc24efb7ae0ace1f31887a8cd6c",
     "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f03e"
     "0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0",
     "58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d291742465e902cd216f8908da49f8f96f"},
};
constexpr std::string_view kHpkeInfo = "Ode on a Grecian Urn";
constexpr std::string_view kHpkePlain = "Beauty is truth, truth beauty";

TEST(Hpke, GivesTheBytesOfRfc9180) {
  for (const HpkeVector& vector : kHpkeVectors) {
    const EncryptionKey recipient =
        EncryptionKey::from_spki(spki_from_raw(vector.kind, hex(vector.recipient_public))).value();
    const auto ephemeral =
        sealpack::testing::vector_ephemeral(vector.kind, hex(vector.ephemeral_seed));
    const HpkeSealed sealed =
        internal::hpke_seal_with_ephemeral(recipient, ephemeral.get(), as_bytes(kHpkeInfo),
                                           as_bytes("Count-0"), as_bytes(kHpkePlain))
            .value();
    EXPECT_EQ(to_hex(sealed.enc), vector.enc);
    EXPECT_EQ(to_hex(sealed.ciphertext), vector.ciphertext);

    // The recipient's side, as a device would do it.
    const auto own = internal::import_private(vector.kind, hex(vector.recipient_private));
    ASSERT_THAT(own, Succeeds());
    EXPECT_EQ(internal::public_spki(vector.kind, own->get()), to_vector(recipient.spki()));
    const auto dh = internal::diffie_hellman(vector.kind, own->get(), sealed.enc);
    ASSERT_THAT(dh, Succeeds());
    const auto plain = hpke_open_with_shared_secret(*dh, sealed.enc, recipient, as_bytes(kHpkeInfo),
                                                    as_bytes("Count-0"), sealed.ciphertext);
    ASSERT_THAT(plain, Succeeds());
    EXPECT_EQ(as_text(plain->reveal()), kHpkePlain);
  }
}

class HpkeTest : public ::testing::TestWithParam<KeyType> {
 protected:
  PrivateKey key_ = PrivateKey::generate(GetParam()).value();
  std::unique_ptr<Decryptor> decryptor_ = key_.decryptor().value();
};

TEST_P(HpkeTest, OpensWhatWasSealedAndNothingElse) {
  const auto sealed =
      hpke_seal(decryptor_->public_key(), as_bytes("info"), as_bytes("aad"), as_bytes("secret"));
  ASSERT_THAT(sealed, Succeeds());
  const auto open = [&](std::string_view info, std::string_view aad, const ByteVector& enc,
                        const ByteVector& ciphertext) {
    return decryptor_->hpke_open(enc, as_bytes(info), as_bytes(aad), ciphertext);
  };
  EXPECT_TRUE(open("info", "aad", sealed->enc, sealed->ciphertext)->equals(as_bytes("secret")));
  EXPECT_THAT(open("infO", "aad", sealed->enc, sealed->ciphertext),
              Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(open("info", "aaD", sealed->enc, sealed->ciphertext),
              Fails(ErrorCode::kKeyUnavailable));
  ByteVector ciphertext = sealed->ciphertext;
  for (std::size_t bit = 0; bit < ciphertext.size() * 8; ++bit) {
    ciphertext[bit / 8] = static_cast<std::uint8_t>(ciphertext[bit / 8] ^ 1U << bit % 8);
    EXPECT_THAT(open("info", "aad", sealed->enc, ciphertext), Fails(ErrorCode::kKeyUnavailable));
    ciphertext[bit / 8] = static_cast<std::uint8_t>(ciphertext[bit / 8] ^ 1U << bit % 8);
  }
  ByteVector enc = sealed->enc;
  for (std::size_t at = 0; at < enc.size(); ++at) {
    enc[at] ^= 4;
    EXPECT_THAT(open("info", "aad", enc, ciphertext), Fails(ErrorCode::kKeyUnavailable)) << at;
    enc[at] ^= 4;
  }
  for (std::size_t size = 0; size < ciphertext.size(); ++size) {
    EXPECT_THAT(open("info", "aad", enc,
                     {ciphertext.begin(), ciphertext.begin() + static_cast<long>(size)}),
                Fails(ErrorCode::kKeyUnavailable));
  }
  enc.pop_back();
  EXPECT_THAT(open("info", "aad", enc, ciphertext), Fails(ErrorCode::kKeyUnavailable));
  const auto other = PrivateKey::generate(GetParam())->decryptor().value();
  EXPECT_THAT(other->hpke_open(sealed->enc, as_bytes("info"), as_bytes("aad"), sealed->ciphertext),
              Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(decryptor_->rsa_oaep_unwrap(ByteVector(256)), Fails(ErrorCode::kUnsupported));
}

TEST_P(HpkeTest, NeverSealsTheSameWayTwice) {
  const EncryptionKey& key = decryptor_->public_key();
  EXPECT_NE(hpke_seal(key, {}, {}, {})->enc, hpke_seal(key, {}, {}, {})->enc);
  EXPECT_EQ(hpke_seal(key, {}, {}, {})->ciphertext.size(), 16U);
}

INSTANTIATE_TEST_SUITE_P(Types, HpkeTest, ::testing::Values(KeyType::kX25519, KeyType::kEcdhP256));

TEST(Hpke, RefusesX25519KeysOfSmallOrder) {
  const ByteVector zero(32);
  const EncryptionKey key = EncryptionKey::from_spki(spki_from_raw(KeyKind::kX25519, zero)).value();
  EXPECT_THAT(hpke_seal(key, {}, {}, as_bytes("x")), Fails(ErrorCode::kMalformed));
  const auto recipient = PrivateKey::generate(KeyType::kX25519)->decryptor().value();
  EXPECT_THAT(recipient->hpke_open(zero, {}, {}, ByteVector(32)),
              Fails(ErrorCode::kKeyUnavailable));
  // A device that does not refuse them hands us zeros.
  EXPECT_THAT(hpke_open_with_shared_secret(SecretBytes(32), zero, recipient->public_key(), {}, {},
                                           ByteVector(32)),
              Fails(ErrorCode::kKeyUnavailable));
}

TEST(EncryptionKey, RefusesNonCanonicalX25519) {
  ByteVector raw(32, 0xff);
  raw[0] = 0xed;
  raw[31] = 0x7f;  // p
  EXPECT_THAT(EncryptionKey::from_spki(spki_from_raw(KeyKind::kX25519, raw)),
              Fails(ErrorCode::kMalformed));
  raw[0] = 0xec;  // p - 1
  EXPECT_THAT(EncryptionKey::from_spki(spki_from_raw(KeyKind::kX25519, raw)), Succeeds());
  raw = ByteVector(32, 9);
  raw[31] = 0x80;
  EXPECT_THAT(EncryptionKey::from_spki(spki_from_raw(KeyKind::kX25519, raw)),
              Fails(ErrorCode::kMalformed));
}

TEST(EncryptionKey, RefusesKeysThatDoNotEncrypt) {
  for (const KeyType type : {KeyType::kEd25519, KeyType::kEcdsaP384}) {
    EXPECT_THAT(EncryptionKey::from_spki(PrivateKey::generate(type)->spki()),
                Fails(ErrorCode::kUnsupported));
  }
}

TEST(RsaOaep, UnwrapsWhatWasWrappedAndNothingElse) {
  const PrivateKey key = PrivateKey::generate(KeyType::kRsa3072).value();
  const auto decryptor = key.decryptor().value();
  const SecretBytes secret = SecretBytes::random(32);
  ByteVector wrapped = rsa_oaep_wrap(decryptor->public_key(), secret.reveal()).value();
  EXPECT_EQ(wrapped.size(), 384U);
  EXPECT_TRUE(decryptor->rsa_oaep_unwrap(wrapped)->equals(secret.reveal()));
  for (std::size_t at = 0; at < wrapped.size(); at += 61) {
    wrapped[at] ^= 1;
    EXPECT_THAT(decryptor->rsa_oaep_unwrap(wrapped), Fails(ErrorCode::kKeyUnavailable));
    wrapped[at] ^= 1;
  }
  EXPECT_THAT(decryptor->rsa_oaep_unwrap({}), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(decryptor->rsa_oaep_unwrap(Bytes(wrapped).first(383)),
              Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(decryptor->hpke_open({}, {}, {}, {}), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(hpke_seal(decryptor->public_key(), {}, {}, {}), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(rsa_oaep_wrap(decryptor->public_key(), ByteVector(384 - 66)), Succeeds());
  EXPECT_THAT(rsa_oaep_wrap(decryptor->public_key(), ByteVector(384 - 65)),
              Fails(ErrorCode::kLimit));
}

ByteVector rsa_spki(unsigned bits, unsigned long exponent) {
  const internal::PkeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  const internal::BignumPtr e(BN_new());
  BN_set_word(e.get(), exponent);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_keygen_init(context.get());
  EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), static_cast<int>(bits));
  EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), e.get());
  EVP_PKEY_generate(context.get(), &key);
  const internal::PkeyPtr owner(key);
  return internal::public_spki(KeyKind::kRsa, key);
}

TEST(RsaOaep, RefusesWeakKeysAndOtherExponents) {
  EXPECT_THAT(EncryptionKey::from_spki(rsa_spki(1024, RSA_F4)), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(EncryptionKey::from_spki(rsa_spki(2048, 3)), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(EncryptionKey::from_spki(rsa_spki(2048, RSA_F4)), Succeeds());
}

}  // namespace
}  // namespace sealpack::crypto
