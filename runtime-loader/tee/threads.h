// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime-loader/nn/services.h"

namespace sealpack::tee {

// Stack of each thread but the first, counted against the cap.
inline constexpr std::size_t kThreadStack = std::size_t{128} << 10U;
// For threads made from here on.
void set_thread_stack();
// Of `threads`, as many as a cap has room for without their stacks taking it from the model. 0: no
// cap.
unsigned threads_under(std::uint64_t cap, unsigned threads);

// Threads that are made once, before a system call filter forbids making any. When a constructor
// returns they run: nothing of their start is left to be done.
class WorkerThreads final : public nn::Workers {
 public:
  explicit WorkerThreads(unsigned count);  // including the caller's
  ~WorkerThreads() override;
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;

  unsigned count() const override { return static_cast<unsigned>(threads_.size()) + 1; }
  void run(std::size_t parts, const std::function<void(std::size_t)>& task) override;

 private:
  void work();
  void do_parts();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  const std::function<void(std::size_t)>* task_ = nullptr;
  std::size_t parts_ = 0;
  std::atomic<std::size_t> next_{0};
  std::uint64_t round_ = 0;
  std::size_t busy_ = 0;  // threads that have not finished this round; at first, not started
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

// One thread that fetches ahead.
class AheadThread final : public nn::Background {
 public:
  AheadThread();
  ~AheadThread() override;
  AheadThread(const AheadThread&) = delete;
  AheadThread& operator=(const AheadThread&) = delete;

  void start(std::function<void()> job) override;
  void wait() override;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> job_;  // empty: nothing to do
  bool started_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sealpack::tee
