// SPDX-License-Identifier: Apache-2.0
// Elementwise arithmetic, softmax, layer normalisation, sums, pooling and transposition.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "tests/runtime-loader/nn/kernels/buffers.h"

namespace sealpack::nn::kernels {
namespace {

using testing::Guarded;
using testing::Random;

TEST(Elementwise, IsExactForAnyCount) {
  Random random(31);
  for (std::size_t count = 0; count < 70; ++count) {
    const std::vector<float> a = random.values(count), b = random.values(count);
    for (const Kernels* kernels : testing::all_kernels()) {
      Guarded sum(count), difference(count), product(count), quotient(count);
      kernels->add(a.data(), b.data(), sum.data(), count);
      kernels->subtract(a.data(), b.data(), difference.data(), count);
      kernels->multiply(a.data(), b.data(), product.data(), count);
      kernels->divide(a.data(), b.data(), quotient.data(), count);
      for (const Guarded* out : {&sum, &difference, &product, &quotient})
        ASSERT_TRUE(out->is_intact()) << kernels->name;
      for (std::size_t i = 0; i < count; ++i) {
        ASSERT_EQ(sum[i], a[i] + b[i]) << kernels->name;
        ASSERT_EQ(difference[i], a[i] - b[i]) << kernels->name;
        ASSERT_EQ(product[i], a[i] * b[i]) << kernels->name;
        ASSERT_EQ(quotient[i], a[i] / b[i]) << kernels->name;
      }
    }
  }
}

TEST(ScaleShift, IsRightForAnyShapeAndAgreesBetweenSets) {
  Random random(32);
  for (int round = 0; round < 100; ++round) {
    const std::size_t rows = random.between(1, 9), channels = random.between(1, 70);
    const std::vector<float> in = random.values(rows * channels), scale = random.values(channels),
                             shift = random.values(channels);
    Guarded expected(in.size());
    best_kernels().scale_shift(in.data(), rows, channels, scale.data(), shift.data(),
                               expected.data());
    for (const Kernels* kernels : testing::all_kernels()) {
      Guarded out(in.size());
      kernels->scale_shift(in.data(), rows, channels, scale.data(), shift.data(), out.data());
      ASSERT_TRUE(out.is_intact()) << kernels->name;
      for (std::size_t i = 0; i < in.size(); ++i)
        ASSERT_NEAR(out[i], in[i] * scale[i % channels] + shift[i % channels], 2e-7)
            << kernels->name;
    }
    for (const Kernels* kernels : testing::fused_kernels()) {
      Guarded out(in.size());
      kernels->scale_shift(in.data(), rows, channels, scale.data(), shift.data(), out.data());
      ASSERT_EQ(testing::first_difference(expected.values(), out.values()), -1) << kernels->name;
    }
  }
}

double exact_exp_sum(const float* row, std::size_t width, double most) {
  double total = 0;
  for (std::size_t i = 0; i < width; ++i) total += std::exp(static_cast<double>(row[i]) - most);
  return total;
}

TEST(Softmax, IsRightForAnyShapeAndAgreesBetweenSets) {
  Random random(33);
  for (int round = 0; round < 200; ++round) {
    const std::size_t rows = random.between(1, 5), width = random.between(1, 130);
    const std::vector<float> in = random.values(rows * width, round % 2 == 0 ? 3.0F : 80.0F);
    Guarded expected(in.size());
    best_kernels().softmax(in.data(), rows, width, expected.data());
    for (const Kernels* kernels : testing::all_kernels()) {
      Guarded out(in.size());
      kernels->softmax(in.data(), rows, width, out.data());
      ASSERT_TRUE(out.is_intact()) << kernels->name;
      for (std::size_t row = 0; row < rows; ++row) {
        const float* from = in.data() + row * width;
        const auto most = static_cast<double>(*std::max_element(from, from + width));
        const double total = exact_exp_sum(from, width, most);
        for (std::size_t i = 0; i < width; ++i) {
          const double below = most - static_cast<double>(from[i]);  // rounded in float
          const double exact = std::exp(-below) / total;
          ASSERT_NEAR(out[row * width + i], exact, (1e-6 + 6e-8 * below) * exact + 1e-43)
              << kernels->name;
        }
      }
    }
    for (const Kernels* kernels : testing::fused_kernels()) {
      Guarded out(in.size());
      kernels->softmax(in.data(), rows, width, out.data());
      ASSERT_EQ(testing::first_difference(expected.values(), out.values()), -1)
          << kernels->name << " width " << width;
    }
  }
}

TEST(Softmax, GivesMaskedPlacesNothingAndStaysFiniteForLargeScores) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const Kernels* kernels : testing::all_kernels()) {
    std::vector<float> row(21, -infinity), out(21);
    row[4] = row[20] = 3e38F;
    kernels->softmax(row.data(), 1, row.size(), out.data());
    for (std::size_t i = 0; i < row.size(); ++i)
      EXPECT_EQ(out[i], i == 4 || i == 20 ? 0.5F : 0.0F) << kernels->name << i;
  }
}

TEST(LayerNorm, IsRightForAnyShapeAndAgreesBetweenSets) {
  Random random(34);
  for (int round = 0; round < 200; ++round) {
    const std::size_t rows = random.between(1, 5), width = random.between(1, 300);
    std::vector<float> in = random.values(rows * width);
    for (float& value : in) value += 5;
    const std::vector<float> scale = random.values(width), bias = random.values(width);
    const float* used_scale = random.coin() ? scale.data() : nullptr;
    const float* used_bias = random.coin() ? bias.data() : nullptr;
    Guarded expected(in.size());
    best_kernels().layer_norm(in.data(), rows, width, used_scale, used_bias, 1e-5F,
                              expected.data());
    for (const Kernels* kernels : testing::all_kernels()) {
      Guarded out(in.size());
      kernels->layer_norm(in.data(), rows, width, used_scale, used_bias, 1e-5F, out.data());
      ASSERT_TRUE(out.is_intact()) << kernels->name;
      for (std::size_t row = 0; row < rows; ++row) {
        const float* from = in.data() + row * width;
        double mean = 0, variance = 0;
        for (std::size_t i = 0; i < width; ++i)
          mean += static_cast<double>(from[i]) / static_cast<double>(width);
        for (std::size_t i = 0; i < width; ++i)
          variance += std::pow(static_cast<double>(from[i]) - mean, 2) / static_cast<double>(width);
        for (std::size_t i = 0; i < width; ++i) {
          const double exact = (static_cast<double>(from[i]) - mean) / std::sqrt(variance + 1e-5) *
                                   (used_scale ? static_cast<double>(scale[i]) : 1) +
                               (used_bias ? static_cast<double>(bias[i]) : 0);
          ASSERT_NEAR(out[row * width + i], exact, 3e-5) << kernels->name << " width " << width;
        }
      }
    }
    for (const Kernels* kernels : testing::fused_kernels()) {
      Guarded out(in.size());
      kernels->layer_norm(in.data(), rows, width, used_scale, used_bias, 1e-5F, out.data());
      ASSERT_EQ(testing::first_difference(expected.values(), out.values()), -1)
          << kernels->name << " width " << width;
    }
  }
}

TEST(SumRows, AddsInOrderToWhatIsThere) {
  Random random(35);
  for (int round = 0; round < 50; ++round) {
    const std::size_t pixels = random.between(0, 60), channels = random.between(1, 70);
    const std::vector<float> in = random.values(pixels * channels);
    for (const Kernels* kernels : testing::all_kernels()) {
      Guarded sums(channels);
      std::fill_n(sums.data(), channels, 0.5F);
      kernels->sum_rows(in.data(), pixels, channels, sums.data());
      ASSERT_TRUE(sums.is_intact()) << kernels->name;
      for (std::size_t c = 0; c < channels; ++c) {
        float sum = 0.5F;
        for (std::size_t i = 0; i < pixels; ++i) sum += in[i * channels + c];
        ASSERT_EQ(sums[c], sum) << kernels->name;
      }
    }
  }
}

// A window's taps inside the image.
struct Window {
  float most = -std::numeric_limits<float>::infinity();
  float sum = 0;
  std::size_t count = 0;
};
Window look(const ConvShape& s, const std::vector<float>& in, std::size_t channel,
            std::size_t out_y, std::size_t out_x) {
  Window window;
  for (std::size_t i = 0; i < s.kernel_height; ++i) {
    for (std::size_t j = 0; j < s.kernel_width; ++j) {
      const std::size_t y = out_y * s.stride_y + i * s.dilation_y,
                        x = out_x * s.stride_x + j * s.dilation_x;
      if (y < s.pad_top || x < s.pad_left || y - s.pad_top >= s.in_height ||
          x - s.pad_left >= s.in_width)
        continue;
      const float value =
          in[((y - s.pad_top) * s.in_width + x - s.pad_left) * s.in_stride + channel];
      window.most = std::max(window.most, value);
      window.sum += value;
      ++window.count;
    }
  }
  return window;
}

ConvShape random_pool(Random& random) {
  ConvShape s;
  s.kernel_height = random.between(1, 4);
  s.kernel_width = random.between(1, 4);
  s.stride_y = random.between(1, 3);
  s.stride_x = random.between(1, 3);
  s.dilation_y = random.between(1, 2);
  s.dilation_x = random.between(1, 2);
  s.pad_top = random.between(0, s.kernel_height - 1);
  s.pad_left = random.between(0, s.kernel_width - 1);
  s.in_height = random.between(8, 20);
  s.in_width = random.between(8, 20);
  s.out_height =
      (s.in_height + s.pad_top - (s.kernel_height - 1) * s.dilation_y - 1) / s.stride_y + 1;
  s.out_width =
      (s.in_width + s.pad_left - (s.kernel_width - 1) * s.dilation_x - 1) / s.stride_x + 1;
  s.in_channels = random.between(1, 40);
  s.out_channels = s.in_channels;
  s.in_stride = s.in_channels + random.between(0, 2);
  s.out_stride = s.in_channels + random.between(0, 2);
  return s;
}

TEST(Pooling, FoldsTheTapsInsideTheImageInOrder) {
  Random random(36);
  for (int round = 0; round < 100; ++round) {
    const ConvShape s = random_pool(random);
    const std::vector<float> in = random.values(s.in_height * s.in_width * s.in_stride);
    const std::size_t first = random.between(0, s.out_height - 1),
                      last = random.between(first + 1, s.out_height);
    const std::size_t top = first * s.stride_y, in_first = top - std::min(top, s.pad_top);
    const float* rows = in.data() + in_first * s.in_width * s.in_stride;
    const bool count_padding = random.coin();
    for (const Kernels* kernels : testing::all_kernels()) {
      Guarded most((last - first) * s.out_width * s.out_stride), mean(most.size());
      kernels->max_pool(s, {first, last, in_first}, rows, most.data());
      kernels->average_pool(s, {first, last, in_first}, rows, mean.data(), count_padding);
      ASSERT_TRUE(most.is_intact() && mean.is_intact()) << kernels->name;
      for (std::size_t at = 0; at < most.size(); ++at) {
        const std::size_t pixel = at / s.out_stride, channel = at % s.out_stride;
        if (channel >= s.in_channels) {
          ASSERT_TRUE(Guarded::is_untouched(most[at]) && Guarded::is_untouched(mean[at]));
          continue;
        }
        const Window window =
            look(s, in, channel, first + pixel / s.out_width, pixel % s.out_width);
        const std::size_t count = count_padding ? s.kernel_height * s.kernel_width : window.count;
        ASSERT_EQ(most[at], window.most) << kernels->name;
        ASSERT_EQ(mean[at], window.sum / static_cast<float>(count)) << kernels->name;
      }
    }
  }
}

TEST(Transpose, MovesEveryBitPatternOfAnyShape) {
  Random random(37);
  for (int round = 0; round < 200; ++round) {
    const std::size_t rows = random.between(1, 70), columns = random.between(1, 70);
    std::vector<std::uint32_t> in(rows * columns);
    std::iota(in.begin(), in.end(), 0x7F800000U);  // infinity, then signalling NaNs
    for (const Kernels* kernels : testing::all_kernels()) {
      Guarded out(in.size());
      kernels->transpose(in.data(), rows, columns, out.data());
      ASSERT_TRUE(out.is_intact()) << kernels->name;
      std::vector<std::uint32_t> moved(in.size());
      std::memcpy(moved.data(), out.data(), in.size() * sizeof(float));
      for (std::size_t i = 0; i < in.size(); ++i)
        ASSERT_EQ(moved[i % columns * rows + i / columns], in[i]) << kernels->name;
    }
  }
}

}  // namespace
}  // namespace sealpack::nn::kernels
