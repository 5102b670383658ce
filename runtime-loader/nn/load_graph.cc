// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "runtime-loader/nn/load_attribute.h"
#include "runtime-loader/nn/ops/operator_tables.h"

namespace sealpack::nn {
namespace {

namespace onnx = models::onnx;
using onnx::Message;

constexpr std::uint64_t kFirstIr = 3;
constexpr std::uint64_t kLastIr = 10;
constexpr std::size_t kMaxNamedOperators = 20;  // in one message
constexpr std::size_t kMaxNodeValues = 4096;    // inputs, outputs or attributes of one node

Error malformed(const std::string& why) {
  return {ErrorCode::kMalformed, why};
}
Error unsupported(const std::string& why) {
  return {ErrorCode::kUnsupported, why};
}

bool is_default_domain(std::string_view domain) {
  return domain.empty() || domain == "ai.onnx";
}

// The opset of the default domain. Other domains may be imported: what counts is what nodes use.
Result<std::int64_t> read_opset(const Message& model) {
  std::optional<std::uint64_t> opset;
  for (const Message* entry : model.messages(onnx::model::kOpsetImport)) {
    if (!is_default_domain(entry->text(onnx::operator_set::kDomain))) continue;
    const std::uint64_t version = entry->integer(onnx::operator_set::kVersion);
    if (opset && *opset != version) return malformed("two opsets of the default domain");
    opset = version;
  }
  if (!opset) return malformed("no opset of the default domain");
  if (*opset < static_cast<std::uint64_t>(kFirstOpset) ||
      *opset > static_cast<std::uint64_t>(kLastOpset)) {
    return unsupported("opset " + std::to_string(*opset) + ", not " + std::to_string(kFirstOpset) +
                       " to " + std::to_string(kLastOpset))
        .with_hint("convert the model with onnx.version_converter");
  }
  return static_cast<std::int64_t>(*opset);
}

Status check_model(const Message& model) {
  const std::uint64_t ir = model.integer(onnx::model::kIrVersion);
  if (ir < kFirstIr || ir > kLastIr) {
    return unsupported("IR version " + std::to_string(ir) + ", not " + std::to_string(kFirstIr) +
                       " to " + std::to_string(kLastIr));
  }
  if (model.find(onnx::model::kTrainingInfo) != nullptr) return unsupported("training_info");
  if (model.find(onnx::model::kFunctions) != nullptr) {
    return unsupported("functions of its own").with_hint("inline them with onnx.inliner");
  }
  const Message* graph = model.message(onnx::model::kGraph);
  if (graph == nullptr) return malformed("no graph");
  if (graph->find(onnx::graph::kSparseInitializer) != nullptr) {
    return unsupported("sparse initializers").with_hint("store them as dense tensors");
  }
  return done();
}

std::string operator_text(const Message& node, std::int64_t opset) {
  const std::string_view domain = node.text(onnx::node::kDomain);
  std::string text(shown(node.text(onnx::node::kOpType)));
  if (is_default_domain(domain)) return text + " of opset " + std::to_string(opset);
  return text + " of domain " + shown(domain);
}

bool is_supported(const Message& node, std::int64_t opset) {
  const std::string_view op = node.text(onnx::node::kOpType);
  if (!is_default_domain(node.text(onnx::node::kDomain))) return false;
  if (!node.text(onnx::node::kOverload).empty()) return false;
  for (const Message* attribute : node.messages(onnx::node::kAttribute)) {
    if (holds_graph(*attribute)) return false;
  }
  return op == "Constant" || find_operator(op, opset) != nullptr;
}

// Names every operator that is not there, so that one look shows whether a model is within reach.
Status check_operators(const std::vector<const Message*>& nodes, std::int64_t opset) {
  struct Use {
    std::string_view node;
    std::size_t count = 0;
  };
  std::map<std::string, Use> missing;
  for (const Message* node : nodes) {
    if (is_supported(*node, opset)) continue;
    Use& use = missing[operator_text(*node, opset)];
    if (use.count++ == 0) use.node = node->text(onnx::node::kName);
  }
  if (missing.empty()) return done();
  std::string text;
  std::size_t named = 0;
  for (const auto& [op, use] : missing) {
    if (named++ == kMaxNamedOperators) break;
    text += (text.empty() ? "" : ", ") + op + " (node " + shown(use.node);
    if (use.count > 1) text += " and " + std::to_string(use.count - 1) + " more";
    text += ')';
  }
  if (missing.size() > kMaxNamedOperators) {
    text += " and " + std::to_string(missing.size() - kMaxNamedOperators) + " other operators";
  }
  return unsupported("unsupported operators: " + text);
}

// "input 'x'" and so on, for messages.
std::string named(const char* what, std::string_view name) {
  return std::string(what) + ' ' + shown(name);
}

class GraphLoader {
 public:
  GraphLoader(const BlockSource& source, const ExternalSize& external_size, std::int64_t opset)
      : tensors_(source, external_size) {
    graph_.opset = opset;
  }

  Result<Graph> load(const Message& message) && {
    const std::vector<const Message*> nodes = message.messages(onnx::graph::kNode);
    TRY(check_operators(nodes, graph_.opset));
    for (const Message* initializer : message.messages(onnx::graph::kInitializer)) {
      TRY(add_initializer(*initializer));
    }
    for (const Message* input : message.messages(onnx::graph::kInput)) TRY(add_input(*input));
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      TRY(add_node(*nodes[i]).within("node " + std::to_string(i) + " " +
                                     shown(nodes[i]->text(onnx::node::kName))));
    }
    for (const Message* output : message.messages(onnx::graph::kOutput)) TRY(add_output(*output));
    if (graph_.outputs.empty()) return malformed("a graph without outputs");
    graph_.external_files = std::move(tensors_).take_external_files();
    graph_.values.shrink_to_fit();
    graph_.nodes.shrink_to_fit();
    return std::move(graph_);
  }

 private:
  Result<ValueId> define(std::string_view name) {
    if (name.empty()) return malformed("a value without a name");
    const auto id = static_cast<ValueId>(graph_.values.size());
    if (!ids_.emplace(name, id).second) {
      return malformed(named("value", name) + " is defined twice");
    }
    graph_.values.emplace_back().name = name;
    return id;
  }

  // An optional one that is left out has an empty name.
  Result<ValueId> use(std::string_view name) const {
    if (name.empty()) return kNoValue;
    const auto found = ids_.find(name);
    if (found != ids_.end()) return found->second;
    return malformed(named("value", name) + " is not defined before its use");
  }

  Status add_initializer(const Message& message) {
    const std::string_view name = message.text(onnx::tensor::kName);
    const ValueId id = TRY(define(name));
    StoredTensor tensor = TRY(tensors_.load(message).within(named("initializer", name)));
    graph_.values[id].dtype = tensor.type.dtype;
    graph_.values[id].stored = std::move(tensor);
    return done();
  }

  // The declared type of an input or output.
  Status declare(const Message& info, Value& value) {
    const Message* type = info.message(onnx::value_info::kType);
    if (type == nullptr) return done();
    const Message* tensor = type->message(onnx::type::kTensorType);
    if (tensor == nullptr) {
      return type->fields.empty() ? done() : unsupported("it is not a dense tensor");
    }
    const std::uint64_t number = tensor->integer(onnx::tensor_type::kElemType);
    if (number != 0) {
      const DType dtype = TRY(to_dtype(number));
      if (value.dtype && *value.dtype != dtype) {
        return malformed(std::string("it is of ") + to_string(*value.dtype) + " and declared as " +
                         to_string(dtype));
      }
      value.dtype = dtype;
    }
    const Message* shape = tensor->message(onnx::tensor_type::kShape);
    if (shape == nullptr || value.stored || value.dimensions) return done();
    value.dimensions = TRY(read_dimensions(*shape));
    return done();
  }

  static Result<std::vector<Dimension>> read_dimensions(const Message& shape) {
    const std::vector<const Message*> messages = shape.messages(onnx::shape::kDim);
    std::vector<Dimension> dimensions(messages.size());
    std::vector<std::int64_t> least;  // symbolic ones as 1
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const onnx::Field* value = messages[i]->find(onnx::dimension::kValue);
      dimensions[i].symbol = messages[i]->text(onnx::dimension::kParam);
      // Some exporters write 0 or -1 for what they do not know.
      const auto number = static_cast<std::int64_t>(messages[i]->integer(onnx::dimension::kValue));
      if (value != nullptr && number < -1) {
        return malformed("a dimension of " + std::to_string(number));
      }
      if (value != nullptr && number >= 0) dimensions[i].value = number;
      if (value != nullptr && !dimensions[i].symbol.empty()) {
        return malformed("a dimension with a number and a name");
      }
      least.push_back(dimensions[i].value < 0 ? 1 : dimensions[i].value);
    }
    TRY(Shape::make(least));
    return dimensions;
  }

  // Before IR version 4 every initializer is an input as well; here it is an initializer.
  Status add_input(const Message& info) {
    const std::string_view name = info.text(onnx::value_info::kName);
    const auto initializer = ids_.find(name);
    const auto input_count = graph_.inputs.size();
    if (initializer != ids_.end() && graph_.values[initializer->second].stored) {
      return declare(info, graph_.values[initializer->second]).within(named("initializer", name));
    }
    const ValueId id = TRY(define(name).within("input " + std::to_string(input_count)));
    Value& value = graph_.values[id];
    TRY(declare(info, value).within(named("input", name)));
    if (!value.dtype) return malformed(named("input", name) + " has no element type");
    graph_.inputs.push_back(id);
    return done();
  }

  Status add_node(const Message& message) {
    Node node;
    node.op = message.text(onnx::node::kOpType);
    node.name = message.text(onnx::node::kName);
    const auto inputs = message.texts(onnx::node::kInput);
    const auto outputs = message.texts(onnx::node::kOutput);
    const auto attributes = message.messages(onnx::node::kAttribute);
    if (inputs.size() > kMaxNodeValues || outputs.size() > kMaxNodeValues ||
        attributes.size() > kMaxNodeValues) {
      return Error(ErrorCode::kLimit,
                   "over " + std::to_string(kMaxNodeValues) + " inputs, outputs or attributes");
    }
    for (const Message* attribute : attributes) {
      if (node.find(attribute->text(onnx::attribute::kName)) != nullptr) {
        return malformed("two attributes " + shown(attribute->text(onnx::attribute::kName)));
      }
      node.attributes.push_back(TRY(load_attribute(tensors_, *attribute)));
    }
    node.inputs.reserve(inputs.size());
    for (const std::string_view input : inputs) node.inputs.push_back(TRY(use(input)));
    node.outputs.reserve(outputs.size());
    for (const std::string_view output : outputs) {
      node.outputs.push_back(output.empty() ? kNoValue : TRY(define(output)));
    }
    if (node.op == "Constant") return add_constant(std::move(node));
    node.attributes.shrink_to_fit();
    graph_.nodes.push_back(std::move(node));
    return done();
  }

  // A Constant node is an initializer that stands elsewhere.
  Status add_constant(Node node) {
    if (node.outputs.size() != 1 || node.outputs[0] == kNoValue) {
      return malformed("a Constant has one output");
    }
    Value& value = graph_.values[node.outputs[0]];
    value.stored = TRY(constant_tensor(std::move(node)));
    value.dtype = value.stored->type.dtype;
    return done();
  }

  Status add_output(const Message& info) {
    const std::string_view name = info.text(onnx::value_info::kName);
    const ValueId id = TRY(use(name).within("an output"));
    if (id == kNoValue) return malformed("an output without a name");
    TRY(declare(info, graph_.values[id]).within(named("output", name)));
    graph_.outputs.push_back(id);
    return done();
  }

  TensorLoader tensors_;
  Graph graph_;
  // Sorted: an attacker can flood a hash table. Keys are texts of the message, which stays.
  std::map<std::string_view, ValueId> ids_;
};

Result<Graph> load(const BlockSource& source, const ExternalSize& external_size) {
  const onnx::MessagePointer model = TRY(onnx::parse_model(source));
  TRY(check_model(*model));
  const std::int64_t opset = TRY(read_opset(*model));
  return GraphLoader(source, external_size, opset).load(*model->message(onnx::model::kGraph));
}

}  // namespace

Result<Graph> load_graph(const BlockSource& model, const ExternalSize& external_size) {
  return load(model, external_size).within("ONNX model");
}

}  // namespace sealpack::nn
