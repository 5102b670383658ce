// SPDX-License-Identifier: Apache-2.0
// Sessions with the real program: what it answers, what it refuses, what it shows.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "tests/runtime-loader/tee/looking.h"
#include "tests/runtime-loader/tee/process_testing.h"

namespace sealpack::tee {
namespace {

using loader::testing::some_input;
using sealpack::testing::content_of;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

TEST_F(ProcessCase, AnswersAsTheModelDoes) {
  const auto x = some_input(1);
  const auto got = answer(0, x);
  ASSERT_THAT(got, Succeeds());
  EXPECT_TRUE(is_right(*got, x));
}

TEST_F(ProcessCase, AnswersTheSameUnderACap) {
  const auto x = some_input(2);
  const auto free = answer(0, x);
  ASSERT_THAT(free, Succeeds());
  for (const std::uint64_t cap : {4 * kMiB, 16 * kMiB}) {
    const auto capped = answer(cap, x);
    ASSERT_THAT(capped, Succeeds());
    EXPECT_EQ(*capped, *free);
    const auto use = backend->use();
    ASSERT_THAT(use, Succeeds());
    EXPECT_LE(use->memory.peak, cap);
    EXPECT_GE(use->memory.peak, use->memory.base);
  }
}

TEST_F(ProcessCase, TakesNoMoreThanTheKernelSays) {
  if (!may_look()) GTEST_SKIP() << kNoLooking;
  ASSERT_THAT(answer(6 * kMiB, some_input(3)), Succeeds());
  const std::string rollup =
      content_of("/proc/" + std::to_string(backend->process()) + "/smaps_rollup");
  const std::size_t at = rollup.find("\nAnonymous:");
  ASSERT_NE(at, std::string::npos);
  const std::uint64_t anonymous = std::stoull(rollup.substr(at + 11)) << 10U;
  const auto use = backend->use();
  ASSERT_THAT(use, Succeeds());
  EXPECT_LE(anonymous, use->memory.peak);
  EXPECT_LE(use->memory.peak, 6 * kMiB);
}

TEST_F(ProcessCase, ReportsTheMeasurementOfItsProgramAndLaunch) {
  ASSERT_THAT(start(), Succeeds());
  const auto launched = client->launch(config);
  ASSERT_THAT(launched, Succeeds());
  EXPECT_EQ(launched->measurement, backend->expected_measurement(launched->launch));
  ASSERT_THAT(start(8 * kMiB), Succeeds());
  const auto capped = client->launch(config);
  ASSERT_THAT(capped, Succeeds());
  EXPECT_NE(capped->measurement, launched->measurement);  // the cap is part of it
  config.owners[0].trust.counter_floor = 1;
  config.owners[0].trust.product = setting.recipe.public_files.empty() ? "p" : "q";
  ASSERT_THAT(start(8 * kMiB), Succeeds());
  const auto other = client->launch(config);
  ASSERT_THAT(other, Succeeds());
  EXPECT_NE(other->measurement, capped->measurement);  // and so is whom it trusts
}

TEST_F(ProcessCase, SaysWhatItIs) {
  ASSERT_THAT(start(), Succeeds());
  const Capabilities& what = backend->capabilities();
  EXPECT_TRUE(what.simulated);
  EXPECT_FALSE(what.evidence);
  EXPECT_EQ(what.tee, "simulated");
  EXPECT_GT(what.switch_nanoseconds, 0U);
  EXPECT_EQ(what.confinement.front(), "seccomp");
}

TEST_F(ProcessCase, RefusesACapThatDoesNotHoldItself) {
  EXPECT_THAT(start(kMiB), FailsWith(ErrorCode::kLimit, HasSubstr("too small")));
}

TEST_F(ProcessCase, RefusesAModelThatDoesNotFit) {
  ASSERT_THAT(start(), Succeeds());
  ASSERT_THAT(add(), Succeeds());
  ASSERT_THAT(unlock(), Succeeds());
  EXPECT_THAT(load(1024), Fails(ErrorCode::kLimit));
  EXPECT_GT(client->last_refusal().number, 1024U);
  EXPECT_THAT(load(client->last_refusal().number), Succeeds());
}

TEST_F(ProcessCase, JudgesTrustItself) {
  auto strangers = sealpack::testing::trust_in(sealpack::testing::make_keys());
  config.owners[0].trust = strangers;
  ASSERT_THAT(start(), Succeeds());
  EXPECT_FALSE(add().ok());
  EXPECT_EQ(client->last_refusal().stage, loader::Stage::kVerify);

  config = setting.config;
  config.owners[0].trust.product = "acme/other";
  ASSERT_THAT(start(), Succeeds());
  EXPECT_THAT(add(), Fails(ErrorCode::kRefused));
}

TEST_F(ProcessCase, TakesNoKeyButTheRightOne) {
  ASSERT_THAT(start(), Succeeds());
  ASSERT_THAT(add(), Succeeds());
  const auto wrong = crypto::ContentKey::random();
  EXPECT_THAT(client->unlock(0, setting.challenge,
                             [&](const loader::KeyRequest& request) {
                               return loader::make_key_grant(request, wrong, {}, nullptr);
                             }),
              Fails(ErrorCode::kKeyUnavailable));
  EXPECT_FALSE(load().ok());
}

TEST_F(ProcessCase, RefusesABundleThatShrank) {
  ASSERT_THAT(start(), Succeeds());
  ASSERT_THAT(add(), Succeeds());
  ASSERT_THAT(unlock(), Succeeds());
  ASSERT_EQ(::truncate(path.c_str(), 70000), 0);
  EXPECT_THAT(load(), Fails(ErrorCode::kIo));
}

TEST_F(ProcessCase, RefusesBytesThatChangedSinceTheyWereLoaded) {
  ASSERT_THAT(start(), Succeeds());
  ASSERT_THAT(add(), Succeeds());
  ASSERT_THAT(unlock(), Succeeds());
  ASSERT_THAT(load(1024), Fails(ErrorCode::kLimit));
  const auto model = load(client->last_refusal().number);
  ASSERT_THAT(model, Succeeds());
  ASSERT_GT(model->streamed, 0U);  // read again in every run
  const auto x = some_input(4);
  const auto before = run(x);
  ASSERT_THAT(before, Succeeds());
  const std::uint64_t size = file->size();
  for (std::uint64_t at = size / 2; at < size; at += 4096) flip(at);
  const auto after = run(x);
  if (after.ok()) {
    EXPECT_EQ(*after, *before);
  }
  for (std::uint64_t at = size / 2; at < size; at += 4096) flip(at);
  for (std::uint64_t at = 0; at < size; at += 512) flip(at);
  EXPECT_THAT(run(x), Fails(ErrorCode::kNotAuthentic));
}

TEST_F(ProcessCase, GivesNoWrongAnswerWhileItsBundleIsRewritten) {
  const auto x = some_input(5);
  const std::uint64_t size = std::filesystem::file_size(path);
  std::atomic<bool> stop{false};
  std::size_t right = 0;
  std::jthread rewriter([&] {
    for (std::uint64_t i = 0; !stop; ++i) {
      const std::uint64_t at = (i / 2 * 7919) % size;
      flip(at);
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  });
  for (int i = 0; i < 20; ++i) {
    const auto got = answer(0, x);
    if (!got.ok()) continue;
    EXPECT_TRUE(is_right(*got, x));
    ++right;
  }
  stop = true;
  RecordProperty("right", static_cast<int>(right));
}

bool contains(Bytes haystack, Bytes needle) {
  return std::search(haystack.begin(), haystack.end(), needle.begin(), needle.end()) !=
         haystack.end();
}

// Any 32 bytes of the weights, at any step of 32, and the key.
void expect_no_secrets(Bytes bytes, const loader::testing::Setting& setting, const char* where) {
  EXPECT_FALSE(contains(bytes, setting.keys.content.reveal())) << where;
  const ByteVector weights = loader::testing::bytes_of(setting.model.w2);
  for (std::size_t at = 0; at + 32 <= weights.size(); at += 32) {
    if (contains(bytes, Bytes(weights).subspan(at, 32))) {
      ADD_FAILURE() << "weights in " << where;
      return;
    }
  }
}

TEST_F(ProcessCase, ShowsNoSecretsToTheNormalWorld) {
  const std::filesystem::path log = folder.put("log", "");
  const FileDescriptor errors(::open(log.c_str(), O_RDWR | O_CLOEXEC));
  ProcessOptions how = options(4 * kMiB);
  how.errors = errors.get();
  ASSERT_THAT(start(how), Succeeds());
  ASSERT_THAT(add(), Succeeds());
  ASSERT_THAT(unlock(), Succeeds());
  ASSERT_THAT(load(1024), Fails(ErrorCode::kLimit));
  ASSERT_THAT(load(client->last_refusal().number), Succeeds());  // spills, if it can
  ASSERT_THAT(run(some_input(6)), Succeeds());
  const std::string proc = "/proc/" + std::to_string(backend->process()) + "/";
  for (const char* name : {"cmdline", "environ", "status", "comm"}) {
    expect_no_secrets(as_bytes(content_of(proc + name)), setting, name);
  }
  // Everything both worlds can write: inputs, answers, sealed activations.
  expect_no_secrets({backend->shared().data, how.shared_bytes + how.spill_bytes}, setting,
                    "the shared memory");
  EXPECT_THAT(content_of(log), IsEmpty());
  EXPECT_EQ(folder.names(), (std::set<std::string>{"log", "m.seal"}));
}

TEST_F(ProcessCase, ItsEndIsAnErrorNotAWait) {
  ASSERT_THAT(start(), Succeeds());
  ASSERT_THAT(add(), Succeeds());
  ASSERT_EQ(::kill(backend->process(), SIGKILL), 0);
  EXPECT_THAT(unlock(), FailsWith(ErrorCode::kIo, HasSubstr("killed by signal 9")));
  EXPECT_THAT(load(), Fails(ErrorCode::kIo));
}

}  // namespace
}  // namespace sealpack::tee
