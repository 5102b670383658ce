// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "formats/base/result.h"

namespace sealpack {

// Threads to use when the user does not say: one a core, at most 16.
unsigned default_thread_count();

// Calls worker(0) … worker(count - 1), each once, from `threads` threads that each make their own
// worker with make_worker(). Starts no further unit after a failure; gives the first error.
template <typename MakeWorker>
Status run_parallel(unsigned threads, std::uint64_t count, MakeWorker make_worker) {
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::optional<Error> first;
  const auto work = [&] {
    auto worker = make_worker();
    for (;;) {
      const std::uint64_t unit = next.fetch_add(1);
      if (unit >= count || failed) return;
      Status status = worker(unit);
      if (status.ok()) continue;
      const std::lock_guard lock(mutex);
      if (!first) first = std::move(status).take_error();
      failed = true;
    }
  };
  if (threads <= 1) {
    work();
  } else {
    std::vector<std::jthread> pool;
    for (unsigned i = 0; i < threads; ++i) pool.emplace_back(work);
  }
  if (first) return *first;
  return done();
}

}  // namespace sealpack
