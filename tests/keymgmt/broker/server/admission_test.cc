// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/server/admission.h"

#include <gtest/gtest.h>

namespace sealpack::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ClientAddress address(std::uint8_t last) {
  return ClientAddress::of_ipv4({192, 0, 2, last});
}
ClientAddress network(std::uint8_t seventh, std::uint8_t last) {
  return ClientAddress::of_ipv6({0x20, 1, 0xd, 0xb8, 0, 0, 0, seventh, 0, 0, 0, 0, 0, 0, 0, last});
}

const RateLimiter::Instant kStart{seconds(1000)};

TEST(ClientAddresses, OfOneIpv6NetworkAreOneClient) {
  EXPECT_EQ(network(1, 1), network(1, 2));
  EXPECT_NE(network(1, 1), network(2, 1));
}

TEST(ClientAddresses, InIpv6FormAreTheIpv4Address) {
  std::array<std::uint8_t, 16> mapped{};
  mapped[10] = mapped[11] = 0xff;
  mapped[12] = 192;
  mapped[14] = 2;
  mapped[15] = 7;
  EXPECT_EQ(ClientAddress::of_ipv6(mapped), address(7));
}

TEST(Rates, AllowABurstAndThenSoManyASecond) {
  RateLimiter limiter(2, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.take(address(1), kStart), 0U);
  EXPECT_EQ(limiter.take(address(1), kStart), 1U);
  EXPECT_EQ(limiter.take(address(1), kStart + milliseconds(499)), 1U);
  EXPECT_EQ(limiter.take(address(1), kStart + milliseconds(500)), 0U);
  EXPECT_EQ(limiter.take(address(1), kStart + milliseconds(500)), 1U);
}

TEST(Rates, AreOfOneAddressAlone) {
  RateLimiter limiter(1, 1);
  EXPECT_EQ(limiter.take(address(1), kStart), 0U);
  EXPECT_NE(limiter.take(address(1), kStart), 0U);
  EXPECT_EQ(limiter.take(address(2), kStart), 0U);
}

TEST(Rates, SayHowLongToWait) {
  RateLimiter slow(1, 1);
  EXPECT_EQ(slow.take(address(1), kStart), 0U);
  EXPECT_EQ(slow.take(address(1), kStart), 1U);
  RateLimiter never(0, 0);
  EXPECT_EQ(never.take(address(1), kStart), 3600U);
}

TEST(Rates, AreNotRefilledByAClockThatGoesBack) {
  RateLimiter limiter(1, 1);
  EXPECT_EQ(limiter.take(address(1), kStart), 0U);
  EXPECT_NE(limiter.take(address(1), kStart - seconds(100)), 0U);
}

// A flood of addresses takes neither memory without end nor the buckets of those who are there.
TEST(Rates, LetNewcomersShareWhenAllBucketsAreInUse) {
  RateLimiter limiter(1, 2, 4);
  for (std::uint8_t i = 0; i < 4; ++i) {
    EXPECT_EQ(limiter.take(address(i), kStart), 0U);
    EXPECT_EQ(limiter.take(address(i), kStart), 0U);
  }
  EXPECT_EQ(limiter.take(address(100), kStart), 0U);
  EXPECT_EQ(limiter.take(address(101), kStart), 0U);
  EXPECT_NE(limiter.take(address(102), kStart), 0U);  // what they share is empty
  EXPECT_EQ(limiter.take(address(0), kStart + seconds(1)), 0U);
}

TEST(Rates, ForgetWhoIsFullAgain) {
  RateLimiter limiter(1, 1, 2);
  EXPECT_EQ(limiter.take(address(1), kStart), 0U);
  EXPECT_EQ(limiter.take(address(2), kStart), 0U);
  const auto later = kStart + seconds(10);
  for (std::uint8_t i = 10; i < 12; ++i) EXPECT_EQ(limiter.take(address(i), later), 0U);
}

// Of many more addresses than there are buckets, each still has its rate or shares one: nobody is
// let in without a token. How well one limiter's secret spreads these addresses is luck, of many it
// is not.
TEST(Rates, HoldWhereAddressesCrowd) {
  constexpr unsigned kLimiters = 100;
  unsigned all = 0;
  for (unsigned round = 0; round < kLimiters; ++round) {
    RateLimiter limiter(1, 1, 64);
    unsigned taken = 0;
    for (std::uint8_t i = 0; i < 250; ++i) {
      for (std::uint8_t host = 0; host < 4; ++host) {
        const auto who = ClientAddress::of_ipv4({10, host, 0, i});
        taken += limiter.take(who, kStart) == 0 ? 1U : 0U;
      }
    }
    EXPECT_LE(taken, 65U);  // the buckets, and the one that all others share
    all += taken;
  }
  EXPECT_GE(all, kLimiters * 50);
}

TEST(Quotas, AreForAllAndForEach) {
  Quota quota(5, 3);
  Share first = quota.take(address(1), 3);
  EXPECT_TRUE(first);
  EXPECT_FALSE(quota.take(address(1)));
  const Share second = quota.take(address(2), 2);
  EXPECT_TRUE(second);
  EXPECT_FALSE(quota.take(address(3)));
  EXPECT_EQ(quota.used(), 5U);
  first.reset();
  EXPECT_EQ(quota.used(), 2U);
  EXPECT_TRUE(quota.take(address(1), 3));
}

TEST(Quotas, TakeNoAmountThatWrapsAround) {
  Quota quota(5, 3);
  const Share some = quota.take(address(1), 2);
  EXPECT_FALSE(quota.take(address(1), ~std::uint64_t{0}));
  EXPECT_FALSE(quota.take(address(2), ~std::uint64_t{0}));
  EXPECT_EQ(quota.used(), 2U);
}

TEST(Quotas, MayEndBeforeTheirShares) {
  Share share;
  {
    Quota quota(1, 1);
    share = quota.take(address(1));
    EXPECT_TRUE(share);
  }
  share.reset();
}

}  // namespace
}  // namespace sealpack::broker
