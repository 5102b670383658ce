// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace sealpack::crypto {

// Where a program's secrets lie.
enum class SecretMemory {
  kHidden,    // memfd_secret: not even the kernel maps it; /proc/PID/mem and ptrace cannot read it
  kLocked,    // locked in memory, left out of core dumps
  kUnlocked,  // guarded and wiped, but may reach swap (RLIMIT_MEMLOCK)
};

// Makes the heap of SecretBytes, and of OpenSSL's own private keys, with `size` bytes (a power of
// two, at least a page) in the best place the kernel has. For a program's main, before the first
// secret; without it the heap is made at first use, with 4 MiB of ordinary locked memory. Ends the
// process when a heap is already there.
SecretMemory make_secret_memory(std::size_t size);

}  // namespace sealpack::crypto
