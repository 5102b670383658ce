// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/process/protocol.h"

#include "runtime-loader/core/messages.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::tee {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;

// Everything parses as it was written, and nothing shorter or longer does.
template <typename Value, typename Parse>
void expect_exact(const Value& value, Parse parse) {
  ByteVector bytes = serialize(value);
  const auto parsed = parse(bytes);
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(*parsed, value);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(parse(Bytes(bytes).first(size)), Fails(ErrorCode::kMalformed));
  }
  bytes.push_back(0);
  EXPECT_THAT(parse(bytes), Fails(ErrorCode::kMalformed));
}

TEST(Frames, ParseAsTheyWereWritten) {
  expect_exact(StartFrame{1, 2, 3, 4, 5}, parse_start);
  expect_exact(ReadyFrame{7, {{1, 2, 3}}, {{4, 5, 6}}}, parse_ready);
  expect_exact(UseFrame{1, 2, 3, 4, 5, 6, 7}, parse_use);
  expect_exact(RoomFrame{1, 2, 3, 4}, parse_room);
  expect_exact(FailedFrame{16, 1U << 20U}, parse_failed);
}

TEST(Frames, BoundWhatTheHostAsksFor) {
  EXPECT_THAT(parse_start(serialize(StartFrame{0, 0, 1, 1, 0})), Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse_start(serialize(StartFrame{0, kMaxThreads + 1, 1, 1, 0})),
              Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse_start(serialize(StartFrame{0, 1, kMaxBundleDescriptors + 1, 1, 0})),
              Fails(ErrorCode::kLimit));
}

TEST(FrameHeader, RefusesOtherTypesAndSizes) {
  EXPECT_THAT(parse_frame_header(serialize(FrameHeader{Frame::kStep, 5})), Succeeds());
  EXPECT_THAT(parse_frame_header(serialize(FrameHeader{Frame{0}, 5})),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_frame_header(serialize(FrameHeader{Frame{6}, 5})),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_frame_header(
                  serialize(FrameHeader{Frame::kStep, std::uint32_t{loader::kMaxMessageSize} + 1})),
              Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse_frame_header(ByteVector(7)), Fails(ErrorCode::kMalformed));
}

}  // namespace
}  // namespace sealpack::tee
