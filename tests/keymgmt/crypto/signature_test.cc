// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/signature.h"

#include "keymgmt/crypto/dsse.h"
#include "keymgmt/crypto/private_key.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/crypto/spki.h"
#include "tests/keymgmt/crypto/hex.h"
#include "tests/keymgmt/crypto/printing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::crypto {
namespace {

using internal::KeyKind;
using internal::spki_from_raw;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::hex;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;

// RFC 6979 appendix A.2.5, P-256 with SHA-256.
constexpr const char* kP256Point =
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
constexpr const char* kOrderP256 =
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

VerifyingKey p256_key() {
  return VerifyingKey::from_spki(spki_from_raw(KeyKind::kP256, hex(kP256Point))).value();
}
Result<VerifyingKey> ed25519_key(std::string_view raw) {
  return VerifyingKey::from_spki(spki_from_raw(KeyKind::kEd25519, hex(raw)));
}

// RFC 8032 section 7.1, TEST 1.
TEST(Ed25519, VerifiesTheSignatureOfRfc8032AndNoBitFlipOfIt) {
  const VerifyingKey key =
      ed25519_key("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").value();
  ByteVector signature = hex(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
      "b46bd25bf5f0595bbe24655141438e7a100b");
  EXPECT_THAT(key.verify({}, signature), Succeeds());
  EXPECT_THAT(key.verify(as_bytes("x"), signature), Fails(ErrorCode::kNotAuthentic));
  for (std::size_t bit = 0; bit < 512; ++bit) {
    signature[bit / 8] = static_cast<std::uint8_t>(signature[bit / 8] ^ 1U << bit % 8);
    EXPECT_THAT(key.verify({}, signature), Fails(ErrorCode::kNotAuthentic)) << bit;
    signature[bit / 8] = static_cast<std::uint8_t>(signature[bit / 8] ^ 1U << bit % 8);
  }
  for (std::size_t size = 0; size < 64; ++size) {
    EXPECT_THAT(key.verify({}, Bytes(signature).first(size)), Fails(ErrorCode::kNotAuthentic));
  }
}

// C2SP/CCTV ed25519: number 305 has no flag; number 50 has a small-order component in A that
// cancels, which no rule without a subgroup check refuses.
TEST(Ed25519, VerifiesPublishedVectorsOffTheEdge) {
  EXPECT_THAT(ed25519_key("ef75b20e7540e3dff77404193652ba2bd13df99c1508eee1515e27ae25f28076")
                  .value()
                  .verify(as_bytes("ed25519vectors 5"),
                          hex("b62cf890de42c413b11b1411c9f01f1c4d77aa87ef182258d1251f69af2a3506"
                              "40657f1cb030f12543549bbabd848dc6403d354e7c99c4d0dcee9f63c9033b00")),
              Succeeds());
  EXPECT_THAT(ed25519_key("10eb7c3acfb2bed3e0d6ab89bf5a3d6afddd1176ce4812e38d9fd485058fdb1f")
                  .value()
                  .verify(as_bytes("ed25519vectors 5"),
                          hex("b62cf890de42c413b11b1411c9f01f1c4d77aa87ef182258d1251f69af2a3506"
                              "08f32d206a7c0b7efa9a59e66546e8f1f599ef843fb502c9cc3c4ae8b7c11e05")),
              Succeeds());
}

// The fourteen encodings of C2SP/CCTV's list.
TEST(Ed25519, RefusesKeysOfSmallOrderInEveryEncoding) {
  const char* tails[][2] = {
      {"0000000000000000000000000000000000000000000000000000000000000000",
       "0000000000000000000000000000000000000000000000000000000000000080"},
      {"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
       "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
      {"0100000000000000000000000000000000000000000000000000000000000000",
       "0100000000000000000000000000000000000000000000000000000000000080"},
      {"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
       "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
      {"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
       "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"},
      {"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
       "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"},
      {"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
       "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
  };
  for (const auto& pair : tails) {
    for (const char* encoding : pair) {
      EXPECT_THAT(ed25519_key(encoding), Fails(ErrorCode::kMalformed)) << encoding;
    }
  }
}

TEST(Ecdsa, VerifiesTheLowSignatureOfRfc6979) {
  const ByteVector signature =
      hex("f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
          "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083");
  EXPECT_THAT(p256_key().verify(as_bytes("test"), signature), Succeeds());
  EXPECT_THAT(p256_key().verify(as_bytes("Test"), signature), Fails(ErrorCode::kNotAuthentic));
}

TEST(Ecdsa, RefusesTheHighTwinAndCanLowerIt) {
  // "sample": s is in the upper half.
  const ByteVector high =
      hex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
          "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
  EXPECT_THAT(p256_key().verify(as_bytes("sample"), high), Fails(ErrorCode::kNotAuthentic));
  const auto low = ecdsa_with_low_s(SignatureAlgorithm::kEcdsaP256Sha256, high);
  ASSERT_THAT(low, Succeeds());
  EXPECT_THAT(p256_key().verify(as_bytes("sample"), *low), Succeeds());
  EXPECT_EQ(*ecdsa_with_low_s(SignatureAlgorithm::kEcdsaP256Sha256, *low), *low);
}

TEST(Ecdsa, RefusesIntegersOutOfRangeAndOtherSizes) {
  const std::string zero(64, '0');
  const std::string one = std::string(63, '0') + "1";
  const std::string order = kOrderP256;
  for (const std::string& r : {zero, order, std::string(64, 'f'), one}) {
    for (const std::string& s : {zero, order, std::string(64, 'f'), one}) {
      EXPECT_THAT(p256_key().verify(as_bytes("m"), hex(r + s)), Fails(ErrorCode::kNotAuthentic));
      if (r != one || s != one) {
        EXPECT_THAT(ecdsa_with_low_s(SignatureAlgorithm::kEcdsaP256Sha256, hex(r + s)),
                    Fails(ErrorCode::kMalformed));
      }
    }
  }
  for (const std::size_t size : {0U, 63U, 65U, 70U, 96U}) {
    EXPECT_THAT(p256_key().verify({}, ByteVector(size, 1)), Fails(ErrorCode::kNotAuthentic));
  }
  EXPECT_THAT(ecdsa_with_low_s(SignatureAlgorithm::kEd25519, ByteVector(64, 1)),
              Fails(ErrorCode::kMalformed));
}

TEST(VerifyingKey, RefusesOtherFormsOfTheSamePoint) {
  const ByteVector spki = spki_from_raw(KeyKind::kP256, hex(kP256Point));
  const auto parse = [](const ByteVector& der) { return VerifyingKey::from_spki(der); };
  EXPECT_THAT(parse(spki), Succeeds());
  EXPECT_EQ(parse(spki)->digest(), sha256(spki));
  // Compressed (y is odd) and hybrid.
  const ByteVector compressed =
      hex("3039301306072a8648ce3d020106082a8648ce3d03010703220003"
          "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
  EXPECT_THAT(parse(compressed), FailsWith(ErrorCode::kMalformed, HasSubstr("canonical")));
  ByteVector hybrid = spki;
  hybrid[26] = 0x07;
  EXPECT_THAT(parse(hybrid), Fails(ErrorCode::kMalformed));
  ByteVector off_curve = spki;
  off_curve.back() ^= 1;
  EXPECT_THAT(parse(off_curve), FailsWith(ErrorCode::kMalformed, HasSubstr("not a point")));
  ByteVector trailing = spki;
  trailing.push_back(0);
  EXPECT_THAT(parse(trailing), Fails(ErrorCode::kMalformed));
  // A length in long form where the short one does (BER, not DER).
  ByteVector long_length = {0x30, 0x81, 0x59};
  long_length.insert(long_length.end(), spki.begin() + 2, spki.end());
  EXPECT_THAT(parse(long_length), Fails(ErrorCode::kMalformed));
  for (std::size_t size = 0; size < spki.size(); ++size) {
    EXPECT_THAT(parse({spki.begin(), spki.begin() + static_cast<std::ptrdiff_t>(size)}),
                Fails(ErrorCode::kMalformed));
  }
}

TEST(VerifyingKey, RefusesKeysThatDoNotSign) {
  for (const KeyType type : {KeyType::kX25519, KeyType::kRsa3072}) {
    EXPECT_THAT(VerifyingKey::from_spki(PrivateKey::generate(type)->spki()),
                Fails(ErrorCode::kUnsupported));
  }
  // Ed448, from RFC 8410's sibling identifiers: a well-formed key of an algorithm we do not take.
  ByteVector ed448 = hex("3043300506032b6571033a00");
  ed448.resize(ed448.size() + 57, 0x05);
  EXPECT_THAT(VerifyingKey::from_spki(ed448), Fails(ErrorCode::kUnsupported));
}

class SignerTest : public ::testing::TestWithParam<KeyType> {};

TEST_P(SignerTest, SignsWhatItsPublicKeyVerifies) {
  const PrivateKey key = PrivateKey::generate(GetParam()).value();
  const auto signer = key.signer();
  ASSERT_THAT(signer, Succeeds());
  const VerifyingKey& verifier = (*signer)->public_key();
  EXPECT_EQ(to_hex(verifier.spki()), to_hex(key.spki()));
  // Enough signatures that some would have a high s.
  for (int i = 0; i < 20; ++i) {
    const std::string message(static_cast<std::size_t>(i) * 100, 'm');
    const ByteVector signature = (*signer)->sign(as_bytes(message)).value();
    EXPECT_EQ(signature.size(), signature_size(verifier.algorithm()));
    EXPECT_THAT(verifier.verify(as_bytes(message), signature), Succeeds());
    EXPECT_THAT(verifier.verify(as_bytes(message + "!"), signature),
                Fails(ErrorCode::kNotAuthentic));
    const PrivateKey other = PrivateKey::generate(GetParam()).value();
    EXPECT_THAT((*other.signer())->public_key().verify(as_bytes(message), signature),
                Fails(ErrorCode::kNotAuthentic));
  }
}

INSTANTIATE_TEST_SUITE_P(Types, SignerTest,
                         ::testing::Values(KeyType::kEd25519, KeyType::kEcdsaP256,
                                           KeyType::kEcdsaP384));

// secure-systems-lab/dsse protocol.md, the worked example.
TEST(Dsse, EncodesThePublishedExample) {
  const ByteVector pae = dsse_pae("http://example.com/HelloWorld", as_bytes("hello world"));
  EXPECT_EQ(as_text(pae), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  EXPECT_EQ(as_text(dsse_pae("", {})), "DSSEv1 0  0 ");
}

}  // namespace
}  // namespace sealpack::crypto
