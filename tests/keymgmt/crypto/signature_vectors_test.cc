// SPDX-License-Identifier: Apache-2.0
// C2SP/wycheproof, C2SP/CCTV and DSSE vectors through VerifyingKey.
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include <algorithm>

#include "keymgmt/crypto/dsse.h"
#include "keymgmt/crypto/openssl_handles.h"
#include "keymgmt/crypto/signature.h"
#include "keymgmt/crypto/spki.h"
#include "tests/keymgmt/crypto/vectors.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::crypto {
namespace {

using internal::FreeWith;
using sealpack::testing::field;
using sealpack::testing::for_each_test;
using sealpack::testing::hex;
using sealpack::testing::load_vectors;
using sealpack::testing::Succeeds;

bool accepts(Bytes spki, Bytes message, Bytes signature) {
  const auto key = VerifyingKey::from_spki(spki);
  return key.ok() && key->verify(message, signature).ok();
}

// Whether the second half of r || s is above n/2, computed apart from the code under test.
bool is_high(Bytes signature, SignatureAlgorithm algorithm) {
  const char* order = algorithm == SignatureAlgorithm::kEcdsaP256Sha256
                          ? "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
                          : "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
                            "581a0db248b0a77aecec196accc52973";
  // 2s > n, on big-endian bytes
  ByteVector twice(signature.size() / 2 + 1);
  unsigned carry = 0;
  for (std::size_t i = signature.size() / 2; i-- > 0;) {
    const unsigned value = 2U * signature[signature.size() / 2 + i] + carry;
    twice[i + 1] = static_cast<std::uint8_t>(value);
    carry = value >> 8U;
  }
  twice[0] = static_cast<std::uint8_t>(carry);
  ByteVector limit = {0};
  const ByteVector n = hex(order);
  limit.insert(limit.end(), n.begin(), n.end());
  return twice > limit;
}

TEST(EcdsaVectors, FixedSizeP256) {
  const char* name = "wycheproof/ecdsa_secp256r1_sha256_p1363_test.json";
  const auto file = load_vectors(name);
  SKIP_WITHOUT(file, name);
  int high = 0;
  const int count = for_each_test(*file, name, [&](const auto& group, const auto& test) {
    const ByteVector signature = field(test, "sig");
    const ByteVector spki = field(group, "publicKeyDer");
    const ByteVector message = field(test, "msg");
    const bool valid = test.at("result") == "valid";
    // The file's verdict, except that a valid signature in the upper half is none here.
    const bool expected = valid && !is_high(signature, SignatureAlgorithm::kEcdsaP256Sha256);
    EXPECT_EQ(accepts(spki, message, signature), expected);
    if (valid && !expected) {
      ++high;
      const auto low = ecdsa_with_low_s(SignatureAlgorithm::kEcdsaP256Sha256, signature);
      EXPECT_THAT(low, Succeeds());
      EXPECT_TRUE(accepts(spki, message, *low));
    }
    return true;
  });
  EXPECT_EQ(count, 262);
  std::printf("  of them %d are valid with a high s and refused\n", high);
  EXPECT_GT(high, 0);
}

// r || s of strict DER whose integers are positive and fit; nullopt for everything else.
std::optional<ByteVector> fixed_size(Bytes der, SignatureAlgorithm algorithm) {
  const internal::QuietErrors quiet;
  const unsigned char* cursor = der.data();
  const std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>> pair(
      d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(der.size())));
  if (pair == nullptr) return std::nullopt;
  unsigned char* encoded = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &encoded);
  const bool same = size > 0 && std::equal(der.begin(), der.end(), encoded, encoded + size);
  OPENSSL_free(encoded);
  const BIGNUM* r = ECDSA_SIG_get0_r(pair.get());
  const BIGNUM* s = ECDSA_SIG_get0_s(pair.get());
  ByteVector out(signature_size(algorithm));
  const int half = static_cast<int>(out.size() / 2);
  if (!same || BN_is_negative(r) != 0 || BN_is_negative(s) != 0 ||
      BN_bn2binpad(r, out.data(), half) != half ||
      BN_bn2binpad(s, out.data() + half, half) != half) {
    return std::nullopt;
  }
  return out;
}

void check_der_file(const char* name, SignatureAlgorithm algorithm, int wanted) {
  const auto file = load_vectors(name);
  SKIP_WITHOUT(file, name);
  int converted = 0;
  const int count = for_each_test(*file, name, [&](const auto& group, const auto& test) {
    const ByteVector spki = field(group, "publicKeyDer");
    const ByteVector message = field(test, "msg");
    const ByteVector der = field(test, "sig");
    // DER itself is never a signature here.
    EXPECT_FALSE(accepts(spki, message, der));
    const auto signature = fixed_size(der, algorithm);
    if (test.at("result") == "valid") {
      EXPECT_TRUE(signature.has_value());
    }
    if (!signature.has_value()) return true;
    ++converted;
    const bool expected = test.at("result") == "valid" && !is_high(*signature, algorithm);
    EXPECT_EQ(accepts(spki, message, *signature), expected);
    return true;
  });
  EXPECT_EQ(count, wanted);
  std::printf("  of them %d have integers that fit r || s\n", converted);
}

TEST(EcdsaVectors, DerP256) {
  check_der_file("wycheproof/ecdsa_secp256r1_sha256_test.json",
                 SignatureAlgorithm::kEcdsaP256Sha256, 484);
}

TEST(EcdsaVectors, DerP384) {
  check_der_file("wycheproof/ecdsa_secp384r1_sha384_test.json",
                 SignatureAlgorithm::kEcdsaP384Sha384, 504);
}

TEST(Ed25519Vectors, Wycheproof) {
  const char* name = "wycheproof/ed25519_test.json";
  const auto file = load_vectors(name);
  SKIP_WITHOUT(file, name);
  const int count = for_each_test(*file, name, [&](const auto& group, const auto& test) {
    EXPECT_EQ(accepts(field(group, "publicKeyDer"), field(test, "msg"), field(test, "sig")),
              test.at("result") == "valid");
    return true;
  });
  EXPECT_EQ(count, 151);
}

// The rule in the words of the vectors' flags. Refused are: an encoding that is not canonical
// (non_canonical_A, non_canonical_R), a point of small order (low_order_A, low_order_R), and
// components of small order that do not cancel without a cofactor (low_order_residue). reencoded_k
// comes only with a non-canonical encoding. What remains is accepted: no flag, or components of
// small order in A (and R) that cancel, which only a subgroup check could find.
TEST(Ed25519Vectors, CctvEdgeCases) {
  const char* name = "ed25519-cctv/ed25519vectors.json";
  const auto file = load_vectors(name);
  SKIP_WITHOUT(file, name);
  int count = 0;
  int accepted = 0;
  for (const auto& test : *file) {
    SCOPED_TRACE("number " + test.at("number").dump());
    bool expected = true;
    if (!test.at("flags").is_null()) {
      for (const auto& flag : test.at("flags")) {
        expected = expected && (flag == "low_order_component_A" || flag == "low_order_component_R");
      }
    }
    const ByteVector spki =
        internal::spki_from_raw(internal::KeyKind::kEd25519, field(test, "key"));
    const std::string message = test.at("msg");
    EXPECT_EQ(accepts(spki, as_bytes(message), field(test, "sig")), expected);
    ++count;
    accepted += expected ? 1 : 0;
  }
  std::printf("ran %d vectors of %s, %d of them accepted\n", count, name, accepted);
  EXPECT_EQ(count, 914);
  EXPECT_EQ(accepted, 43);
}

ByteVector from_base64(const std::string& text) {
  ByteVector out(text.size());
  const int size = EVP_DecodeBlock(out.data(), reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size) -
             static_cast<std::size_t>(std::count(text.begin(), text.end(), '=')));
  return out;
}

ByteVector from_decimal(const std::string& text) {
  BIGNUM* number = nullptr;
  BN_dec2bn(&number, text.c_str());
  const internal::BignumPtr owner(number);
  ByteVector out(32);
  BN_bn2binpad(number, out.data(), 32);
  return out;
}

TEST(DsseVectors, ProtocolExample) {
  const char* name = "dsse/dsse_protocol_vector.json";
  const auto file = load_vectors(name);
  SKIP_WITHOUT(file, name);
  const std::string payload = file->at("payload");
  const ByteVector pae = dsse_pae(file->at("payloadType").get<std::string>(), as_bytes(payload));
  EXPECT_EQ(as_text(pae), file->at("pae").get<std::string>());
  ByteVector point = {0x04};
  for (const char* coordinate : {"x_dec", "y_dec"}) {
    const ByteVector bytes = from_decimal(file->at("key").at(coordinate));
    point.insert(point.end(), bytes.begin(), bytes.end());
  }
  const ByteVector spki = internal::spki_from_raw(internal::KeyKind::kP256, point);
  ByteVector signature = from_base64(file->at("envelope").at("signatures").at(0).at("sig"));
  ASSERT_EQ(signature.size(), 64U);
  const bool high = is_high(signature, SignatureAlgorithm::kEcdsaP256Sha256);
  EXPECT_EQ(accepts(spki, pae, signature), !high);
  const ByteVector low = *ecdsa_with_low_s(SignatureAlgorithm::kEcdsaP256Sha256, signature);
  EXPECT_TRUE(accepts(spki, pae, low));
  // The payload alone, or of another type, is not what was signed.
  EXPECT_FALSE(accepts(spki, as_bytes(payload), low));
  EXPECT_FALSE(accepts(spki, dsse_pae("http://example.com/Other", as_bytes(payload)), low));
  std::printf("ran 1 vector of %s\n", name);
}

}  // namespace
}  // namespace sealpack::crypto
