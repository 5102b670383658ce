// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime-loader/nn/program/graph_builder.h"

#include <cstring>

namespace sealpack::nn::testing {

ValueId GraphBuilder::add_value(const std::string& prefix) {
  graph_.values.push_back({prefix + std::to_string(graph_.values.size()), {}, {}, {}});
  return static_cast<ValueId>(graph_.values.size() - 1);
}

ValueId GraphBuilder::input(const std::vector<std::int64_t>& dims, DType type) {
  const ValueId id = add_value("in");
  graph_.values[id].dtype = type;
  graph_.values[id].dimensions.emplace();
  for (const std::int64_t dim : dims) graph_.values[id].dimensions->push_back({dim, ""});
  graph_.inputs.push_back(id);
  return id;
}

ValueId GraphBuilder::stored(const TensorType& type, const ByteVector& bytes) {
  const ValueId id = add_value("weight");
  StoredTensor stored;
  stored.type = type;
  stored.is_inline = bytes.size() <= kInlineSize;
  if (stored.is_inline) {
    stored.bytes = bytes;
  } else {
    stored.offset = file_.size();
    file_.insert(file_.end(), bytes.begin(), bytes.end());
  }
  graph_.values[id].stored = std::move(stored);
  return id;
}

ValueId GraphBuilder::weight(const std::vector<std::int64_t>& dims, float deviation, float mean) {
  std::normal_distribution<float> normal(mean, deviation);
  const TensorType type{DType::kF32, Shape::make(dims).value()};
  ByteVector bytes(type.size());
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(float)) {
    const float value = normal(random_);
    std::memcpy(bytes.data() + i, &value, sizeof(float));
  }
  return stored(type, bytes);
}

ValueId GraphBuilder::integers(const std::vector<std::int64_t>& values) {
  ByteVector bytes(values.size() * sizeof(std::int64_t));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return stored({DType::kI64, Shape{static_cast<std::int64_t>(values.size())}}, bytes);
}

ValueId GraphBuilder::scalar(float value) {
  ByteVector bytes(sizeof(float));
  std::memcpy(bytes.data(), &value, sizeof(float));
  return stored({DType::kF32, Shape{}}, bytes);
}

std::vector<ValueId> GraphBuilder::nodes(const std::string& op, const std::vector<ValueId>& inputs,
                                         std::size_t outputs, std::vector<Attribute> attributes) {
  Node node{op, op + std::to_string(graph_.nodes.size()), inputs, {}, std::move(attributes)};
  for (std::size_t i = 0; i < outputs; ++i) node.outputs.push_back(add_value("v"));
  graph_.nodes.push_back(node);
  return node.outputs;
}

ValueId GraphBuilder::node(const std::string& op, const std::vector<ValueId>& inputs,
                           std::vector<Attribute> attributes) {
  return nodes(op, inputs, 1, std::move(attributes))[0];
}

ValueId GraphBuilder::conv(ValueId x, std::int64_t in, std::int64_t out, std::int64_t kernel,
                           std::int64_t stride, std::int64_t pad, std::int64_t group, bool bias,
                           std::int64_t dilation) {
  const float deviation =
      1.0F / static_cast<float>(kernel) / std::sqrt(static_cast<float>(in / group));
  std::vector<ValueId> inputs{x, weight({out, in / group, kernel, kernel}, deviation)};
  if (bias) inputs.push_back(weight({out}));
  using Ints = std::vector<std::int64_t>;
  return node("Conv", inputs,
              {{"kernel_shape", Ints{kernel, kernel}},
               {"strides", Ints{stride, stride}},
               {"pads", Ints{pad, pad, pad, pad}},
               {"dilations", Ints{dilation, dilation}},
               {"group", group}});
}

ValueId GraphBuilder::batch_norm(ValueId x, std::int64_t channels) {
  return node("BatchNormalization", {x, weight({channels}, 0.2F, 1), weight({channels}),
                                     weight({channels}), weight({channels}, 0.02F, 0.5F)});
}

ValueId GraphBuilder::linear(ValueId x, std::int64_t in, std::int64_t out) {
  const ValueId w = weight({in, out}, 1.0F / std::sqrt(static_cast<float>(in)));
  return node("Add", {node("MatMul", {x, w}), weight({out})});
}

ValueId GraphBuilder::layer_norm(ValueId x, std::int64_t width) {
  const std::vector<Attribute> axes{{"axes", std::vector<std::int64_t>{-1}}};
  const ValueId centred = node("Sub", {x, node("ReduceMean", {x}, axes)});
  const ValueId square = node("Pow", {centred, scalar(2)});
  const ValueId variance = node("ReduceMean", {square}, axes);
  const ValueId root = node("Sqrt", {node("Add", {variance, scalar(1e-5F)})});
  const ValueId normal = node("Div", {centred, root});
  return node("Add", {node("Mul", {normal, weight({width}, 0.2F, 1)}), weight({width})});
}

ValueId GraphBuilder::gelu(ValueId x) {
  const ValueId erf = node("Erf", {node("Div", {x, scalar(1.41421356F)})});
  return node("Mul", {node("Mul", {x, node("Add", {erf, scalar(1)})}), scalar(0.5F)});
}

std::vector<OwnedTensor> random_inputs(std::span<const TensorType> types, std::uint32_t seed,
                                       std::int64_t most) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<OwnedTensor> inputs;
  for (const TensorType& type : types) {
    inputs.emplace_back(type);
    Tensor view = inputs.back().view();
    if (type.dtype == DType::kF32) {
      for (float& value : view.elements<float>()) value = normal(random);
    } else if (type.dtype == DType::kI64) {
      for (std::int64_t& value : view.elements<std::int64_t>()) {
        value = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most));
      }
    }
  }
  return inputs;
}

}  // namespace sealpack::nn::testing
