// SPDX-License-Identifier: Apache-2.0
// exp, erf and the activations: errors in units of the last place, special values, tails.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tests/runtime-loader/nn/kernels/buffers.h"
#include "tests/runtime-loader/nn/kernels/reference.h"

namespace sealpack::nn::kernels {
namespace {

using testing::Guarded;
using testing::Random;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLeast = std::numeric_limits<float>::denorm_min();

// Floats of every exponent and both signs, evenly over their bit patterns.
std::vector<float> all_sizes() {
  std::vector<float> values;
  for (std::uint32_t bits = 0; bits < 0x7F800000U; bits += 40009) {
    values.push_back(std::bit_cast<float>(bits));
    values.push_back(-values.back());
  }
  return values;
}

std::vector<float> evenly(float low, float high, std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = low + (high - low) * static_cast<float>(i) / static_cast<float>(count - 1);
  }
  return values;
}

// How far a float is from the exact value, in distances between neighbouring floats there, or at
// `least` if the value is smaller.
double error_in_ulp(float value, double exact, float least) {
  if (std::isnan(exact)) return std::isnan(value) ? 0 : 1e30;
  const auto nearest = static_cast<float>(exact);
  if (std::isinf(nearest) || std::isinf(value)) return value == nearest ? 0 : 1e30;
  const float size = std::max(std::abs(nearest), least);
  const double ulp =
      static_cast<double>(std::nextafter(size, kInfinity)) - static_cast<double>(size);
  return std::abs(static_cast<double>(value) - exact) / ulp;
}

using Apply = std::vector<float> (*)(const Kernels&, const std::vector<float>&);

std::vector<float> run_exp(const Kernels& kernels, const std::vector<float>& in) {
  std::vector<float> out(in.size());
  kernels.exp(in.data(), out.data(), in.size());
  return out;
}
std::vector<float> run_erf(const Kernels& kernels, const std::vector<float>& in) {
  std::vector<float> out(in.size());
  kernels.erf(in.data(), out.data(), in.size());
  return out;
}
template <Activation kActivation>
std::vector<float> run_activation(const Kernels& kernels, const std::vector<float>& in) {
  std::vector<float> out(in.size());
  kernels.activate(kActivation, 0.1F, 2, in.data(), out.data(), in.size());
  return out;
}

// The exact function, and the most ulp it may be off; results below `least` may be off as much as
// `least` itself.
struct Function {
  const char* name;
  Apply run;
  double (*exact)(double);
  double ulp;
  float least = std::numeric_limits<float>::min();
};
const Function kFunctions[] = {
    {"exp", run_exp, [](double x) { return std::exp(x); }, 1.5},
    {"erf", run_erf, [](double x) { return std::erf(x); }, 2},
    {"tanh", run_activation<Activation::kTanh>, [](double x) { return std::tanh(x); }, 2},
    {"sigmoid", run_activation<Activation::kSigmoid>,
     [](double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }, 3},
    {"silu", run_activation<Activation::kSilu>,
     [](double x) {
       return x < 0 ? x * (std::exp(x) / (1 + std::exp(x))) : x / (1 + std::exp(-x));
     },
     4, 1e-35F},
    {"hard swish", run_activation<Activation::kHardSwish>,
     [](double x) { return x * std::min(1.0, std::max(0.0, x / 6 + 0.5)); }, 1e30},
    {"leaky relu", run_activation<Activation::kLeakyRelu>,
     [](double x) { return x < 0 ? x * static_cast<double>(0.1F) : x; }, 0.5},
    {"relu", run_activation<Activation::kRelu>, [](double x) { return x > 0 ? x : 0; }, 0},
    {"clip", run_activation<Activation::kClip>,
     [](double x) { return std::min(2.0, std::max(static_cast<double>(0.1F), x)); }, 0},
};

TEST(Functions, AreWithinTheirUlpOverAllFloats) {
  std::vector<float> in = all_sizes();
  for (const auto& [low, high] : {std::pair{-105.0F, 90.0F}, {-12.0F, 12.0F}, {-1.5F, 1.5F}}) {
    const std::vector<float> more = evenly(low, high, 100'000);
    in.insert(in.end(), more.begin(), more.end());
  }
  for (const Function& function : kFunctions) {
    for (const Kernels* kernels : testing::all_kernels()) {
      const std::vector<float> out = function.run(*kernels, in);
      double most = 0;
      float at = 0;
      for (std::size_t i = 0; i < in.size(); ++i) {
        const double error =
            error_in_ulp(out[i], function.exact(static_cast<double>(in[i])), function.least);
        if (error > most) most = error, at = in[i];
      }
      EXPECT_LE(most, function.ulp) << function.name << " of " << at << ", " << kernels->name;
    }
  }
}

// 1 + erf cancels for negative x, so the error counts against x.
TEST(Functions, GeluAndHardSwishAreRightRelativeToTheirArgument) {
  const std::vector<float> in = evenly(-10, 10, 200'001);
  for (const Kernels* kernels : testing::all_kernels()) {
    for (const Activation activation : {Activation::kGelu, Activation::kHardSwish}) {
      std::vector<float> out(in.size());
      kernels->activate(activation, 0, 0, in.data(), out.data(), in.size());
      for (std::size_t i = 0; i < in.size(); ++i) {
        const auto x = static_cast<double>(in[i]);
        ASSERT_NEAR(out[i], testing::exact_activation(activation, 0, 0, x), 2e-7 * std::abs(x))
            << kernels->name << " of " << x;
      }
    }
  }
}

TEST(Functions, OfSpecialValues) {
  const std::vector<float> in{std::nanf(""), kInfinity, -kInfinity, 0.0F, -0.0F, kLeast, -kLeast};
  for (const Kernels* kernels : testing::all_kernels()) {
    SCOPED_TRACE(kernels->name);
    for (const Function& function : kFunctions)
      EXPECT_TRUE(std::isnan(function.run(*kernels, in)[0])) << function.name;
    const std::vector<float> e = run_exp(*kernels, in), f = run_erf(*kernels, in);
    const std::vector<float> s = run_activation<Activation::kSigmoid>(*kernels, in);
    const std::vector<float> t = run_activation<Activation::kTanh>(*kernels, in);
    const std::vector<float> r = run_activation<Activation::kRelu>(*kernels, in);
    EXPECT_EQ(testing::first_difference(e, {in[0], kInfinity, 0, 1, 1, 1, 1}), -1);
    EXPECT_EQ(testing::first_difference(t, {in[0], 1, -1, 0, -0.0F, kLeast, -kLeast}), -1);
    EXPECT_EQ(testing::first_difference(f, {in[0], 1, -1, 0, -0.0F, kLeast, -kLeast}), -1);
    EXPECT_EQ(testing::first_difference(s, {in[0], 1, 0, 0.5F, 0.5F, 0.5F, 0.5F}), -1);
    EXPECT_EQ(r[1], kInfinity);
    EXPECT_EQ(r[2], 0);
    EXPECT_EQ(r[6], 0);
  }
}

TEST(Functions, OverflowAndUnderflowWhereTheyShould) {
  for (const Kernels* kernels : testing::all_kernels()) {
    const std::vector<float> e =
        run_exp(*kernels, {88.72283F, 88.722848F, -87.4F, -103.9F, -103.98F, 1e30F, -1e30F});
    EXPECT_TRUE(std::isfinite(e[0])) << kernels->name;
    EXPECT_EQ(e[1], kInfinity) << kernels->name;
    EXPECT_GT(e[2], 0) << kernels->name;
    EXPECT_EQ(e[3], kLeast) << kernels->name;
    EXPECT_EQ(e[4], 0) << kernels->name;
    EXPECT_EQ(e[5], kInfinity) << kernels->name;
    EXPECT_EQ(e[6], 0) << kernels->name;
  }
}

TEST(Functions, AgreeBetweenSets) {
  Random random(21);
  std::vector<float> in = all_sizes();
  const std::vector<float> more = random.values(100'000, 20);
  in.insert(in.end(), more.begin(), more.end());
  std::vector<Apply> runs{run_activation<Activation::kGelu>, run_activation<Activation::kNone>};
  for (const Function& function : kFunctions) runs.push_back(function.run);
  for (const Apply& run : runs) {
    const std::vector<float> expected = run(best_kernels(), in);
    for (const Kernels* kernels : testing::fused_kernels()) {
      const std::ptrdiff_t at = testing::first_difference(expected, run(*kernels, in));
      ASSERT_EQ(at, -1) << kernels->name << " function " << (&run - runs.data());
    }
  }
}

TEST(Functions, DoNotDependOnCountOrPosition) {
  Random random(22);
  const std::vector<float> in = random.values(70, 5);
  for (const Kernels* kernels : testing::all_kernels()) {
    const std::vector<float> whole = run_activation<Activation::kGelu>(*kernels, in);
    for (std::size_t first = 0; first < 20; ++first) {
      for (std::size_t count = 0; first + count <= in.size(); ++count) {
        Guarded out(count);
        kernels->activate(Activation::kGelu, 0, 0, in.data() + first, out.data(), count);
        ASSERT_TRUE(out.is_intact()) << kernels->name;
        for (std::size_t i = 0; i < count; ++i)
          ASSERT_EQ(testing::bits_of(out[i]), testing::bits_of(whole[first + i])) << kernels->name;
      }
    }
  }
}

TEST(Functions, WorkInPlace) {
  Random random(23);
  const std::vector<float> in = random.values(50, 3);
  for (const Kernels* kernels : testing::all_kernels()) {
    std::vector<float> both = in;
    kernels->exp(both.data(), both.data(), both.size());
    EXPECT_EQ(testing::first_difference(both, run_exp(*kernels, in)), -1) << kernels->name;
  }
}

}  // namespace
}  // namespace sealpack::nn::kernels
