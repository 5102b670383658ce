// SPDX-License-Identifier: Apache-2.0
// C2SP/wycheproof's chunked-encryption vectors through SegmentCipher, with both engines.
#include <openssl/evp.h>
#include <zlib.h>

#include "keymgmt/crypto/bulk_engine.h"
#include "tests/keymgmt/crypto/printing.h"
#include "tests/keymgmt/crypto/vectors.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::crypto {
namespace {

using internal::Engine;
using internal::EngineChooser;
using sealpack::testing::field;
using sealpack::testing::for_each_test;
using sealpack::testing::has_flag;

ByteVector inflate_all(Bytes compressed) {
  uLongf size = 8U << 20U;
  ByteVector out(size);
  if (uncompress(out.data(), &size, compressed.data(), compressed.size()) != Z_OK) {
    die("a published vector does not decompress");
  }
  out.resize(size);
  return out;
}

std::string sha512_hex(Bytes message) {
  ByteVector digest(64);
  EVP_Digest(message.data(), message.size(), digest.data(), nullptr, EVP_sha512(), nullptr);
  return to_hex(digest);
}

struct Opened {
  bool valid = false;
  ByteVector plain;  // of the chunks before the first that fails
};

// What a reader of a whole message does with the API: the chunks are as long as the size says, and
// the last one is shorter than the others.
Opened open_message(Engine engine, const ContentKey& key, Bytes message, Bytes context) {
  Opened opened;
  if (message.size() < SegmentHeader::kSize) return opened;
  SegmentHeader header;
  std::copy_n(message.begin(), SegmentHeader::kSaltSize, header.salt.begin());
  std::copy_n(message.begin() + SegmentHeader::kSaltSize, SegmentHeader::kCommitmentSize,
              header.commitment.begin());
  const auto cipher = EngineChooser::open(engine, key, header, context);
  if (!cipher.ok()) return opened;
  Bytes rest = message.subspan(SegmentHeader::kSize);
  for (std::uint64_t index = 0;; ++index) {
    const std::size_t size = std::min(rest.size(), SegmentCipher::kSealedChunk);
    ByteVector plain(size < SegmentCipher::kTagSize ? 0 : size - SegmentCipher::kTagSize);
    if (!cipher->open_chunk(index, rest.first(size), plain).ok()) return opened;
    opened.plain.insert(opened.plain.end(), plain.begin(), plain.end());
    rest = rest.subspan(size);
    if (size < SegmentCipher::kSealedChunk) break;
  }
  opened.valid = rest.empty();
  return opened;
}

ByteVector seal_message(Engine engine, const ContentKey& key, Bytes salt, Bytes plain,
                        Bytes context) {
  std::array<std::uint8_t, SegmentHeader::kSaltSize> fixed_salt;
  std::copy(salt.begin(), salt.end(), fixed_salt.begin());
  const SegmentCipher cipher = EngineChooser::create(engine, key, fixed_salt, context);
  ByteVector out = to_vector(salt);
  out.insert(out.end(), cipher.header().commitment.begin(), cipher.header().commitment.end());
  out.resize(SegmentHeader::kSize + *SegmentCipher::sealed_size(plain.size()));
  MutableBytes rest = MutableBytes(out).subspan(SegmentHeader::kSize);
  const std::uint64_t count = SegmentCipher::chunk_count(plain.size());
  for (std::uint64_t index = 0; index < count; ++index) {
    const std::size_t size = std::min(plain.size(), SegmentCipher::kPlainChunk);
    cipher.seal_chunk(index, plain.first(size), rest.first(size + SegmentCipher::kTagSize));
    plain = plain.subspan(size);
    rest = rest.subspan(size + SegmentCipher::kTagSize);
  }
  return out;
}

class ChunkedEncryption : public ::testing::TestWithParam<Engine> {};

TEST_P(ChunkedEncryption, GivesExactlyThePublishedVerdictsAndBytes) {
  const char* name = "wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json";
  const auto file = sealpack::testing::load_vectors(name);
  SKIP_WITHOUT(file, name);
  if (GetParam() == Engine::kIpsecMb && !internal::ipsec_mb_is_usable()) {
    GTEST_SKIP() << "no usable libipsec-mb";
  }
  const int count = for_each_test(*file, name, [&](const auto&, const auto& test) {
    const bool valid = test.at("result") == "valid";
    auto key = ContentKey::from(SecretBytes::copy_of(field(test, "key")));
    EXPECT_EQ(key.ok(), !has_flag(test, "InvalidKeySize"));
    if (!key.ok()) return true;
    const ByteVector message = inflate_all(field(test, "ct"));
    const ByteVector context = field(test, "ctx");
    const Opened opened = open_message(GetParam(), *key, message, context);
    EXPECT_EQ(opened.valid, valid);
    if (valid || has_flag(test, "PartialPlaintext")) {
      EXPECT_EQ(opened.plain.size(), test.at("msgLength"));
      EXPECT_EQ(sha512_hex(opened.plain), test.at("msgSha512"));
    } else {
      EXPECT_TRUE(opened.plain.empty());
    }
    if (valid) {
      const Bytes salt = Bytes(message).first(SegmentHeader::kSaltSize);
      EXPECT_TRUE(seal_message(GetParam(), *key, salt, opened.plain, context) == message);
    }
    return true;
  });
  EXPECT_EQ(count, 35);
}

INSTANTIATE_TEST_SUITE_P(Engines, ChunkedEncryption,
                         ::testing::Values(Engine::kOpenssl, Engine::kIpsecMb));

}  // namespace
}  // namespace sealpack::crypto
