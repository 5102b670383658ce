// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/secret_memory.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "formats/base/error.h"

namespace sealpack::crypto {
namespace {

constexpr std::size_t kSmallestBlock = 32;

// Puts secret memory in place of the heap's pages. The heap is one power of two, so that an
// allocation of its whole size is its first byte, and then nothing else lies in it.
bool hide(std::size_t size) {
#ifdef SYS_memfd_secret
  const auto file = static_cast<int>(::syscall(SYS_memfd_secret, 0));
  if (file < 0) return false;
  void* heap = OPENSSL_secure_malloc(size);
  if (heap == nullptr) die("the new secure heap is not empty");
  bool hidden = ::ftruncate(file, static_cast<off_t>(size)) == 0;
  if (hidden) {
    // Tried elsewhere first: a mapping that fails in place would leave a hole.
    void* trial = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    hidden = trial != MAP_FAILED && ::munmap(trial, size) == 0;
  }
  if (hidden &&
      ::mmap(heap, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) != heap) {
    die("cannot place the secure heap");
  }
  (void)::close(file);
  OPENSSL_secure_free(heap);
  return hidden;
#else
  (void)size;
  return false;
#endif
}

}  // namespace

SecretMemory make_secret_memory(std::size_t size) {
  if (CRYPTO_secure_malloc_initialized() == 1) die("the secure heap is already there");
  const int made = CRYPTO_secure_malloc_init(size, kSmallestBlock);
  if (made == 0) die("cannot create the secure heap");
  if (hide(size)) return SecretMemory::kHidden;
  return made == 1 ? SecretMemory::kLocked : SecretMemory::kUnlocked;
}

}  // namespace sealpack::crypto
