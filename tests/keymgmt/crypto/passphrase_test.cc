// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/passphrase.h"

#include "tests/keymgmt/crypto/hex.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::crypto {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;

constexpr std::array<std::uint8_t, 16> kSalt = {'s', 'o', 'm', 'e', 's', 'a', 'l', 't',
                                                's', 'o', 'm', 'e', 's', 'a', 'l', 't'};

SecretBytes passphrase(std::string_view text) {
  return SecretBytes::copy_of(as_bytes(text));
}

TEST(Argon2id, DependsOnPassphraseSaltAndCosts) {
  const Argon2Cost cost{1, 64};
  const auto key = argon2id(passphrase("correct"), kSalt, cost);
  ASSERT_THAT(key, Succeeds());
  const auto differs = [&](const Result<WrappingKey>& other) {
    return !equal_constant_time(key->reveal(), other->reveal());
  };
  auto salt = kSalt;
  salt[0] ^= 1;
  EXPECT_FALSE(differs(argon2id(passphrase("correct"), kSalt, cost)));
  EXPECT_TRUE(differs(argon2id(passphrase("correcT"), kSalt, cost)));
  EXPECT_TRUE(differs(argon2id(passphrase("correct"), salt, cost)));
  EXPECT_TRUE(differs(argon2id(passphrase("correct"), kSalt, {2, 64})));
  EXPECT_TRUE(differs(argon2id(passphrase("correct"), kSalt, {1, 65})));
  EXPECT_THAT(argon2id(passphrase(""), kSalt, {1, 8}), Succeeds());
}

// Computed with the Argon2id of OpenSSL 4.0 through pyca/cryptography: another implementation.
TEST(Argon2id, GivesTheReferenceValue) {
  const auto key = argon2id(passphrase("password"), kSalt, {2, 65536});
  ASSERT_THAT(key, Succeeds());
  EXPECT_EQ(to_hex(key->reveal()),
            "fc33b78139231d34b71626bd6245c1d72efa190ad605c3d8166a72adcedfa2c2");
}

TEST(Argon2id, RefusesCostsOutOfBounds) {
  const auto with = [](std::uint32_t passes, std::uint32_t memory) {
    return argon2id(passphrase("x"), kSalt, {passes, memory});
  };
  EXPECT_THAT(with(0, 64), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(with(1, 7), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(with(17, 64), Fails(ErrorCode::kLimit));
  EXPECT_THAT(with(1, 1048577), Fails(ErrorCode::kLimit));
  EXPECT_THAT(with(0xffffffff, 0xffffffff), Fails(ErrorCode::kLimit));
}

}  // namespace
}  // namespace sealpack::crypto
