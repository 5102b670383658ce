// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/runtime-loader/nn/ops/data_runner.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn::testing {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Ints = std::vector<std::int64_t>;

constexpr ErrorCode kMalformed = ErrorCode::kMalformed;
constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

OwnedTensor six() {
  return counting<float>(Shape{2, 3});
}

TEST(Reshape, CopiesDimensionsAndFindsTheOpenOne) {
  const auto shape = [](const Ints& dims, std::int64_t opset = 13) {
    return OperatorRun("Reshape", opset).input(six()).input(integers(dims));
  };
  EXPECT_EQ(shape({3, -1}).first().type().shape, (Shape{3, 2}));
  EXPECT_EQ(shape({0, -1, 1}).first().type().shape, (Shape{2, 3, 1}));
  EXPECT_THAT(shape({2, 0, 2}).infer(), FailsWith(kMalformed, HasSubstr("cannot become")));
  EXPECT_THAT(shape({1, 1, 1, 0}).infer(), FailsWith(kMalformed, HasSubstr("copied")));
  EXPECT_THAT(shape({4, -1}).infer(), FailsWith(kMalformed, HasSubstr("-1")));
  EXPECT_THAT(shape({0, -1}, 14).attribute("allowzero", std::int64_t{1}).infer(),
              Fails(kMalformed));
  EXPECT_EQ(OperatorRun("Reshape", 14)
                .input(counting<float>(Shape{0, 2}))
                .input(integers({3, 0}))
                .attribute("allowzero", std::int64_t{1})
                .first()
                .type()
                .shape,
            (Shape{3, 0}));
  EXPECT_THAT(OperatorRun("Reshape", 13).input(six()).unknown(integers({6})).infer(),
              FailsWith(kUnsupported, HasSubstr("shape")));
}

TEST(Reshape, AnEmptyShapeIsKnownWithoutBytes) {
  const TensorType one = {DType::kF32, Shape{1, 1}};
  const TensorType none = {DType::kI64, Shape{0}};
  Node node;
  node.op = "Reshape";
  node.outputs = {2};
  const auto types = infer_node({node, 13, {&one, &none}, {{one, nullptr}, {none, nullptr}}});
  ASSERT_THAT(types, Succeeds());
  EXPECT_EQ(types->front().shape, Shape{});
}

TEST(Flatten, TakesNegativeAxesFromOpset11On) {
  EXPECT_EQ(OperatorRun("Flatten", 11)
                .input(counting<float>(Shape{2, 3, 4}))
                .axis(-1)
                .first()
                .type()
                .shape,
            (Shape{6, 4}));
  EXPECT_EQ(OperatorRun("Flatten", 9).input(six()).axis(0).first().type().shape, (Shape{1, 6}));
  EXPECT_THAT(OperatorRun("Flatten", 9).input(six()).axis(-1).infer(), Fails(kMalformed));
  EXPECT_THAT(OperatorRun("Flatten", 11).input(six()).axis(3).infer(), Fails(kMalformed));
}

TEST(Squeeze, HasItsAxesAsAttributeAndThenAsInput) {
  const OwnedTensor tensor = counting<float>(Shape{1, 3, 1});
  EXPECT_EQ(OperatorRun("Squeeze", 9).input(tensor).first().type().shape, (Shape{3}));
  EXPECT_EQ(
      OperatorRun("Squeeze", 11).input(tensor).attribute("axes", Ints{-1}).first().type().shape,
      (Shape{1, 3}));
  EXPECT_EQ(OperatorRun("Squeeze", 13).input(tensor).input(integers({0})).first().type().shape,
            (Shape{3, 1}));
  EXPECT_THAT(OperatorRun("Squeeze", 9).input(tensor).attribute("axes", Ints{-1}).infer(),
              FailsWith(kMalformed, HasSubstr("opset 11")));
  EXPECT_THAT(OperatorRun("Squeeze", 13).input(tensor).attribute("axes", Ints{0}).infer(),
              Fails(kUnsupported));
  EXPECT_EQ(
      OperatorRun("Unsqueeze", 11).input(six()).attribute("axes", Ints{-1, 0}).first().type().shape,
      (Shape{1, 2, 3, 1}));
  EXPECT_THAT(OperatorRun("Unsqueeze", 11).input(six()).infer(),
              FailsWith(kMalformed, HasSubstr("axes are missing")));
}

TEST(Shape, TellsARangeOfDimensionsFromOpset15On) {
  const OwnedTensor tensor = counting<std::uint8_t>(Shape{2, 3, 4});
  EXPECT_THAT(values_of<std::int64_t>(OperatorRun("Shape", 13).input(tensor).first()),
              ElementsAre(2, 3, 4));
  EXPECT_THAT(
      values_of<std::int64_t>(
          OperatorRun("Shape", 15).input(tensor).attribute("start", std::int64_t{-2}).first()),
      ElementsAre(3, 4));
  EXPECT_THAT(values_of<std::int64_t>(OperatorRun("Shape", 15)
                                          .input(tensor)
                                          .attribute("start", std::int64_t{2})
                                          .attribute("end", std::int64_t{1})
                                          .first()),
              IsEmpty());
}

TEST(Concat, JoinsAlongAnyAxis) {
  const auto joined = OperatorRun("Concat", 13)
                          .input(six())
                          .input(counting<float>(Shape{2, 1}))
                          .input(counting<float>(Shape{2, 0}))
                          .axis(-1)
                          .first();
  EXPECT_EQ(joined.type().shape, (Shape{2, 4}));
  EXPECT_THAT(values_of<float>(joined), ElementsAre(0, 1, 2, 0, 3, 4, 5, 1));
}

TEST(Concat, RefusesWhatDoesNotJoin) {
  EXPECT_THAT(OperatorRun("Concat", 13).input(six()).input(six()).infer(),
              FailsWith(kMalformed, HasSubstr("axis is missing")));
  EXPECT_THAT(
      OperatorRun("Concat", 13).input(six()).input(counting<float>(Shape{3, 3})).axis(1).infer(),
      FailsWith(kMalformed, HasSubstr("do not join")));
  EXPECT_THAT(
      OperatorRun("Concat", 13).input(six()).input(counting<double>(Shape{2, 3})).axis(1).infer(),
      Fails(kMalformed));
  EXPECT_THAT(OperatorRun("Concat", 13).input(six()).no_input().axis(1).infer(), Fails(kMalformed));
  EXPECT_THAT(OperatorRun("Concat", 9).input(six()).axis(-1).infer(), Fails(kMalformed));
}

TEST(Split, TakesSizesAsAttributeAndThenAsInput) {
  const auto parts =
      OperatorRun("Split", 11).input(six()).axis(1).attribute("split", Ints{1, 2}).outputs(2).run();
  ASSERT_THAT(parts, Succeeds());
  EXPECT_THAT(values_of<float>((*parts)[0]), ElementsAre(0, 3));
  EXPECT_THAT(values_of<float>((*parts)[1]), ElementsAre(1, 2, 4, 5));
  const auto equal = OperatorRun("Split", 13).input(six()).axis(1).outputs(3).run();
  ASSERT_THAT(equal, Succeeds());
  EXPECT_THAT(values_of<float>((*equal)[2]), ElementsAre(2, 5));
}

TEST(Split, RefusesSizesThatDoNotAddUp) {
  const auto split = [](const Ints& sizes, std::size_t outputs) {
    return OperatorRun("Split", 13)
        .input(six())
        .input(integers(sizes))
        .axis(1)
        .outputs(outputs)
        .infer();
  };
  EXPECT_THAT(split({1, 1}, 2), Fails(kMalformed));
  EXPECT_THAT(split({2, 2}, 2), Fails(kMalformed));
  EXPECT_THAT(split({4, -1}, 2), Fails(kMalformed));
  EXPECT_THAT(split({1, 2}, 3), Fails(kMalformed));
  EXPECT_THAT(split({1, 1, 1}, 2), Fails(kMalformed));
  EXPECT_THAT(split({INT64_MAX, INT64_MAX}, 2), Fails(kMalformed));
  EXPECT_THAT(OperatorRun("Split", 13).input(six()).axis(1).outputs(2).infer(),
              FailsWith(kMalformed, HasSubstr("equal parts")));
}

Ints sliced(std::int64_t start, std::int64_t end, std::int64_t step) {
  const OwnedTensor line = counting<std::int64_t>(Shape{5});
  return values_of<std::int64_t>(OperatorRun("Slice", 13)
                                     .input(line)
                                     .input(integers({start}))
                                     .input(integers({end}))
                                     .input(integers({0}))
                                     .input(integers({step}))
                                     .first());
}

TEST(Slice, ClampsAsPythonDoes) {
  EXPECT_THAT(sliced(1, 4, 2), ElementsAre(1, 3));
  EXPECT_THAT(sliced(-2, INT64_MAX, 1), ElementsAre(3, 4));
  EXPECT_THAT(sliced(INT64_MIN, 2, 1), ElementsAre(0, 1));
  EXPECT_THAT(sliced(4, 1, 1), IsEmpty());
  EXPECT_THAT(sliced(-1, INT64_MIN, -1), ElementsAre(4, 3, 2, 1, 0));
  EXPECT_THAT(sliced(100, 0, -2), ElementsAre(4, 2));
  EXPECT_THAT(sliced(0, 5, INT64_MAX), ElementsAre(0));
  EXPECT_THAT(sliced(4, INT64_MIN, INT64_MIN), ElementsAre(4));
  EXPECT_THAT(sliced(INT64_MIN, INT64_MAX, -1), IsEmpty());
}

TEST(Slice, HasAttributesInOpset9) {
  const auto middle = OperatorRun("Slice", 9)
                          .input(six())
                          .attribute("starts", Ints{1})
                          .attribute("ends", Ints{2})
                          .attribute("axes", Ints{1})
                          .first();
  EXPECT_THAT(values_of<float>(middle), ElementsAre(1, 4));
}

TEST(Slice, RefusesListsThatDoNotAgree) {
  const auto slice = [](const Ints& starts, const Ints& ends, const Ints& axes, const Ints& steps) {
    return OperatorRun("Slice", 10)
        .input(six())
        .input(integers(starts))
        .input(integers(ends))
        .input(integers(axes))
        .input(integers(steps))
        .infer();
  };
  EXPECT_THAT(slice({0}, {1}, {0}, {0}), FailsWith(kMalformed, HasSubstr("step of 0")));
  EXPECT_THAT(slice({0}, {1, 1}, {0}, {1}), Fails(kMalformed));
  EXPECT_THAT(slice({0, 0}, {1, 1}, {0, 0}, {1, 1}), FailsWith(kMalformed, HasSubstr("twice")));
  EXPECT_THAT(slice({0}, {1}, {2}, {1}), Fails(kMalformed));
  EXPECT_THAT(slice({0, 0, 0}, {1, 1, 1}, {}, {}), Fails(kMalformed));
}

TEST(Pad, GrowsAndCropsInEveryMode) {
  const auto padded = [](const char* mode, const Ints& pads) {
    return values_of<float>(OperatorRun("Pad", 13)
                                .input(counting<float>(Shape{3}))
                                .input(integers(pads))
                                .attribute("mode", std::string(mode))
                                .first());
  };
  EXPECT_THAT(padded("constant", {1, 2}), ElementsAre(0, 0, 1, 2, 0, 0));
  EXPECT_THAT(padded("constant", {-1, 1}), ElementsAre(1, 2, 0));
  EXPECT_THAT(padded("reflect", {2, 2}), ElementsAre(2, 1, 0, 1, 2, 1, 0));
  EXPECT_THAT(padded("reflect", {-1, 1}), ElementsAre(1, 2, 1));
  EXPECT_THAT(padded("edge", {2, 1}), ElementsAre(0, 0, 0, 1, 2, 2));
  EXPECT_THAT(padded("edge", {4, -3}), ElementsAre(0, 0, 0, 0));
}

TEST(Pad, ReflectsAlongSeveralAxes) {
  const auto padded = OperatorRun("Pad", 13)
                          .input(six())
                          .input(integers({1, 1, 0, 1}))
                          .attribute("mode", std::string("reflect"))
                          .first();
  EXPECT_THAT(values_of<float>(padded), ElementsAre(4, 3, 4, 5, 4, 1, 0, 1, 2, 1, 4, 3, 4, 5, 4));
}

TEST(Pad, RefusesWhatItCannotMirror) {
  const auto pad = [](const char* mode, const Ints& pads, const Shape& shape) {
    return OperatorRun("Pad", 13)
        .input(counting<float>(shape))
        .input(integers(pads))
        .attribute("mode", std::string(mode))
        .infer();
  };
  EXPECT_THAT(pad("reflect", {3, 0}, Shape{3}), Fails(kMalformed));
  EXPECT_THAT(pad("edge", {1, 0}, Shape{0}), Fails(kMalformed));
  EXPECT_THAT(pad("wrap", {1, 0}, Shape{3}), FailsWith(kMalformed, HasSubstr("'wrap'")));
  EXPECT_THAT(pad("constant", {1, 0, 0}, Shape{3}), Fails(kMalformed));
  EXPECT_THAT(pad("constant", {-2, -2}, Shape{3}), Fails(kMalformed));
  EXPECT_THAT(pad("constant", {INT64_MIN, 0}, Shape{3}), Fails(kMalformed));
}

TEST(Transpose, ReversesWhereNothingIsSaid) {
  EXPECT_THAT(values_of<float>(OperatorRun("Transpose", 13).input(six()).first()),
              ElementsAre(0, 3, 1, 4, 2, 5));
  const auto with = [](const Ints& perm) {
    return OperatorRun("Transpose", 13).input(six()).attribute("perm", perm).infer();
  };
  EXPECT_THAT(with({0, 0}), Fails(kMalformed));
  EXPECT_THAT(with({0}), Fails(kMalformed));
  EXPECT_THAT(with({0, 1, 2}), Fails(kMalformed));
  EXPECT_THAT(with({-1, 0}), Fails(kMalformed));
}

TEST(DepthToSpace, RefusesBlocksThatDoNotFit) {
  const auto with = [](std::int64_t blocksize) {
    return OperatorRun("DepthToSpace", 13)
        .input(counting<float>(Shape{1, 4, 2, 2}))
        .attribute("blocksize", blocksize)
        .infer();
  };
  EXPECT_THAT(with(2), Succeeds());
  EXPECT_THAT(with(3), Fails(kMalformed));
  EXPECT_THAT(with(0), Fails(kMalformed));
  EXPECT_THAT(with(INT64_MAX), Fails(kMalformed));
}

TEST(ReverseSequence, RefusesLengthsThatAreNone) {
  const auto reversed = [](const Ints& lengths) {
    return OperatorRun("ReverseSequence", 10).input(six()).input(integers(lengths)).run();
  };
  EXPECT_THAT(values_of<float>(reversed({2, 1, 0})->front()), ElementsAre(3, 1, 2, 0, 4, 5));
  EXPECT_THAT(reversed({3, 1, 1}), FailsWith(kMalformed, HasSubstr("length 3")));
  EXPECT_THAT(reversed({-1, 1, 1}), Fails(kMalformed));
  EXPECT_THAT(reversed({1, 1}), Fails(kMalformed));
}

TEST(Trilu, TakesAnyDiagonal) {
  const auto upper = [](std::int64_t k) {
    return values_of<float>(OperatorRun("Trilu", 14).input(six()).unknown(scalar(k)).first());
  };
  EXPECT_THAT(upper(1), ElementsAre(0, 1, 2, 0, 0, 5));
  EXPECT_THAT(upper(INT64_MAX), ElementsAre(0, 0, 0, 0, 0, 0));
  EXPECT_THAT(upper(INT64_MIN), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(Dropout, PassesEverythingAndRefusesToTrain) {
  const auto ratio = tensor<float>(Shape{}, {0.5F});
  const auto run = OperatorRun("Dropout", 13).input(six()).input(ratio).outputs(2).run();
  ASSERT_THAT(run, Succeeds());
  EXPECT_THAT(values_of<float>((*run)[0]), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ((*run)[1].bytes()[5], 1);
  const OwnedTensor yes = bools(Shape{}, {1});
  EXPECT_THAT(OperatorRun("Dropout", 13).input(six()).input(ratio).input(yes).infer(),
              FailsWith(kUnsupported, HasSubstr("training_mode")));
  EXPECT_THAT(
      OperatorRun("Dropout", 13).input(six()).input(ratio).unknown(bools(Shape{}, {0})).infer(),
      Fails(kUnsupported));
}

}  // namespace
}  // namespace sealpack::nn::testing
