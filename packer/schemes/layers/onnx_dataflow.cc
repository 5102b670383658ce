// SPDX-License-Identifier: Apache-2.0
#include "packer/schemes/layers/onnx_dataflow.h"

#include <algorithm>
#include <set>

namespace sealpack::packer::layers {
namespace {

using namespace models::onnx;  // NOLINT: field numbers

void collect_reads(const Message& node, std::set<std::string_view>& names);

// What a subgraph reads of the graphs around it: all it reads but does not make.
void collect_captures(const Message& graph, std::set<std::string_view>& names) {
  std::set<std::string_view> inner;
  std::set<std::string_view> own;
  for (const Message* input : graph.messages(graph::kInput)) {
    own.insert(input->text(value_info::kName));
  }
  for (const Message* tensor : graph.messages(graph::kInitializer)) {
    own.insert(tensor->text(tensor::kName));
  }
  for (const Message* tensor : graph.messages(graph::kSparseInitializer)) {
    const Message* values = tensor->message(sparse_tensor::kValues);
    if (values != nullptr) own.insert(values->text(tensor::kName));
  }
  for (const Message* output : graph.messages(graph::kOutput)) {
    inner.insert(output->text(value_info::kName));
  }
  for (const Message* node : graph.messages(graph::kNode)) {
    collect_reads(*node, inner);
    for (const std::string_view name : node->texts(node::kOutput)) own.insert(name);
  }
  for (const std::string_view name : inner) {
    if (!own.contains(name)) names.insert(name);
  }
}

void collect_reads(const Message& node, std::set<std::string_view>& names) {
  for (const std::string_view name : node.texts(node::kInput)) {
    if (!name.empty()) names.insert(name);
  }
  for (const Message* attribute : node.messages(node::kAttribute)) {
    for (const std::uint32_t number : {attribute::kG, attribute::kGraphs}) {
      for (const Message* graph : attribute->messages(number)) collect_captures(*graph, names);
    }
  }
}

class Builder {
 public:
  Builder(const ModelFiles& files, const Message& model, const ModelIndex& index)
      : files_(files), model_(model), graph_(*model.message(model::kGraph)), index_(index) {}

  Result<OnnxDataflow> build() {
    if (!model_.messages(model::kFunctions).empty()) {
      return Error(ErrorCode::kUnsupported, "a model with functions of its own cannot be divided")
          .with_hint("inline the functions (onnx.inliner), or protect all of it");
    }
    if (!model_.messages(model::kTrainingInfo).empty()) {
      return Error(ErrorCode::kUnsupported, "a model with a training graph cannot be divided");
    }
    TRY(add_constants());
    for (const Message* input : graph_.messages(graph::kInput)) {
      const std::uint32_t value = flow().add_value(input->text(value_info::kName));
      if (flow().values[value].is_constant) continue;
      flow().values[value].is_input = true;
      flow().inputs.push_back(value);
    }
    for (const Field& field : graph_.fields) {
      if (field.number == graph::kNode) add_node(field);
    }
    for (const Message* output : graph_.messages(graph::kOutput)) {
      const std::uint32_t value = flow().add_value(output->text(value_info::kName));
      flow().values[value].is_output = true;
      flow().outputs.push_back(value);
    }
    TRY(add_held_weights());
    TRY(flow().check());
    return std::move(result_);
  }

 private:
  plan::Dataflow& flow() { return result_.flow; }

  // As runtime-loader/plan judges a constant.
  Result<bool> is_weight(const TensorData& data) const {
    if (plan::is_structure(data.type, data.count, stored_size(data))) return false;
    if (stored_size(data) > plan::kMaxUniformSize) return true;
    const models::Piece piece = TRY(tensor_bytes(files_, data));
    if (const auto* bytes = std::get_if<ByteVector>(&piece)) {
      return !plan::is_uniform(*bytes, data.count);
    }
    const auto& range = std::get<models::SourceRange>(piece);
    ByteVector bytes(static_cast<std::size_t>(range.size));
    TRY(files_.inputs[range.file].source->read_at(range.offset, bytes));
    return !plan::is_uniform(bytes, data.count);
  }

  Status add_constants() {
    for (std::size_t i = 0; i < index_.objects.size(); ++i) {
      const Object& object = index_.objects[i];
      if (!object.is_main || object.place != Object::Place::kInitializer) continue;
      plan::Dataflow::Value& value = flow().values[flow().add_value(object.value_name)];
      value.is_constant = true;
    }
    for (std::size_t i = 0; i < index_.data.size(); ++i) {
      const Object& object = index_.objects[index_.object_of[i]];
      if (!object.is_main || object.place != Object::Place::kInitializer) continue;
      plan::Dataflow::Value& value = flow().values[flow().add_value(object.value_name)];
      const TensorData& data = index_.data[i];
      value.elements += data.count;
      value.is_weight = value.is_weight || object.is_sparse || TRY(is_weight(data));
    }
    return done();
  }

  void add_node(const Field& field) {
    const Message& message = *std::get<MessagePointer>(field.value);
    const auto number = static_cast<std::uint32_t>(flow().nodes.size());
    plan::Dataflow::Node node;
    node.op = message.text(node::kOpType);
    node.name = message.text(node::kName);
    std::set<std::string_view> names;
    collect_reads(message, names);
    for (const std::string_view name : names) node.reads.push_back(flow().add_value(name));
    for (const std::string_view name : message.texts(node::kOutput)) {
      if (name.empty()) continue;
      const std::uint32_t value = flow().add_value(name);
      flow().values[value].producer = number;
      node.makes.push_back(value);
    }
    flow().nodes.push_back(std::move(node));
    result_.node_fields.push_back(&field);
  }

  // Weights in attributes, and in subgraphs, go where their node goes.
  Status add_held_weights() {
    std::map<const void*, std::uint32_t> node_of;
    for (std::size_t i = 0; i < result_.node_fields.size(); ++i) {
      note(*result_.node_fields[i], static_cast<std::uint32_t>(i), node_of);
    }
    for (std::size_t i = 0; i < index_.data.size(); ++i) {
      const Object& object = index_.objects[index_.object_of[i]];
      const TensorData& data = index_.data[i];
      const auto* typed = std::get_if<TensorData::Typed>(&data.place);
      std::uint32_t holder = plan::kNobody;
      for (const void* key :
           {static_cast<const void*>(object.record), static_cast<const void*>(data.message),
            static_cast<const void*>(typed == nullptr ? nullptr : typed->elements)}) {
        const auto found = node_of.find(key);
        if (found != node_of.end()) holder = found->second;
      }
      result_.holders.push_back(holder);
      if (holder == plan::kNobody) continue;
      plan::Dataflow::Node& node = flow().nodes[holder];
      node.elements += data.count;
      node.holds_weight = node.holds_weight || TRY(is_weight(data));
    }
    return done();
  }

  // Everything in the node by its address.
  static void note(const Field& field, std::uint32_t node,
                   std::map<const void*, std::uint32_t>& map) {
    map[&field] = node;
    if (const auto* list = std::get_if<ElementList>(&field.value)) map[list] = node;
    const auto* message = std::get_if<MessagePointer>(&field.value);
    if (message == nullptr) return;
    map[message->get()] = node;
    for (const Field& inner : (*message)->fields) note(inner, node, map);
  }

  const ModelFiles& files_;
  const Message& model_;
  const Message& graph_;
  const ModelIndex& index_;
  OnnxDataflow result_;
};

}  // namespace

Result<OnnxDataflow> onnx_dataflow(const ModelFiles& files, const Message& model,
                                   const ModelIndex& index) {
  return Builder(files, model, index).build();
}

bool holds_tensor(const OnnxDataflow& dataflow, const ModelIndex& index, const plan::Part& part,
                  std::size_t i) {
  const std::uint32_t holder = dataflow.holders[i];
  if (holder != plan::kNobody) {
    return std::binary_search(part.nodes.begin(), part.nodes.end(), holder);
  }
  const Object& object = index.objects[index.object_of[i]];
  const auto value = dataflow.flow.value_of.find(object.value_name);
  return value != dataflow.flow.value_of.end() &&
         std::binary_search(part.constants.begin(), part.constants.end(), value->second);
}

}  // namespace sealpack::packer::layers
