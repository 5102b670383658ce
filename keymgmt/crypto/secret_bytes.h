// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack::crypto {

// Secret bytes in OpenSSL's secure heap (locked, guarded, left out of core dumps), wiped on
// destruction. Move-only; no comparison operator, no stream operator, no copy. `reveal` and
// `reveal_for_writing` are the only doors. At most 64 KiB: for keys, never for weights.
class SecretBytes {
 public:
  static constexpr std::size_t kMaxSize = 65536;

  // Zero-filled. Ends the process if the secure heap is exhausted or `size` exceeds kMaxSize.
  explicit SecretBytes(std::size_t size);
  // Copies `bytes`; wiping the source is the caller's task.
  static SecretBytes copy_of(Bytes bytes);
  static SecretBytes random(std::size_t size);

  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  std::size_t size() const { return size_; }
  Bytes reveal() const { return {data_, size_}; }
  MutableBytes reveal_for_writing() { return {data_, size_}; }

  // Constant time for equal sizes.
  bool equals(Bytes other) const;

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// Whether the secure heap is locked in memory. False where RLIMIT_MEMLOCK (or a missing privilege)
// refused: secrets are then still guarded and wiped, but may reach swap.
bool secret_memory_is_locked();

// Overwrites `bytes` in a way the compiler keeps.
void wipe(MutableBytes bytes);

// Constant-time comparison; false when sizes differ.
bool equal_constant_time(Bytes a, Bytes b);

// Keys by purpose: one cannot be passed for another.
template <typename Purpose>
class SecretKey {
 public:
  static constexpr std::size_t kSize = 32;

  static SecretKey random() { return SecretKey(SecretBytes::random(kSize)); }
  // kMalformed unless `bytes` has kSize bytes.
  static Result<SecretKey> from(SecretBytes bytes) {
    if (bytes.size() != kSize) {
      return Error(ErrorCode::kMalformed,
                   "a key has 32 bytes, not " + std::to_string(bytes.size()));
    }
    return SecretKey(std::move(bytes));
  }
  Bytes reveal() const { return bytes_.reveal(); }
  SecretKey duplicate() const { return SecretKey(SecretBytes::copy_of(bytes_.reveal())); }

 private:
  explicit SecretKey(SecretBytes bytes) : bytes_(std::move(bytes)) {}
  SecretBytes bytes_;
};

// Encrypts the segments of a bundle.
using ContentKey = SecretKey<struct ContentKeyPurpose>;
// Wraps a content key in a slot (AES-KWP).
using WrappingKey = SecretKey<struct WrappingKeyPurpose>;

}  // namespace sealpack::crypto
