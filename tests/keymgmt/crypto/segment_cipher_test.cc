// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/segment_cipher.h"

#include <thread>
#include <vector>

#include "keymgmt/crypto/bulk_engine.h"
#include "keymgmt/crypto/random.h"
#include "tests/keymgmt/crypto/hex.h"
#include "tests/keymgmt/crypto/printing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::crypto {
namespace {

using internal::Engine;
using internal::EngineChooser;
using sealpack::testing::Fails;
using sealpack::testing::hex;
using sealpack::testing::pattern;
using sealpack::testing::Succeeds;

constexpr std::size_t kChunk = SegmentCipher::kPlainChunk;
constexpr std::size_t kTag = SegmentCipher::kTagSize;

class SegmentCipherTest : public ::testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    if (GetParam() == Engine::kIpsecMb && !internal::ipsec_mb_is_usable()) {
      GTEST_SKIP() << "no usable libipsec-mb";
    }
  }

  SegmentCipher create(Bytes context = {}) const {
    return EngineChooser::create(GetParam(), key_, salt_, context);
  }
  static ByteVector seal(const SegmentCipher& cipher, std::uint64_t index, Bytes plain) {
    ByteVector sealed(plain.size() + kTag);
    cipher.seal_chunk(index, plain, sealed);
    return sealed;
  }
  static Status open(const SegmentCipher& cipher, std::uint64_t index, Bytes sealed) {
    ByteVector plain(sealed.size() - kTag, 0xee);
    Status status = cipher.open_chunk(index, sealed, plain);
    if (!status.ok()) {
      EXPECT_EQ(plain, ByteVector(plain.size())) << "plaintext left behind";
    }
    return status;
  }

  ContentKey key_ = ContentKey::random();
  std::array<std::uint8_t, 24> salt_ = random_array<24>();
};

// C2SP/wycheproof c2sp_chunked_encryption_aes_256_gcm_test.json, tests 1 and 10.
TEST_P(SegmentCipherTest, GivesThePublishedBytes) {
  const ContentKey key =
      *ContentKey::from(SecretBytes::copy_of(as_bytes("YELLOW SUBMARINE YELLOW SUBMARIN")));
  struct Case {
    const char* salt;
    const char* context;
    const char* commitment;
    const char* sealed;
  };
  const Case cases[] = {
      {"43a2e39431cbae0389d3fc86adf46f7c3a24de88d9311617", "",
       "e53f3164cc1d5dc738a66b97f0bf786565c31799c2f463d50a7e10046011dc6f",
       "c3c939e3a5db7affb6191551669554fb"},
      {"12ede102c3ef730da4f3d4dbfaf11003683238315befe73b", "7465737400636f6e74657874",
       "21ebb2246ac19f3a7d50abd2a5a365f7652bda670814dbc883ce618256d2d513",
       "bd238c2c0dded7614d52bef77bc04273656df97a294323"},
  };
  for (const Case& one : cases) {
    const SegmentHeader header{sealpack::testing::hex_array<24>(one.salt),
                               sealpack::testing::hex_array<32>(one.commitment)};
    const auto cipher = EngineChooser::open(GetParam(), key, header, hex(one.context));
    ASSERT_THAT(cipher, Succeeds());
    const ByteVector sealed = hex(one.sealed);
    ByteVector plain(sealed.size() - kTag);
    ASSERT_THAT(cipher->open_chunk(0, sealed, plain), Succeeds());
    const SegmentCipher writer =
        EngineChooser::create(GetParam(), key, header.salt, hex(one.context));
    EXPECT_EQ(writer.header(), header);
    EXPECT_EQ(seal(writer, 0, plain), sealed);
  }
}

TEST_P(SegmentCipherTest, GivesTheSameBytesAsOpenssl) {
  const SegmentCipher here = create(as_bytes("context"));
  const SegmentCipher there =
      EngineChooser::create(Engine::kOpenssl, key_, salt_, as_bytes("context"));
  EXPECT_EQ(here.header(), there.header());
  for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 127U, 1000U, 16383U, 16384U}) {
    const ByteVector plain = pattern(size);
    const std::uint64_t index = size * 0x234567U;
    EXPECT_EQ(seal(here, index, plain), seal(there, index, plain)) << size;
  }
}

TEST_P(SegmentCipherTest, OpensWhatItSealedInPlaceToo) {
  const SegmentCipher writer = create();
  const auto reader = EngineChooser::open(GetParam(), key_, writer.header(), {});
  ASSERT_THAT(reader, Succeeds());
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, kChunk}) {
    const ByteVector plain = pattern(size);
    ByteVector buffer = plain;
    buffer.resize(size + kTag);
    writer.seal_chunk(7, Bytes(buffer).first(size), buffer);
    EXPECT_EQ(buffer, seal(writer, 7, plain));
    ASSERT_THAT(reader->open_chunk(7, buffer, MutableBytes(buffer).first(size)), Succeeds());
    buffer.resize(size);
    EXPECT_EQ(buffer, plain);
  }
}

TEST_P(SegmentCipherTest, RefusesEveryBitFlipAndLeavesZeros) {
  const SegmentCipher cipher = create();
  for (const std::size_t size : {0U, 5U, 33U}) {
    ByteVector sealed = seal(cipher, 0, pattern(size));
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
      sealed[bit / 8] = static_cast<std::uint8_t>(sealed[bit / 8] ^ 1U << bit % 8);
      EXPECT_THAT(open(cipher, 0, sealed), Fails(ErrorCode::kNotAuthentic)) << bit;
      sealed[bit / 8] = static_cast<std::uint8_t>(sealed[bit / 8] ^ 1U << bit % 8);
    }
    EXPECT_THAT(open(cipher, 0, sealed), Succeeds());
  }
}

TEST_P(SegmentCipherTest, RefusesAFlipAnywhereInAFullChunk) {
  const SegmentCipher cipher = create();
  ByteVector sealed = seal(cipher, 3, pattern(kChunk));
  for (std::size_t at = 0; at < sealed.size(); at += 97) {
    sealed[at] ^= 0x80;
    EXPECT_THAT(open(cipher, 3, sealed), Fails(ErrorCode::kNotAuthentic)) << at;
    sealed[at] ^= 0x80;
  }
}

TEST_P(SegmentCipherTest, RefusesMovedDroppedAndRepeatedChunks) {
  const SegmentCipher cipher = create();
  const ByteVector first = seal(cipher, 0, pattern(kChunk, 1));
  const ByteVector second = seal(cipher, 1, pattern(kChunk, 2));
  const ByteVector last = seal(cipher, 2, pattern(10, 3));
  EXPECT_THAT(open(cipher, 1, first), Fails(ErrorCode::kNotAuthentic));   // repeated
  EXPECT_THAT(open(cipher, 0, second), Fails(ErrorCode::kNotAuthentic));  // swapped
  EXPECT_THAT(open(cipher, 1, last), Fails(ErrorCode::kNotAuthentic));    // second dropped
  EXPECT_THAT(open(cipher, 2, last), Succeeds());
  EXPECT_THAT(open(cipher, 2 + (std::uint64_t{1} << 32U), last), Fails(ErrorCode::kNotAuthentic));
}

TEST_P(SegmentCipherTest, RefusesAnotherKeySaltContextOrCommitment) {
  const SegmentHeader header = create(as_bytes("ab")).header();
  const auto open_with = [&](const ContentKey& key, const SegmentHeader& with,
                             const char* context) {
    return EngineChooser::open(GetParam(), key, with, as_bytes(context));
  };
  EXPECT_THAT(open_with(key_, header, "ab"), Succeeds());
  EXPECT_THAT(open_with(ContentKey::random(), header, "ab"), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(open_with(key_, header, "a"), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(open_with(key_, header, "abc"), Fails(ErrorCode::kKeyUnavailable));
  for (std::size_t bit = 0; bit < 24 * 8; ++bit) {
    SegmentHeader other = header;
    other.salt[bit / 8] = static_cast<std::uint8_t>(other.salt[bit / 8] ^ 1U << bit % 8);
    EXPECT_THAT(open_with(key_, other, "ab"), Fails(ErrorCode::kKeyUnavailable)) << bit;
  }
  for (std::size_t bit = 0; bit < 32 * 8; ++bit) {
    SegmentHeader other = header;
    other.commitment[bit / 8] =
        static_cast<std::uint8_t>(other.commitment[bit / 8] ^ 1U << bit % 8);
    EXPECT_THAT(open_with(key_, other, "ab"), Fails(ErrorCode::kKeyUnavailable)) << bit;
  }
}

TEST_P(SegmentCipherTest, RefusesImpossibleSizes) {
  const SegmentCipher cipher = create();
  ByteVector plain(kChunk + 1);
  const ByteVector sealed(SegmentCipher::kSealedChunk + 1);
  const auto open_sizes = [&](std::uint64_t index, std::size_t from, std::size_t to) {
    return cipher.open_chunk(index, Bytes(sealed).first(from), MutableBytes(plain).first(to));
  };
  EXPECT_THAT(open_sizes(0, 0, 0), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open_sizes(0, 15, 0), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open_sizes(0, 20, 5), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open_sizes(0, kChunk + 17, kChunk + 1), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open_sizes(SegmentCipher::kMaxChunks, 20, 4), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open_sizes(SegmentCipher::kMaxChunks - 1, 20, 4), Fails(ErrorCode::kNotAuthentic));
}

TEST_P(SegmentCipherTest, ServesManyThreadsAtOnce) {
  const SegmentCipher cipher = create();
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 4; ++i) {
    threads.emplace_back([&cipher, i] {
      const ByteVector plain = pattern(kChunk, i);
      ByteVector again(kChunk);
      for (std::uint64_t index = i; index < 400; index += 4) {
        const ByteVector sealed = seal(cipher, index, plain);
        EXPECT_THAT(cipher.open_chunk(index, sealed, again), Succeeds());
        EXPECT_EQ(again, plain);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(Engines, SegmentCipherTest,
                         ::testing::Values(Engine::kAutomatic, Engine::kOpenssl, Engine::kIpsecMb));

TEST(SegmentCipher, KnowsItsSizes) {
  EXPECT_EQ(SegmentCipher::sealed_size(0), 16U);
  EXPECT_EQ(SegmentCipher::sealed_size(kChunk - 1), kChunk + 15U);
  EXPECT_EQ(SegmentCipher::sealed_size(kChunk), kChunk + 32U);
  const std::uint64_t most = SegmentCipher::kMaxChunks * kChunk - 1;
  EXPECT_EQ(SegmentCipher::sealed_size(most), most + SegmentCipher::kMaxChunks * kTag);
  EXPECT_EQ(SegmentCipher::sealed_size(most + 1), std::nullopt);
  EXPECT_EQ(SegmentCipher::sealed_size(~std::uint64_t{0}), std::nullopt);
}

TEST(SegmentCipherDeathTest, EndsTheProcessOnWrongSealSizes) {
  const SegmentCipher cipher = SegmentCipher::create(ContentKey::random(), random_array<24>(), {});
  ByteVector sealed(100);
  EXPECT_DEATH(cipher.seal_chunk(0, ByteVector(100), sealed), "impossible sizes");
}

}  // namespace
}  // namespace sealpack::crypto
