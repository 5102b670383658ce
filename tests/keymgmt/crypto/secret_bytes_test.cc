// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/secret_bytes.h"

#include <openssl/crypto.h>

#include <thread>
#include <type_traits>
#include <vector>

#include "keymgmt/crypto/random.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::crypto {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;

static_assert(!std::is_copy_constructible_v<SecretBytes> &&
              !std::is_copy_assignable_v<SecretBytes>);
static_assert(!std::equality_comparable<SecretBytes>);
static_assert(!std::is_convertible_v<ContentKey, WrappingKey>);
static_assert(!std::is_copy_constructible_v<ContentKey>);

TEST(SecretBytes, LiveInTheSecureHeapAndStartAsZeros) {
  SecretBytes secret(48);
  EXPECT_EQ(CRYPTO_secure_allocated(secret.reveal().data()), 1);
  EXPECT_TRUE(secret.equals(ByteVector(48)));
  EXPECT_EQ(CRYPTO_secure_malloc_initialized(), 1);
}

TEST(SecretBytes, LeaveTheHeapWhenTheyDie) {
  // The first use makes the heap and the random generator, which keeps its state there.
  const SecretBytes first_use = SecretBytes::random(1);
  const std::size_t before = CRYPTO_secure_used();
  {
    SecretBytes first = SecretBytes::random(100);
    SecretBytes second = std::move(first);
    EXPECT_EQ(first.size(), 0U);  // NOLINT: a moved-from secret is empty
    EXPECT_EQ(second.size(), 100U);
    second = SecretBytes(32);
    EXPECT_GT(CRYPTO_secure_used(), before);
  }
  EXPECT_EQ(CRYPTO_secure_used(), before);
}

TEST(SecretBytes, CompareByValueAndSize) {
  const SecretBytes secret = SecretBytes::copy_of(as_bytes("secret"));
  EXPECT_TRUE(secret.equals(as_bytes("secret")));
  EXPECT_FALSE(secret.equals(as_bytes("secreT")));
  EXPECT_FALSE(secret.equals(as_bytes("secre")));
  EXPECT_FALSE(secret.equals({}));
  EXPECT_TRUE(SecretBytes(0).equals({}));
}

TEST(SecretBytes, RandomOnesDiffer) {
  EXPECT_FALSE(SecretBytes::random(32).equals(SecretBytes::random(32).reveal()));
  EXPECT_NE(random_array<32>(), random_array<32>());
}

TEST(SecretBytes, MayBeMadeFromManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([] {
      for (int j = 0; j < 200; ++j) EXPECT_EQ(SecretBytes::random(33).size(), 33U);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(SecretBytesDeathTest, EndsTheProcessAbove64KiB) {
  EXPECT_EQ(SecretBytes(SecretBytes::kMaxSize).size(), SecretBytes::kMaxSize);
  EXPECT_DEATH(SecretBytes(SecretBytes::kMaxSize + 1), "64 KiB");
}

TEST(SecretKey, HasThirtyTwoBytes) {
  EXPECT_THAT(ContentKey::from(SecretBytes(32)), Succeeds());
  EXPECT_THAT(ContentKey::from(SecretBytes(31)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(ContentKey::from(SecretBytes(33)), Fails(ErrorCode::kMalformed));
  const ContentKey key = ContentKey::random();
  EXPECT_TRUE(equal_constant_time(key.reveal(), key.duplicate().reveal()));
}

TEST(Wipe, LeavesZeros) {
  ByteVector bytes(100, 0xaa);
  wipe(bytes);
  EXPECT_EQ(bytes, ByteVector(100));
}

}  // namespace
}  // namespace sealpack::crypto
