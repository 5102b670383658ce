// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/secret_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include <cstdlib>

#include "keymgmt/crypto/secret_bytes.h"

namespace sealpack::crypto {
namespace {

constexpr std::size_t kSize = 65536;

// Each body runs in a process of its own: a program makes its heap once. 0: as it should be.

int look_at_a_secret() {
  const SecretMemory place = make_secret_memory(kSize);
  const SecretBytes secret = SecretBytes::random(32);
  if (CRYPTO_secure_allocated(secret.reveal().data()) != 1) return 1;
  const int memory = ::open("/proc/self/mem", O_RDONLY);
  std::array<std::uint8_t, 32> seen{};
  const auto at = reinterpret_cast<std::uintptr_t>(secret.reveal().data());
  const bool shown = ::pread(memory, seen.data(), seen.size(), static_cast<off_t>(at)) == 32;
  return memory >= 0 && shown == (place != SecretMemory::kHidden) ? 0 : 2;
}

int fill_the_heap_three_times() {
  (void)make_secret_memory(kSize);
  for (int round = 0; round < 3; ++round) {
    const SecretBytes half = SecretBytes::copy_of(ByteVector(kSize / 2, 7));
    const SecretBytes quarter = SecretBytes::copy_of(ByteVector(kSize / 4, 9));
    if (!half.equals(ByteVector(kSize / 2, 7))) return 1;
    if (!quarter.equals(ByteVector(kSize / 4, 9))) return 2;
  }
  return CRYPTO_secure_used() == 0 ? 0 : 3;
}

int make_it_twice() {
  (void)make_secret_memory(kSize);
  (void)make_secret_memory(kSize);
  return 0;
}

TEST(SecretMemory, HoldsSecretsThatProcMemDoesNotShowWhereTheKernelHidesThem) {
  EXPECT_EXIT(std::_Exit(look_at_a_secret()), ::testing::ExitedWithCode(0), "");
}

TEST(SecretMemory, IsUsedToTheLastBlockAndAgain) {
  EXPECT_EXIT(std::_Exit(fill_the_heap_three_times()), ::testing::ExitedWithCode(0), "");
}

TEST(SecretMemory, IsMadeOnce) {
  EXPECT_DEATH(make_it_twice(), "already there");
}

}  // namespace
}  // namespace sealpack::crypto
