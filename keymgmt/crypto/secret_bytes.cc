// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/secret_bytes.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

namespace sealpack::crypto {
namespace {

// 4 MiB holds some four thousand open segments and stays below the usual RLIMIT_MEMLOCK of 8 MiB.
constexpr std::size_t kArenaSize = std::size_t{4} << 20U;
constexpr std::size_t kSmallestBlock = 32;

enum class Arena { kLocked, kUnlocked };

// An application that embeds us may have set the secure heap up already; then we use its arena.
Arena prepare_secure_heap() {
  static const Arena arena = [] {
    if (CRYPTO_secure_malloc_initialized() == 1) return Arena::kLocked;
    switch (CRYPTO_secure_malloc_init(kArenaSize, kSmallestBlock)) {
      case 1:
        return Arena::kLocked;
      // Made, but mlock or a guard page was refused (RLIMIT_MEMLOCK in containers). Refusing to
      // run there would help nobody; secret_memory_is_locked() lets a front end say so.
      case 2:
        return Arena::kUnlocked;
      default:
        die("cannot create the secure heap");
    }
  }();
  return arena;
}

std::uint8_t* allocate(std::size_t size) {
  if (size > SecretBytes::kMaxSize) die("a secret exceeds 64 KiB");
  prepare_secure_heap();
  if (size == 0) return nullptr;
  void* block = OPENSSL_secure_zalloc(size);
  if (block == nullptr) die("the secure heap is exhausted");
  return static_cast<std::uint8_t*>(block);
}

}  // namespace

SecretBytes::SecretBytes(std::size_t size) : data_(allocate(size)), size_(size) {}

SecretBytes SecretBytes::copy_of(Bytes bytes) {
  SecretBytes copy(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.data_);
  return copy;
}

SecretBytes SecretBytes::random(std::size_t size) {
  SecretBytes secret(size);
  if (size != 0 && RAND_priv_bytes(secret.data_, static_cast<int>(size)) != 1) {
    die("the random generator failed");
  }
  return secret;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    OPENSSL_secure_clear_free(data_, size_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

SecretBytes::~SecretBytes() {
  OPENSSL_secure_clear_free(data_, size_);
}

bool SecretBytes::equals(Bytes other) const {
  return equal_constant_time(reveal(), other);
}

void wipe(MutableBytes bytes) {
  OPENSSL_cleanse(bytes.data(), bytes.size());
}

bool equal_constant_time(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

bool secret_memory_is_locked() {
  return prepare_secure_heap() == Arena::kLocked;
}

}  // namespace sealpack::crypto
