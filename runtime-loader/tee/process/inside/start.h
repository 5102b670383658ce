// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "keymgmt/crypto/signature.h"
#include "runtime-loader/tee/process/inside/secure_memory.h"
#include "runtime-loader/tee/process/protocol.h"

// From a fresh process to one that may read what others wrote.
namespace sealpack::tee {

// What of a cap stays for the heap to grow, where messages, graphs, plans and the readers of
// bundles are. Measured: 0.5 MiB beyond the start for a small network, 0.9 MiB for ResNet-18, 1.3
// MiB with the readers' larger buffers.
inline constexpr std::uint64_t kHeapReserve = std::uint64_t{768} << 10U;

// What models leave besides where a cap is large, so that the plan for all of it seldom has to be
// made twice: what a plan takes grows with what it is for.
std::uint64_t heap_comfort(std::uint64_t cap);

struct Start {
  Digest program;       // SHA-256 of the program's file
  MutableBytes shared;  // the whole memory that both worlds write
  std::uint32_t confinement = 0;
  MemoryCap cap;
  bool lock_memory = false;
  std::unique_ptr<crypto::Signer> evidence_key;  // signs simulated evidence; may be null
};

// Gives up everything but memory, threads and the descriptors of protocol.h. Ends the process when
// something that must be given up cannot be. Takes the rights to make threads and set limits along:
// finish_start ends that.
Start give_up_rights();

// Sets what the kernel enforces of the cap and gives the limit of VmData (~0: none). Ends the
// process with kLimit where the cap does not hold the program itself.
std::uint64_t limit_memory(Start& start, std::uint64_t cap, unsigned threads);

// No more threads, limits or descriptors.
void finish_start();

// Of what confines the program: the list of system calls and the cap.
Digest policy_digest(std::uint64_t cap);

// Resident anonymous memory and the secrets.
std::uint64_t secure_bytes();

}  // namespace sealpack::tee
