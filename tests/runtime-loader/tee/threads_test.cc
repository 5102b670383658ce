// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/threads.h"

#include <gtest/gtest.h>

#include <numeric>

namespace sealpack::tee {
namespace {

TEST(ThreadsUnderACap, LeaveAllButASixteenthOfItToTheModel) {
  constexpr std::uint64_t kMib = 1U << 20U;
  for (const std::uint64_t cap : {kMib, 5 * kMib, 16 * kMib, 64 * kMib, 1024 * kMib}) {
    for (const unsigned cores : {1U, 2U, 16U, 64U}) {
      const unsigned threads = threads_under(cap, cores);
      EXPECT_GE(threads, 1U);
      EXPECT_LE(threads, cores);
      EXPECT_LE((threads - 1) * kThreadStack, cap / 16) << cap << ", " << cores;
    }
  }
  EXPECT_EQ(threads_under(5 * kMib, 64), 3U);
  EXPECT_EQ(threads_under(1024 * kMib, 64), 64U);
  EXPECT_EQ(threads_under(0, 64), 64U);
}

TEST(WorkerThreads, DoEachPartOnce) {
  for (const unsigned count : {1U, 2U, 5U}) {
    WorkerThreads workers(count);
    EXPECT_EQ(workers.count(), count);
    for (std::size_t parts = 0; parts < 200; ++parts) {
      std::vector<std::atomic<int>> done(parts);
      workers.run(parts, [&](std::size_t part) { ++done[part]; });
      for (const auto& one : done) EXPECT_EQ(one, 1);
    }
  }
}

TEST(AheadThread, RunsOneJobAfterAnother) {
  AheadThread ahead;
  ahead.wait();  // for nothing
  int done = 0;
  for (int i = 0; i < 500; ++i) {
    ahead.start([&] { ++done; });
    ahead.wait();
    EXPECT_EQ(done, i + 1);
  }
}

TEST(AheadThread, FinishesWhatItBeganWhenItEnds) {
  bool done = false;
  {
    AheadThread ahead;
    ahead.start([&] { done = true; });
  }
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace sealpack::tee
