// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "formats/base/block_source.h"
#include "runtime-loader/nn/services.h"

// What a program needs from where it runs, without secrets: for tests, measurements and tools.
namespace sealpack::nn::testing {

// Memory from the heap that refuses to hold more than its limit and remembers the most it held.
class BudgetMemory final : public Memory {
 public:
  explicit BudgetMemory(std::uint64_t limit = ~std::uint64_t{0}) : limit_(limit) {}
  ~BudgetMemory() override;
  Result<MutableBytes> allocate(std::size_t size) override;
  void release(MutableBytes block) override;
  std::uint64_t held() const { return held_; }
  std::uint64_t peak() const { return peak_; }

 private:
  std::uint64_t limit_, held_ = 0, peak_ = 0;
  std::map<const std::uint8_t*, std::size_t> blocks_;
};

// Weights from files that are open already.
class PlainWeights final : public WeightSource {
 public:
  explicit PlainWeights(std::vector<const BlockSource*> files) : files_(std::move(files)) {}
  Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out) override;

 private:
  std::vector<const BlockSource*> files_;
};

// Blocks in a map. Refuses a size other than the one stored.
class MapSpill final : public SpillStore {
 public:
  Status store(std::uint64_t block, Bytes plain) override;
  Status load(std::uint64_t block, MutableBytes plain) override;
  void forget(std::uint64_t block) override { blocks_.erase(block); }
  std::size_t count() const { return blocks_.size(); }
  std::uint64_t stored() const { return stored_; }  // bytes, over all calls

 private:
  std::map<std::uint64_t, ByteVector> blocks_;
  std::uint64_t stored_ = 0;
};

class ThreadWorkers final : public Workers {
 public:
  explicit ThreadWorkers(unsigned count);
  ~ThreadWorkers() override;
  unsigned count() const override { return static_cast<unsigned>(threads_.size()) + 1; }
  void run(std::size_t parts, const std::function<void(std::size_t)>& task) override;

 private:
  void serve();
  bool take_part();

  std::mutex mutex_;
  std::condition_variable begun_, ended_;
  const std::function<void(std::size_t)>* task_ = nullptr;
  std::size_t parts_ = 0, next_ = 0, left_ = 0;
  bool is_over_ = false;
  std::vector<std::thread> threads_;
};

class ThreadBackground final : public Background {
 public:
  ThreadBackground();
  ~ThreadBackground() override;
  void start(std::function<void()> job) override;
  void wait() override;

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> job_;
  bool is_busy_ = false, is_over_ = false;
  std::thread thread_;
};

}  // namespace sealpack::nn::testing
