// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <map>

#include "keymgmt/crypto/secret_bytes.h"
#include "runtime-loader/core/sealed_spill.h"

namespace sealpack::loader::testing {

// Memory outside that a test looks at and changes.
class VectorMemory final : public HostMemory {
 public:
  explicit VectorMemory(std::size_t size) : bytes(size) {}
  std::uint64_t size() const override { return bytes.size(); }
  Status write(std::uint64_t offset, Bytes data) override {
    if (fails) return Error(ErrorCode::kIo, "a test");
    std::copy(data.begin(), data.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    return done();
  }
  Status read(std::uint64_t offset, MutableBytes out) override {
    if (fails) return Error(ErrorCode::kIo, "a test");
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return done();
  }
  ByteVector bytes;
  bool fails = false;
};

// Secure memory that counts and, at the end, expects everything back.
class CountingMemory final : public nn::Memory {
 public:
  explicit CountingMemory(std::uint64_t cap = ~std::uint64_t{0}) : cap_(cap) {}
  ~CountingMemory() override {
    if (used_ != 0) std::abort();
  }
  Result<MutableBytes> allocate(std::size_t size) override {
    if (size > cap_ - used_) return Error(ErrorCode::kLimit, "the cap of the test");
    void* block = std::aligned_alloc(64, (size + 63) / 64 * 64);
    if (block == nullptr) std::abort();
    used_ += size;
    peak_ = std::max(peak_, used_);
    return MutableBytes(static_cast<std::uint8_t*>(block), size);
  }
  void release(MutableBytes block) override {
    crypto::wipe(block);
    used_ -= block.size();
    std::free(block.data());
  }
  std::uint64_t used() const { return used_; }
  std::uint64_t peak() const { return peak_; }

 private:
  std::uint64_t cap_;
  std::uint64_t used_ = 0;
  std::uint64_t peak_ = 0;
};

}  // namespace sealpack::loader::testing
