// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx_read.h"

#include "formats/models/onnx.h"
#include "tests/formats/models/onnx_builder.h"
#include "tests/formats/models/split_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::models {
namespace {

using models::testing::memory_input;
using models::testing::model;
using models::testing::node;
using models::testing::Proto;
using models::testing::raw_tensor;
using models::testing::small_graph;
using models::testing::typed_tensor;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::AllOf;
using ::testing::HasSubstr;

Result<std::unique_ptr<OnnxModel>> open(const ByteVector& bytes) {
  const std::vector<InputFile> inputs = {memory_input("m.onnx", bytes)};
  return open_onnx(0, inputs, {});
}
Result<std::unique_ptr<OnnxModel>> open(const Proto& proto) {
  return open(proto.get());
}

TEST(OnnxReader, FindsTheTensorsOfASmallModel) {
  const auto opened = open(model(small_graph()));
  ASSERT_THAT(opened, Succeeds());
  const std::vector<Tensor>& tensors = (*opened)->tensors();
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(tensors[0].name, "w");
  EXPECT_EQ(tensors[0].dtype, "F32");
  EXPECT_EQ(tensors[0].shape, (std::vector<std::uint64_t>{300}));
  EXPECT_EQ(tensors[0].size, 1200U);
}

TEST(OnnxReader, RefusesEveryTruncation) {
  const ByteVector bytes = model(small_graph()).get();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(open(to_vector(Bytes(bytes).first(size))), Fails(ErrorCode::kMalformed)) << size;
  }
}

TEST(OnnxReader, SurvivesEveryFlippedBit) {
  const ByteVector bytes = model(small_graph()).get();
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    ByteVector flipped = bytes;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << bit % 8));
    const auto opened = open(flipped);
    if (opened.ok()) (void)(*opened)->split({true, false});
  }
}

TEST(OnnxReader, NamesTheUnknownFieldByItsPath) {
  const Proto unknown = node("Add", {"x"}, "y").integer(10, 1);
  EXPECT_THAT(open(model(Proto().message(1, node("Add", {}, "z")).message(1, unknown))),
              FailsWith(ErrorCode::kUnsupported,
                        AllOf(HasSubstr("graph.node[1]"), HasSubstr("field 10 of NodeProto"))));
  EXPECT_THAT(open(model(small_graph()).integer(26, 1)),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("field 26 of ModelProto")));
}

TEST(OnnxReader, RefusesModelsOfNoOrALaterVersion) {
  EXPECT_THAT(open(Proto()), FailsWith(ErrorCode::kMalformed, HasSubstr("ir_version")));
  EXPECT_THAT(open(Proto().integer(1, 11).message(7, small_graph())),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("IR version 11")));
  EXPECT_THAT(open(Proto().integer(1, 8)), FailsWith(ErrorCode::kMalformed, HasSubstr("graph")));
}

TEST(OnnxReader, RefusesWhatTwoReadersMayReadDifferently) {
  EXPECT_THAT(open(model(small_graph()).integer(1, 7)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("appears again")));
  const Proto scattered = raw_tensor("w", 2, 1).packed(1, {1});
  EXPECT_THAT(open(model(Proto().message(5, scattered))), Fails(ErrorCode::kMalformed));
  const Proto doubled = typed_tensor("w", 1, 9, {1, 2, 3, 4}).bytes(4, ByteVector(16));
  EXPECT_THAT(open(model(Proto().message(5, doubled))),
              FailsWith(ErrorCode::kMalformed, HasSubstr("two fields")));
  const Proto twins = small_graph().message(5, raw_tensor("w", 2, 3));
  EXPECT_THAT(open(model(twins)), FailsWith(ErrorCode::kMalformed, HasSubstr("two tensors")));
}

TEST(OnnxReader, RefusesBrokenWireData) {
  EXPECT_THAT(open(Proto().tag(1, 3)), FailsWith(ErrorCode::kMalformed, HasSubstr("wire type 3")));
  EXPECT_THAT(open(Proto().tag(1, 0).raw(ByteVector(11, 0xff))),
              FailsWith(ErrorCode::kMalformed, HasSubstr("64 bits")));
  EXPECT_THAT(open(Proto().text(1, "8")), FailsWith(ErrorCode::kMalformed, HasSubstr("wire type")));
  EXPECT_THAT(open(Proto().tag(7, 2).varint(~std::uint64_t{0})),
              FailsWith(ErrorCode::kMalformed, HasSubstr("runs past")));
  EXPECT_THAT(open(model(Proto().text(2, "\xff"))),
              FailsWith(ErrorCode::kMalformed, HasSubstr("UTF-8")));
  // The graph ends inside its node's length.
  EXPECT_THAT(open(model(Proto().tag(1, 2).varint(2)).integer(5, 1)), Fails(ErrorCode::kMalformed));
}

Proto nested_if(unsigned depth) {
  Proto graph = small_graph();
  for (unsigned i = 1; i < depth; ++i) {
    const Proto attribute = Proto().text(1, "then_branch").message(6, graph).integer(20, 5);
    graph = Proto().message(1, node("If", {"c"}, "y").message(5, attribute));
  }
  return graph;
}

TEST(OnnxReader, LimitsTheDepthOfGraphs) {
  EXPECT_THAT(open(model(nested_if(onnx::kMaxGraphDepth))), Succeeds());
  EXPECT_THAT(open(model(nested_if(onnx::kMaxGraphDepth + 1))),
              FailsWith(ErrorCode::kLimit, HasSubstr("graphs nested")));
}

TEST(OnnxReader, LimitsTheDepthOfTypes) {
  Proto type;
  for (unsigned i = 0; i < 200; ++i) type = Proto().message(4, Proto().message(1, type));
  EXPECT_THAT(open(model(Proto().message(13, Proto().text(1, "t").message(2, type)))),
              FailsWith(ErrorCode::kLimit, HasSubstr("nested")));
}

TEST(OnnxReader, RefusesTensorsWhoseDataDoNotFitTheirShape) {
  const auto tensor = [](const Proto& proto) { return open(model(Proto().message(5, proto))); };
  EXPECT_THAT(tensor(raw_tensor("w", 3, 1).integer(14, 1)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(tensor(Proto().packed(1, {4}).integer(2, 1).text(8, "w").bytes(9, ByteVector(15))),
              FailsWith(ErrorCode::kMalformed, HasSubstr("15 bytes")));
  EXPECT_THAT(tensor(Proto().packed(1, {4}).integer(2, 6).packed(5, {1, 2, 3}).text(8, "w")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("3 elements")));
  EXPECT_THAT(tensor(typed_tensor("w", 1, 5, {1})),
              FailsWith(ErrorCode::kMalformed, HasSubstr("int32_data")));
  EXPECT_THAT(tensor(Proto().packed(1, {4}).integer(2, 1).text(8, "w")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("without data")));
  EXPECT_THAT(tensor(Proto().packed(1, {~std::uint64_t{0}}).integer(2, 1).text(8, "w")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("negative")));
  const std::uint64_t big = std::uint64_t{1} << 40U;
  EXPECT_THAT(tensor(Proto().packed(1, {big, big}).integer(2, 1).text(8, "w")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("64 bits")));
  EXPECT_THAT(
      tensor(Proto().packed(1, std::vector<std::uint64_t>(65, 1)).integer(2, 1).text(8, "w")),
      Fails(ErrorCode::kLimit));
  EXPECT_THAT(tensor(typed_tensor("w", 23, 5, {1})),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("element type 23")));
  EXPECT_THAT(tensor(typed_tensor("", 6, 5, {1})),
              FailsWith(ErrorCode::kMalformed, HasSubstr("without a name")));
}

TEST(OnnxReader, CountsListsPackedAndUnpackedAlike) {
  Proto unpacked;
  unpacked.integer(1, 3).integer(2, 6).text(8, "w").integer(5, 1).packed(5, {2}).integer(5, 300);
  const auto opened = open(model(Proto().message(5, unpacked)));
  ASSERT_THAT(opened, Succeeds());
  EXPECT_EQ((*opened)->tensors()[0].shape, (std::vector<std::uint64_t>{3}));
}

TEST(OnnxReader, DescribesTheModel) {
  const auto opened = open(model(small_graph()));
  ASSERT_THAT(opened, Succeeds());
  const auto facts = (*opened)->facts();
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"inputs", "x F32[]"},          {"ir_version", "8"},
      {"operators", "Add 1"},         {"opset", "17"},
      {"outputs", "y F32[]"},         {"parameters", "600"},
      {"producer", "secret producer"}};
  EXPECT_EQ(facts, expected);
}

}  // namespace
}  // namespace sealpack::models
