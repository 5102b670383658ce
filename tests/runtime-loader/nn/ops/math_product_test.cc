// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "tests/runtime-loader/nn/ops/math_call.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using testing::Call;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<float> noise(std::size_t count, std::uint32_t seed) {
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i) {
    seed = seed * 1664525U + 1013904223U;
    values.push_back(static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F);
  }
  return values;
}

TEST(MatMul, SumsEachElementAsOneAscendingChainOfFusedMultiplyAdds) {
  constexpr std::int64_t kRows = 5;
  constexpr std::int64_t kColumns = 700;
  constexpr std::int64_t kInner = 67;
  const std::vector<float> a = noise(kRows * kInner, 1);
  const std::vector<float> b = noise(kInner * kColumns, 2);
  const std::vector<float> out = Call("MatMul")
                                     .input<float>({kRows, kInner}, a)
                                     .input<float>({kInner, kColumns}, b)
                                     .values<float>();
  ASSERT_EQ(out.size(), std::size_t{kRows * kColumns});
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t column = 0; column < kColumns; ++column) {
      float sum = 0;
      for (std::size_t k = 0; k < kInner; ++k) {
        sum = std::fma(a[row * kInner + k], b[k * kColumns + column], sum);
      }
      ASSERT_EQ(out[row * kColumns + column], sum) << row << ' ' << column;
    }
  }
}

TEST(MatMul, TakesVectorsAsARowAndAsAColumn) {
  EXPECT_EQ(Call("MatMul").zeros(DType::kF32, {3}).zeros(DType::kF32, {3}).shape(), "[]");
  EXPECT_EQ(Call("MatMul").zeros(DType::kF32, {3}).zeros(DType::kF32, {5, 3, 2}).shape(), "[5,2]");
  EXPECT_EQ(Call("MatMul").zeros(DType::kF32, {5, 2, 3}).zeros(DType::kF32, {3}).shape(), "[5,2]");
  EXPECT_THAT(Call("MatMul")
                  .input<std::int32_t>({2}, {3, 4})
                  .input<std::int32_t>({2}, {5, 6})
                  .values<std::int32_t>(),
              ElementsAre(39));
}

TEST(MatMul, BroadcastsWhatComesBeforeTheMatrices) {
  Call call("MatMul");
  call.input<double>({2, 1, 1, 1}, {1, 2}).input<double>({3, 1, 1}, {10, 20, 30});
  EXPECT_EQ(call.shape(), "[2,3,1,1]");
  EXPECT_THAT(call.values<double>(), ElementsAre(10, 20, 30, 20, 40, 60));
}

TEST(MatMul, OverNothingIsZeroAndOfNothingIsEmpty) {
  EXPECT_THAT(Call("MatMul").zeros(DType::kF32, {2, 0}).zeros(DType::kF32, {0, 2}).values<float>(),
              ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(Call("MatMul").zeros(DType::kF32, {0, 2}).zeros(DType::kF32, {2, 2}).values<float>(),
              IsEmpty());
}

TEST(MatMul, WrapsIntegersAround) {
  EXPECT_THAT(Call("MatMul")
                  .input<std::uint32_t>({1, 2}, {1U << 31U, 1})
                  .input<std::uint32_t>({2, 1}, {2, 7})
                  .values<std::uint32_t>(),
              ElementsAre(7));
}

TEST(MatMul, RoundsHalvesOnlyAtTheEnd) {
  EXPECT_THAT(Call("MatMul")
                  .input<Float16>({1, 3}, {2048, 1, 1})
                  .input<Float16>({3, 1}, {1, 1, 1})
                  .values<Float16>(),
              ElementsAre(2050));
}

TEST(MatMul, RefusesShapesThatDoNotMultiply) {
  EXPECT_THAT(Call("MatMul").zeros(DType::kF32, {2, 3}).zeros(DType::kF32, {2, 3}).infer(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("[2,3]")));
  EXPECT_THAT(Call("MatMul").zeros(DType::kF32, {}).zeros(DType::kF32, {1}).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("MatMul").zeros(DType::kF32, {2, 2, 2}).zeros(DType::kF32, {3, 2, 2}).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("MatMul").zeros(DType::kI8, {2, 2}).zeros(DType::kBool, {2, 2}).infer(),
              Fails(ErrorCode::kMalformed));
}

TEST(MatMul, FailsWithoutScratchMemoryAndLeaksNone) {
  EXPECT_THAT(Call("MatMul").zeros(DType::kF16, {64, 64}).zeros(DType::kF16, {64, 64}).run(20000),
              Fails(ErrorCode::kLimit));
}

TEST(Gemm, ScalesAndAddsACThatBroadcasts) {
  Call call("Gemm");
  call.input<float>({2, 1}, {1, 2}).input<float>({2, 1}, {10, 20}).input<float>({2, 1}, {1, 2});
  call.with("transB", 1).with("alpha", 0.5F).with("beta", 2.0F);
  EXPECT_THAT(call.values<float>(), ElementsAre(7, 12, 14, 24));
  EXPECT_THAT(Call("Gemm")
                  .input<float>({2, 2}, {1, 2, 3, 4})
                  .input<float>({2, 2}, {1, 0, 0, 1})
                  .with("transA", 1)
                  .values<float>(),
              ElementsAre(1, 3, 2, 4));
}

TEST(Gemm, IgnoresCWhereBetaIsZero) {
  EXPECT_THAT(Call("Gemm")
                  .input<float>({1, 1}, {2})
                  .input<float>({1, 1}, {3})
                  .input<float>({}, {std::nanf("")})
                  .with("beta", 0.0F)
                  .values<float>(),
              ElementsAre(6));
}

TEST(Gemm, RefusesWhatIsNoMatrixOrDoesNotFit) {
  const auto gemm = [](Shape a, Shape b) {
    return Call("Gemm").zeros(DType::kF32, a).zeros(DType::kF32, b).infer();
  };
  EXPECT_THAT(gemm({2, 3}, {2, 3}), FailsWith(ErrorCode::kMalformed, HasSubstr("multiply")));
  EXPECT_THAT(gemm({1, 2, 3}, {3, 2}), FailsWith(ErrorCode::kMalformed, HasSubstr("matrices")));
  EXPECT_THAT(gemm({3}, {3, 2}), Fails(ErrorCode::kMalformed));
  Call wide("Gemm");
  wide.zeros(DType::kF32, {2, 3}).zeros(DType::kF32, {3, 4}).zeros(DType::kF32, {3, 4});
  EXPECT_THAT(wide.infer(), FailsWith(ErrorCode::kMalformed, HasSubstr("broadcast")));
  Call deep("Gemm");
  deep.zeros(DType::kF32, {2, 3}).zeros(DType::kF32, {3, 4}).zeros(DType::kF32, {1, 2, 4});
  EXPECT_THAT(deep.infer(), Fails(ErrorCode::kMalformed));
}

TEST(Gemm, NeedsItsCBeforeOpsetEleven) {
  EXPECT_THAT(Call("Gemm", 9).zeros(DType::kF32, {1, 1}).zeros(DType::kF32, {1, 1}).infer(),
              Fails(ErrorCode::kMalformed));
}

TEST(MatMulInteger, SubtractsZeroPointsByRowAndColumn) {
  Call call("MatMulInteger");
  call.input<std::uint8_t>({2, 2}, {1, 2, 3, 4}).input<std::int8_t>({2, 2}, {1, 0, 0, 1});
  call.input<std::uint8_t>({2}, {1, 0}).input<std::int8_t>({2}, {0, 1});
  EXPECT_THAT(call.values<std::int32_t>(), ElementsAre(0, 0, 3, -3));
}

TEST(MatMulInteger, RefusesZeroPointsOfAnotherTypeOrCount) {
  const auto with_zero = [](DType dtype, Shape shape) {
    return Call("MatMulInteger")
        .zeros(DType::kU8, {2, 3})
        .zeros(DType::kU8, {3, 4})
        .zeros(dtype, shape)
        .infer();
  };
  EXPECT_THAT(with_zero(DType::kI8, {}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(with_zero(DType::kU8, {3}), FailsWith(ErrorCode::kMalformed, HasSubstr("[3]")));
  EXPECT_THAT(with_zero(DType::kU8, {0}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(with_zero(DType::kU8, {2, 1}), Fails(ErrorCode::kUnsupported));
}

TEST(QLinearMatMul, RoundsToEvenAndSaturates) {
  Call call("QLinearMatMul");
  call.input<std::uint8_t>({1, 1}, {10}).input<float>({}, {0.5F}).input<std::uint8_t>({}, {0});
  call.input<std::int8_t>({1, 4}, {1, 3, 127, -128})
      .input<float>({}, {1})
      .input<std::int8_t>({}, {0});
  call.input<float>({}, {2}).input<std::uint8_t>({}, {100});
  EXPECT_THAT(call.values<std::uint8_t>(), ElementsAre(102, 108, 255, 0));
}

TEST(Einsum, ContractsTransposesAndTakesDiagonals) {
  EXPECT_THAT(Call("Einsum")
                  .input<float>({2, 2}, {1, 2, 3, 4})
                  .input<float>({2}, {10, 100})
                  .with("equation", "ij,j->i")
                  .values<float>(),
              ElementsAre(210, 430));
  EXPECT_THAT(Call("Einsum")
                  .input<std::int32_t>({2, 2}, {1, 2, 3, 4})
                  .with("equation", "ba")
                  .values<std::int32_t>(),
              ElementsAre(1, 3, 2, 4));
  EXPECT_THAT(Call("Einsum")
                  .input<double>({2, 2}, {1, 2, 3, 4})
                  .with("equation", "ii -> i")
                  .values<double>(),
              ElementsAre(1, 4));
  EXPECT_EQ(Call("Einsum")
                .zeros(DType::kF32, {5, 2, 3})
                .zeros(DType::kF32, {3, 4})
                .with("equation", "...ij,jk->...ki")
                .shape(),
            "[5,4,2]");
}

TEST(Einsum, RefusesEquationsThatDoNotFit) {
  const auto einsum = [](const char* equation) {
    return Call("Einsum")
        .zeros(DType::kF32, {2, 3})
        .zeros(DType::kF32, {3, 4})
        .with("equation", equation)
        .infer();
  };
  EXPECT_THAT(einsum("ij,jk->ik"), ::sealpack::testing::Succeeds());
  for (const char* bad : {"", "ij", "ij,jk,kl->i", "ij,ij->i", "ij,jk->iz", "ij,jk->ii", "i,jk->i",
                          "ijk,jk->i", "i1,jk->i", "i....,jk->i", "...ij,jk->ik->", "ij,j.k->ik",
                          "......ij,jk->i", "ij,jk->ik,"}) {
    EXPECT_THAT(einsum(bad), Fails(ErrorCode::kMalformed)) << bad;
  }
}

TEST(Einsum, RefusesSumsOverTooMuch) {
  constexpr std::int64_t kMany = std::int64_t{1} << 30;
  EXPECT_THAT(Call("Einsum")
                  .typed_only(DType::kF32, {kMany})
                  .typed_only(DType::kF32, {kMany})
                  .with("equation", "i,j->")
                  .infer(),
              Fails(ErrorCode::kLimit));
}

TEST(Einsum, OverNothingIsZero) {
  EXPECT_THAT(Call("Einsum").zeros(DType::kF32, {2, 0}).with("equation", "ij->i").values<float>(),
              Each(0));
}

}  // namespace
}  // namespace sealpack::nn
