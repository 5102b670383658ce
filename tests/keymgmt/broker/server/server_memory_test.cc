// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <sys/resource.h>

#include "tests/keymgmt/broker/server/running_server.h"
#include "tests/keymgmt/broker/server/tls_client.h"
#include "tests/testing/sanitizers.h"

namespace sealpack::broker {
namespace {

using testing::happens;
using testing::patient_limits;
using testing::RunningServer;
using testing::TlsClient;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

// Both ends of each are here.
bool allow_connections(rlim_t count) {
  rlimit files{};
  const rlim_t needed = 2 * count + 500;
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max < needed) return false;
  files.rlim_cur = std::max(files.rlim_cur, needed);
  return ::setrlimit(RLIMIT_NOFILE, &files) == 0;
}

// What is free again is malloc's, who keeps hundreds of MiB behind a few blocks that live on.
TEST(Servers, GiveBackTheMemoryThatACrowdTook) {
  if (sealpack::testing::kSanitized) GTEST_SKIP() << "a sanitizer's allocator keeps what is free";
  constexpr std::size_t kCrowd = 400;
  if (!allow_connections(kCrowd)) GTEST_SKIP() << "too few open files";
  ServerLimits limits = patient_limits();
  limits.connections_per_address = kCrowd;
  limits.handshake_burst = kCrowd;
  RunningServer server(limits);
  server.start();
  (void)::malloc_trim(0);  // of the tests before
  const std::uint64_t before = resident_memory();
  std::vector<std::unique_ptr<TlsClient>> crowd;
  while (crowd.size() < kCrowd) {
    crowd.push_back(std::make_unique<TlsClient>(server.port()));
    ASSERT_TRUE(crowd.back()->connected());
  }
  ASSERT_TRUE(happens([&] { return resident_memory() > before + 16 * kMiB; }));
  crowd.clear();
  EXPECT_TRUE(happens([&] { return resident_memory() < before + 8 * kMiB; }))
      << (resident_memory() - before) / kMiB << " MiB more than before";
}

}  // namespace
}  // namespace sealpack::broker
