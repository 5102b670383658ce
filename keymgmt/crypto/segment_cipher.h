// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "keymgmt/crypto/secret_bytes.h"

namespace sealpack::crypto {

namespace internal {
struct EngineChooser;
}

// What precedes the chunks of a Cobblestone-256 message; sealpack keeps it in the content manifest.
struct SegmentHeader {
  static constexpr std::size_t kSaltSize = 24;
  static constexpr std::size_t kCommitmentSize = 32;
  static constexpr std::size_t kSize = kSaltSize + kCommitmentSize;
  std::array<std::uint8_t, kSaltSize> salt{};
  std::array<std::uint8_t, kCommitmentSize> commitment{};
  bool operator==(const SegmentHeader&) const = default;
};

// One encrypted stream: C2SP chunked-encryption, Cobblestone-256 (AEAD_AES_256_GCM, HKDF-Expand
// with SHA-512; c2sp.org/chunked-encryption@v1). Committing, random access. Plaintext is cut into
// 16,384 byte chunks; the last chunk is always shorter and may be empty. Const methods may run in
// parallel.
class SegmentCipher {
 public:
  static constexpr std::size_t kPlainChunk = 16384;
  static constexpr std::size_t kTagSize = 16;
  static constexpr std::size_t kSealedChunk = kPlainChunk + kTagSize;
  static constexpr std::uint64_t kMaxChunks = std::uint64_t{1} << 38U;

  // Size of the sealed chunks (without the 56-byte header) of `plain_size` bytes.
  // nullopt above kMaxChunks chunks.
  static std::optional<std::uint64_t> sealed_size(std::uint64_t plain_size);
  static std::uint64_t chunk_count(std::uint64_t plain_size) {
    return plain_size / kPlainChunk + 1;
  }

  // For writing. `salt` must be fresh random for every segment (injectable for test vectors only).
  // Fills header().
  static SegmentCipher create(const ContentKey& key,
                              const std::array<std::uint8_t, SegmentHeader::kSaltSize>& salt,
                              Bytes context);
  // For reading: checks the commitment in constant time. kKeyUnavailable if key, salt or context
  // are not those the segment was made with.
  static Result<SegmentCipher> open(const ContentKey& key, const SegmentHeader& header,
                                    Bytes context);

  SegmentCipher(SegmentCipher&&) noexcept;
  SegmentCipher& operator=(SegmentCipher&&) noexcept;
  ~SegmentCipher();

  const SegmentHeader& header() const;

  // Encrypts chunk `index` of a stream of `plain.size()` <= kPlainChunk bytes; `sealed` has
  // plain.size() + kTagSize bytes. Every index is sealed at most once per cipher, which the caller
  // guarantees. Only the last chunk of a segment is shorter than kPlainChunk, and it always is.
  // Here and below the two spans are disjoint or start at the same byte. Other sizes end the
  // process.
  void seal_chunk(std::uint64_t index, Bytes plain, MutableBytes sealed) const;

  // Decrypts chunk `index` into `plain` (sealed.size() - kTagSize bytes). kNotAuthentic, with
  // `plain` all zero, when the tag does not hold. kMalformed for impossible sizes.
  Status open_chunk(std::uint64_t index, Bytes sealed, MutableBytes plain) const;

 private:
  friend struct internal::EngineChooser;
  struct State;
  explicit SegmentCipher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sealpack::crypto
