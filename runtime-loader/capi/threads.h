// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime-loader/nn/services.h"

// Threads for the executor, which has none of its own.
namespace sealpack::capi {

// `count` - 1 threads that wait for work, beside the one that calls.
class ThreadWorkers final : public nn::Workers {
 public:
  explicit ThreadWorkers(unsigned count);
  ~ThreadWorkers() override;
  ThreadWorkers(const ThreadWorkers&) = delete;
  ThreadWorkers& operator=(const ThreadWorkers&) = delete;

  unsigned count() const override { return static_cast<unsigned>(threads_.size()) + 1; }
  void run(std::size_t parts, const std::function<void(std::size_t)>& task) override;

 private:
  void work();
  void stop();
  // Does parts until none is left; called with the lock held.
  void do_parts(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable finished_;
  const std::function<void(std::size_t)>* task_ = nullptr;
  std::size_t next_ = 0;
  std::size_t parts_ = 0;
  std::size_t running_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

// One thread that does one job at a time.
class BackgroundThread final : public nn::Background {
 public:
  BackgroundThread();
  ~BackgroundThread() override;
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;

  void start(std::function<void()> job) override;
  void wait() override;

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> job_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sealpack::capi
