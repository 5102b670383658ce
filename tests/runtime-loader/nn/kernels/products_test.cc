// SPDX-License-Identifier: Apache-2.0
// gemm, against sums in double, against itself cut into tiles, and between sets of instructions.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/runtime-loader/nn/kernels/buffers.h"
#include "tests/runtime-loader/nn/kernels/reference.h"

namespace sealpack::nn::kernels {
namespace {

using testing::Exact;
using testing::Guarded;
using testing::Random;

constexpr Activation kActivations[] = {
    Activation::kNone,    Activation::kRelu,      Activation::kClip,
    Activation::kSigmoid, Activation::kTanh,      Activation::kGelu,
    Activation::kSilu,    Activation::kHardSwish, Activation::kLeakyRelu};

std::vector<float> pack_rows(const Kernels& kernels, const std::vector<float>& weights,
                             std::size_t stride, std::size_t first, std::size_t columns,
                             std::size_t inner) {
  std::vector<float> packed((columns + kernels.panel - 1) / kernels.panel * kernels.panel * inner);
  kernels.pack_rows(weights.data() + first, {}, stride, columns, inner, packed.data());
  return packed;
}

// One product with everything that may accompany it.
struct Product {
  Product(Random& random, std::size_t rows, std::size_t columns, std::size_t inner)
      : shape{rows, columns, inner},
        in_stride(inner + random.between(0, 3)),
        out_stride(columns + random.between(0, 3)),
        in(random.values(rows * in_stride)),
        weights(random.values(inner * columns)),
        bias(random.values(columns)),
        residual(random.values(rows * out_stride)) {
    if (random.coin()) finish.bias = bias.data();
    if (random.coin()) finish.residual = residual.data();
    finish.activation = kActivations[random.between(0, std::size(kActivations) - 1)];
    finish.low = finish.activation == Activation::kClip ? -0.5F : 0.1F;
    finish.high = 0.75F;
  }

  std::vector<float> run(const Kernels& kernels) const {
    const std::vector<float> packed =
        pack_rows(kernels, weights, shape.columns, 0, shape.columns, shape.inner);
    Guarded out(shape.rows * out_stride);
    kernels.gemm(shape, in.data(), in_stride, packed.data(), out.data(), out_stride, false,
                 &finish);
    EXPECT_TRUE(out.is_intact()) << kernels.name;
    return out.values();
  }

  Exact exact(std::size_t row, std::size_t column) const {
    Exact sum{0, 0};
    for (std::size_t k = 0; k < shape.inner; ++k) {
      const double product = static_cast<double>(in[row * in_stride + k]) *
                             static_cast<double>(weights[k * shape.columns + column]);
      sum.value += product;
      sum.size += std::abs(product);
    }
    return testing::exact_finish(finish, sum, column, row * out_stride + column);
  }

  GemmShape shape;
  std::size_t in_stride, out_stride;
  std::vector<float> in, weights, bias, residual;
  Epilogue finish;
};

void expect_near_exact(const Product& product, const std::vector<float>& out,
                       const Kernels& kernels) {
  const GemmShape& shape = product.shape;
  for (std::size_t row = 0; row < shape.rows; ++row) {
    for (std::size_t column = 0; column < product.out_stride; ++column) {
      const float value = out[row * product.out_stride + column];
      if (column >= shape.columns) {
        ASSERT_TRUE(Guarded::is_untouched(value)) << kernels.name;
        continue;
      }
      const Exact exact = product.exact(row, column);
      const double allowed = (1 + exact.size) * static_cast<double>(shape.inner + 8) * 6e-8;
      ASSERT_NEAR(value, exact.value, allowed)
          << kernels.name << ' ' << shape.rows << 'x' << shape.columns << 'x' << shape.inner
          << " at " << row << ',' << column << " activation "
          << static_cast<int>(product.finish.activation);
    }
  }
}

TEST(Products, AgreeWithSumsInDoubleAndBetweenSets) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    const Product product(random, random.between(1, 40), random.between(1, 150),
                          random.between(1, 90));
    for (const Kernels* kernels : testing::all_kernels()) {
      ASSERT_NO_FATAL_FAILURE(expect_near_exact(product, product.run(*kernels), *kernels));
    }
    const std::vector<float> expected = product.run(best_kernels());
    for (const Kernels* kernels : testing::fused_kernels()) {
      ASSERT_EQ(testing::first_difference(expected, product.run(*kernels)), -1) << kernels->name;
    }
  }
}

// More rows and inner indexes than the blocks inside the kernel hold.
TEST(Products, OfManyBlocksAgreeWithSumsInDouble) {
  Random random(2);
  const std::size_t shapes[][3] = {{1, 517, 3001}, {2, 300, 1200}, {3, 100, 2100}, {7, 64, 1025},
                                   {350, 33, 520}, {700, 5, 257},  {16, 40, 1024}};
  for (const auto& [rows, columns, inner] : shapes) {
    const Product product(random, rows, columns, inner);
    for (const Kernels* kernels : testing::all_kernels()) {
      ASSERT_NO_FATAL_FAILURE(expect_near_exact(product, product.run(*kernels), *kernels));
    }
  }
}

std::vector<std::size_t> random_cuts(Random& random, std::size_t size, std::size_t step) {
  std::vector<std::size_t> cuts{0};
  while (cuts.back() < size)
    cuts.push_back(std::min(size, cuts.back() + step * random.between(1, 1 + size / step / 2)));
  return cuts;
}

// Columns are cut at panels or anywhere; each tile has its own packed weights.
std::vector<float> run_in_tiles(const Kernels& kernels, const Product& product, Random& random) {
  Guarded out(product.shape.rows * product.out_stride);
  const auto rows = random_cuts(random, product.shape.rows, 1);
  const auto columns = random_cuts(random, product.shape.columns, 1);
  const auto inner = random_cuts(random, product.shape.inner, 1);
  for (std::size_t j = 1; j < columns.size(); ++j) {
    const std::size_t column = columns[j - 1], width = columns[j] - column;
    for (std::size_t k = 1; k < inner.size(); ++k) {
      const std::size_t first = inner[k - 1], depth = inner[k] - first;
      std::vector<float> part(
          product.weights.begin() + static_cast<std::ptrdiff_t>(first * product.shape.columns),
          product.weights.end());
      const auto packed = pack_rows(kernels, part, product.shape.columns, column, width, depth);
      for (std::size_t i = 1; i < rows.size(); ++i) {
        const std::size_t row = rows[i - 1], offset = row * product.out_stride + column;
        Epilogue finish = product.finish;
        if (finish.bias != nullptr) finish.bias += column;
        if (finish.residual != nullptr) finish.residual += offset;
        kernels.gemm({rows[i] - row, width, depth},
                     product.in.data() + row * product.in_stride + first, product.in_stride,
                     packed.data(), out.data() + offset, product.out_stride, k > 1,
                     k + 1 == inner.size() ? &finish : nullptr);
      }
    }
  }
  EXPECT_TRUE(out.is_intact());
  return out.values();
}

TEST(Products, CutAnywhereAlongRowsColumnsAndInnerChangeNoBit) {
  Random random(3);
  for (int round = 0; round < 100; ++round) {
    const Product product(random, random.between(1, 60), random.between(1, 200),
                          random.between(1, 700));
    for (const Kernels* kernels : testing::all_kernels()) {
      const std::vector<float> whole = product.run(*kernels);
      const std::vector<float> tiles = run_in_tiles(*kernels, product, random);
      ASSERT_EQ(testing::first_difference(whole, tiles), -1) << kernels->name << " round " << round;
    }
  }
}

TEST(Products, AreOneChainOfFusedMultiplyAddsInAscendingOrder) {
  Random random(4);
  const Product product(random, 5, 40, 600);
  for (const Kernels* kernels : testing::fused_kernels()) {
    const auto packed = pack_rows(*kernels, product.weights, 40, 0, 40, 600);
    std::vector<float> out(5 * 40);
    kernels->gemm(product.shape, product.in.data(), product.in_stride, packed.data(), out.data(),
                  40, false, nullptr);
    for (std::size_t i = 0; i < 5; ++i) {
      for (std::size_t j = 0; j < 40; ++j) {
        float sum = 0;
        for (std::size_t k = 0; k < 600; ++k)
          sum = std::fma(product.in[i * product.in_stride + k], product.weights[k * 40 + j], sum);
        ASSERT_EQ(testing::bits_of(out[i * 40 + j]), testing::bits_of(sum)) << kernels->name;
      }
    }
  }
}

TEST(Products, AddToWhatIsThereWhenAsked) {
  const float in[] = {2}, weights[] = {3};
  for (const Kernels* kernels : testing::all_kernels()) {
    std::vector<float> packed(kernels->panel);
    kernels->pack_rows(weights, {}, 1, 1, 1, packed.data());
    float out = 100;
    kernels->gemm({1, 1, 1}, in, 1, packed.data(), &out, 1, true, nullptr);
    EXPECT_EQ(out, 106) << kernels->name;
    kernels->gemm({1, 1, 1}, in, 1, packed.data(), &out, 1, false, nullptr);
    EXPECT_EQ(out, 6) << kernels->name;
  }
}

TEST(Products, CarryInfinityAndNaNToTheirOwnRowsOnly) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const Kernels* kernels : testing::all_kernels()) {
    std::vector<float> in(20 * 30, 1.0F);
    in[3 * 30 + 7] = std::nanf("");
    in[9 * 30 + 29] = infinity;
    const auto packed = pack_rows(*kernels, std::vector<float>(30 * 50, 0.5F), 50, 0, 50, 30);
    std::vector<float> out(20 * 50);
    Epilogue finish;
    finish.activation = Activation::kRelu;
    kernels->gemm({20, 50, 30}, in.data(), 30, packed.data(), out.data(), 50, false, &finish);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i / 50 == 3) {
        ASSERT_TRUE(std::isnan(out[i])) << kernels->name;
      } else {
        ASSERT_EQ(out[i], i / 50 == 9 ? infinity : 15.0F) << kernels->name << " at " << i;
      }
    }
  }
}

}  // namespace
}  // namespace sealpack::nn::kernels
