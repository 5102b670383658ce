// SPDX-License-Identifier: Apache-2.0
// A broker whose clock is wrong releases nothing until somebody looks.
#include "keymgmt/broker/clock_guard.h"

#include "tests/keymgmt/broker/release_setting.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Succeeds;
using namespace testing;

constexpr std::uint64_t kUp = 5000;

State logged_at(std::uint64_t time, std::uint64_t confirmed = 0) {
  State state;
  state.last_time = time;
  state.clock_confirmed = confirmed;
  return state;
}

TEST(ClockGuards, BelieveATimeAfterTheLog) {
  for (const std::uint64_t now : {kNow, kNow - kClockBehind, kNow + kClockAhead}) {
    ClockGuard guard;
    EXPECT_EQ(guard.check(logged_at(kNow), now, kUp), std::nullopt) << now;
  }
  for (const std::uint64_t now :
       {std::uint64_t{0}, kNow - kClockBehind - 1, kNow + kClockAhead + 1}) {
    ClockGuard guard;
    const auto reason = guard.check(logged_at(kNow), now, kUp);
    ASSERT_TRUE(reason) << now;
    EXPECT_EQ(reason->code, "broker.clock");
  }
}

TEST(ClockGuards, BelieveTimeThatPasses) {
  ClockGuard guard;
  for (std::uint64_t passed = 0; passed < 3 * kClockAhead; passed += kClockAhead / 2) {
    EXPECT_EQ(guard.check(logged_at(kNow), kNow + passed, kUp + passed), std::nullopt) << passed;
  }
}

TEST(ClockGuards, NoticeAClockThatIsSet) {
  const auto after = [](std::uint64_t now, std::uint64_t uptime) {
    ClockGuard guard;
    EXPECT_EQ(guard.check(logged_at(kNow), kNow, kUp), std::nullopt);
    return guard.check(logged_at(kNow), now, uptime).has_value();
  };
  EXPECT_FALSE(after(kNow + 100 + kClockJump, kUp + 100));
  EXPECT_TRUE(after(kNow + 100 + kClockJump + 1, kUp + 100));
  EXPECT_FALSE(after(kNow + 100 - kClockBehind, kUp + 100));
  EXPECT_TRUE(after(kNow + 100 - kClockBehind - 1, kUp + 100));
  EXPECT_FALSE(after(kNow, kUp - 1));  // threads in another order
}

// Each step is less than what is noticed, and they are noticed together.
TEST(ClockGuards, NoticeManySmallSteps) {
  for (const bool ahead : {true, false}) {
    const std::uint64_t step = ahead ? kClockJump / 2 : kClockBehind / 2;
    const auto at = [&](std::uint64_t steps) {
      return ahead ? kNow + steps * step : kNow - steps * step;
    };
    ClockGuard guard;
    for (const std::uint64_t steps : {0U, 1U, 2U}) {
      EXPECT_EQ(guard.check(logged_at(kNow), at(steps), kUp), std::nullopt) << steps;
    }
    for (const std::uint64_t steps : {3U, 4U, 5U}) {
      EXPECT_TRUE(guard.check(logged_at(kNow), at(steps), kUp)) << steps;
    }
  }
}

// Two clocks of one machine that are never set may still go at two rates.
TEST(ClockGuards, GrowOlderWithTheirMachine) {
  constexpr std::uint64_t kYear = 365 * 24 * 3600;
  constexpr std::uint64_t kDrift = kYear / kClockDrift;
  ClockGuard guard;
  EXPECT_EQ(guard.check(logged_at(kNow), kNow, kUp), std::nullopt);
  const std::uint64_t later = kNow + kYear;
  EXPECT_EQ(guard.check(logged_at(kNow), later + kDrift + kClockJump, kUp + kYear), std::nullopt);
  EXPECT_TRUE(guard.check(logged_at(kNow), later + kDrift + kClockJump + 1, kUp + kYear));
  EXPECT_EQ(guard.check(logged_at(kNow), later - kDrift - kClockBehind, kUp + kYear), std::nullopt);
  EXPECT_TRUE(guard.check(logged_at(kNow), later - kDrift - kClockBehind - 1, kUp + kYear));
}

// A machine that starts without its time and gets it later needs nobody.
TEST(ClockGuards, BelieveAClockThatWasPutRight) {
  ClockGuard guard;
  EXPECT_TRUE(guard.check(logged_at(kNow), 1000, kUp));
  EXPECT_EQ(guard.check(logged_at(kNow), kNow + 20, kUp + 10), std::nullopt);
  EXPECT_TRUE(guard.check(logged_at(kNow), kNow + kClockAhead, kUp + 11));
  EXPECT_EQ(guard.check(logged_at(kNow), kNow + 22, kUp + 12), std::nullopt);
}

TEST(ClockGuards, BelieveWhatAnOperatorConfirmed) {
  ClockGuard guard;
  EXPECT_EQ(guard.check(logged_at(kNow), kNow, kUp), std::nullopt);
  EXPECT_TRUE(guard.check(logged_at(kNow), kNow - 5000, kUp));
  EXPECT_EQ(guard.check(logged_at(kNow - 5001, 17), kNow - 5000, kUp + 1), std::nullopt);
  EXPECT_TRUE(guard.check(logged_at(kNow - 5001, 17), kNow, kUp + 2));
}

class WrongClocks : public ReleaseTest {
 protected:
  // Time passes only for the clock that is set.
  void start_still() {
    setting_.start([](ServiceOptions& options) { options.uptime = [] { return kUp; }; });
  }
};

TEST_F(WrongClocks, StopABrokerThatRuns) {
  start_still();
  Client client(setting_);
  const auto reply = challenge_of(service(), client.subject);
  for (const std::uint64_t now : {kNow - kClockBehind - 1, kNow + kClockJump + 1}) {
    *setting_.clock = now;
    const Answer answer = service().challenge(serialize(client.subject), Transport::kNetwork);
    EXPECT_EQ(codes_of(answer), "broker.clock");
    EXPECT_EQ(refusal_in(answer).code, ErrorCode::kTryAgain);
    EXPECT_EQ(refusal_in(answer).retry_after, 60U);
    EXPECT_EQ(codes_of(release_of(service(), client.release_request(reply))), "broker.clock");
  }
  *setting_.clock = kNow + 1;
  EXPECT_EQ(codes_of(release_of(service(), client.release_request(reply))), "");
}

TEST_F(WrongClocks, StopABrokerThatStarts) {
  for (const std::uint64_t now : {kNow - kClockBehind - 1, kNow + kClockAhead + 1}) {
    *setting_.clock = now;
    start();
    Client client(setting_);
    EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.clock");
  }
}

TEST_F(WrongClocks, AreRightOnceAnOperatorSaysSo) {
  start_still();
  Client client(setting_);
  const auto before = challenge_of(service(), client.subject);
  *setting_.clock = kNow - 100000;
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.clock");
  ASSERT_THAT(setting_.apply(ConfirmClock{}), Succeeds());
  EXPECT_EQ(refused_for(client), "");
  // What the wrong clock made would live too long.
  EXPECT_EQ(codes_of(release_of(service(), client.release_request(before))), "broker.nonce-forged");
  EXPECT_EQ(entries_of(*setting_.store).back().time, kNow - 100000);
}

}  // namespace
}  // namespace sealpack::broker
