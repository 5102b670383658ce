// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/capi/reader_pool.h"

namespace sealpack::capi {

ReaderPool::ReaderPool(const unpacker::VerifiedBundle& bundle, std::size_t limit)
    : verified_(&bundle), limit_(limit) {
  idle_.reserve(limit);
}

ReaderPool::ReaderPool(const unpacker::OpenBundle& bundle, std::size_t limit)
    : open_(&bundle), limit_(limit) {
  idle_.reserve(limit);
}

std::unique_ptr<unpacker::FileReader> ReaderPool::make() const {
  if (open_ != nullptr) return std::make_unique<unpacker::FileReader>(*open_);
  return std::make_unique<unpacker::FileReader>(*verified_);
}

ReaderPool::Lease ReaderPool::lease() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return leased_ < limit_; });
  std::unique_ptr<unpacker::FileReader> reader;
  if (idle_.empty()) {
    reader = make();
  } else {
    reader = std::move(idle_.back());
    idle_.pop_back();
  }
  ++leased_;
  return {*this, std::move(reader)};
}

ReaderPool::Lease::~Lease() {
  {
    const std::lock_guard lock(pool_.mutex_);
    --pool_.leased_;
    pool_.idle_.push_back(std::move(reader_));  // has room: reserved
  }
  pool_.returned_.notify_one();
}

}  // namespace sealpack::capi
