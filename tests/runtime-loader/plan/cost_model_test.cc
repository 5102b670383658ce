// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/cost_model.h"

#include "runtime-loader/plan/calibrate.h"
#include "runtime-loader/plan/plan_svg.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::plan {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::testing::HasSubstr;
using ::testing::Not;

nn::StepCost step(const std::string& what, std::uint64_t multiply_adds, std::uint64_t moved) {
  nn::StepCost cost;
  cost.what = what;
  cost.multiply_adds = multiply_adds;
  cost.moved = moved;
  return cost;
}

TEST(KindOf, KnowsTheFamilies) {
  EXPECT_EQ(kind_of("conv 3x3 winograd"), "conv winograd");
  EXPECT_EQ(kind_of("conv 3x3 depthwise"), "conv depthwise");
  EXPECT_EQ(kind_of("conv 1x1"), "conv 1x1");
  EXPECT_EQ(kind_of("conv 5x5"), "conv");
  EXPECT_EQ(kind_of("gemm"), "gemm");
  EXPECT_EQ(kind_of("CumSum"), "other");
}

TEST(Seconds, CountsComputingStreamingAndSpilling) {
  EXPECT_DOUBLE_EQ(seconds({3, 2, 0.5}), 5.5);
}

TEST(TimeOf, ChargesDecryptionForWhatIsStreamedAndSpilled) {
  Calibration calibration;
  calibration.kinds["other"] = {};
  calibration.decrypt = 2;
  calibration.spill = 3;
  nn::ProgramCosts costs;
  costs.steps.push_back(step("gemm", 0, 0));
  costs.steps[0].streamed = costs.steps[0].weights = 10;
  costs.steps[0].spilled = 5;
  const ProgramTime time = time_of(calibration, costs);
  EXPECT_DOUBLE_EQ(time.compute, 0);
  EXPECT_DOUBLE_EQ(time.stream, 20);
  EXPECT_DOUBLE_EQ(time.spill, 15);
}

TEST(Fit, FindsTheCoefficientsThatMadeTheMeasurements) {
  Calibration truth;
  truth.run = 2e-6;
  truth.kinds["gemm"] = {1e-6, 2e-11, 1e-10, 0, 0};
  truth.kinds["pointwise"] = {1e-6, 0, 3e-10, 0, 0};
  truth.kinds["other"] = {};
  std::vector<Measurement> measurements;
  for (std::uint64_t i = 1; i <= 8; ++i) {
    Measurement measurement;
    measurement.costs.steps = {step("gemm", i * i * 1000000, i * 5000),
                               step("pointwise", 0, (9 - i) * 40000)};
    measurement.seconds = time_of(truth, measurement.costs).compute;
    measurements.push_back(measurement);
  }
  Calibration found;
  fit(measurements, default_calibration(), found);
  for (const Measurement& measurement : measurements) {
    EXPECT_NEAR(time_of(found, measurement.costs).compute / measurement.seconds, 1, 0.02);
  }
}

TEST(Fit, NeverGivesANegativeCoefficient) {
  std::vector<Measurement> measurements(2);
  measurements[0].costs.steps = {step("gemm", 1000000, 0)};
  measurements[0].seconds = 1e-3;
  measurements[1].costs.steps = {step("gemm", 2000000, 0)};
  measurements[1].seconds = 1e-4;  // more work in less time
  Calibration found;
  fit(measurements, default_calibration(), found);
  EXPECT_GE(found.run, 0);
  for (const auto& [kind, rates] : found.kinds) {
    for (const double rate :
         {rates.step, rates.multiply_add, rates.moved, rates.weight, rates.streamed}) {
      EXPECT_GE(rate, 0) << kind;
    }
  }
}

TEST(CalibrationFile, ComesBackAsItWasWritten) {
  const auto read = parse_calibration(serialize_calibration(default_calibration()), "c");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(serialize_calibration(*read), serialize_calibration(default_calibration()));
  EXPECT_TRUE(read->measured);
  EXPECT_EQ(read->kinds.size(), default_calibration().kinds.size());
}

TEST(CalibrationFile, RefusesAnUnknownKindAnotherFormatAndAMissingRate) {
  const std::string text = serialize_calibration(default_calibration());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    const std::size_t at = changed.find(from);
    EXPECT_NE(at, std::string::npos);
    return changed.replace(at, from.size(), to);
  };
  EXPECT_THAT(parse_calibration(with("[kind.gemm]", "[kind.magic]"), "c"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("magic")));
  EXPECT_THAT(parse_calibration(with("sealpack_calibration = 1", "sealpack_calibration = 2"), "c"),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_calibration(with("copy_byte", "copy_bit"), "c"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_calibration("", "c"), Fails(ErrorCode::kMalformed));
}

TEST(DrawChoices, EscapesWhatAModelIsCalled) {
  Choice choice;
  choice.candidate.label = "<script>&\x01";
  choice.estimate.latency = 0.001;
  const std::string svg = draw_choices(std::span(&choice, 1), "a<b", "c&d");
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
  EXPECT_THAT(svg, HasSubstr("a&lt;b"));
  EXPECT_THAT(svg, HasSubstr("c&amp;d"));
  EXPECT_THAT(svg, Not(HasSubstr("\x01")));
}

TEST(DrawChoices, DrawsChoicesThatAreFarApart) {
  Choice choices[2];
  choices[0].estimate.latency = 1e-6;
  choices[1].estimate.latency = 10;
  const std::string svg = draw_choices(choices, "t", "s");
  EXPECT_THAT(svg, HasSubstr("logarithmic"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(Judge, CallsOnlyAllOfTheModelBlackBox) {
  EXPECT_EQ(judge({true, false, false, 1}), Worth::kBlackBox);
  EXPECT_EQ(judge({false, false, false, 0.999}), Worth::kSome);
  EXPECT_EQ(judge({false, false, false, 0.47}), Worth::kLittle);
  EXPECT_EQ(judge({false, true, false, 0.9}), Worth::kNone);
  EXPECT_EQ(judge({false, false, true, 0.99}), Worth::kNone);
}

}  // namespace
}  // namespace sealpack::plan
