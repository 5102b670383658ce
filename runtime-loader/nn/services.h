// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "formats/base/bytes.h"

// What the executor needs from where it runs. All of it is the caller's: nothing in nn/ makes
// memory, threads, files or random numbers of its own (docs/LOADER.md).
namespace sealpack::nn {

// Secure memory for weights, activations and buffers. Called from one thread.
class Memory {
 public:
  virtual ~Memory() = default;
  // `size` bytes aligned to 64, contents undefined. kLimit when the cap does not allow it.
  virtual Result<MutableBytes> allocate(std::size_t size) = 0;
  // Wipes and takes back exactly what allocate gave.
  virtual void release(MutableBytes block) = 0;
};

// Bytes of the weights, by file. File 0 is the ONNX file itself; others are external data files in
// the order of Graph::external_files. What comes back is verified and decrypted. Called from the
// thread that runs and from the one that fetches ahead.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  // Fills `out` or fails; a failure leaves `out` zero.
  virtual Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out) = 0;
};

// Threads that help with one piece of work at a time.
class Workers {
 public:
  virtual ~Workers() = default;
  // At least 1: the calling thread counts.
  virtual unsigned count() const = 0;
  // Calls task(0) … task(parts - 1), each once, in any order, in parallel; returns when all are
  // done. Tasks neither fail nor call run.
  virtual void run(std::size_t parts, const std::function<void(std::size_t)>& task) = 0;
};
// No threads: the caller does everything.
Workers& no_workers();

// One thing being done ahead of its need, on another thread where there is one.
class Background {
 public:
  virtual ~Background() = default;
  // Starts `job`; there is at most one at a time. Without a thread, runs it at once.
  virtual void start(std::function<void()> job) = 0;
  // Returns when the job that was started is done.
  virtual void wait() = 0;
};
Background& no_background();

// Memory outside, for activations that do not fit. Contents are sealed with a key made here, and an
// answer that is not the latest one stored under that number is refused.
class SpillStore {
 public:
  virtual ~SpillStore() = default;
  // Stores `plain` as block `block`, replacing what was there. kIo, kLimit.
  virtual Status store(std::uint64_t block, Bytes plain) = 0;
  // The bytes last stored, same size. kNotAuthentic.
  virtual Status load(std::uint64_t block, MutableBytes plain) = 0;
  virtual void forget(std::uint64_t block) = 0;
};

}  // namespace sealpack::nn
