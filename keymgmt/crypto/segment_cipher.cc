// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/segment_cipher.h"

#include <algorithm>

#include "keymgmt/crypto/bulk_engine.h"
#include "keymgmt/crypto/kdf.h"
#include "keymgmt/crypto/openssl_handles.h"

namespace sealpack::crypto {
namespace {

using internal::ChunkAead;
using internal::Engine;

// c2sp.org/chunked-encryption: the protocol's name, the AEAD's IANA name, a zero byte.
constexpr std::string_view kLabel = "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM";
constexpr std::size_t kKeySize = 32;
constexpr std::size_t kNonceSize = std::tuple_size_v<ChunkAead::Nonce>;
constexpr std::size_t kDerivedSize = kKeySize + kNonceSize + SegmentHeader::kCommitmentSize;

// key || base nonce || commitment
SecretBytes derive(const ContentKey& key,
                   const std::array<std::uint8_t, SegmentHeader::kSaltSize>& salt, Bytes context) {
  ByteVector info;
  info.reserve(kLabel.size() + 1 + salt.size() + context.size());
  info.insert(info.end(), kLabel.begin(), kLabel.end());
  info.push_back(0);
  info.insert(info.end(), salt.begin(), salt.end());
  info.insert(info.end(), context.begin(), context.end());
  SecretBytes derived(kDerivedSize);
  hkdf_expand(HashName::kSha512, key.reveal(), info, derived.reveal_for_writing());
  return derived;
}

Bytes commitment_of(const SecretBytes& derived) {
  return derived.reveal().subspan(kKeySize + kNonceSize);
}

}  // namespace

struct SegmentCipher::State {
  SegmentHeader header;
  ChunkAead::Nonce base_nonce{};
  std::unique_ptr<ChunkAead> aead;

  State(Engine engine, const SegmentHeader& segment_header, const SecretBytes& derived)
      : header(segment_header),
        aead(internal::make_chunk_aead(engine, derived.reveal().first(kKeySize))) {
    std::copy_n(derived.reveal().begin() + kKeySize, kNonceSize, base_nonce.begin());
  }

  // base nonce XOR big-endian index
  ChunkAead::Nonce nonce(std::uint64_t index) const {
    ChunkAead::Nonce nonce = base_nonce;
    for (std::size_t i = 0; i < sizeof index; ++i) {
      nonce[kNonceSize - 1 - i] ^= static_cast<std::uint8_t>(index >> (8 * i));
    }
    return nonce;
  }
};

std::optional<std::uint64_t> SegmentCipher::sealed_size(std::uint64_t plain_size) {
  const std::uint64_t chunks = chunk_count(plain_size);
  if (chunks > kMaxChunks) return std::nullopt;
  return plain_size + chunks * kTagSize;
}

SegmentCipher::SegmentCipher(std::unique_ptr<State> state) : state_(std::move(state)) {}
SegmentCipher::SegmentCipher(SegmentCipher&&) noexcept = default;
SegmentCipher& SegmentCipher::operator=(SegmentCipher&&) noexcept = default;
SegmentCipher::~SegmentCipher() = default;

SegmentCipher SegmentCipher::create(const ContentKey& key,
                                    const std::array<std::uint8_t, SegmentHeader::kSaltSize>& salt,
                                    Bytes context) {
  return internal::EngineChooser::create(Engine::kAutomatic, key, salt, context);
}

Result<SegmentCipher> SegmentCipher::open(const ContentKey& key, const SegmentHeader& header,
                                          Bytes context) {
  return internal::EngineChooser::open(Engine::kAutomatic, key, header, context);
}

SegmentCipher internal::EngineChooser::create(
    Engine engine, const ContentKey& key,
    const std::array<std::uint8_t, SegmentHeader::kSaltSize>& salt, Bytes context) {
  const SecretBytes derived = derive(key, salt, context);
  SegmentHeader header;
  header.salt = salt;
  const Bytes commitment = commitment_of(derived);
  std::copy(commitment.begin(), commitment.end(), header.commitment.begin());
  return SegmentCipher(std::make_unique<SegmentCipher::State>(engine, header, derived));
}

Result<SegmentCipher> internal::EngineChooser::open(Engine engine, const ContentKey& key,
                                                    const SegmentHeader& header, Bytes context) {
  const SecretBytes derived = derive(key, header.salt, context);
  // Before anything is decrypted: one ciphertext must not open under two keys.
  if (!equal_constant_time(commitment_of(derived), header.commitment)) {
    return Error(ErrorCode::kKeyUnavailable, "the content key does not open this segment");
  }
  return SegmentCipher(std::make_unique<SegmentCipher::State>(engine, header, derived));
}

const SegmentHeader& SegmentCipher::header() const {
  return state_->header;
}

void SegmentCipher::seal_chunk(std::uint64_t index, Bytes plain, MutableBytes sealed) const {
  internal::require(
      index < kMaxChunks && plain.size() <= kPlainChunk && sealed.size() == plain.size() + kTagSize,
      "seal_chunk: impossible sizes");
  state_->aead->seal(state_->nonce(index), plain, sealed);
}

Status SegmentCipher::open_chunk(std::uint64_t index, Bytes sealed, MutableBytes plain) const {
  if (index >= kMaxChunks || sealed.size() < kTagSize || sealed.size() > kSealedChunk ||
      plain.size() != sealed.size() - kTagSize) {
    return Error(ErrorCode::kMalformed, "chunk " + std::to_string(index) + " of " +
                                            std::to_string(sealed.size()) + " bytes does not fit " +
                                            std::to_string(plain.size()) + " bytes of plaintext");
  }
  if (state_->aead->open(state_->nonce(index), sealed, plain)) return done();
  wipe(plain);
  return Error(ErrorCode::kNotAuthentic, "chunk " + std::to_string(index) + " is not authentic");
}

}  // namespace sealpack::crypto
