// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime-loader/nn/program/services_in_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace sealpack::nn::testing {

BudgetMemory::~BudgetMemory() {
  if (!blocks_.empty()) die("memory was not given back");
}

Result<MutableBytes> BudgetMemory::allocate(std::size_t size) {
  if (size > limit_ || held_ > limit_ - size) {
    return Error(ErrorCode::kLimit, "no room for " + std::to_string(size) + " bytes");
  }
  const std::size_t rounded = (size + 63) / 64 * 64;
  auto* data = static_cast<std::uint8_t*>(std::aligned_alloc(64, rounded));
  if (data == nullptr) return Error(ErrorCode::kLimit, "the heap is full");
  std::memset(data, 0xa5, rounded);  // contents are undefined: nobody may rely on zeros
  held_ += size;
  peak_ = std::max(peak_, held_);
  blocks_[data] = size;
  return MutableBytes(data, size);
}

void BudgetMemory::release(MutableBytes block) {
  const auto found = blocks_.find(block.data());
  if (found == blocks_.end() || found->second != block.size()) die("not a block of this memory");
  held_ -= block.size();
  blocks_.erase(found);
  std::memset(block.data(), 0, block.size());
  std::free(block.data());
}

Status PlainWeights::read(std::uint32_t file, std::uint64_t offset, MutableBytes out) {
  if (file >= files_.size()) return Error(ErrorCode::kIo, "no file " + std::to_string(file));
  auto status = files_[file]->read_at(offset, out);
  if (!status.ok()) std::fill(out.begin(), out.end(), std::uint8_t{0});
  return status;
}

Status MapSpill::store(std::uint64_t block, Bytes plain) {
  blocks_[block] = to_vector(plain);
  stored_ += plain.size();
  return done();
}

Status MapSpill::load(std::uint64_t block, MutableBytes plain) {
  const auto found = blocks_.find(block);
  if (found == blocks_.end() || found->second.size() != plain.size()) {
    return Error(ErrorCode::kNotAuthentic, "block " + std::to_string(block) + " is not there");
  }
  std::copy(found->second.begin(), found->second.end(), plain.begin());
  return done();
}

ThreadWorkers::ThreadWorkers(unsigned count) {
  for (unsigned i = 1; i < count; ++i) threads_.emplace_back([this] { serve(); });
}

ThreadWorkers::~ThreadWorkers() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  begun_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool ThreadWorkers::take_part() {
  std::unique_lock lock(mutex_);
  if (task_ == nullptr || next_ == parts_) return false;
  const std::size_t part = next_++;
  const auto* task = task_;
  lock.unlock();
  (*task)(part);
  lock.lock();
  if (--left_ == 0) ended_.notify_all();
  return true;
}

void ThreadWorkers::serve() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      begun_.wait(lock, [this] { return is_over_ || (task_ != nullptr && next_ < parts_); });
      if (is_over_) return;
    }
    while (take_part()) {
    }
  }
}

void ThreadWorkers::run(std::size_t parts, const std::function<void(std::size_t)>& task) {
  {
    const std::lock_guard lock(mutex_);
    task_ = &task;
    parts_ = left_ = parts;
    next_ = 0;
  }
  begun_.notify_all();
  while (take_part()) {
  }
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return left_ == 0; });
  task_ = nullptr;
}

ThreadBackground::ThreadBackground() : thread_([this] { serve(); }) {}

ThreadBackground::~ThreadBackground() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ThreadBackground::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return is_over_ || is_busy_; });
    if (!is_busy_) return;
    const auto job = std::move(job_);
    lock.unlock();
    job();
    lock.lock();
    is_busy_ = false;
    changed_.notify_all();
  }
}

void ThreadBackground::start(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  if (is_busy_) die("one job at a time");
  job_ = std::move(job);
  is_busy_ = true;
  changed_.notify_all();
}

void ThreadBackground::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !is_busy_; });
}

}  // namespace sealpack::nn::testing
