// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/private_key.h"

#include <algorithm>

#include "tests/keymgmt/crypto/hex.h"
#include "tests/keymgmt/crypto/printing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::crypto {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::hex;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;
using Use = PrivateKey::Use;

// Test keys: made for this file with `openssl genpkey`, never used for anything.
constexpr const char* kEd25519 =
    "302e020100300506032b657004220420ca47d50eb609d0420765d428a77036dd82effffbe41744ca43b539a7b0ccb5"
    "ed";
// The same key, `openssl pkcs8 -topk8 -scrypt -v2 aes-256-cbc`, passphrase "NOT-A-SECRET".
constexpr const char* kEd25519Scrypt =
    "308193304f06092a864886f70d01050d3042302106092b06010401da47040b3014040804d85027b36a98bc02024000"
    "020108020101301d060960864801650304012a04109e6cd774f238322a05a3d50597382fe8044080288228f8df6116"
    "3ff78fcd9ac87a14154cc7f1843bd23ccfcb4f5aee9aee77b6f019754d4e2a272f462e9717a8e5e61de7bc41ea64c0"
    "1b705158bc2eac07e3";
// The same key under PBKDF2.
constexpr const char* kEd25519Pbkdf2 =
    "30819b305706092a864886f70d01050d304a302906092a864886f70d01050c301c04081add1e01e0ec8a2902020800"
    "300c06082a864886f70d02090500301d060960864801650304012a04104a21e146ace131c34ac59b89fa0d779d0440"
    "9e3341f4863ce626721959b3961591a1f8774ca0438b4b7186cf0dc05f22f4a6491d8d1a3f0b36544583e3d1ce2ef1"
    "724b5e067dd2a0fccb3dda339151e73d80";
constexpr const char* kP256 =
    "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b020101042086e92b5f91f147a92dfbba"
    "52fe9f9fc806b70900f250b3370bf5d5cb0317e8a5a14403420004faee3c7073cdf65179d64b4d1290e75f7a7e7c12"
    "902175297b6d80f0d9678c4adf14465b5098dda6f02e135acddce1458f16b30758360558cee930cf8682f687";

SecretBytes secret(std::string_view text) {
  return SecretBytes::copy_of(as_bytes(text));
}
SecretBytes secret_hex(std::string_view text) {
  return SecretBytes::copy_of(hex(text));
}

Use use_of(KeyType type) {
  return type == KeyType::kEd25519 || type == KeyType::kEcdsaP256 || type == KeyType::kEcdsaP384
             ? Use::kSign
             : Use::kUnwrap;
}

class PrivateKeyTest : public ::testing::TestWithParam<KeyType> {
 protected:
  PrivateKey key_ = PrivateKey::generate(GetParam()).value();
  Use use_ = use_of(GetParam());
};

TEST_P(PrivateKeyTest, ComesBackFromPkcs8) {
  const SecretBytes der = key_.to_pkcs8();
  const auto again = PrivateKey::from_pkcs8(der, use_);
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(again->type(), GetParam());
  EXPECT_EQ(to_hex(again->spki()), to_hex(key_.spki()));
  EXPECT_TRUE(again->to_pkcs8().equals(der.reveal()));
  EXPECT_EQ(key_.spki().empty(), GetParam() == KeyType::kAes256);
}

TEST_P(PrivateKeyTest, ComesBackFromAnEncryptedFileWithTheRightPassphraseOnly) {
  const ByteVector der = key_.to_encrypted_pkcs8(secret("right"));
  const auto again = PrivateKey::from_encrypted_pkcs8(der, secret("right"), use_);
  ASSERT_THAT(again, Succeeds());
  EXPECT_TRUE(again->to_pkcs8().equals(key_.to_pkcs8().reveal()));
  EXPECT_THAT(PrivateKey::from_encrypted_pkcs8(der, secret("wrong"), use_),
              Fails(ErrorCode::kKeyUnavailable));
}

TEST_P(PrivateKeyTest, DoesWhatItsTypeSaysOnly) {
  const bool signs = use_ == Use::kSign;
  const bool symmetric = GetParam() == KeyType::kAes256;
  EXPECT_EQ(key_.signer().ok(), signs);
  EXPECT_EQ(key_.decryptor().ok(), !signs && !symmetric);
  EXPECT_EQ(key_.wrapping_key().ok(), symmetric);
  const Use other = signs ? Use::kUnwrap : Use::kSign;
  if (GetParam() == KeyType::kEcdsaP256 || GetParam() == KeyType::kEcdhP256) {
    EXPECT_NE(PrivateKey::from_pkcs8(key_.to_pkcs8(), other)->type(), GetParam());
  } else {
    EXPECT_THAT(PrivateKey::from_pkcs8(key_.to_pkcs8(), other), Fails(ErrorCode::kUnsupported));
  }
}

TEST_P(PrivateKeyTest, RefusesEveryTruncationAndTrailingBytes) {
  const SecretBytes der = key_.to_pkcs8();
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_THAT(PrivateKey::from_pkcs8(SecretBytes::copy_of(der.reveal().first(size)), use_),
                Fails(ErrorCode::kMalformed))
        << size;
  }
  ByteVector longer = to_vector(der.reveal());
  longer.push_back(0);
  EXPECT_THAT(PrivateKey::from_pkcs8(SecretBytes::copy_of(longer), use_),
              Fails(ErrorCode::kMalformed));
}

INSTANTIATE_TEST_SUITE_P(Types, PrivateKeyTest,
                         ::testing::Values(KeyType::kEd25519, KeyType::kEcdsaP256,
                                           KeyType::kEcdsaP384, KeyType::kX25519,
                                           KeyType::kEcdhP256, KeyType::kRsa3072,
                                           KeyType::kAes256));

TEST(PrivateKey, WritesTheBytesOtherToolsWrite) {
  for (const char* text : {kEd25519, kP256}) {
    const auto key = PrivateKey::from_pkcs8(secret_hex(text), Use::kSign);
    ASSERT_THAT(key, Succeeds());
    EXPECT_EQ(to_hex(key->to_pkcs8().reveal()), text);
  }
}

TEST(PrivateKey, ReadsACurveKeyWithoutItsPublicKey) {
  const auto bare = PrivateKey::from_pkcs8(
      secret_hex("3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420"
                 "86e92b5f91f147a92dfbba52fe9f9fc806b70900f250b3370bf5d5cb0317e8a5"),
      Use::kSign);
  ASSERT_THAT(bare, Succeeds());
  EXPECT_EQ(to_hex(bare->to_pkcs8().reveal()), kP256);
}

TEST(PrivateKey, ReadsAnEd25519KeyWithAttributes) {
  // An empty set of attributes, which is allowed and which we do not write.
  std::string text = kEd25519;
  text.replace(2, 2, "30");
  const auto key = PrivateKey::from_pkcs8(secret_hex(text + "a000"), Use::kSign);
  ASSERT_THAT(key, Succeeds());
  EXPECT_EQ(to_hex(key->to_pkcs8().reveal()), kEd25519);
}

TEST(PrivateKey, RefusesAPublicKeyThatIsNotItsOwn) {
  const SecretBytes other = PrivateKey::generate(KeyType::kEcdsaP256)->to_pkcs8();
  ByteVector mixed = hex(kP256);
  std::copy(other.reveal().end() - 65, other.reveal().end(), mixed.end() - 65);
  EXPECT_THAT(PrivateKey::from_pkcs8(SecretBytes::copy_of(mixed), Use::kSign),
              FailsWith(ErrorCode::kMalformed, HasSubstr("does not belong")));
}

TEST(PrivateKey, RefusesScalarsOutOfRange) {
  const std::string before =
      "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420";
  const std::string order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
  for (const std::string& scalar : {std::string(64, '0'), order, std::string(64, 'f')}) {
    EXPECT_THAT(PrivateKey::from_pkcs8(secret_hex(before + scalar), Use::kSign),
                Fails(ErrorCode::kMalformed));
  }
}

TEST(PrivateKey, ReadsWhatOpensslEncrypted) {
  const auto key =
      PrivateKey::from_encrypted_pkcs8(hex(kEd25519Scrypt), secret("NOT-A-SECRET"), Use::kSign);
  ASSERT_THAT(key, Succeeds());
  EXPECT_EQ(to_hex(key->to_pkcs8().reveal()), kEd25519);
  EXPECT_THAT(PrivateKey::from_encrypted_pkcs8(hex(kEd25519Scrypt), secret(""), Use::kSign),
              Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(
      PrivateKey::from_encrypted_pkcs8(hex(kEd25519Pbkdf2), secret("NOT-A-SECRET"), Use::kSign),
      FailsWith(ErrorCode::kUnsupported, HasSubstr("key derivation")));
}

// `text` with the one occurrence of `from` replaced.
std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos || text.find(from, at + 1) != std::string::npos) die("bad test edit");
  return text.replace(at, from.size(), to);
}

TEST(PrivateKey, RefusesScryptCostsThatExhaustMemoryBeforeDeriving) {
  const auto open = [](const ByteVector& der) {
    return PrivateKey::from_encrypted_pkcs8(der, secret("NOT-A-SECRET"), Use::kSign);
  };
  const std::string costs = "02024000020108020101301d";  // N = 2^14, r = 8, p = 1
  const auto edit = [&](const char* to) { return open(hex(with(kEd25519Scrypt, costs, to))); };
  EXPECT_THAT(edit("02024000020109020101301d"),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("r = 9")));
  EXPECT_THAT(edit("02024000020108020102301d"),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("p = 2")));
  // Not a power of two, zeros, negative, not in shortest form.
  EXPECT_THAT(edit("02024001020108020101301d"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(edit("02020000020108020101301d"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(edit("02024000020100020101301d"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(edit("02024000020108020100301d"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(edit("02028000020108020101301d"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(edit("02020040020108020101301d"), Fails(ErrorCode::kMalformed));
  // N = 2^21 takes one byte more, and so every length around it.
  std::string bomb = with(kEd25519Scrypt, "308193304f", "3081943050");
  bomb = with(bomb, "0d3042", "0d3043");
  bomb = with(bomb, "302106092b", "302206092b");
  bomb = with(bomb, "0b3014", "0b3015");
  bomb = with(bomb, "0202400002", "020320000002");
  EXPECT_THAT(open(hex(bomb)), FailsWith(ErrorCode::kUnsupported, HasSubstr("N = 2097152")));
}

TEST(PrivateKey, RefusesEveryTruncationOfAnEncryptedFile) {
  const ByteVector der = hex(kEd25519Scrypt);
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_THAT(PrivateKey::from_encrypted_pkcs8(Bytes(der).first(size), secret("NOT-A-SECRET"),
                                                 Use::kSign),
                Fails(ErrorCode::kMalformed))
        << size;
  }
}

TEST(PrivateKey, OpensUnderNoBitFlipOfTheEncryptedBytes) {
  ByteVector der = hex(kEd25519Scrypt);
  for (std::size_t at = 0; at < der.size(); at += 3) {
    der[at] ^= 1;
    const auto key = PrivateKey::from_encrypted_pkcs8(der, secret("NOT-A-SECRET"), Use::kSign);
    // CBC has no tag: a flip in the initialization vector changes the first block, which is all
    // structure; one in the body changes the key, which nothing in this format can notice.
    if (key.ok()) {
      EXPECT_NE(to_hex(key->to_pkcs8().reveal()), kEd25519) << at;
    }
    der[at] ^= 1;
  }
}

}  // namespace
}  // namespace sealpack::crypto
