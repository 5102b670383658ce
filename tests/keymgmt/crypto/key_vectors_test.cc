// SPDX-License-Identifier: Apache-2.0
// C2SP/wycheproof and RFC 9180 vectors through key derivation, key wrap and key agreement.
#include <map>

#include "keymgmt/crypto/hpke.h"
#include "keymgmt/crypto/kdf.h"
#include "keymgmt/crypto/private_key.h"
#include "tests/keymgmt/crypto/hpke_derive.h"
#include "tests/keymgmt/crypto/vectors.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::crypto {
namespace {

using internal::KeyKind;
using sealpack::testing::Fails;
using sealpack::testing::field;
using sealpack::testing::for_each_test;
using sealpack::testing::has_flag;
using sealpack::testing::hex;
using sealpack::testing::load_vectors;
using sealpack::testing::Succeeds;

TEST(KeyWrapVectors, Aes256Kwp) {
  const char* name = "wycheproof/aes_kwp_test.json";
  const auto file = load_vectors(name);
  SKIP_WITHOUT(file, name);
  const int count = for_each_test(*file, name, [&](const auto& group, const auto& test) {
    if (group.at("keySize") != 256) return false;
    const WrappingKey key = *WrappingKey::from(SecretBytes::copy_of(field(test, "key")));
    const auto secret = kwp_unwrap(key, field(test, "ct"));
    if (test.at("result") == "valid") {
      EXPECT_THAT(secret, Succeeds());
      EXPECT_TRUE(secret->equals(field(test, "msg")));
      EXPECT_EQ(kwp_wrap(key, field(test, "msg")), field(test, "ct"));
    } else {
      EXPECT_THAT(secret, Fails(ErrorCode::kKeyUnavailable));
    }
    return true;
  });
  EXPECT_EQ(count, 94);
}

void check_hkdf(const char* name, HashName hash, std::size_t hash_size, int wanted) {
  const auto file = load_vectors(name);
  SKIP_WITHOUT(file, name);
  const int count = for_each_test(*file, name, [&](const auto&, const auto& test) {
    const std::size_t size = test.at("size");
    if (test.at("result") != "valid") {
      // The only invalid ones ask for too much, which here ends the process: not run.
      EXPECT_GT(size, 255 * hash_size);
      return false;
    }
    const SecretBytes prk = hkdf_extract(hash, field(test, "salt"), field(test, "ikm"));
    ByteVector out(size);
    hkdf_expand(hash, prk.reveal(), field(test, "info"), out);
    EXPECT_EQ(out, field(test, "okm"));
    return true;
  });
  EXPECT_EQ(count, wanted);
}

TEST(HkdfVectors, Sha256) {
  check_hkdf("wycheproof/hkdf_sha256_test.json", HashName::kSha256, 32, 83);
}
TEST(HkdfVectors, Sha384) {
  check_hkdf("wycheproof/hkdf_sha384_test.json", HashName::kSha384, 48, 80);
}
TEST(HkdfVectors, Sha512) {
  check_hkdf("wycheproof/hkdf_sha512_test.json", HashName::kSha512, 64, 80);
}

TEST(HmacVectors, Sha256) {
  const char* name = "wycheproof/hmac_sha256_test.json";
  const auto file = load_vectors(name);
  SKIP_WITHOUT(file, name);
  const int count = for_each_test(*file, name, [&](const auto&, const auto& test) {
    const Digest tag = hmac_sha256(field(test, "key"), field(test, "msg"));
    const ByteVector wanted = field(test, "tag");  // may be truncated
    EXPECT_EQ(equal_constant_time(Bytes(tag.bytes).first(wanted.size()), wanted),
              test.at("result") == "valid");
    return true;
  });
  EXPECT_EQ(count, 174);
}

TEST(DiffieHellmanVectors, X25519) {
  const char* name = "wycheproof/x25519_test.json";
  const auto file = load_vectors(name);
  SKIP_WITHOUT(file, name);
  int zero = 0;
  const int count = for_each_test(*file, name, [&](const auto&, const auto& test) {
    const auto own = internal::import_private(KeyKind::kX25519, field(test, "private"));
    EXPECT_THAT(own, Succeeds());
    const auto shared =
        internal::diffie_hellman(KeyKind::kX25519, own->get(), field(test, "public"));
    // "acceptable" covers points on the twist and non-canonical ones, which X25519 is defined for;
    // an all-zero result is what RFC 9180 refuses.
    const bool is_zero = field(test, "shared") == ByteVector(32);
    EXPECT_EQ(is_zero, has_flag(test, "ZeroSharedSecret"));
    zero += is_zero ? 1 : 0;
    EXPECT_EQ(shared.ok(), !is_zero);
    if (shared.ok()) {
      EXPECT_TRUE(shared->equals(field(test, "shared")));
    }
    return true;
  });
  EXPECT_EQ(count, 518);
  std::printf("  of them %d have an all-zero shared secret and are refused\n", zero);
  EXPECT_GT(zero, 0);
}

TEST(DiffieHellmanVectors, EcdhP256) {
  const char* name = "wycheproof/ecdh_secp256r1_ecpoint_test.json";
  const auto file = load_vectors(name);
  SKIP_WITHOUT(file, name);
  const int count = for_each_test(*file, name, [&](const auto&, const auto& test) {
    // Scalars are written as integers: with a leading zero, or short.
    ByteVector scalar = field(test, "private");
    while (scalar.size() > 32 && scalar.front() == 0) scalar.erase(scalar.begin());
    scalar.insert(scalar.begin(), 32 - scalar.size(), 0);
    const auto own = internal::import_private(KeyKind::kP256, scalar);
    EXPECT_THAT(own, Succeeds());
    const ByteVector peer = field(test, "public");
    const auto shared = internal::diffie_hellman(KeyKind::kP256, own->get(), peer);
    // Compressed points are "acceptable" to the file and refused here.
    EXPECT_EQ(shared.ok(), test.at("result") == "valid" && peer.size() == 65);
    if (shared.ok()) {
      EXPECT_TRUE(shared->equals(field(test, "shared")));
    }
    return true;
  });
  EXPECT_EQ(count, 355);
}

void check_oaep(const char* name) {
  const auto file = load_vectors(name);
  SKIP_WITHOUT(file, name);
  int labelled = 0;
  const int count = for_each_test(*file, name, [&](const auto& group, const auto& test) {
    const auto key = PrivateKey::from_pkcs8(SecretBytes::copy_of(field(group, "privateKeyPkcs8")),
                                            PrivateKey::Use::kUnwrap);
    EXPECT_THAT(key, Succeeds());
    const auto secret = (*key->decryptor())->rsa_oaep_unwrap(field(test, "ct"));
    // We have no labels: a ciphertext made with one must not open.
    const bool has_label = !field(test, "label").empty();
    labelled += has_label ? 1 : 0;
    EXPECT_EQ(secret.ok(), test.at("result") == "valid" && !has_label);
    if (secret.ok()) {
      EXPECT_TRUE(secret->equals(field(test, "msg")));
    }
    return true;
  });
  EXPECT_EQ(count, 37);
  std::printf("  of them %d have a label and are refused\n", labelled);
}

TEST(RsaOaepVectors, Rsa2048) {
  check_oaep("wycheproof/rsa_oaep_2048_sha256_mgf1sha256_test.json");
}
TEST(RsaOaepVectors, Rsa3072) {
  check_oaep("wycheproof/rsa_oaep_3072_sha256_mgf1sha256_test.json");
}

struct HpkeCase {
  std::map<std::string, std::string> fields;  // of the whole case
  std::map<std::string, std::string> first;   // of encryption 0
};

// The file is blocks of "name = value" lines; "# encryptions[i]" starts the i-th encryption.
std::vector<HpkeCase> load_hpke(std::ifstream& file) {
  std::vector<HpkeCase> cases;
  std::string section = "end";
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) {
      section = "end";
    } else if (line[0] == '#') {
      section = line;
    } else if (const std::size_t at = line.find(" = "); at != std::string::npos) {
      if (line.starts_with("mode = ")) {
        cases.emplace_back();
        section = "case";
      }
      auto& target = section == "case" ? cases.back().fields : cases.back().first;
      if (section == "case" || section == "# encryptions[0]") {
        target[line.substr(0, at)] = line.substr(at + 3);
      }
    }
  }
  return cases;
}

void check_hpke(HpkeCase& one) {
  auto& given = one.fields;
  auto& first = one.first;
  const KeyKind kind = given["kem_id"] == "32" ? KeyKind::kX25519 : KeyKind::kP256;
  const ByteVector info = hex(given["info"]);
  const ByteVector aad = hex(first["aad"]);
  const ByteVector plain = hex(first["pt"]);
  const EncryptionKey recipient =
      EncryptionKey::from_spki(internal::spki_from_raw(kind, hex(given["pkRm"]))).value();
  const auto ephemeral = sealpack::testing::vector_ephemeral(kind, hex(given["sender_seed"]));
  const auto sealed =
      internal::hpke_seal_with_ephemeral(recipient, ephemeral.get(), info, aad, plain);
  ASSERT_THAT(sealed, Succeeds());
  EXPECT_EQ(to_hex(sealed->enc), given["enc"]);
  EXPECT_EQ(to_hex(sealed->ciphertext), first["ct"]);

  // The whole way of a key in memory: import, PKCS#8, Decryptor.
  const internal::PkeyPtr own = internal::import_private(kind, hex(given["skRm"])).value();
  EXPECT_EQ(to_hex(internal::public_raw(kind, own.get())), given["pkRm"]);
  const auto dh = internal::diffie_hellman(kind, own.get(), sealed->enc);
  ASSERT_THAT(dh, Succeeds());
  const auto opened =
      hpke_open_with_shared_secret(*dh, sealed->enc, recipient, info, aad, sealed->ciphertext);
  ASSERT_THAT(opened, Succeeds());
  EXPECT_TRUE(opened->equals(plain));
}

TEST(HpkeVectors, Rfc9180BaseMode) {
  const char* name = "hpke/boringssl_hpke_test_vectors.txt";
  std::ifstream file(sealpack::testing::vector_path(name));
  SKIP_WITHOUT(file, name);
  int count = 0;
  for (HpkeCase& one : load_hpke(file)) {
    auto& given = one.fields;
    const bool ours = given["mode"] == "0" && given["kdf_id"] == "1" && given["aead_id"] == "2" &&
                      (given["kem_id"] == "32" || given["kem_id"] == "16");
    if (!ours) continue;
    SCOPED_TRACE("kem " + given["kem_id"]);
    check_hpke(one);
    ++count;
  }
  std::printf("ran %d vectors of %s\n", count, name);
  EXPECT_EQ(count, 2);
}

}  // namespace
}  // namespace sealpack::crypto
