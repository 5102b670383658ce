// SPDX-License-Identifier: Apache-2.0
// conv, winograd and depthwise over random shapes.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/runtime-loader/nn/kernels/buffers.h"
#include "tests/runtime-loader/nn/kernels/reference.h"

namespace sealpack::nn::kernels {
namespace {

using testing::Exact;
using testing::Guarded;
using testing::Random;

std::size_t output_size(Random& random, std::size_t in, std::size_t pad, std::size_t kernel,
                        std::size_t stride, std::size_t dilation) {
  const std::size_t padded = in + pad + random.between(0, kernel / 2),
                    reach = (kernel - 1) * dilation + 1;
  return padded < reach ? 0 : (padded - reach) / stride + 1;
}

ConvShape random_shape(Random& random, std::size_t most_channels) {
  ConvShape s;
  do {
    s.kernel_height = random.between(1, 5);
    s.kernel_width = random.between(1, 7);
    s.stride_y = random.between(1, 3);
    s.stride_x = random.between(1, 3);
    s.dilation_y = random.between(1, 2);
    s.dilation_x = random.coin() ? 1 : random.between(1, 3);
    s.pad_top = random.between(0, s.kernel_height / 2);
    s.pad_left = random.between(0, s.kernel_width / 2);
    s.in_height = random.between(1, 20);
    s.in_width = random.between(1, 30);
    s.out_height =
        output_size(random, s.in_height, s.pad_top, s.kernel_height, s.stride_y, s.dilation_y);
    s.out_width =
        output_size(random, s.in_width, s.pad_left, s.kernel_width, s.stride_x, s.dilation_x);
  } while (s.out_height == 0 || s.out_width == 0);
  s.in_channels = random.between(1, most_channels);
  s.out_channels = random.between(1, 80);
  s.in_stride = s.in_channels + (random.coin() ? 0 : random.between(1, 9));
  s.out_stride = s.out_channels + (random.coin() ? 0 : random.between(1, 9));
  return s;
}

ConvShape winograd_shape(Random& random) {
  ConvShape s = random_shape(random, 70);
  s.kernel_height = s.kernel_width = 3;
  s.stride_y = s.stride_x = s.dilation_y = s.dilation_x = 1;
  s.pad_top = random.between(0, 1);
  s.pad_left = random.between(0, 1);
  s.in_height += 3;
  s.in_width += 3;
  s.out_height = s.in_height + s.pad_top + random.between(0, 1) - 2;
  s.out_width = s.in_width + s.pad_left + random.between(0, 1) - 2;
  return s;
}

// A convolution with its data. Rows of the input beyond those that exist are not there to be read.
struct Convolution {
  Convolution(Random& random, const ConvShape& of)
      : shape(of),
        in(random.values(shape.in_height * shape.in_width * shape.in_stride)),
        weights(random.values(shape.out_channels * inner())),
        bias(random.values(shape.out_channels)),
        residual(random.values(out_size())) {
    if (random.coin()) finish.bias = bias.data();
    if (random.coin()) finish.residual = residual.data();
    const Activation activations[] = {Activation::kNone, Activation::kRelu, Activation::kClip,
                                      Activation::kSilu};
    finish.activation = activations[random.between(0, 3)];
    finish.low = -0.25F;
    finish.high = 1.5F;
  }
  std::size_t inner() const { return shape.in_channels * shape.kernel_height * shape.kernel_width; }
  std::size_t out_size() const { return shape.out_height * shape.out_width * shape.out_stride; }

  // Output rows [first, last) and columns [column, column + columns), from no more input rows than
  // these need.
  void run_part(const Kernels& kernels, bool winograd, std::size_t first, std::size_t last,
                std::size_t column, std::size_t columns, float* out) const;
  std::vector<float> run(const Kernels& kernels, bool winograd) const {
    Guarded out(out_size());
    run_part(kernels, winograd, 0, shape.out_height, 0, shape.out_channels, out.data());
    EXPECT_TRUE(out.is_intact()) << kernels.name;
    return out.values();
  }

  ConvShape shape;
  std::vector<float> in, weights, bias, residual;
  Epilogue finish;
};

void Convolution::run_part(const Kernels& kernels, bool winograd, std::size_t first,
                           std::size_t last, std::size_t column, std::size_t columns,
                           float* out) const {
  const std::size_t panels = (columns + kernels.panel - 1) / kernels.panel * kernels.panel;
  const std::size_t packed_size =
      winograd ? kernels.winograd_size(shape.in_channels, columns) : panels * inner();
  Guarded packed(packed_size);
  const float* stored = weights.data() + column * inner();
  if (winograd) {
    kernels.winograd_pack(stored, {}, columns, shape.in_channels, packed.data());
  } else {
    kernels.pack_columns(stored, {}, inner(), columns, inner(),
                         shape.kernel_height * shape.kernel_width, packed.data());
  }
  ASSERT_TRUE(packed.is_intact()) << kernels.name;
  const std::size_t top = first * shape.stride_y;
  const std::size_t in_first = std::min(shape.in_height, top - std::min(top, shape.pad_top));
  const std::size_t bottom =
      (last - 1) * shape.stride_y + (shape.kernel_height - 1) * shape.dilation_y + 1;
  const std::size_t in_last =
      std::max(in_first, std::min(shape.in_height, bottom - std::min(bottom, shape.pad_top)));
  const std::size_t row = shape.in_width * shape.in_stride;
  const std::vector<float> rows(in.begin() + static_cast<std::ptrdiff_t>(in_first * row),
                                in.begin() + static_cast<std::ptrdiff_t>(in_last * row));
  const std::size_t scratch_size =
      winograd ? kernels.winograd_scratch(shape) : kernels.conv_scratch(shape);
  ASSERT_EQ(scratch_size % sizeof(float), 0);
  Guarded scratch(scratch_size / sizeof(float));
  const std::size_t offset = first * shape.out_width * shape.out_stride + column;
  Epilogue part = finish;
  if (part.bias != nullptr) part.bias += column;
  if (part.residual != nullptr) part.residual += offset;
  const auto work = winograd ? kernels.winograd : kernels.conv;
  work(shape, {first, last, in_first}, rows.data(), packed.data(), columns, out + offset, part,
       scratch.data());
  ASSERT_TRUE(scratch.is_intact()) << kernels.name;
}

void expect_near_exact(const Convolution& conv, const std::vector<float>& out, double per_term,
                       const Kernels& kernels) {
  const ConvShape& s = conv.shape;
  for (std::size_t at = 0; at < out.size(); ++at) {
    const std::size_t column = at % s.out_stride, pixel = at / s.out_stride;
    if (column >= s.out_channels) {
      ASSERT_TRUE(Guarded::is_untouched(out[at])) << kernels.name;
      continue;
    }
    const Exact sum = testing::exact_conv(s, conv.in.data(), conv.weights.data(), column,
                                          pixel / s.out_width, pixel % s.out_width);
    const Exact exact = testing::exact_finish(conv.finish, sum, column, at);
    ASSERT_NEAR(out[at], exact.value, (4 + exact.size) * per_term) << kernels.name << " at " << at;
  }
}

TEST(Convolutions, AgreeWithSumsInDoubleAndBetweenSets) {
  Random random(11);
  for (int round = 0; round < 150; ++round) {
    const Convolution conv(random, random_shape(random, 40));
    const double per_term = static_cast<double>(conv.inner() + 8) * 6e-8;
    for (const Kernels* kernels : testing::all_kernels()) {
      ASSERT_NO_FATAL_FAILURE(
          expect_near_exact(conv, conv.run(*kernels, false), per_term, *kernels));
    }
    const std::vector<float> expected = conv.run(best_kernels(), false);
    for (const Kernels* kernels : testing::fused_kernels()) {
      ASSERT_EQ(testing::first_difference(expected, conv.run(*kernels, false)), -1)
          << kernels->name;
    }
  }
}

TEST(Convolutions, OfManyPixelsAndChannelsAgreeWithSumsInDouble) {
  Random random(12);
  ConvShape s = random_shape(random, 1);
  s.in_height = s.in_width = s.out_height = s.out_width = 30;
  s.in_channels = s.in_stride = 100;
  s.out_channels = s.out_stride = 130;  // so many weights that the pixels go in groups
  s.kernel_height = s.kernel_width = 3;
  s.stride_y = s.stride_x = s.dilation_y = s.dilation_x = s.pad_top = s.pad_left = 1;
  const Convolution conv(random, s);
  for (const Kernels* kernels : testing::all_kernels()) {
    ASSERT_NO_FATAL_FAILURE(expect_near_exact(conv, conv.run(*kernels, false), 1e-5, *kernels));
  }
}

TEST(Convolutions, CutIntoRowsAndColumnsChangeNoBit) {
  Random random(13);
  for (int round = 0; round < 100; ++round) {
    const Convolution conv(random, random_shape(random, 40));
    for (const Kernels* kernels : testing::all_kernels()) {
      Guarded out(conv.out_size());
      const std::size_t row = random.between(0, conv.shape.out_height),
                        column = random.between(0, conv.shape.out_channels);
      const std::size_t rows[] = {0, row, conv.shape.out_height},
                        columns[] = {0, column, conv.shape.out_channels};
      for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 2; ++j) {
          if (rows[i] == rows[i + 1] || columns[j] == columns[j + 1]) continue;
          conv.run_part(*kernels, false, rows[i], rows[i + 1], columns[j],
                        columns[j + 1] - columns[j], out.data());
        }
      }
      ASSERT_TRUE(out.is_intact());
      ASSERT_EQ(testing::first_difference(conv.run(*kernels, false), out.values()), -1)
          << kernels->name;
    }
  }
}

TEST(Winograd, AgreesWithSumsInDoubleAndBetweenSets) {
  Random random(14);
  for (int round = 0; round < 100; ++round) {
    const Convolution conv(random, winograd_shape(random));
    for (const Kernels* kernels : testing::all_kernels()) {
      ASSERT_NO_FATAL_FAILURE(expect_near_exact(conv, conv.run(*kernels, true), 1e-6, *kernels));
    }
    const std::vector<float> expected = conv.run(best_kernels(), true);
    for (const Kernels* kernels : testing::fused_kernels()) {
      ASSERT_EQ(testing::first_difference(expected, conv.run(*kernels, true)), -1) << kernels->name;
    }
  }
}

TEST(Winograd, CutAtItsTilesChangesNoBit) {
  Random random(15);
  for (int round = 0; round < 100; ++round) {
    const Convolution conv(random, winograd_shape(random));
    const ConvShape& s = conv.shape;
    const std::size_t row = std::min(s.out_height, 4 * random.between(0, s.out_height / 4));
    const std::size_t column = random.between(0, s.out_channels);
    const std::size_t rows[] = {0, row, s.out_height}, columns[] = {0, column, s.out_channels};
    for (const Kernels* kernels : testing::all_kernels()) {
      Guarded out(conv.out_size());
      for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 2; ++j) {
          if (rows[i] == rows[i + 1] || columns[j] == columns[j + 1]) continue;
          conv.run_part(*kernels, true, rows[i], rows[i + 1], columns[j],
                        columns[j + 1] - columns[j], out.data());
        }
      }
      ASSERT_EQ(testing::first_difference(conv.run(*kernels, true), out.values()), -1)
          << kernels->name;
    }
  }
}

std::vector<float> run_depthwise(const Kernels& kernels, const Convolution& conv,
                                 std::size_t channels, std::size_t cut) {
  const ConvShape& s = conv.shape;
  Guarded out(conv.out_size());
  const std::size_t rows[] = {0, cut, s.out_height};
  for (int i = 0; i < 2; ++i) {
    if (rows[i] == rows[i + 1]) continue;
    const std::size_t top = rows[i] * s.stride_y;
    const std::size_t in_first = std::min(s.in_height, top - std::min(top, s.pad_top));
    const std::size_t offset = rows[i] * s.out_width * s.out_stride;
    Epilogue part = conv.finish;
    if (part.residual != nullptr) part.residual += offset;
    kernels.depthwise(s, channels, {rows[i], rows[i + 1], in_first},
                      conv.in.data() + in_first * s.in_width * s.in_stride, conv.weights.data(),
                      out.data() + offset, part);
  }
  EXPECT_TRUE(out.is_intact()) << kernels.name;
  return out.values();
}

TEST(Depthwise, AgreesWithSumsInDoubleAndBetweenSets) {
  Random random(16);
  for (int round = 0; round < 200; ++round) {
    ConvShape s = random_shape(random, 1);
    const std::size_t channels = random.between(1, 70);
    s.out_channels = channels;
    s.in_stride = channels + random.between(0, 3);
    s.out_stride = channels + random.between(0, 3);
    Convolution conv(random, s);
    conv.shape.out_channels = 1;
    const std::size_t cut = random.between(0, s.out_height);
    const std::vector<float> expected = run_depthwise(best_kernels(), conv, channels, 0);
    for (const Kernels* kernels : testing::all_kernels()) {
      const std::vector<float> out = run_depthwise(*kernels, conv, channels, cut);
      for (std::size_t at = 0; at < out.size(); ++at) {
        const std::size_t channel = at % s.out_stride, pixel = at / s.out_stride;
        if (channel >= channels) {
          ASSERT_TRUE(Guarded::is_untouched(out[at]));
          continue;
        }
        const Exact sum =
            testing::exact_depthwise(s, channels, conv.in.data(), conv.weights.data(), channel,
                                     pixel / s.out_width, pixel % s.out_width);
        const Exact exact = testing::exact_finish(conv.finish, sum, channel, at);
        ASSERT_NEAR(out[at], exact.value, (1 + exact.size) * 4e-6) << kernels->name;
      }
    }
    for (const Kernels* kernels : testing::fused_kernels()) {
      ASSERT_EQ(testing::first_difference(expected, run_depthwise(*kernels, conv, channels, cut)),
                -1)
          << kernels->name;
    }
  }
}

}  // namespace
}  // namespace sealpack::nn::kernels
