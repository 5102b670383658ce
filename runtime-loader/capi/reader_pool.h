// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "unpacker/core/file_reader.h"

namespace sealpack::capi {

// FileReaders of one bundle for as many threads as read at once, at most a given number of them.
class ReaderPool {
 public:
  ReaderPool(const unpacker::VerifiedBundle& bundle, std::size_t limit);
  ReaderPool(const unpacker::OpenBundle& bundle, std::size_t limit);
  ReaderPool(const ReaderPool&) = delete;
  ReaderPool& operator=(const ReaderPool&) = delete;

  // A reader for this thread until it is destroyed.
  class Lease {
   public:
    Lease(Lease&&) = delete;
    ~Lease();
    unpacker::FileReader& operator*() { return *reader_; }
    unpacker::FileReader* operator->() { return reader_.get(); }

   private:
    friend class ReaderPool;
    Lease(ReaderPool& pool, std::unique_ptr<unpacker::FileReader> reader)
        : pool_(pool), reader_(std::move(reader)) {}
    ReaderPool& pool_;
    std::unique_ptr<unpacker::FileReader> reader_;
  };
  // Waits while all readers are in use. A thread that holds one must not ask for another.
  Lease lease();

 private:
  std::unique_ptr<unpacker::FileReader> make() const;

  const unpacker::VerifiedBundle* verified_ = nullptr;
  const unpacker::OpenBundle* open_ = nullptr;
  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<unpacker::FileReader>> idle_;
  std::size_t leased_ = 0;
};

}  // namespace sealpack::capi
