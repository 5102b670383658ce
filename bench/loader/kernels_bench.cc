// SPDX-License-Identifier: Apache-2.0
// The kernels alone, in GFLOP/s (two a multiply-add; Winograd is credited with those it saves), on
// the shapes of ResNet-18 and of a transformer block. --benchmark_filter=avx512 for one set.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "runtime-loader/nn/kernels/kernels.h"

namespace sealpack::nn::kernels {
namespace {

// Aligned as the executor's memory is.
class Buffer {
 public:
  explicit Buffer(std::size_t count)
      : data_(static_cast<float*>(::operator new(count * sizeof(float), kAlignment))) {
    std::minstd_rand random(1);
    std::uniform_real_distribution<float> value(-1, 1);
    for (std::size_t i = 0; i < count; ++i) data_.get()[i] = value(random);
  }
  float* get() const { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(float* p) const { ::operator delete(p, kAlignment); }
  };
  std::unique_ptr<float, Free> data_;
};

// Weights for several calls in turn where they are large, so that they come from as far away as
// they do between the layers of a network.
class Turns {
 public:
  Turns(std::size_t floats, std::size_t most)
      : floats_(floats), count_(floats >= kLarge ? most : 1), all_(floats * count_) {}
  const float* next() { return all_.get() + floats_ * (turn_++ % count_); }

 private:
  static constexpr std::size_t kLarge = 256 * 1024;
  std::size_t floats_, count_, turn_ = 0;
  Buffer all_;
};

constexpr std::size_t kTurns = 4;

struct ConvCase {
  const char* name;
  std::size_t size, in, out, kernel, stride;
  unsigned times;  // in ResNet-18
  bool winograd;
};

constexpr ConvCase kResNet18[] = {
    {"conv1_7x7s2_3x64@112", 224, 3, 64, 7, 2, 1, false},
    {"layer1_3x3_64x64@56", 56, 64, 64, 3, 1, 4, true},
    {"layer2_3x3s2_64x128@28", 56, 64, 128, 3, 2, 1, false},
    {"layer2_1x1s2_64x128@28", 56, 64, 128, 1, 2, 1, false},
    {"layer2_3x3_128x128@28", 28, 128, 128, 3, 1, 3, true},
    {"layer3_3x3s2_128x256@14", 28, 128, 256, 3, 2, 1, false},
    {"layer3_1x1s2_128x256@14", 28, 128, 256, 1, 2, 1, false},
    {"layer3_3x3_256x256@14", 14, 256, 256, 3, 1, 3, true},
    {"layer4_3x3s2_256x512@7", 14, 256, 512, 3, 2, 1, false},
    {"layer4_1x1s2_256x512@7", 14, 256, 512, 1, 2, 1, false},
    {"layer4_3x3_512x512@7", 7, 512, 512, 3, 1, 3, true},
};

constexpr ConvCase kLeNet[] = {
    {"lenet_5x5_1x6@28", 28, 1, 6, 5, 1, 1, false},
    {"lenet_5x5_6x16@14", 14, 6, 16, 5, 1, 1, false},
};

ConvShape shape_of(const ConvCase& c) {
  ConvShape shape;
  const std::size_t pad = c.kernel / 2, out = (c.size + 2 * pad - c.kernel) / c.stride + 1;
  shape.in_height = shape.in_width = c.size;
  shape.in_channels = shape.in_stride = c.in;
  shape.out_height = shape.out_width = out;
  shape.out_channels = shape.out_stride = c.out;
  shape.kernel_height = shape.kernel_width = c.kernel;
  shape.stride_y = shape.stride_x = c.stride;
  shape.pad_top = shape.pad_left = pad;
  return shape;
}

void count_flops(benchmark::State& state, double multiply_adds) {
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * multiply_adds, benchmark::Counter::kIsIterationInvariantRate);
}

// A convolution with its memory.
class Layer {
 public:
  Layer(const Kernels& kernels, const ConvCase& c, bool winograd, std::size_t turns)
      : shape_(shape_of(c)),
        work_(winograd ? kernels.winograd : kernels.conv),
        weights_(winograd ? kernels.winograd_size(c.in, c.out)
                          : c.in * c.kernel * c.kernel * round_up(c.out, kernels.panel),
                 turns),
        in_(c.size * c.size * c.in),
        bias_(c.out),
        out_(shape_.out_height * shape_.out_width * c.out),
        scratch_((winograd ? kernels.winograd_scratch(shape_) : kernels.conv_scratch(shape_)) /
                     sizeof(float) +
                 1) {
    finish_.bias = bias_.get();
    finish_.activation = Activation::kRelu;
  }
  void run() {
    work_(shape_, {0, shape_.out_height, 0}, in_.get(), weights_.next(), shape_.out_channels,
          out_.get(), finish_, scratch_.get());
    benchmark::ClobberMemory();
  }
  double multiply_adds() const {
    return static_cast<double>(shape_.out_height * shape_.out_width * shape_.in_channels *
                               shape_.kernel_height * shape_.kernel_width * shape_.out_channels);
  }

 private:
  static std::size_t round_up(std::size_t a, std::size_t b) { return (a + b - 1) / b * b; }

  ConvShape shape_;
  decltype(Kernels::conv) work_;
  Turns weights_;
  Buffer in_, bias_, out_, scratch_;
  Epilogue finish_;
};

void run_conv(benchmark::State& state, const Kernels& kernels, const ConvCase& c, bool winograd) {
  Layer layer(kernels, c, winograd, kTurns);
  for (auto _ : state) layer.run();
  count_flops(state, layer.multiply_adds());
}

// All convolutions of ResNet-18 in order, each with weights of its own; Winograd for images of at
// least `least` pixels a side.
void run_resnet18(benchmark::State& state, const Kernels& kernels, std::size_t least) {
  std::vector<std::unique_ptr<Layer>> layers;
  double multiply_adds = 0;
  for (const ConvCase& c : kResNet18) {
    for (unsigned i = 0; i < c.times; ++i) {
      layers.push_back(std::make_unique<Layer>(kernels, c, c.winograd && c.size >= least, 1));
      multiply_adds += layers.back()->multiply_adds();
    }
  }
  for (auto _ : state) {
    for (const auto& layer : layers) layer->run();
  }
  count_flops(state, multiply_adds);
}

struct GemmCase {
  const char* name;
  GemmShape shape;
};
constexpr GemmCase kGemms[] = {
    {"block_qkv", {64, 384, 128}},       {"block_scores", {64, 64, 32}},
    {"block_context", {64, 32, 64}},     {"block_projection", {64, 128, 128}},
    {"block_mlp_up", {64, 512, 128}},    {"block_mlp_down", {64, 128, 512}},
    {"bert_mlp_up", {128, 3072, 768}},   {"resnet_fc", {1, 1000, 512}},
    {"lenet_fc1", {1, 120, 400}},        {"vgg_fc2", {1, 4096, 4096}},
    {"square_1024", {1024, 1024, 1024}},
};

void run_gemm(benchmark::State& state, const Kernels& kernels, const GemmShape& shape) {
  const std::size_t panels = (shape.columns + kernels.panel - 1) / kernels.panel * kernels.panel;
  Turns weights(panels * shape.inner, kTurns);
  const Buffer in(shape.rows * shape.inner), bias(shape.columns), out(shape.rows * shape.columns);
  Epilogue finish;
  finish.bias = bias.get();
  for (auto _ : state) {
    kernels.gemm(shape, in.get(), shape.inner, weights.next(), out.get(), shape.columns, false,
                 &finish);
    benchmark::ClobberMemory();
  }
  count_flops(state, static_cast<double>(shape.rows * shape.columns * shape.inner));
  state.counters["weights/s"] =
      benchmark::Counter(static_cast<double>(shape.columns * shape.inner * sizeof(float)),
                         benchmark::Counter::kIsIterationInvariantRate);
}

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(bytes));
}

// 64 KiB of weights, which stay in the second-level cache.
void run_pack(benchmark::State& state, const Kernels& kernels, WeightType type, std::size_t inner,
              std::size_t taps) {
  const std::size_t columns = 16 * 1024 / inner / kernels.panel * kernels.panel;
  const Buffer stored(columns * inner), packed(columns * inner);
  WeightFormat format;
  format.type = type;
  const float scale = 0.01F;
  if (type == WeightType::kI8) format.scale = &scale;
  for (auto _ : state) {
    kernels.pack_columns(stored.get(), format, inner, columns, inner, taps, packed.get());
    benchmark::ClobberMemory();
  }
  count_bytes(state, columns * inner * sizeof(float));
}

void run_winograd_pack(benchmark::State& state, const Kernels& kernels) {
  const Buffer stored(std::size_t{64} * 64 * 9), packed(kernels.winograd_size(64, 64));
  for (auto _ : state) {
    kernels.winograd_pack(stored.get(), {}, 64, 64, packed.get());
    benchmark::ClobberMemory();
  }
  count_bytes(state, std::size_t{64} * 64 * 9 * sizeof(float));
}

void run_transpose(benchmark::State& state, const Kernels& kernels, std::size_t rows,
                   std::size_t columns) {
  const Buffer in(rows * columns), out(rows * columns);
  for (auto _ : state) {
    kernels.transpose(in.get(), rows, columns, out.get());
    benchmark::ClobberMemory();
  }
  count_bytes(state, rows * columns * sizeof(float));
}

void run_depthwise(benchmark::State& state, const Kernels& kernels, std::size_t size,
                   std::size_t channels, std::size_t stride) {
  ConvShape shape = shape_of({"", size, channels, channels, 3, stride, 1, false});
  shape.in_channels = shape.out_channels = 1;
  const Buffer in(size * size * channels), weights(9 * channels);
  const Buffer out(shape.out_height * shape.out_width * channels);
  for (auto _ : state) {
    kernels.depthwise(shape, channels, {0, shape.out_height, 0}, in.get(), weights.get(), out.get(),
                      {});
    benchmark::ClobberMemory();
  }
  count_flops(state, static_cast<double>(shape.out_height * shape.out_width * 9 * channels));
}

void run_rows(benchmark::State& state, std::size_t rows, std::size_t width, auto work) {
  const Buffer in(rows * width), out(rows * width);
  for (auto _ : state) {
    work(in.get(), rows, width, out.get());
    benchmark::ClobberMemory();
  }
  count_bytes(state, rows * width * sizeof(float));
}

void register_small(const Kernels& kernels, const std::string& prefix) {
  const auto add = [&](const std::string& name, auto run) {
    benchmark::RegisterBenchmark((prefix + name).c_str(), run);
  };
  add("pack_f32_linear", [&](auto& s) { run_pack(s, kernels, WeightType::kF32, 128, 1); });
  add("pack_f32_3x3", [&](auto& s) { run_pack(s, kernels, WeightType::kF32, 288, 9); });
  add("pack_f16_linear", [&](auto& s) { run_pack(s, kernels, WeightType::kF16, 128, 1); });
  add("pack_i8_linear", [&](auto& s) { run_pack(s, kernels, WeightType::kI8, 128, 1); });
  add("pack_winograd", [&](auto& s) { run_winograd_pack(s, kernels); });
  add("transpose_3x50176", [&](auto& s) { run_transpose(s, kernels, 3, 50176); });
  add("transpose_64x3136", [&](auto& s) { run_transpose(s, kernels, 64, 3136); });
  add("depthwise_32@112", [&](auto& s) { run_depthwise(s, kernels, 112, 32, 1); });
  add("depthwise_144s2@56", [&](auto& s) { run_depthwise(s, kernels, 56, 144, 2); });
  add("depthwise_576@14", [&](auto& s) { run_depthwise(s, kernels, 14, 576, 1); });
  add("softmax_256x64", [&](auto& s) { run_rows(s, 256, 64, kernels.softmax); });
  add("layer_norm_64x128", [&](auto& s) {
    run_rows(s, 64, 128, [&](const float* in, std::size_t rows, std::size_t width, float* out) {
      kernels.layer_norm(in, rows, width, nullptr, nullptr, 1e-5F, out);
    });
  });
  add("gelu_64x512", [&](auto& s) {
    run_rows(s, 64, 512, [&](const float* in, std::size_t rows, std::size_t width, float* out) {
      kernels.activate(Activation::kGelu, 0, 0, in, out, rows * width);
    });
  });
}

void register_all(const Kernels& kernels) {
  const std::string prefix = std::string(kernels.name) + "/";
  for (const ConvCase& c : kResNet18) {
    benchmark::RegisterBenchmark((prefix + "conv/" + c.name).c_str(),
                                 [&](benchmark::State& s) { run_conv(s, kernels, c, false); });
    if (!c.winograd) continue;
    benchmark::RegisterBenchmark((prefix + "winograd/" + c.name).c_str(),
                                 [&](benchmark::State& s) { run_conv(s, kernels, c, true); });
  }
  for (const std::size_t least :
       {std::size_t{7}, std::size_t{14}, std::size_t{28}, std::size_t{1000}}) {
    benchmark::RegisterBenchmark(
        (prefix + "resnet18/winograd_from_" + std::to_string(least)).c_str(),
        [&kernels, least](benchmark::State& s) { run_resnet18(s, kernels, least); })
        ->Iterations(1)
        ->Repetitions(40)
        ->ReportAggregatesOnly()
        ->ComputeStatistics("least", [](const std::vector<double>& all) {
          return *std::min_element(all.begin(), all.end());
        });
  }
  for (const ConvCase& c : kLeNet) {
    benchmark::RegisterBenchmark((prefix + "conv/" + c.name).c_str(),
                                 [&](benchmark::State& s) { run_conv(s, kernels, c, false); });
  }
  for (const GemmCase& c : kGemms) {
    benchmark::RegisterBenchmark((prefix + "gemm/" + c.name).c_str(),
                                 [&](benchmark::State& s) { run_gemm(s, kernels, c.shape); });
  }
  register_small(kernels, prefix);
}

}  // namespace
}  // namespace sealpack::nn::kernels

int main(int argc, char** argv) {
  using namespace sealpack::nn::kernels;
  for (const Isa isa : {Isa::kAvx512, Isa::kAvx2, Isa::kNeon, Isa::kPortable}) {
    if (const Kernels* kernels = kernels_for(isa)) register_all(*kernels);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
