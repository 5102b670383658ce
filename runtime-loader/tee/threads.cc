// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/threads.h"

#include <pthread.h>

#include <algorithm>

namespace sealpack::tee {
namespace {

constexpr std::uint64_t kShareOfStacks = 16;  // a sixteenth of the cap

}  // namespace

void set_thread_stack() {
  pthread_attr_t attributes;
  if (::pthread_attr_init(&attributes) != 0 ||
      ::pthread_attr_setstacksize(&attributes, kThreadStack) != 0 ||
      ::pthread_setattr_default_np(&attributes) != 0) {
    die("cannot set the size of stacks");
  }
  (void)::pthread_attr_destroy(&attributes);
}

unsigned threads_under(std::uint64_t cap, unsigned threads) {
  if (cap == 0) return threads;
  const std::uint64_t room = cap / kShareOfStacks / kThreadStack;
  return static_cast<unsigned>(std::min<std::uint64_t>(threads, 1 + room));
}

WorkerThreads::WorkerThreads(unsigned count) {
  busy_ = count - 1;
  for (unsigned i = 1; i < count; ++i) threads_.emplace_back([this] { work(); });
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
}

WorkerThreads::~WorkerThreads() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerThreads::do_parts() {
  for (;;) {
    const std::size_t part = next_.fetch_add(1);
    if (part >= parts_) return;
    (*task_)(part);
  }
}

void WorkerThreads::run(std::size_t parts, const std::function<void(std::size_t)>& task) {
  if (threads_.empty() || parts <= 1) {
    for (std::size_t part = 0; part < parts; ++part) task(part);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    task_ = &task;
    parts_ = parts;
    next_ = 0;
    busy_ = threads_.size();
    ++round_;
  }
  wake_.notify_all();
  do_parts();
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
  task_ = nullptr;
}

void WorkerThreads::work() {
  std::uint64_t seen = 0;
  {
    const std::lock_guard lock(mutex_);
    if (--busy_ == 0) done_.notify_one();
  }
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || round_ != seen; });
      if (stop_) return;
      seen = round_;
    }
    do_parts();
    const std::lock_guard lock(mutex_);
    if (--busy_ == 0) done_.notify_one();
  }
}

AheadThread::AheadThread() {
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    started_ = true;
    changed_.notify_all();
    for (;;) {
      changed_.wait(lock, [this] { return stop_ || job_; });
      if (!job_) return;
      lock.unlock();
      job_();
      lock.lock();
      job_ = nullptr;
      changed_.notify_all();
    }
  });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return started_; });
}

AheadThread::~AheadThread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void AheadThread::start(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (job_) die("two things are fetched ahead at once");
    job_ = std::move(job);
  }
  changed_.notify_all();
}

void AheadThread::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !job_; });
}

}  // namespace sealpack::tee
