// SPDX-License-Identifier: Apache-2.0
// The same bits on every processor with fused multiply-add: what x86 and Arm compute of the same
// inputs has one digest, kept here. It changes only when the arithmetic is changed on purpose.
#include <gtest/gtest.h>

#include "tests/runtime-loader/nn/kernels/buffers.h"

namespace sealpack::nn::kernels {
namespace {

// Inputs that depend on no library: a linear congruential generator, in [-1, 1).
std::vector<float> inputs(std::size_t count, std::uint32_t state) {
  std::vector<float> values(count);
  for (float& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(state >> 8) * 0x1p-23F - 1;
  }
  return values;
}

// FNV-1a over the bits.
std::uint64_t digest(const std::vector<float>& values) {
  std::uint64_t sum = 14695981039346656037U;
  for (const float value : values) {
    for (int shift = 0; shift < 32; shift += 8)
      sum = (sum ^ (testing::bits_of(value) >> shift & 255U)) * 1099511628211U;
  }
  return sum;
}

std::vector<float> product(const Kernels& kernels) {
  const std::vector<float> in = inputs(23 * 700, 1), weights = inputs(700 * 75, 2);
  std::vector<float> packed((75 + kernels.panel) * 700), out(23 * 75);
  kernels.pack_columns(weights.data(), {}, 700, 75, 700, 1, packed.data());
  Epilogue finish;
  finish.activation = Activation::kGelu;
  kernels.gemm({23, 75, 700}, in.data(), 700, packed.data(), out.data(), 75, false, &finish);
  return out;
}

std::vector<float> transformed(const Kernels& kernels) {
  ConvShape s;
  s.in_height = s.in_width = s.out_height = s.out_width = 13;
  s.in_channels = s.in_stride = 37;
  s.out_channels = s.out_stride = 41;
  s.kernel_height = s.kernel_width = 3;
  s.pad_top = s.pad_left = 1;
  const std::vector<float> in = inputs(13 * 13 * 37, 3), weights = inputs(41 * 37 * 9, 4);
  std::vector<float> packed(kernels.winograd_size(37, 41)),
      scratch(kernels.winograd_scratch(s) / sizeof(float));
  std::vector<float> out(13 * 13 * 41);
  kernels.winograd_pack(weights.data(), {}, 41, 37, packed.data());
  kernels.winograd(s, {0, 13, 0}, in.data(), packed.data(), 41, out.data(), {}, scratch.data());
  return out;
}

std::vector<float> rows(const Kernels& kernels) {
  const std::vector<float> in = inputs(7 * 203, 5);
  std::vector<float> norm(in.size()), out(in.size());
  kernels.layer_norm(in.data(), 7, 203, nullptr, nullptr, 1e-5F, norm.data());
  kernels.softmax(norm.data(), 7, 203, out.data());
  return out;
}

template <Activation kActivation>
std::vector<float> function(const Kernels& kernels) {
  std::vector<float> values = inputs(10'000, 6);
  for (float& value : values) value *= 9;
  kernels.activate(kActivation, 0, 0, values.data(), values.data(), values.size());
  return values;
}

struct Golden {
  const char* name;
  std::vector<float> (*run)(const Kernels&);
  std::uint64_t digest;
};
const Golden kGolden[] = {
    {"gemm", product, 0x2DB0CFA7A6F3CCD8},
    {"winograd", transformed, 0x8C03DAE402E83D87},
    {"layer_norm and softmax", rows, 0xD117128F2AF44CA8},
    {"sigmoid", function<Activation::kSigmoid>, 0x3CBC60B42854FC97},
    {"tanh", function<Activation::kTanh>, 0x9285F8B3E1910702},
};

TEST(GoldenBits, AreThoseOfEveryProcessor) {
  for (const Golden& golden : kGolden) {
    for (const Kernels* kernels : testing::fused_kernels()) {
      EXPECT_EQ(digest(golden.run(*kernels)), golden.digest) << golden.name << ' ' << kernels->name;
    }
  }
}

}  // namespace
}  // namespace sealpack::nn::kernels
