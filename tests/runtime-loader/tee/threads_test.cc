// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/threads.h"

#include <gtest/gtest.h>

#include <numeric>

namespace sealpack::tee {
namespace {

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
