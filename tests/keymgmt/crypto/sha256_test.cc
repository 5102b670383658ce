// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/sha256.h"

#include <thread>
#include <vector>

#include "keymgmt/crypto/bulk_engine.h"
#include "tests/keymgmt/crypto/hex.h"
#include "tests/keymgmt/crypto/printing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::crypto {
namespace {

using internal::Engine;
using internal::EngineChooser;
using sealpack::testing::pattern;

// FIPS 180-4 example and the empty message.
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(to_hex(sha256(as_bytes("abc")).bytes),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256({}).bytes),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, DoesNotDependOnThePieces) {
  const ByteVector message = pattern(1000);
  for (const std::size_t cut : {0U, 1U, 63U, 64U, 999U, 1000U}) {
    Sha256 hash;
    hash.update(Bytes(message).first(cut)).update({}).update(Bytes(message).subspan(cut));
    EXPECT_EQ(hash.finish(), sha256(message)) << cut;
  }
}

class BatchHasherTest : public ::testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    if (GetParam() == Engine::kIpsecMb && !internal::ipsec_mb_is_usable()) {
      GTEST_SKIP() << "no usable libipsec-mb";
    }
    hasher_ = EngineChooser::hasher(GetParam());
  }

  void expect_same_as_openssl(const std::vector<ByteVector>& messages) {
    const std::vector<Bytes> views(messages.begin(), messages.end());
    std::vector<Digest> digests(views.size());
    hasher_->hash(views, digests);
    for (std::size_t i = 0; i < views.size(); ++i) {
      EXPECT_EQ(digests[i], sha256(views[i])) << "message " << i << " of " << views[i].size();
    }
  }

  std::unique_ptr<BatchHasher> hasher_;
};

TEST_P(BatchHasherTest, IsRightAroundTheLongestMultiBufferJob) {
  for (const std::size_t size : {0U, 65534U, 65535U, 65536U}) {
    for (const std::size_t count : {1U, 16U, 17U}) {
      std::vector<ByteVector> messages;
      for (std::size_t i = 0; i < count; ++i) {
        messages.push_back(pattern(size, static_cast<std::uint32_t>(i)));
      }
      expect_same_as_openssl(messages);
    }
  }
}

TEST_P(BatchHasherTest, IsRightForLeavesNodesAndAllSmallSizes) {
  for (const std::size_t size : {16401U, 4097U}) {
    std::vector<ByteVector> messages;
    for (std::uint32_t i = 0; i < 100; ++i) messages.push_back(pattern(size, i));
    expect_same_as_openssl(messages);
  }
  std::vector<ByteVector> messages;
  for (std::uint32_t size = 0; size < 300; ++size) messages.push_back(pattern(size, size));
  expect_same_as_openssl(messages);
}

TEST_P(BatchHasherTest, KeepsTheOrderWhenLongAndShortMessagesMix) {
  std::vector<ByteVector> messages;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    messages.push_back(pattern(i % 50 == 7 ? 65534 + i % 4 : i * 37 % 900, i));
  }
  expect_same_as_openssl(messages);
  expect_same_as_openssl({});
}

INSTANTIATE_TEST_SUITE_P(Engines, BatchHasherTest,
                         ::testing::Values(Engine::kAutomatic, Engine::kOpenssl, Engine::kIpsecMb));

TEST(BatchHasher, OneEachServesManyThreads) {
  const ByteVector message = pattern(16401);
  const Digest wanted = sha256(message);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      BatchHasher hasher;
      const std::vector<Bytes> views(64, message);
      std::vector<Digest> digests(views.size());
      for (int j = 0; j < 5; ++j) {
        hasher.hash(views, digests);
        for (const Digest& digest : digests) EXPECT_EQ(digest, wanted);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(BatchHasherDeathTest, EndsTheProcessWhenCountsDiffer) {
  BatchHasher hasher;
  const std::vector<Bytes> messages(2);
  std::vector<Digest> digests(1);
  EXPECT_DEATH(hasher.hash(messages, digests), "counts differ");
}

TEST(BulkEngine, HasAName) {
  const std::string_view name = bulk_engine();
  EXPECT_EQ(name.starts_with("libipsec-mb "), internal::ipsec_mb_is_usable());
  if (!internal::ipsec_mb_is_usable()) {
    EXPECT_EQ(name, "openssl");
  }
}

}  // namespace
}  // namespace sealpack::crypto
