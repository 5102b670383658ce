// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/micro_programs.h"

#include <algorithm>
#include <cstring>

namespace sealpack::plan {
namespace {

using Dims = std::vector<std::int64_t>;

class Builder {
 public:
  Builder() { graph_.opset = 17; }

  nn::ValueId input(const Dims& dims) {
    const nn::ValueId id = add("input" + std::to_string(graph_.inputs.size()));
    nn::Value& value = graph_.values[id];
    value.dtype = nn::DType::kF32;
    value.dimensions.emplace();
    for (const std::int64_t size : dims) value.dimensions->push_back({size, ""});
    graph_.inputs.push_back(id);
    return id;
  }

  nn::ValueId weight(const Dims& dims) {
    const nn::ValueId id = add("weight" + std::to_string(graph_.values.size()));
    nn::StoredTensor stored;
    stored.type = {nn::DType::kF32, nn::Shape::make(dims).value()};
    if (stored.type.size() <= nn::kInlineSize) {
      stored.bytes.resize(static_cast<std::size_t>(stored.type.size()));
    } else {
      stored.is_inline = false;
      stored.offset = offset_;
    }
    offset_ += stored.type.size();
    graph_.values[id].stored = std::move(stored);
    return id;
  }

  nn::ValueId node(const char* op, std::vector<nn::ValueId> inputs,
                   std::vector<nn::Attribute> attributes = {}) {
    const nn::ValueId id = add("value" + std::to_string(graph_.values.size()));
    nn::Node node;
    node.op = op;
    node.name = op + std::to_string(graph_.nodes.size());
    node.inputs = std::move(inputs);
    node.outputs = {id};
    node.attributes = std::move(attributes);
    graph_.nodes.push_back(std::move(node));
    return id;
  }

  MicroProgram finish(std::string name, nn::ValueId output, bool also_streamed = false) {
    graph_.outputs = {output};
    return {std::move(name), std::make_shared<const nn::Graph>(std::move(graph_)), also_streamed};
  }

 private:
  nn::ValueId add(std::string name) {
    nn::Value value;
    value.name = std::move(name);
    graph_.values.push_back(std::move(value));
    return static_cast<nn::ValueId>(graph_.values.size() - 1);
  }

  nn::Graph graph_;
  std::uint64_t offset_ = 0;
};

struct ConvCase {
  std::int64_t in, out, size, kernel, stride, groups;
  bool streamed;
};

MicroProgram conv(const ConvCase& c) {
  Builder b;
  const nn::ValueId x = b.input({1, c.in, c.size, c.size});
  const nn::ValueId w = b.weight({c.out, c.in / c.groups, c.kernel, c.kernel});
  const nn::ValueId bias = b.weight({c.out});
  const std::int64_t pad = c.kernel / 2;
  const nn::ValueId y = b.node("Conv", {x, w, bias},
                               {{"kernel_shape", Dims{c.kernel, c.kernel}},
                                {"pads", Dims{pad, pad, pad, pad}},
                                {"strides", Dims{c.stride, c.stride}},
                                {"group", c.groups}});
  // The next convolution keeps the layout: one that changes it back is measured elsewhere.
  return b.finish("conv " + std::to_string(c.in) + "->" + std::to_string(c.out),
                  b.node("Relu", {y}), c.streamed);
}

MicroProgram gemm(std::int64_t rows, std::int64_t inner, std::int64_t columns, bool streamed) {
  Builder b;
  const nn::ValueId x = b.input({rows, inner});
  const nn::ValueId w = b.weight({columns, inner});
  const nn::ValueId bias = b.weight({columns});
  const nn::ValueId y = b.node("Gemm", {x, w, bias}, {{"transB", std::int64_t{1}}});
  return b.finish("gemm " + std::to_string(rows), y, streamed);
}

MicroProgram product(std::int64_t heads, std::int64_t rows, std::int64_t inner) {
  Builder b;
  const nn::ValueId x = b.input({1, heads, rows, inner});
  const nn::ValueId z = b.input({1, heads, inner, rows});
  return b.finish("product", b.node("MatMul", {x, z}));
}

MicroProgram unary(const char* op, const Dims& dims, std::vector<nn::Attribute> attributes = {}) {
  Builder b;
  return b.finish(op, b.node(op, {b.input(dims)}, std::move(attributes)));
}

MicroProgram layer_norm(std::int64_t rows, std::int64_t width) {
  Builder b;
  const nn::ValueId x = b.input({rows, width});
  return b.finish("layer norm",
                  b.node("LayerNormalization", {x, b.weight({width}), b.weight({width})},
                         {{"axis", std::int64_t{-1}}, {"epsilon", 1e-5F}}));
}

MicroProgram pool(const char* op, std::int64_t channels, std::int64_t size) {
  return unary(op, {1, channels, size, size},
               {{"kernel_shape", Dims{2, 2}}, {"strides", Dims{2, 2}}});
}

MicroProgram joined(std::int64_t rows, std::int64_t width) {
  Builder b;
  const nn::ValueId x = b.input({rows, width});
  const nn::ValueId y = b.input({rows, width});
  return b.finish("concat", b.node("Concat", {x, y}, {{"axis", std::int64_t{1}}}));
}

}  // namespace

std::vector<MicroProgram> micro_programs() {
  std::vector<MicroProgram> list;
  constexpr ConvCase kConvs[] = {
      // winograd: from wide images with few channels to small ones with many
      {64, 64, 56, 3, 1, 1, true},
      {128, 128, 28, 3, 1, 1, true},
      {256, 256, 14, 3, 1, 1, true},
      {16, 16, 32, 3, 1, 1, false},
      {32, 64, 14, 3, 1, 1, true},
      {16, 32, 14, 3, 1, 1, false},
      // others
      {3, 32, 112, 3, 2, 1, false},
      {1, 16, 28, 5, 1, 1, false},
      {64, 128, 28, 3, 2, 1, true},
      {256, 256, 7, 3, 1, 1, true},
      {512, 512, 7, 3, 1, 1, true},
      {64, 64, 56, 1, 1, 1, false},
      {256, 512, 14, 1, 1, 1, true},
      {32, 192, 28, 1, 1, 1, false},
      {16, 96, 112, 1, 1, 1, false},
      {144, 24, 56, 1, 1, 1, false},
      {960, 160, 7, 1, 1, 1, true},
      {320, 1280, 7, 1, 1, 1, true},
      {1, 16, 28, 3, 1, 1, false},
      {96, 96, 56, 3, 1, 96, false},
      {384, 384, 14, 3, 1, 384, true},
      {144, 144, 56, 3, 2, 144, false},
      {960, 960, 7, 3, 1, 960, true},
      {64, 64, 28, 3, 1, 4, false},
  };
  for (const ConvCase& c : kConvs) list.push_back(conv(c));
  list.push_back(gemm(1, 512, 1000, true));
  list.push_back(gemm(1, 3136, 512, true));
  list.push_back(gemm(1, 128, 128, false));
  list.push_back(gemm(1, 400, 120, true));
  list.push_back(gemm(64, 128, 128, true));
  list.push_back(gemm(64, 128, 512, true));
  list.push_back(gemm(64, 256, 256, false));
  list.push_back(gemm(128, 768, 768, true));
  list.push_back(product(4, 64, 32));
  list.push_back(product(12, 128, 64));
  for (const std::int64_t size : {14, 112}) {
    list.push_back(pool("MaxPool", 64, size));
    list.push_back(pool("AveragePool", 64, size));
  }
  list.push_back(unary("GlobalAveragePool", {1, 512, 7, 7}));
  list.push_back(unary("GlobalAveragePool", {1, 64, 56, 56}));
  for (const std::int64_t rows : {8, 512}) {
    list.push_back(unary("Softmax", {rows, 256}, {{"axis", std::int64_t{-1}}}));
    list.push_back(layer_norm(rows, 256));
    list.push_back(unary("Relu", {rows, 256}));
    list.push_back(unary("Tanh", {rows, 256}));
    list.push_back(unary("Transpose", {1, rows, 4, 64}, {{"perm", Dims{0, 2, 1, 3}}}));
    list.push_back(unary("Transpose", {1, rows, 256}, {{"perm", Dims{0, 2, 1}}}));
    list.push_back(joined(rows, 256));
    list.push_back(unary("Sign", {rows, 256}));
  }
  return list;
}

Status MicroWeights::read(std::uint32_t, std::uint64_t offset, MutableBytes out) {
  // A table that is copied, since what is measured is not how numbers are made.
  static const std::vector<float> kTable = [] {
    std::vector<float> table(std::size_t{1} << 18U);
    for (std::size_t i = 0; i < table.size(); ++i) {
      const auto mixed = static_cast<std::uint32_t>(i * 2654435761U) >> 24U;
      table[i] = (static_cast<float>(mixed) - 127.5F) / 4096.0F;
    }
    return table;
  }();
  const std::size_t size = kTable.size() * sizeof(float);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(kTable.data());
  while (!out.empty()) {
    const auto at = static_cast<std::size_t>(offset % size);
    const std::size_t part = std::min(out.size(), size - at);
    std::memcpy(out.data(), bytes + at, part);
    out = out.subspan(part);
    offset += part;
  }
  return done();
}

}  // namespace sealpack::plan
