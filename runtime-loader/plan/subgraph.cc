// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/subgraph.h"

#include <algorithm>

namespace sealpack::plan {
namespace {

Status describe(const nn::StoredTensor& stored, nn::WeightSource& weights, Dataflow::Value& value) {
  value.is_constant = true;
  value.elements = static_cast<std::uint64_t>(stored.type.shape.element_count());
  value.is_weight = !is_structure(static_cast<std::uint64_t>(stored.type.dtype), value.elements,
                                  stored.type.size());
  if (!value.is_weight || stored.type.size() > kMaxUniformSize) return done();
  ByteVector bytes = stored.bytes;
  if (!stored.is_inline) {
    bytes.resize(static_cast<std::size_t>(stored.type.size()));
    TRY(weights.read(stored.file, stored.offset, bytes));
  }
  value.is_weight = !is_uniform(bytes, value.elements);
  return done();
}

Status describe_attributes(const nn::Node& from, nn::WeightSource& weights, Dataflow::Node& node) {
  for (const nn::Attribute& attribute : from.attributes) {
    const auto* stored = std::get_if<nn::StoredTensor>(&attribute.value);
    if (stored == nullptr) continue;
    Dataflow::Value value;
    TRY(describe(*stored, weights, value));
    node.elements += value.elements;
    node.holds_weight = node.holds_weight || value.is_weight;
  }
  return done();
}

}  // namespace

Result<Dataflow> dataflow_of(const nn::Graph& graph, nn::WeightSource& weights) {
  Dataflow flow;
  for (const nn::Value& from : graph.values) {
    Dataflow::Value value;
    value.name = from.name;
    flow.value_of.emplace(from.name, static_cast<std::uint32_t>(flow.values.size()));
    if (from.stored) TRY(describe(*from.stored, weights, value));
    flow.values.push_back(std::move(value));
  }
  for (const nn::ValueId input : graph.inputs) {
    flow.values[input].is_input = true;
    flow.inputs.push_back(input);
  }
  for (const nn::ValueId output : graph.outputs) {
    flow.values[output].is_output = true;
    flow.outputs.push_back(output);
  }
  for (const nn::Node& from : graph.nodes) {
    Dataflow::Node node;
    node.op = from.op;
    node.name = from.name;
    TRY(describe_attributes(from, weights, node));
    for (const nn::ValueId input : from.inputs) {
      if (input == nn::kNoValue) continue;
      if (std::find(node.reads.begin(), node.reads.end(), input) == node.reads.end()) {
        node.reads.push_back(input);
      }
    }
    for (const nn::ValueId output : from.outputs) {
      if (output == nn::kNoValue) continue;
      flow.values[output].producer = static_cast<std::uint32_t>(flow.nodes.size());
      node.makes.push_back(output);
    }
    flow.nodes.push_back(std::move(node));
  }
  return flow;
}

Result<nn::Graph> part_graph(const nn::Graph& graph, const Part& part,
                             const std::vector<std::optional<nn::TensorType>>& types) {
  nn::Graph out;
  out.opset = graph.opset;
  out.external_files = graph.external_files;
  for (const nn::Value& value : graph.values) {
    nn::Value copy;
    copy.name = value.name;
    out.values.push_back(std::move(copy));
  }
  for (const std::uint32_t value : part.constants)
    out.values[value].stored = graph.values[value].stored;
  for (const std::uint32_t value : part.inputs) {
    if (!types[value]) {
      return Error(ErrorCode::kUnsupported,
                   "the type of " + printable(graph.values[value].name) + " is not known");
    }
    out.values[value].dtype = types[value]->dtype;
    std::vector<nn::Dimension> dims;
    for (const std::int64_t size : types[value]->shape.dims()) dims.push_back({size, ""});
    out.values[value].dimensions = std::move(dims);
  }
  for (const std::uint32_t node : part.nodes) out.nodes.push_back(graph.nodes[node]);
  out.inputs = part.inputs;
  out.outputs = part.outputs;
  return out;
}

}  // namespace sealpack::plan
