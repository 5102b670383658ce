// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/capi/threads.h"

namespace sealpack::capi {

ThreadWorkers::ThreadWorkers(unsigned count) {
  try {
    for (unsigned i = 1; i < count; ++i) threads_.emplace_back([this] { work(); });
  } catch (...) {
    stop();
    throw;
  }
}

ThreadWorkers::~ThreadWorkers() {
  stop();
}

void ThreadWorkers::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadWorkers::do_parts(std::unique_lock<std::mutex>& lock) {
  while (next_ < parts_) {
    const std::size_t part = next_++;
    ++running_;
    const auto& task = *task_;
    lock.unlock();
    task(part);
    lock.lock();
    if (--running_ == 0 && next_ >= parts_) finished_.notify_all();
  }
}

void ThreadWorkers::run(std::size_t parts, const std::function<void(std::size_t)>& task) {
  if (threads_.empty() || parts <= 1) {
    for (std::size_t part = 0; part < parts; ++part) task(part);
    return;
  }
  std::unique_lock lock(mutex_);
  task_ = &task;
  next_ = 0;
  parts_ = parts;
  wake_.notify_all();
  do_parts(lock);
  finished_.wait(lock, [this] { return running_ == 0; });
  parts_ = 0;
  next_ = 0;
}

void ThreadWorkers::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || next_ < parts_; });
    if (stop_) return;
    do_parts(lock);
  }
}

BackgroundThread::BackgroundThread() : thread_([this] { work(); }) {}

BackgroundThread::~BackgroundThread() {
  wait();
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BackgroundThread::start(std::function<void()> job) {
  wait();
  {
    const std::lock_guard lock(mutex_);
    job_ = std::move(job);
  }
  changed_.notify_all();
}

void BackgroundThread::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !job_; });
}

void BackgroundThread::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || job_; });
    if (stop_) return;
    // Stays set while it runs: that is what wait() waits for.
    const std::function<void()>& job = job_;
    lock.unlock();
    job();
    lock.lock();
    job_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace sealpack::capi
