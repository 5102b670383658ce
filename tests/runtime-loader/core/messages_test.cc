// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/messages.h"

#include "formats/bundle/message_writer.h"
#include "tests/runtime-loader/core/core_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using bundle::MessageWriter;
using nn::DType;
using nn::Shape;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using testing::digest;
using ::testing::HasSubstr;

BufferTensor tensor(const std::string& name, std::uint64_t at) {
  return {{name, {DType::kF32, Shape{1, 3, 4}}}, {at, 48}};
}

std::vector<HostMessage> host_messages() {
  LoadMessage load;
  load.bundle = 2;
  load.options.model = "a/b.onnx";
  load.options.input_shapes = {{"x", Shape{1, 3}}, {"y", Shape{}}};
  load.options.memory_limit = 16U << 20U;
  load.options.may_spill = false;
  return {LaunchMessage{{1, 2, 3}},
          AddBundleMessage{1, 123456, "vendor", "model", 1700000000},
          AddBundleMessage{},
          BlocksMessage{1, {{{4096, 32768}, 0}, {{0, 0}, 0}}},
          RequestKeyMessage{1, {ByteVector(32, 1), {5}}},
          GrantMessage{1, {1, 2}},
          load,
          LoadMessage{},
          RunMessage{1, {tensor("x", 0), tensor("y", 64)}},
          RunMessage{},
          TapMessage{tensor("tap", 128)},
          ConfirmMessage{1},
          ReceiptRequestMessage{1, {9}},
          CloseMessage{0},
          AbandonMessage{},
          UnlockDeviceMessage{1}};
}

std::vector<TeeMessage> tee_messages() {
  ModelInfo model;
  model.inputs = {{"x", {DType::kF32, Shape{1, 0}}}};
  model.taps = {{"t", {DType::kI64, Shape{}}}};
  model.outputs = {{"y", {DType::kI64, Shape{7}}}};
  model.sealed_answers = true;
  model.peak = 1;
  model.unlimited_peak = 2;
  model.least_limit = 3;
  model.resident_weights = 4;
  model.streamed = 5;
  return {DoneMessage{},
          LaunchedMessage{digest(1), digest(2), "simulated", {1}, {2}},
          NeedBlocksMessage{1, {{0, 32768}, {65536, 5}}},
          NeedTapMessage{1, {"t", {DType::kF16, Shape{2}}}},
          NeedGrantMessage{1, {1}},
          AnswerMessage{{tensor("y", 0)}, {64, 5}, {1, 2, 3, ~std::uint64_t{0}}},
          AnswerMessage{{}, {}, {0, 0, 0, 0}},
          LoadedMessage{model},
          ReceiptMessage{{1}},
          RefusedMessage{{ErrorCode::kLimit, Stage::kLoad, 42}}};
}

TEST(HostMessages, ComeBackAsTheyWereWritten) {
  for (const HostMessage& message : host_messages()) {
    const auto parsed = parse_host_message(serialize(message));
    ASSERT_THAT(parsed, Succeeds());
    EXPECT_TRUE(*parsed == message) << message.index();
  }
}

TEST(TeeMessages, ComeBackAsTheyWereWritten) {
  for (const TeeMessage& message : tee_messages()) {
    const auto parsed = parse_tee_message(serialize(message));
    ASSERT_THAT(parsed, Succeeds());
    EXPECT_TRUE(*parsed == message) << message.index();
  }
}

TEST(HostMessages, HaveOneEncodingForEachMeaning) {
  for (const HostMessage& message : host_messages()) {
    testing::flip_every_bit(serialize(message), [](Bytes bytes, std::size_t bit) {
      const auto parsed = parse_host_message(bytes);
      if (parsed.ok()) {
        EXPECT_EQ(serialize(*parsed), to_vector(bytes)) << bit;
      }
    });
  }
}

TEST(TeeMessages, HaveOneEncodingForEachMeaning) {
  for (const TeeMessage& message : tee_messages()) {
    testing::flip_every_bit(serialize(message), [](Bytes bytes, std::size_t bit) {
      const auto parsed = parse_tee_message(bytes);
      if (parsed.ok()) {
        EXPECT_EQ(serialize(*parsed), to_vector(bytes)) << bit;
      }
    });
  }
}

TEST(HostMessages, AreRefusedWhenCutShort) {
  for (const HostMessage& message : host_messages()) {
    const ByteVector bytes = serialize(message);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto parsed = parse_host_message(Bytes(bytes).first(size));
      EXPECT_FALSE(parsed.ok() && *parsed == message) << message.index();
    }
  }
}

TEST(HostMessages, AreNotTakenForMessagesOfTheTee) {
  for (const HostMessage& message : host_messages()) {
    EXPECT_THAT(parse_tee_message(serialize(message)), Fails(ErrorCode::kMalformed));
  }
  for (const TeeMessage& message : tee_messages()) {
    EXPECT_THAT(parse_host_message(serialize(message)), Fails(ErrorCode::kMalformed));
  }
}

TEST(HostMessages, OfAnotherProtocolAreUnsupported) {
  EXPECT_THAT(parse_host_message(MessageWriter().u64(1, 2).u64(2, 1).take()),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("protocol 2")));
  EXPECT_THAT(parse_host_message({}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_host_message(MessageWriter().u64(1, 1).take()), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_host_message(ByteVector(kMaxMessageSize + 1)), Fails(ErrorCode::kLimit));
}

TEST(HostMessages, BoundTensorsBeforeTheyAreBelieved) {
  const auto run = [](const ByteVector& port) {
    const ByteVector tensor = MessageWriter().element(1, port).take();
    return parse_host_message(MessageWriter()
                                  .u64(1, 1)
                                  .u64(2, 7)
                                  .bytes(3, MessageWriter().element(2, tensor).take())
                                  .take());
  };
  const auto port = [](std::uint64_t dtype, const std::vector<std::uint64_t>& dims) {
    return MessageWriter().text(1, "x").u64(2, dtype).packed(3, dims).take();
  };
  EXPECT_THAT(run(port(1, {2, 3})), Succeeds());
  EXPECT_THAT(run(port(8, {2})), Fails(ErrorCode::kUnsupported));  // strings
  EXPECT_FALSE(run(port(1, std::vector<std::uint64_t>(9, 1))).ok());
  EXPECT_FALSE(run(port(1, {~std::uint64_t{0}})).ok());
  EXPECT_FALSE(run(port(1, {1U << 30U, 1U << 30U})).ok());
  EXPECT_FALSE(run(MessageWriter().u64(2, 1).take()).ok());  // no name
}

TEST(HostMessages, HaveCountedLists) {
  RunMessage message;
  for (std::size_t i = 0; i <= kMaxTensorsInMessage; ++i) message.inputs.push_back(tensor("x", 0));
  EXPECT_THAT(parse_host_message(serialize(HostMessage(message))), Fails(ErrorCode::kMalformed));
}

TEST(Refusals, SayOutsideNoMoreThanTheirFields) {
  const Error error = to_error({ErrorCode::kLimit, Stage::kLoad, 24U << 20U});
  EXPECT_EQ(error.code(), ErrorCode::kLimit);
  EXPECT_THAT(error.message(), HasSubstr("load"));
  EXPECT_THAT(error.hint(), HasSubstr("24.0 MiB"));
}

}  // namespace
}  // namespace sealpack::loader
