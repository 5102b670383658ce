// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime-loader/nn/program/sample_graphs.h"

#include <cstring>

namespace sealpack::nn::testing {
namespace {

using Ints = std::vector<std::int64_t>;

GraphBuilder residual_blocks() {
  GraphBuilder g(1);
  ValueId x = g.node("Relu", {g.batch_norm(g.conv(g.input({1, 3, 40, 40}), 3, 32, 3, 1, 1), 32)});
  for (int i = 0; i < 2; ++i) {
    const ValueId h = g.node("Relu", {g.batch_norm(g.conv(x, 32, 32, 3, 1, 1, 1, false), 32)});
    const ValueId y = g.batch_norm(g.conv(h, 32, 32, 3, 1, 1, 1, false), 32);
    x = g.node("Relu", {g.node("Add", {y, x})});
  }
  const ValueId short_cut = g.conv(x, 32, 64, 1, 2, 0);
  const ValueId h = g.node("Relu", {g.conv(x, 32, 64, 3, 2, 1)});
  x = g.node("Relu", {g.node("Add", {g.conv(h, 64, 64, 3, 1, 1), short_cut})});
  x = g.node("Flatten", {g.node("GlobalAveragePool", {x})});
  g.output(g.node("Gemm", {x, g.weight({10, 64}), g.weight({10})}, {{"transB", std::int64_t{1}}}));
  return g;
}

GraphBuilder inverted_residuals() {
  GraphBuilder g(2, 14);
  const auto relu6 = [&](ValueId x) { return g.node("Clip", {x, g.scalar(0), g.scalar(6)}); };
  ValueId x = relu6(g.conv(g.input({2, 3, 24, 20}), 3, 16, 3, 2, 1));
  const ValueId wide = relu6(g.batch_norm(g.conv(x, 16, 64, 1), 64));
  const ValueId deep = relu6(g.batch_norm(g.conv(wide, 64, 64, 3, 1, 1, 64), 64));
  x = g.node("Add", {x, g.conv(deep, 64, 16, 1)});
  x = g.conv(x, 16, 32, 5, 2, 2, 4);  // four groups
  g.output(g.node("HardSwish", {x}));
  return g;
}

GraphBuilder squeeze_and_excitation() {
  GraphBuilder g(3, 14);
  const ValueId x = g.conv(g.input({1, 8, 17, 19}), 8, 24, 3, 1, 1);
  const ValueId silu = g.node("Mul", {x, g.node("Sigmoid", {x})});
  const ValueId mean =
      g.node("ReduceMean", {silu}, {{"axes", Ints{2, 3}}, {"keepdims", std::int64_t{1}}});
  const ValueId squeezed = g.node("Relu", {g.conv(mean, 24, 6, 1)});
  const ValueId gate = g.node("Sigmoid", {g.conv(squeezed, 6, 24, 1)});
  const ValueId scaled = g.node("Mul", {silu, gate});
  g.output(g.conv(scaled, 24, 8, 1));
  g.output(gate);
  return g;
}

GraphBuilder pools_and_branches() {
  GraphBuilder g(4);
  const ValueId x = g.input({2, 5, 23, 21});
  const ValueId a = g.node(
      "MaxPool", {g.conv(x, 5, 7, 3, 1, 1)},
      {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", std::int64_t{1}}});
  const ValueId b = g.node("AveragePool", {g.conv(x, 5, 9, 1)},
                           {{"kernel_shape", Ints{3, 2}},
                            {"strides", Ints{2, 2}},
                            {"auto_pad", std::string("SAME_UPPER")}});
  const ValueId c = g.conv(x, 5, 4, 3, 2, 2, 1, true, 2);
  const ValueId cut =
      g.node("Slice", {b, g.integers({0, 0}), g.integers({11, 10}), g.integers({2, 3})});
  const ValueId other =
      g.node("Slice", {a, g.integers({0, 0}), g.integers({11, 10}), g.integers({2, 3})});
  const ValueId third =
      g.node("Slice", {c, g.integers({0, 0}), g.integers({11, 10}), g.integers({2, 3})});
  const ValueId all = g.node("Concat", {other, cut, third}, {{"axis", std::int64_t{1}}});
  g.output(g.node("LeakyRelu", {g.conv(all, 20, 6, 3, 1, 1)}, {{"alpha", 0.1F}}));
  g.output(x);  // an input that is an output as well
  g.output(all);
  return g;
}

GraphBuilder attention_block() {
  GraphBuilder g(5);
  constexpr std::int64_t kTokens = 37, kWidth = 48, kHeads = 4;
  ValueId x = g.input({2, kTokens, kWidth});
  const auto heads = [&](ValueId v, Ints order) {
    const ValueId split = g.node("Reshape", {v, g.integers({2, kTokens, kHeads, kWidth / kHeads})});
    return g.node("Transpose", {split}, {{"perm", std::move(order)}});
  };
  const ValueId n = g.layer_norm(x, kWidth);
  const ValueId q = heads(g.linear(n, kWidth, kWidth), {0, 2, 1, 3});
  const ValueId k = heads(g.linear(n, kWidth, kWidth), {0, 2, 3, 1});
  const ValueId v = heads(g.linear(n, kWidth, kWidth), {0, 2, 1, 3});
  const ValueId score = g.node("Div", {g.node("MatMul", {q, k}), g.scalar(3.4641F)});
  const ValueId mixed =
      g.node("MatMul", {g.node("Softmax", {score}, {{"axis", std::int64_t{-1}}}), v});
  const ValueId joined = g.node("Transpose", {mixed}, {{"perm", Ints{0, 2, 1, 3}}});
  const ValueId flat = g.node("Reshape", {joined, g.integers({2, kTokens, kWidth})});
  x = g.node("Add", {x, g.linear(flat, kWidth, kWidth)});
  const ValueId h = g.gelu(g.linear(g.layer_norm(x, kWidth), kWidth, 4 * kWidth));
  g.output(g.node("Add", {x, g.linear(h, 4 * kWidth, kWidth)}));
  return g;
}

GraphBuilder embedding() {
  GraphBuilder g(6, 17);
  const ValueId tokens = g.input({3, 11}, DType::kI64);
  const ValueId table = g.weight({3000, 96});  // larger than what is folded
  const ValueId x = g.node("Add", {g.node("Gather", {table, tokens}), g.weight({11, 96})});
  const ValueId norm = g.node("LayerNormalization", {x, g.weight({96}), g.weight({96})},
                              {{"axis", std::int64_t{-1}}, {"epsilon", 1e-6F}});
  g.output(g.node("Tanh", {g.linear(norm, 96, 40)}));
  return g;
}

GraphBuilder half_and_byte_weights() {
  GraphBuilder g(7);
  const ValueId x = g.input({9, 64});
  ByteVector half(64 * 80 * 2), bytes(80 * 72), zero(72, 3);
  for (std::size_t i = 0; i < half.size(); i += 2) {  // between 1/4 and 1 in size
    half[i] = static_cast<std::uint8_t>(g.random()());
    half[i + 1] = static_cast<std::uint8_t>(0x34 + g.random()() % 7 + (g.random()() % 2) * 0x80);
  }
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(g.random()());
  const ValueId wide =
      g.node("Cast", {g.stored({DType::kF16, Shape{64, 80}}, half)}, {{"to", std::int64_t{1}}});
  const ValueId y = g.node("MatMul", {x, wide});
  const ValueId dequantized =
      g.node("DequantizeLinear",
             {g.stored({DType::kI8, Shape{72, 80}}, bytes), g.weight({72}, 0.001F, 0.01F),
              g.stored({DType::kI8, Shape{72}}, zero)},
             {{"axis", std::int64_t{0}}});
  const ValueId turned = g.node("Transpose", {dequantized});
  g.output(g.node("Gemm", {g.node("MatMul", {y, turned}), g.weight({72, 72})},
                  {{"alpha", 0.5F}, {"transB", std::int64_t{1}}}));
  g.output(g.node("Sub", {wide, g.scalar(1)}));  // a reader that wants the floats themselves
  return g;
}

GraphBuilder odd_readers() {
  GraphBuilder g(8);
  const ValueId x = g.input({1, 6, 16, 16});
  const ValueId y = g.conv(x, 6, 20, 3, 1, 1);
  const ValueId z = g.node("Relu", {y});
  g.output(y);  // what an activation would have swallowed
  const ValueId doubled = g.node("Add", {z, z});
  const ValueId shaped = g.node("Reshape", {doubled, g.integers({4, -1})});
  g.output(g.node("Softmax", {shaped}, {{"axis", std::int64_t{0}}}));
  const ValueId size = g.node("Shape", {doubled});
  g.output(g.node("Reshape", {g.node("Exp", {g.node("Neg", {shaped})}), size}));
  const ValueId turned = g.node("Transpose", {doubled}, {{"perm", Ints{1, 3, 0, 2}}});
  g.output(g.node("ReduceMax", {turned}, {{"axes", Ints{1}}}));
  g.output(g.weight({3, 100}));
  return g;
}

GraphBuilder products_of_the_computed() {
  GraphBuilder g(9);
  const ValueId a = g.input({14, 33}), b = g.input({21, 33}), c = g.input({3, 1, 5, 14});
  const ValueId product = g.node("Gemm", {a, b, g.weight({21})}, {{"transB", std::int64_t{1}}});
  g.output(product);
  g.output(g.node("MatMul", {c, product}));
  const ValueId turned = g.node("Transpose", {product});
  g.output(g.node("MatMul", {turned, a}));
  g.output(g.node("Gemm", {a, b, product}, {{"transB", std::int64_t{1}}, {"beta", 0.5F}}));
  g.output(g.node("MatMul", {g.weight({40, 14}), a}));
  return g;
}

constexpr SampleGraph kSamples[] = {
    {"residual blocks", residual_blocks},
    {"inverted residuals", inverted_residuals},
    {"squeeze and excitation", squeeze_and_excitation},
    {"pools and branches", pools_and_branches},
    {"attention block", attention_block},
    {"embedding", embedding},
    {"half and byte weights", half_and_byte_weights},
    {"odd readers", odd_readers},
    {"products of the computed", products_of_the_computed},
};

std::uint32_t pick(GraphBuilder& g, std::uint32_t count) {
  return static_cast<std::uint32_t>(g.random()() % count);
}

}  // namespace

std::span<const SampleGraph> sample_graphs() {
  return kSamples;
}

GraphBuilder random_image_graph(std::uint32_t seed) {
  GraphBuilder g(seed);
  std::int64_t channels = 1 + pick(g, 20), size = 8 + pick(g, 24);
  const std::int64_t images = 1 + pick(g, 2);
  ValueId x = g.input({images, channels, size, size});
  for (std::uint32_t i = 0, count = 3 + pick(g, 5); i < count; ++i) {
    const std::int64_t out = 1 + pick(g, 40);
    switch (pick(g, 8)) {
      case 0:
        x = g.conv(x, channels, channels, 3, 1, 1, channels, pick(g, 2) == 0);
        break;
      case 1:
        x = g.node("Add", {x, g.conv(x, channels, channels, 3, 1, 1)});
        break;
      case 2:
        x = g.batch_norm(x, channels);
        break;
      case 3:
        x = g.node("Mul", {x, g.node("Sigmoid", {x})});
        break;
      case 4:
        if (size < 6) break;
        x = g.node("MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
        size /= 2;
        break;
      case 5:
        x = g.node("Concat", {x, g.conv(x, channels, out, 1)}, {{"axis", std::int64_t{1}}});
        channels += out;
        break;
      case 6:
        x = g.node("Relu", {g.conv(x, channels, out, 5, 1, 2)});
        channels = out;
        break;
      default:
        x = g.node("Clip", {g.batch_norm(g.conv(x, channels, out, 3, 1, 1), out), g.scalar(-1),
                            g.scalar(2)});
        channels = out;
    }
    if (pick(g, 6) == 0) g.output(x);
  }
  g.output(g.linear(g.node("Flatten", {x}), channels * size * size, 7));
  return g;
}

GraphBuilder random_matrix_graph(std::uint32_t seed) {
  GraphBuilder g(seed);
  const std::int64_t rows = 1 + pick(g, 90);
  std::int64_t width = 4 * (1 + pick(g, 40));
  ValueId x = g.input({1, rows, width});
  for (std::uint32_t i = 0, count = 3 + pick(g, 5); i < count; ++i) {
    const std::int64_t out = 4 * (1 + pick(g, 60));
    switch (pick(g, 7)) {
      case 0:
        x = g.layer_norm(x, width);
        break;
      case 1:
        x = g.node("Softmax", {x}, {{"axis", std::int64_t{-1}}});
        break;
      case 2:
        x = g.node("Add", {g.linear(x, width, width), x});
        break;
      case 3:
        x = g.node("Mul", {g.node("Sub", {g.weight({rows, width}), x}), g.weight({width})});
        break;
      case 4:
        x = g.node("Transpose", {g.node("Transpose", {x}, {{"perm", Ints{0, 2, 1}}})},
                   {{"perm", Ints{2, 1, 0}}});
        x = g.node("Transpose", {x}, {{"perm", Ints{2, 0, 1}}});
        x = g.node("Reshape", {x, g.integers({1, rows, width})});
        break;
      case 5:
        x = g.node("MatMul", {x, g.node("Transpose", {g.weight({out, width}, 0.1F)})});
        width = out;
        break;
      default:
        x = g.gelu(g.linear(x, width, out));
        width = out;
    }
    if (pick(g, 6) == 0) g.output(x);
  }
  g.output(x);
  return g;
}

}  // namespace sealpack::nn::testing
