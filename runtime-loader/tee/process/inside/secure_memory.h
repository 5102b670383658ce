// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string_view>

#include "runtime-loader/nn/services.h"

namespace sealpack::tee {

// What the kernel counts for this process, in bytes. Reads two files of /proc that were opened
// before the program gave up the file system.
class MemoryFigures {
 public:
  static void open_files();          // under the numbers of descriptors.h
  static std::uint64_t anonymous();  // resident anonymous memory
  static std::uint64_t writable();   // VmData: what RLIMIT_DATA limits
  static std::uint64_t text();       // mapped program and libraries
  static std::uint64_t stack();
  // Resident anonymous memory outside VmData and the stack (relocated, then read-only). Opens a
  // file.
  static std::uint64_t anonymous_elsewhere();
};

// The cap on secure bytes: every anonymous byte counts. Secrets lie in memory that the kernel
// counts elsewhere; they are added.
struct MemoryCap {
  std::uint64_t cap = 0;  // 0: not limited
  std::uint64_t secrets = 0;
  std::uint64_t elsewhere = 0;  // as above
  std::uint64_t stack = 0;      // limit of the main thread's

  std::uint64_t taken() const { return secrets + elsewhere + stack; }
  // What RLIMIT_DATA may be so that nothing can exceed the cap; 0 where the cap does not even hold
  // what is there.
  std::uint64_t data_limit() const;
};

// Memory for weights, activations and buffers: one range of addresses, of which a part is memory.
// First fit; what was given back is wiped and used again, never returned, so that the kernel's
// figure at the end is the peak.
class SecureMemory final : public nn::Memory {
 public:
  // `data_limit`: as set for the process, ~0 for none. `keep`: bytes of it that stay for the heap
  // to grow. `lock`: whether pages are locked.
  SecureMemory(std::uint64_t data_limit, std::uint64_t keep, bool lock);
  ~SecureMemory() override;
  SecureMemory(const SecureMemory&) = delete;
  SecureMemory& operator=(const SecureMemory&) = delete;

  Result<MutableBytes> allocate(std::size_t size) override;
  void release(MutableBytes block) override;

  // The most that can be allocated in one piece. From now on so much can, whatever the heap takes
  // of what is kept for it.
  std::uint64_t available();
  std::uint64_t used() const { return used_; }
  // Writable memory of the process that is not here.
  std::uint64_t taken_around() const;

 private:
  std::uint64_t room() const;  // for growth, with what is kept for the heap left alone
  std::uint64_t kept() const;  // of `keep`, what the heap has not grown by
  bool grow(std::uint64_t size);

  std::uint64_t data_limit_;
  std::uint64_t keep_;
  std::uint64_t heap_at_start_;
  bool lock_;
  std::uint8_t* base_ = nullptr;
  std::uint64_t reserved_ = 0;                   // addresses
  std::uint64_t committed_ = 0;                  // memory, from base_
  std::uint64_t used_ = 0;                       // in blocks
  std::uint64_t ceiling_ = 0;                    // what may be committed
  std::map<std::uint64_t, std::uint64_t> free_;  // offset → size, apart from one another
};

}  // namespace sealpack::tee
