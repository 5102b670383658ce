// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/crypto and its tests: the two implementations of the bulk paths. Production
// code says kAutomatic; tests name an engine and compare bytes. Nothing outside the program (no
// environment variable, no file) can choose.

#include <memory>

#include "keymgmt/crypto/segment_cipher.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::crypto::internal {

enum class Engine { kAutomatic, kOpenssl, kIpsecMb };

// Whether this build has libipsec-mb and this processor passes its self-test.
bool ipsec_mb_is_usable();
// Name of the instruction set libipsec-mb chose; empty if it is not usable.
const char* ipsec_mb_architecture();

// AES-256-GCM over whole chunks with a 12-byte nonce, no associated data and a 16-byte tag at the
// end of `sealed`. Const methods may run in parallel.
class ChunkAead {
 public:
  using Nonce = std::array<std::uint8_t, 12>;
  virtual ~ChunkAead() = default;
  virtual void seal(const Nonce& nonce, Bytes plain, MutableBytes sealed) const = 0;
  // False, leaving anything in `plain`, if the tag does not hold: the caller wipes.
  [[nodiscard]] virtual bool open(const Nonce& nonce, Bytes sealed, MutableBytes plain) const = 0;
};

class HashMany {
 public:
  virtual ~HashMany() = default;
  virtual void hash(std::span<const Bytes> messages, std::span<Digest> digests) = 0;
};

// kIpsecMb ends the process where ipsec_mb_is_usable() is false. `key` has 32 bytes.
std::unique_ptr<ChunkAead> make_chunk_aead(Engine engine, Bytes key);
std::unique_ptr<HashMany> make_hash_many(Engine engine);

// One per source file that implements an engine; null where libipsec-mb is not usable.
std::unique_ptr<ChunkAead> make_ipsec_mb_aead(Bytes key);
std::unique_ptr<HashMany> make_ipsec_mb_hash();

// How tests name an engine.
struct EngineChooser {
  static SegmentCipher create(Engine engine, const ContentKey& key,
                              const std::array<std::uint8_t, SegmentHeader::kSaltSize>& salt,
                              Bytes context);
  static Result<SegmentCipher> open(Engine engine, const ContentKey& key,
                                    const SegmentHeader& header, Bytes context);
  static std::unique_ptr<BatchHasher> hasher(Engine engine);
};

}  // namespace sealpack::crypto::internal
