// SPDX-License-Identifier: Apache-2.0
// Streaming into sinks through the C interface.
#include "tests/runtime-loader/capi/opened_model.h"

namespace sealpack::testing {
namespace {

struct Collected {
  ByteVector bytes;
  std::uint64_t next = 0;
  std::size_t largest = 0;
  int blocks = 0;
  int stop_at = -1;  // block number
  int acquired = 0;
  int discarded = 0;
  bool discarded_was_zero = true;
};

sealpack_sink sink_into(Collected& collected) {
  sealpack_sink sink = SEALPACK_INIT(sealpack_sink);
  sink.context = &collected;
  sink.deliver = [](void* context, std::uint64_t offset, void* block, std::size_t size) {
    auto* self = static_cast<Collected*>(context);
    EXPECT_EQ(offset, self->next);
    self->next += size;
    self->largest = std::max(self->largest, size);
    const auto* bytes = static_cast<const std::uint8_t*>(block);
    self->bytes.insert(self->bytes.end(), bytes, bytes + size);
    return self->blocks++ == self->stop_at ? 1 : 0;
  };
  return sink;
}

TEST_F(OpenedModel, StreamsIntoASink) {
  open_and_unlock();
  Collected all;
  const sealpack_sink sink = sink_into(all);
  const ByteVector file = model_.file();
  ASSERT_CODE(SEALPACK_OK,
              sealpack_file_stream(bundle_.get(), kModel, 0, file.size(), &sink, &error));
  EXPECT_EQ(all.bytes, file);
  EXPECT_LE(all.largest, 256U << 10U);

  Collected tensor;
  sealpack_sink small = sink_into(tensor);
  small.max_block = 32768;
  ASSERT_CODE(SEALPACK_OK, sealpack_tensor_stream(bundle_.get(), 1, 0, 400000, &small, &error));
  EXPECT_EQ(tensor.bytes, model_.data[1]);
  EXPECT_LE(tensor.largest, 32768U);

  small.max_block = 32767;
  EXPECT_CODE(SEALPACK_USAGE, sealpack_tensor_stream(bundle_.get(), 1, 0, 9, &small, &error));
  EXPECT_CODE(SEALPACK_USAGE, sealpack_tensor_stream(bundle_.get(), 1, 400000, 1, &sink, &error));
  Collected nothing;
  sealpack_sink none = sink_into(nothing);
  none.deliver = nullptr;
  EXPECT_CODE(SEALPACK_USAGE, sealpack_tensor_stream(bundle_.get(), 1, 0, 9, &none, &error));
}

TEST_F(OpenedModel, FillsMemoryOfTheSinkAndTakesItBackUnfilled) {
  open_and_unlock();
  Collected all;
  sealpack_sink sink = sink_into(all);
  static std::vector<std::uint8_t> room(256U << 10U);
  sink.acquire = [](void* context, std::uint64_t offset, std::size_t size) -> void* {
    auto* self = static_cast<Collected*>(context);
    EXPECT_EQ(offset, self->next);
    EXPECT_LE(size, room.size());
    ++self->acquired;
    std::fill(room.begin(), room.end(), std::uint8_t{0xee});
    return room.data();
  };
  sink.discard = [](void* context, void* block, std::size_t size) {
    auto* self = static_cast<Collected*>(context);
    const auto* bytes = static_cast<const std::uint8_t*>(block);
    ++self->discarded;
    self->discarded_was_zero = all_zero(ByteVector(bytes, bytes + size));
  };
  const std::size_t size = model_.file().size();
  ASSERT_CODE(SEALPACK_OK, sealpack_file_stream(bundle_.get(), kModel, 0, size, &sink, &error));
  EXPECT_EQ(all.bytes, model_.file());
  EXPECT_EQ(all.acquired, all.blocks);
  EXPECT_EQ(all.discarded, 0);

  memory_.bytes[segment(2) + 300000] ^= 1;  // in a later block
  Collected broken;
  sink.context = &broken;
  EXPECT_CODE(SEALPACK_NOT_AUTHENTIC,
              sealpack_file_stream(bundle_.get(), kModel, 0, size, &sink, &error));
  EXPECT_EQ(broken.discarded, 1);
  EXPECT_TRUE(broken.discarded_was_zero);
  EXPECT_EQ(broken.acquired, broken.blocks + 1);
  memory_.bytes[segment(2) + 300000] ^= 1;

  Collected stopped;
  stopped.stop_at = 1;
  sink.context = &stopped;
  EXPECT_CODE(SEALPACK_CANCELLED,
              sealpack_file_stream(bundle_.get(), kModel, 0, size, &sink, &error));
  EXPECT_EQ(stopped.blocks, 2);
  sink.acquire = [](void*, std::uint64_t, std::size_t) -> void* { return nullptr; };
  EXPECT_CODE(SEALPACK_CANCELLED,
              sealpack_file_stream(bundle_.get(), kModel, 0, size, &sink, &error));
}

}  // namespace
}  // namespace sealpack::testing
