// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/machine.h"

#include "tests/runtime-loader/core/host_side.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using sealpack::testing::Succeeds;
using testing::bytes_of;
using testing::floats_of;
using testing::HostSide;
using testing::is_refused;
using testing::Setting;
using testing::some_input;

class Machines : public ::testing::TestWithParam<bool> {
 protected:
  HostSide& host() {
    if (!host_) host_.emplace(setting_, GetParam());
    return *host_;
  }
  void expect_scores(const TeeMessage& message, const std::vector<float>& x) {
    const auto* answer = std::get_if<AnswerMessage>(&message);
    ASSERT_NE(answer, nullptr);
    ASSERT_EQ(answer->tensors.size(), 2U);
    const BufferRange range = answer->tensors[0].range;
    const auto scores = floats_of(Bytes(host().buffer()).subspan(range.at, range.size));
    const auto expected = setting_.model.answer(x);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(scores[i], expected[i], 1e-3);
  }
  Setting setting_;
  std::optional<HostSide> host_;
};

INSTANTIATE_TEST_SUITE_P(CanCallOut, Machines, ::testing::Bool());

TEST_P(Machines, GoFromLaunchToAnswerAndReceipt) {
  const TeeMessage launched = host().send(host().launch_message());
  ASSERT_TRUE(std::holds_alternative<LaunchedMessage>(launched));
  const auto& tee = std::get<LaunchedMessage>(launched);
  EXPECT_EQ(tee.launch, launch_digest(serialize_launch(setting_.config)));
  EXPECT_EQ(tee.measurement, simulated_measurement({}, tee.launch, {}));
  ASSERT_TRUE(std::holds_alternative<DoneMessage>(host().serve(host().add_message())));
  ASSERT_TRUE(std::holds_alternative<DoneMessage>(host().grant()));
  const TeeMessage loaded = host().serve(LoadMessage{1, {}});
  ASSERT_TRUE(std::holds_alternative<LoadedMessage>(loaded));
  EXPECT_EQ(std::get<LoadedMessage>(loaded).model.inputs[0].name, "x");
  for (unsigned seed = 0; seed < 3; ++seed) {
    const auto x = some_input(seed);
    expect_scores(host().serve(host().run_message(x)), x);
  }
  EXPECT_TRUE(std::holds_alternative<DoneMessage>(host().send(ConfirmMessage{1})));
  const TeeMessage receipt = host().send(ReceiptRequestMessage{1, {3}});
  ASSERT_TRUE(std::holds_alternative<ReceiptMessage>(receipt));
  const auto parsed = parse_receipt(std::get<ReceiptMessage>(receipt).receipt).value();
  const auto key = crypto::VerifyingKey::from_spki(tee.tee_key).value();
  const auto verified = verify_receipt(parsed, key);
  ASSERT_THAT(verified, Succeeds());
  EXPECT_EQ(verified->answers, 3U);
  EXPECT_TRUE(verified->loaded);
  EXPECT_TRUE(std::holds_alternative<DoneMessage>(host().send(CloseMessage{1})));
  EXPECT_EQ(setting_.memory.used(), 0U);
}

TEST_P(Machines, StreamWeightsUnderTheLeastLimit) {
  const TeeMessage loaded = host().prepare();
  LoadMessage load{1, {}};
  load.options.memory_limit = std::get<LoadedMessage>(loaded).model.least_limit;
  const TeeMessage capped = host().serve(load);
  ASSERT_TRUE(std::holds_alternative<LoadedMessage>(capped));
  const auto x = some_input(9);
  expect_scores(host().serve(host().run_message(x)), x);
}

TEST_P(Machines, SayHowMuchMemoryAModelNeeds) {
  const TeeMessage loaded = host().prepare();
  LoadMessage load{1, {}};
  const std::uint64_t least = std::get<LoadedMessage>(loaded).model.least_limit;
  load.options.memory_limit = least - 1;
  const TeeMessage refused = host().serve(load);
  ASSERT_TRUE(is_refused(refused, ErrorCode::kLimit));
  EXPECT_EQ(std::get<RefusedMessage>(refused).refusal,
            (Refusal{ErrorCode::kLimit, Stage::kLoad, least}));
}

TEST_P(Machines, RefuseEveryMessageBeforeTheLaunchAndASecondLaunch) {
  EXPECT_TRUE(is_refused(host().send(host().add_message()), ErrorCode::kUsage));
  EXPECT_TRUE(is_refused(host().send(RunMessage{}), ErrorCode::kUsage));
  EXPECT_TRUE(is_refused(host().send(AbandonMessage{}), ErrorCode::kUsage));
  EXPECT_TRUE(std::holds_alternative<LaunchedMessage>(host().send(host().launch_message())));
  EXPECT_TRUE(is_refused(host().send(host().launch_message()), ErrorCode::kUsage));
}

TEST_P(Machines, RefuseMessagesThatDoNotFitTheState) {
  host().send(host().launch_message());
  EXPECT_TRUE(is_refused(host().send(LoadMessage{1, {}}), ErrorCode::kUsage));
  EXPECT_TRUE(is_refused(host().send(BlocksMessage{}), ErrorCode::kUsage));
  EXPECT_TRUE(is_refused(host().send(TapMessage{{{"x", {nn::DType::kF32, nn::Shape{}}}, {0, 4}}}),
                         ErrorCode::kUsage));
  EXPECT_TRUE(is_refused(host().send(GrantMessage{1, {1}}), ErrorCode::kMalformed));
  EXPECT_TRUE(is_refused(host().send(ConfirmMessage{1}), ErrorCode::kUsage));
  EXPECT_TRUE(is_refused(host().send(ReceiptRequestMessage{1, {}}), ErrorCode::kUsage));
  host().serve(host().add_message());
  EXPECT_TRUE(is_refused(host().send(host().add_message()), ErrorCode::kUsage));
  EXPECT_TRUE(is_refused(host().send(LoadMessage{1, {}}), ErrorCode::kKeyUnavailable));
  EXPECT_TRUE(std::holds_alternative<DoneMessage>(host().grant()));
}

TEST_P(Machines, RefuseTensorsOutsideTheBuffer) {
  host().prepare();
  const std::uint64_t end = host().buffer().size();
  for (const std::uint64_t at : {end, end - 63, ~std::uint64_t{0}, ~std::uint64_t{0} - 63}) {
    RunMessage message = host().run_message(some_input(1));
    message.inputs[0].range.at = at;
    EXPECT_TRUE(is_refused(host().send(message), ErrorCode::kMalformed)) << at;
  }
  const auto x = some_input(1);
  expect_scores(host().serve(host().run_message(x)), x);
}

TEST_P(Machines, RefuseARunWhoseAnswerHasNoRoom) {
  HostSide small(setting_, true, 1200);  // inputs 64, answers 64 + 1216
  ASSERT_TRUE(std::holds_alternative<LoadedMessage>(small.prepare()));
  const TeeMessage refused = small.send(small.run_message(some_input(1)));
  ASSERT_TRUE(is_refused(refused, ErrorCode::kLimit));
  EXPECT_EQ(std::get<RefusedMessage>(refused).refusal.number, 1280U);
}

TEST_P(Machines, AnswerAnyBytesWithARefusal) {
  host().prepare();
  const ByteVector run = serialize(HostMessage(host().run_message(some_input(1))));
  for (std::size_t size = 0; size < run.size(); ++size) {
    EXPECT_TRUE(std::holds_alternative<RefusedMessage>(host().send_raw(Bytes(run).first(size))));
  }
  EXPECT_TRUE(is_refused(host().send_raw(ByteVector(kMaxMessageSize + 1)), ErrorCode::kLimit));
  const auto x = some_input(1);
  expect_scores(host().serve(host().run_message(x)), x);
}

// ---- waiting for blocks

class Waiting : public ::testing::Test {
 protected:
  Setting setting_;
  HostSide host_{setting_};
};

TEST_F(Waiting, TakesOnlyWhatItAskedFor) {
  host_.send(host_.launch_message());
  const TeeMessage need = host_.send(host_.add_message());
  ASSERT_TRUE(std::holds_alternative<NeedBlocksMessage>(need));
  const auto& wanted = std::get<NeedBlocksMessage>(need);
  EXPECT_EQ(wanted.bundle, 1U);
  EXPECT_TRUE(is_refused(host_.send(host_.add_message()), ErrorCode::kUsage));
  EXPECT_TRUE(is_refused(host_.send(ConfirmMessage{1}), ErrorCode::kUsage));
  BlocksMessage other{2, {}};
  EXPECT_TRUE(is_refused(host_.send(other), ErrorCode::kUsage));
  other = {1, {{{0, 10}, host_.buffer().size() - 5}}};
  EXPECT_TRUE(is_refused(host_.send(other), ErrorCode::kMalformed));
  other = {1, {{{setting_.source->size() - 5, 10}, 0}}};
  EXPECT_TRUE(is_refused(host_.send(other), ErrorCode::kMalformed));
  other = {1, {{{~std::uint64_t{0}, ~std::uint64_t{0}}, ~std::uint64_t{0}}}};
  EXPECT_TRUE(is_refused(host_.send(other), ErrorCode::kMalformed));
  // An answer without the blocks is asked for again.
  EXPECT_TRUE(host_.send(BlocksMessage{1, {}}) == need);
  TeeMessage answer = host_.send(host_.blocks_for(wanted));
  while (const auto* more = std::get_if<NeedBlocksMessage>(&answer)) {
    answer = host_.send(host_.blocks_for(*more));
  }
  EXPECT_TRUE(std::holds_alternative<DoneMessage>(answer));
}

TEST_F(Waiting, EndsWhenItIsAbandoned) {
  host_.send(host_.launch_message());
  ASSERT_TRUE(std::holds_alternative<NeedBlocksMessage>(host_.send(host_.add_message())));
  EXPECT_TRUE(std::holds_alternative<DoneMessage>(host_.send(AbandonMessage{})));
  EXPECT_TRUE(is_refused(host_.send(BlocksMessage{1, {}}), ErrorCode::kUsage));
  EXPECT_TRUE(std::holds_alternative<LoadedMessage>(host_.prepare()));
}

TEST_F(Waiting, EndsARunThatIsAbandoned) {
  LoadMessage load{1, {}};
  load.options.memory_limit = std::get<LoadedMessage>(host_.prepare()).model.least_limit;
  host_.serve(load);
  const std::uint64_t before = setting_.memory.used();
  const auto run = [&] { return host_.send(host_.run_message(some_input(1))); };
  ASSERT_TRUE(std::holds_alternative<NeedBlocksMessage>(run()));
  EXPECT_TRUE(is_refused(run(), ErrorCode::kUsage));
  EXPECT_TRUE(std::holds_alternative<DoneMessage>(host_.send(AbandonMessage{})));
  EXPECT_EQ(setting_.memory.used(), before);
  EXPECT_TRUE(std::holds_alternative<NeedBlocksMessage>(run()));
}

TEST_F(Waiting, RefusesBlocksThatAreNotThoseOfTheBundle) {
  host_.prepare();
  LoadMessage load{1, {}};
  TeeMessage answer = host_.send(load);
  std::size_t rounds = 0;
  while (const auto* need = std::get_if<NeedBlocksMessage>(&answer)) {
    const HostMessage blocks = host_.blocks_for(*need);
    for (std::size_t at = 11; at < host_.buffer().size(); at += 97) host_.buffer()[at] ^= 1;
    answer = host_.send(blocks);
    ASSERT_LT(++rounds, 100U);
  }
  EXPECT_TRUE(is_refused(answer, ErrorCode::kNotAuthentic));
}

TEST_F(Waiting, SaysHowLargeTheSharedBufferWouldHaveToBe) {
  HostSide small(setting_, false, 40000);
  small.send(small.launch_message());
  const TeeMessage refused = small.serve(small.add_message());
  ASSERT_TRUE(is_refused(refused, ErrorCode::kLimit));
  EXPECT_GT(std::get<RefusedMessage>(refused).refusal.number, 40000U);
  EXPECT_TRUE(is_refused(small.send(BlocksMessage{1, {}}), ErrorCode::kUsage));
}

TEST_F(Waiting, GivesTheAnswerOfAMachineThatCallsOut) {
  HostSide caller(setting_, true);
  LoadMessage load{1, {}};
  load.options.memory_limit = std::get<LoadedMessage>(caller.prepare()).model.least_limit;
  caller.serve(load);
  host_.prepare();
  host_.serve(load);
  const auto x = some_input(3);
  const auto first = std::get<AnswerMessage>(caller.serve(caller.run_message(x)));
  const std::uint64_t steps = host_.steps();
  const auto second = std::get<AnswerMessage>(host_.serve(host_.run_message(x)));
  EXPECT_GT(host_.steps(), steps + 1);
  const auto bytes = [](HostSide& host, const AnswerMessage& answer) {
    return to_vector(
        Bytes(host.buffer()).subspan(answer.tensors[1].range.at, answer.tensors[1].range.size));
  };
  EXPECT_EQ(bytes(caller, first), bytes(host_, second));
}

}  // namespace
}  // namespace sealpack::loader
