// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

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
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

OwnedTensor six() {
  return counting<float>(Shape{2, 3});
}

TEST(Gather, RefusesIndexesOutOfRangeWhenItRuns) {
  const auto gathered = [](const Ints& indexes) {
    return OperatorRun("Gather", 13).input(six()).unknown(integers(indexes)).axis(1).run();
  };
  EXPECT_THAT(values_of<float>(gathered({2, -3})->front()), ElementsAre(2, 0, 5, 3));
  EXPECT_THAT(gathered({3}), FailsWith(kMalformed, HasSubstr("index 3 of a dimension of 3")));
  EXPECT_THAT(gathered({-4}), Fails(kMalformed));
  EXPECT_THAT(gathered({INT64_MIN}), Fails(kMalformed));
  EXPECT_THAT(values_of<float>(gathered({})->front()), IsEmpty());
}

TEST(Gather, FromAnEmptyAxisFindsNothing) {
  EXPECT_THAT(
      OperatorRun("Gather", 13).input(counting<float>(Shape{0, 2})).input(integers({0})).run(),
      Fails(kMalformed));
}

TEST(GatherElements, ChecksShapesAndIndexes) {
  const auto gathered = [](const OwnedTensor& indexes, std::int64_t axis) {
    return OperatorRun("GatherElements", 13).input(six()).input(indexes).axis(axis).run();
  };
  const auto one = tensor<std::int64_t>(Shape{1, 3}, {1, 0, -1});
  EXPECT_THAT(values_of<float>(gathered(one, 0)->front()), ElementsAre(3, 1, 5));
  EXPECT_THAT(gathered(tensor<std::int64_t>(Shape{1, 3}, {2, 0, 0}), 0), Fails(kMalformed));
  EXPECT_THAT(gathered(tensor<std::int64_t>(Shape{3, 1}, {0, 0, 0}), 1), Fails(kMalformed));
  EXPECT_THAT(gathered(integers({0}), 0), Fails(kMalformed));
}

TEST(GatherNd, FollowsTuplesInsideBatches) {
  const auto gathered = [](const OwnedTensor& indexes, std::int64_t batch) {
    return OperatorRun("GatherND", 12)
        .input(counting<float>(Shape{2, 2, 2}))
        .input(indexes)
        .attribute("batch_dims", batch)
        .run();
  };
  EXPECT_THAT(values_of<float>(gathered(tensor<std::int64_t>(Shape{2, 1}, {1, 0}), 1)->front()),
              ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(values_of<float>(gathered(tensor<std::int64_t>(Shape{1, 3}, {1, -1, 0}), 0)->front()),
              ElementsAre(6));
  EXPECT_THAT(gathered(tensor<std::int64_t>(Shape{1, 3}, {1, 2, 0}), 0), Fails(kMalformed));
  EXPECT_THAT(gathered(tensor<std::int64_t>(Shape{1, 4}, {0, 0, 0, 0}), 0), Fails(kMalformed));
  EXPECT_THAT(gathered(tensor<std::int64_t>(Shape{3, 1}, {0, 0, 0}), 1), Fails(kMalformed));
  EXPECT_THAT(gathered(integers({0}), 1), Fails(kMalformed));
  EXPECT_THAT(gathered(scalar(0), 0), Fails(kMalformed));
}

TEST(ScatterElements, AddsWhereOneElementComesTwice) {
  const auto scattered = [](const char* reduction) {
    return values_of<std::int32_t>(OperatorRun("ScatterElements", 16)
                                       .input(tensor<std::int32_t>(Shape{3}, {1, 2, 3}))
                                       .input(integers({1, 1}))
                                       .input(tensor<std::int32_t>(Shape{2}, {10, 20}))
                                       .attribute("reduction", std::string(reduction))
                                       .first());
  };
  EXPECT_THAT(scattered("none"), ElementsAre(1, 20, 3));
  EXPECT_THAT(scattered("add"), ElementsAre(1, 32, 3));
  EXPECT_THAT(scattered("mul"), ElementsAre(1, 400, 3));
}

TEST(ScatterElements, RefusesWhatDoesNotFit) {
  const auto scattered = [](const Ints& indexes, const Shape& updates, const char* reduction) {
    return OperatorRun("ScatterElements", 16)
        .input(counting<float>(Shape{3}))
        .input(integers(indexes))
        .input(counting<float>(updates))
        .attribute("reduction", std::string(reduction))
        .run();
  };
  EXPECT_THAT(scattered({3}, Shape{1}, "none"), Fails(kMalformed));
  EXPECT_THAT(scattered({0}, Shape{2}, "none"), Fails(kMalformed));
  EXPECT_THAT(scattered({0, 0, 0, 0}, Shape{4}, "none"), Fails(kMalformed));
  EXPECT_THAT(scattered({0}, Shape{1}, "max"), FailsWith(kMalformed, HasSubstr("'max'")));
  EXPECT_THAT(OperatorRun("ScatterElements", 13)
                  .input(counting<float>(Shape{3}))
                  .input(integers({0}))
                  .input(counting<float>(Shape{1}))
                  .attribute("reduction", std::string("add"))
                  .infer(),
              FailsWith(kUnsupported, HasSubstr("opset 13")));
}

TEST(ScatterNd, PutsWholeRowsAndChecksIndexes) {
  const auto scattered = [](std::int64_t index) {
    return OperatorRun("ScatterND", 16)
        .input(six())
        .input(tensor<std::int64_t>(Shape{1, 1}, {index}))
        .input(tensor<float>(Shape{1, 3}, {7, 8, 9}))
        .run();
  };
  EXPECT_THAT(values_of<float>(scattered(-1)->front()), ElementsAre(0, 1, 2, 7, 8, 9));
  EXPECT_THAT(scattered(2), Fails(kMalformed));
}

TEST(Range, CountsUpAndDownWithoutOverflow) {
  const auto range = [](std::int64_t start, std::int64_t limit, std::int64_t delta) {
    return OperatorRun("Range", 11).input(scalar(start)).input(scalar(limit)).input(scalar(delta));
  };
  EXPECT_THAT(values_of<std::int64_t>(range(10, 4, -3).first()), ElementsAre(10, 7));
  EXPECT_THAT(values_of<std::int64_t>(range(INT64_MIN, INT64_MAX, INT64_MAX).first()),
              ElementsAre(INT64_MIN, -1, INT64_MAX - 1));
  EXPECT_THAT(values_of<std::int64_t>(range(INT64_MAX, INT64_MIN, INT64_MIN).first()),
              ElementsAre(INT64_MAX, -1));
  EXPECT_THAT(values_of<std::int64_t>(range(4, 10, -1).first()), IsEmpty());
  EXPECT_THAT(range(0, 1, 0).infer(), Fails(kMalformed));
  EXPECT_THAT(range(INT64_MIN, INT64_MAX, 1).infer(), Fails(ErrorCode::kLimit));
}

TEST(Range, RefusesFloatsThatEndNowhere) {
  const auto range = [](float limit, float delta) {
    return OperatorRun("Range", 11)
        .input(tensor<float>(Shape{}, {0}))
        .input(tensor<float>(Shape{}, {limit}))
        .input(tensor<float>(Shape{}, {delta}))
        .infer();
  };
  EXPECT_THAT(range(1, 0), Fails(kMalformed));
  EXPECT_THAT(range(kNan, 1), Fails(kMalformed));
  EXPECT_THAT(range(std::numeric_limits<float>::infinity(), 1), Fails(kMalformed));
  EXPECT_THAT(range(1e30F, 1e-30F), Fails(ErrorCode::kLimit));
  EXPECT_THAT(range(1e30F, 1), Fails(ErrorCode::kLimit));
}

TEST(Cast, CutsSaturatesAndWraps) {
  const auto cast = [](OwnedTensor in, DType to) {
    return OperatorRun("Cast", 13)
        .input(std::move(in))
        .attribute("to", static_cast<std::int64_t>(to))
        .first();
  };
  const OwnedTensor floats = tensor<float>(Shape{6}, {1.9F, -1.9F, 300, -300, kNan, 1e30F});
  EXPECT_THAT(values_of<std::int8_t>(cast(floats, DType::kI8)),
              ElementsAre(1, -1, 127, -128, 0, 127));
  EXPECT_THAT(values_of<std::uint8_t>(cast(floats, DType::kU8)), ElementsAre(1, 0, 255, 0, 0, 255));
  EXPECT_THAT(values_of<std::int64_t>(cast(floats, DType::kI64)),
              ElementsAre(1, -1, 300, -300, 0, INT64_MAX));
  EXPECT_THAT(values_of<std::int8_t>(cast(integers({255, 128, -129}), DType::kI8)),
              ElementsAre(-1, -128, 127));
  EXPECT_EQ(cast(floats, DType::kBool).bytes()[4], 1);  // NaN is not 0
  EXPECT_EQ(cast(bools(Shape{2}, {7, 0}), DType::kU8).bytes()[0], 1);
  EXPECT_THAT(OperatorRun("Cast", 13).input(six()).attribute("to", std::int64_t{8}).infer(),
              Fails(kUnsupported));
  EXPECT_THAT(OperatorRun("Cast", 13).input(six()).infer(), Fails(kMalformed));
}

TEST(OneHot, LeavesOutPositionsThatAreNone) {
  const auto hot = [](std::int64_t opset, const Ints& indexes) {
    return values_of<float>(OperatorRun("OneHot", opset)
                                .input(integers(indexes))
                                .input(scalar(3))
                                .input(tensor<float>(Shape{2}, {0, 5}))
                                .first());
  };
  EXPECT_THAT(hot(11, {-1, 3}), ElementsAre(0, 0, 5, 0, 0, 0));
  EXPECT_THAT(hot(9, {-1, 1}), ElementsAre(0, 0, 0, 0, 5, 0));
  EXPECT_THAT(hot(11, {INT64_MIN, INT64_MAX}), ElementsAre(0, 0, 0, 0, 0, 0));
  EXPECT_THAT(OperatorRun("OneHot", 11)
                  .input(integers({0}))
                  .input(scalar(-3))
                  .input(tensor<float>(Shape{2}, {0, 5}))
                  .infer(),
              Fails(kMalformed));
}

TEST(NonZero, NeedsAConstant) {
  const auto in = tensor<float>(Shape{2, 2}, {0, kNan, -1, 0});
  EXPECT_THAT(values_of<std::int64_t>(OperatorRun("NonZero", 13).input(in).first()),
              ElementsAre(0, 1, 1, 0));
  EXPECT_THAT(OperatorRun("NonZero", 13).unknown(in).infer(), Fails(kUnsupported));
}

TEST(Compress, TakesAShorterConditionButNoLongerOne) {
  EXPECT_THAT(
      values_of<float>(
          OperatorRun("Compress", 11).input(six()).input(bools(Shape{2}, {0, 9})).axis(1).first()),
      ElementsAre(1, 4));
  EXPECT_THAT(
      OperatorRun("Compress", 11).input(six()).input(bools(Shape{3}, {1, 1, 1})).axis(0).infer(),
      Fails(kMalformed));
  EXPECT_THAT(OperatorRun("Compress", 11).input(six()).unknown(bools(Shape{1}, {1})).infer(),
              Fails(kUnsupported));
}

TEST(ArgMax, ChoosesTheFirstOrTheLastOfEquals) {
  const auto in = tensor<float>(Shape{4}, {1, 3, 3, 2});
  EXPECT_THAT(values_of<std::int64_t>(OperatorRun("ArgMax", 13).input(in).first()), ElementsAre(1));
  EXPECT_THAT(values_of<std::int64_t>(OperatorRun("ArgMax", 13)
                                          .input(in)
                                          .attribute("select_last_index", std::int64_t{1})
                                          .first()),
              ElementsAre(2));
  EXPECT_THAT(OperatorRun("ArgMin", 13).input(counting<float>(Shape{0, 2})).infer(),
              Fails(kMalformed));
}

TEST(TopK, OrdersEqualOnesByIndexAndNansAboveAll) {
  const auto top = [](const std::vector<float>& values, std::int64_t largest) {
    return values_of<std::int64_t>(
        (*OperatorRun("TopK", 11)
              .input(tensor(Shape{static_cast<std::int64_t>(values.size())}, values))
              .input(integers({3}))
              .attribute("largest", largest)
              .outputs(2)
              .run())[1]);
  };
  EXPECT_THAT(top({1, 2, 2, 2, 0}, 1), ElementsAre(1, 2, 3));
  EXPECT_THAT(top({2, 2, 2, 2, 3}, 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(top({1, kNan, 2, kNan, 3}, 1), ElementsAre(1, 3, 4));
  EXPECT_THAT(top({kNan, kNan, kNan, kNan}, 0), ElementsAre(0, 1, 2));
}

TEST(TopK, HasItsCountWhereTheOpsetPutsIt) {
  EXPECT_THAT(
      values_of<float>(OperatorRun("TopK", 9).input(six()).attribute("k", std::int64_t{1}).first()),
      ElementsAre(2, 5));
  EXPECT_THAT(OperatorRun("TopK", 10).input(six()).input(integers({4})).infer(), Fails(kMalformed));
  EXPECT_THAT(OperatorRun("TopK", 10).input(six()).input(integers({-1})).infer(),
              Fails(kMalformed));
  EXPECT_THAT(OperatorRun("TopK", 10).input(six()).input(integers({1, 1})).infer(),
              Fails(kMalformed));
  EXPECT_THAT(OperatorRun("TopK", 10).input(six()).unknown(integers({1})).infer(),
              Fails(kUnsupported));
}

TEST(CumSum, ChecksTheAxisWhenItRuns) {
  const auto sum = [](std::int64_t axis) {
    return OperatorRun("CumSum", 14).input(six()).unknown(scalar(axis)).run();
  };
  EXPECT_THAT(values_of<float>(sum(-1)->front()), ElementsAre(0, 1, 3, 3, 7, 12));
  EXPECT_THAT(sum(2), Fails(kMalformed));
  EXPECT_THAT(sum(INT64_MIN), Fails(kMalformed));
}

TEST(Where, BroadcastsAllThree) {
  const auto chosen = OperatorRun("Where", 9)
                          .input(bools(Shape{2, 1}, {1, 0}))
                          .input(tensor<float>(Shape{3}, {1, 2, 3}))
                          .input(tensor<float>(Shape{}, {9}))
                          .first();
  EXPECT_THAT(values_of<float>(chosen), ElementsAre(1, 2, 3, 9, 9, 9));
}

TEST(Resize, ReadsScalesOrSizesButNotBoth) {
  const auto image = counting<float>(Shape{1, 1, 2, 2});
  const auto scales = tensor<float>(Shape{4}, {1, 1, 2, 2});
  const auto sizes = integers({1, 1, 4, 4});
  EXPECT_THAT(OperatorRun("Resize", 13).input(image).no_input().input(scales).run(), Succeeds());
  EXPECT_THAT(OperatorRun("Resize", 13).input(image).no_input().no_input().input(sizes).run(),
              Succeeds());
  EXPECT_THAT(OperatorRun("Resize", 13).input(image).no_input().input(scales).input(sizes).infer(),
              Fails(kMalformed));
  EXPECT_THAT(OperatorRun("Resize", 13).input(image).infer(), Fails(kMalformed));
  EXPECT_THAT(OperatorRun("Resize", 13).input(image).no_input().unknown(scales).infer(),
              Fails(kUnsupported));
}

TEST(Resize, RefusesScalesThatAreNone) {
  for (const float scale : {0.0F, -1.0F, kNan, std::numeric_limits<float>::infinity()}) {
    EXPECT_THAT(OperatorRun("Resize", 10)
                    .input(counting<float>(Shape{2}))
                    .input(tensor<float>(Shape{1}, {scale}))
                    .infer(),
                FailsWith(kMalformed, HasSubstr("a scale of")));
  }
  EXPECT_THAT(OperatorRun("Resize", 10)
                  .input(counting<float>(Shape{2}))
                  .input(tensor<float>(Shape{1}, {1e30F}))
                  .infer(),
              Fails(ErrorCode::kLimit));
}

TEST(Resize, OfOpset10TakesTheFloorOfWhatIsAsymmetric) {
  const auto line = tensor<std::uint8_t>(Shape{3}, {10, 20, 30});
  const auto scale = tensor<float>(Shape{1}, {2});
  EXPECT_THAT(values_of<std::uint8_t>(OperatorRun("Resize", 10).input(line).input(scale).first()),
              ElementsAre(10, 10, 20, 20, 30, 30));
  EXPECT_THAT(values_of<std::uint8_t>(OperatorRun("Upsample", 9)
                                          .input(line)
                                          .input(scale)
                                          .attribute("mode", std::string("linear"))
                                          .first()),
              ElementsAre(10, 15, 20, 25, 30, 30));
}

TEST(Resize, PutsTheExtrapolationValueOutsideTheRegion) {
  const auto cropped =
      OperatorRun("Resize", 13)
          .input(counting<float>(Shape{4}))
          .unknown(tensor<float>(Shape{2}, {0.5F, 1.5F}))
          .no_input()
          .input(integers({3}))
          .attribute("mode", std::string("linear"))
          .attribute("coordinate_transformation_mode", std::string("tf_crop_and_resize"))
          .attribute("extrapolation_value", -7.0F)
          .first();
  EXPECT_THAT(values_of<float>(cropped), ElementsAre(1.5F, 3, -7));
}

TEST(Resize, SurvivesARegionOfAnyNumbers) {
  for (const float start : {kNan, -1e38F, 1e38F, std::numeric_limits<float>::infinity()}) {
    for (const char* mode : {"nearest", "linear", "cubic"}) {
      EXPECT_THAT(
          OperatorRun("Resize", 13)
              .input(counting<float>(Shape{4}))
              .unknown(tensor<float>(Shape{2}, {start, 1e38F}))
              .no_input()
              .input(integers({3}))
              .attribute("mode", std::string(mode))
              .attribute("coordinate_transformation_mode", std::string("tf_crop_and_resize"))
              .run(),
          Succeeds());
    }
  }
}

}  // namespace
}  // namespace sealpack::nn::testing
