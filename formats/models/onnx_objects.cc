// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx_objects.h"

#include <tuple>

#include "formats/models/names.h"
#include "formats/models/onnx_names.h"

namespace sealpack::models::onnx {
namespace {

constexpr const char* kSparseSuffixes[] = {".values", ".indices"};

Error malformed(const std::string& why) {
  return {ErrorCode::kMalformed, why};
}

bool is_default_domain(std::string_view domain) {
  return domain.empty() || domain == "ai.onnx";
}

bool is_constant(const Message& message) {
  return message.text(node::kOpType) == "Constant" &&
         is_default_domain(message.text(node::kDomain));
}

// What a field of an attribute is to a Constant node.
enum class ConstantField { kValue, kForeign, kOther };

ConstantField constant_field(std::uint32_t number) {
  switch (number) {
    case attribute::kF:
    case attribute::kI:
    case attribute::kS:
    case attribute::kT:
    case attribute::kFloats:
    case attribute::kInts:
    case attribute::kStrings:
    case attribute::kSparseTensor:
      return ConstantField::kValue;
    case attribute::kG:
    case attribute::kGraphs:
    case attribute::kTensors:
    case attribute::kSparseTensors:
      return ConstantField::kForeign;
    default:
      return ConstantField::kOther;
  }
}

// Where the walk is.
struct Scope {
  const Message* message = nullptr;  // GraphProto or FunctionProto
  const Message* root = nullptr;
  std::string path;
  bool is_main = false;
  std::set<std::string_view> inputs;
};

class Indexer {
 public:
  Indexer(const ModelFiles& files, const Message& model) : files_(files), model_(model) {}

  Result<ModelIndex> run() {
    names_.add_all(model_);
    index_.functions = model_.messages(model::kFunctions);
    for (std::size_t i = 0; i < index_.functions.size(); ++i) {
      function_ids_.emplace(
          id(*index_.functions[i], function::kDomain, function::kName, function::kOverload), i);
    }
    const Message* main = model_.message(model::kGraph);
    TRY(walk_graph(*main, *main, "graph", true));
    std::size_t number = 0;
    for (const Message* info : model_.messages(model::kTrainingInfo)) {
      const std::string path = "training_info[" + std::to_string(number++) + "]/";
      if (const Message* graph = info->message(training::kInitialization)) {
        TRY(walk_graph(*graph, *graph, path + "initialization", false));
      }
      if (const Message* graph = info->message(training::kAlgorithm)) {
        TRY(walk_graph(*graph, *graph, path + "algorithm", false));
      }
    }
    for (const Message* function : index_.functions) TRY(walk_function(*function));
    return std::move(index_);
  }

 private:
  using FunctionId = std::tuple<std::string_view, std::string_view, std::string_view>;

  static FunctionId id(const Message& message, std::uint32_t domain, std::uint32_t name,
                       std::uint32_t overload) {
    const std::string_view text = message.text(domain);
    return {is_default_domain(text) ? std::string_view() : text, message.text(name),
            message.text(overload)};
  }

  Status walk_graph(const Message& graph, const Message& root, const std::string& path,
                    bool is_main) {
    Scope scope{&graph, &root, path, is_main, {}};
    for (const Message* input : graph.messages(graph::kInput)) {
      scope.inputs.insert(input->text(value_info::kName));
    }
    std::size_t node_index = 0;
    for (const Field& field : graph.fields) {
      const auto* child = std::get_if<MessagePointer>(&field.value);
      if (child == nullptr) continue;
      if (field.number == graph::kNode) TRY(walk_node(field, **child, scope, node_index++));
      if (field.number == graph::kInitializer) TRY(add_initializer(field, **child, scope));
      if (field.number == graph::kSparseInitializer) {
        TRY(add_sparse_initializer(field, **child, scope));
      }
    }
    return done();
  }

  Status walk_function(const Message& function) {
    const std::string_view name = function.text(function::kName);
    Scope scope{&function, &function, "function/" + std::string(name), false, {}};
    for (const std::string_view input : function.texts(function::kInput)) {
      scope.inputs.insert(input);
    }
    std::size_t node_index = 0;
    for (const Field& field : function.fields) {
      const auto* child = std::get_if<MessagePointer>(&field.value);
      if (child == nullptr) continue;
      if (field.number == function::kNode) TRY(walk_node(field, **child, scope, node_index++));
      if (field.number == function::kAttributeProto) {
        TRY(walk_attribute(**child, scope, scope.path));
      }
    }
    return done();
  }

  Status walk_node(const Field& record, const Message& message, const Scope& scope,
                   std::size_t index) {
    const auto callee =
        function_ids_.find(id(message, node::kDomain, node::kOpType, node::kOverload));
    if (callee != function_ids_.end()) {
      index_.calls.push_back({&message, scope.root, callee->second});
    }
    if (message.find(node::kAttribute) == nullptr) return done();
    if (callee == function_ids_.end() && is_constant(message)) {
      return add_constant(record, message, scope, index);
    }
    const std::string path = scope.path + '/' + node_label(message, index);
    for (const Message* attribute : message.messages(node::kAttribute)) {
      TRY(walk_attribute(*attribute, scope, path));
    }
    return done();
  }

  // An attribute of a node that is not Constant.
  Status walk_attribute(const Message& attribute, const Scope& scope, const std::string& parent) {
    const std::string path = parent + '/' + std::string(attribute.text(attribute::kName));
    std::size_t index = 0;
    for (const Field& field : attribute.fields) {
      const FieldRule* rule = find_rule(MessageType::kAttribute, field.number);
      const std::string element =
          rule->repeated ? path + '[' + std::to_string(index++) + ']' : path;
      switch (field.number) {
        case attribute::kG:
        case attribute::kGraphs:
          TRY(walk_graph(*std::get<MessagePointer>(field.value), *scope.root, element, false));
          break;
        case attribute::kT:
        case attribute::kTensors:
        case attribute::kSparseTensor:
        case attribute::kSparseTensors:
          TRY(add_attribute(field, element, scope));
          break;
        case attribute::kFloats:
        case attribute::kInts:
        case attribute::kStrings: {
          const auto& list = std::get<ElementList>(field.value);
          if (list.count > kMaxClearElements || list.payload_size > kMaxClearStringSize) {
            TRY(add_attribute(field, element, scope));
          }
          break;
        }
        case attribute::kS:
          if (std::get<ByteRange>(field.value).size > kMaxClearStringSize) {
            TRY(add_attribute(field, element, scope));
          }
          break;
        default:
          break;
      }
    }
    return done();
  }

  Status add_attribute(const Field& field, const std::string& path, const Scope& scope) {
    Object object;
    object.place = Object::Place::kAttribute;
    object.scope = scope.message;
    object.root = scope.root;
    object.value_name = path;
    return add_value(field, std::move(object), path, false);
  }

  Status add_constant(const Field& record, const Message& message, const Scope& scope,
                      std::size_t index) {
    const Field* value = nullptr;
    const auto wrong = [&](const char* why) {
      return malformed("the Constant node " + shown(scope.path + '/' + node_label(message, index)) +
                       " with " + why);
    };
    for (const Message* attribute : message.messages(node::kAttribute)) {
      for (const Field& field : attribute->fields) {
        const ConstantField kind = constant_field(field.number);
        if (kind == ConstantField::kForeign) return wrong("graphs or lists of tensors");
        if (kind != ConstantField::kValue) continue;
        if (value != nullptr) return wrong("two values");
        value = &field;
      }
    }
    if (value == nullptr) return done();
    const auto outputs = message.texts(node::kOutput);
    if (outputs.size() != 1 || outputs[0].empty()) {
      return wrong("other than one output");
    }
    return add_named(Object::Place::kConstant, record, *value, outputs[0], scope);
  }

  Status add_initializer(const Field& record, const Message& message, const Scope& scope) {
    return add_named(Object::Place::kInitializer, record, record, message.text(tensor::kName),
                     scope);
  }

  Status add_sparse_initializer(const Field& record, const Message& message, const Scope& scope) {
    const Message* values = message.message(sparse_tensor::kValues);
    const std::string_view name = values == nullptr ? "" : values->text(tensor::kName);
    return add_named(Object::Place::kInitializer, record, record, name, scope);
  }

  // An object that is a value of its scope.
  Status add_named(Object::Place place, const Field& record, const Field& value,
                   std::string_view name, const Scope& scope) {
    if (name.empty()) return malformed("an initializer without a name in " + shown(scope.path));
    Object object;
    object.place = place;
    object.scope = scope.message;
    object.root = scope.root;
    object.record = &record;
    object.value_name = name;
    object.is_main = scope.is_main;
    object.is_input = scope.inputs.contains(name);
    const std::string wanted =
        scope.is_main ? std::string(name) : scope.path + '/' + object.value_name;
    return add_value(value, std::move(object), wanted, scope.is_main);
  }

  // `is_own_name`: the tensor is called as its value, which is unique or the model is malformed.
  Status add_value(const Field& value, Object object, const std::string& wanted, bool is_own_name) {
    const auto* message = std::get_if<MessagePointer>(&value.value);
    object.is_sparse = message != nullptr && (*message)->type == MessageType::kSparseTensor;
    if (is_own_name) {
      TRY(claim_own_name(wanted, object.is_sparse));
      object.input_name = wanted;
    } else {
      const std::size_t suffixes = object.is_sparse ? 2 : 0;
      object.input_name = TRY(names_.claim(wanted, std::span(kSparseSuffixes).first(suffixes)));
    }
    Status status = object.is_sparse     ? add_sparse(**message, object)
                    : message != nullptr ? add_dense(**message, object)
                                         : add_list(value, object);
    if (!status.ok()) return std::move(status).within("tensor " + shown(object.input_name));
    index_.objects.push_back(std::move(object));
    if (index_.tensors.size() > kMaxTensorCount) {
      return Error(ErrorCode::kLimit, "over " + std::to_string(kMaxTensorCount) + " tensors");
    }
    return done();
  }

  Status claim_own_name(const std::string& name, bool is_sparse) {
    if (name == "__metadata__") {
      return Error(ErrorCode::kUnsupported, "a tensor called '__metadata__'");
    }
    if (!main_names_.insert(name).second) {
      return malformed("two tensors called " + shown(name));
    }
    if (!is_sparse) return done();
    for (const char* suffix : kSparseSuffixes) {
      if (TRY(names_.claim(name + suffix, {})) != name + suffix) {
        return Error(ErrorCode::kUnsupported, "the sparse tensor " + shown(name) +
                                                  " beside a value " + shown(name + suffix));
      }
    }
    return done();
  }

  Status add_dense(const Message& message, Object& object) {
    TensorData data = TRY(read_tensor(files_, message));
    object.type = data.type;
    object.dims = data.dims;
    add_tensor(object.input_name, std::move(data));
    return done();
  }

  Status add_sparse(const Message& message, Object& object) {
    const Message* values = message.message(sparse_tensor::kValues);
    const Message* indices = message.message(sparse_tensor::kIndices);
    if (values == nullptr || indices == nullptr) {
      return malformed("a sparse tensor without values or indices");
    }
    TensorData shape;
    TRY(read_dims(files_, message.elements(sparse_tensor::kDims), shape));
    object.dims = shape.dims;
    TensorData data = TRY(read_tensor(files_, *values));
    object.type = data.type;
    add_tensor(object.input_name + kSparseSuffixes[0], std::move(data));
    data = TRY(read_tensor(files_, *indices));
    add_tensor(object.input_name + kSparseSuffixes[1], std::move(data));
    return done();
  }

  // Any other field of an attribute.
  Status add_list(const Field& field, Object& object) {
    TensorData data;
    data.count = 1;
    data.type = field.number == attribute::kI || field.number == attribute::kInts     ? kTypeInt64
                : field.number == attribute::kF || field.number == attribute::kFloats ? kTypeFloat
                                                                                      : kTypeString;
    if (const auto* list = std::get_if<ElementList>(&field.value)) {
      data.count = list->count;
      data.dims = {list->count};
      data.place = TensorData::Typed{list, find_rule(MessageType::kAttribute, field.number)->kind};
    } else if (const auto* range = std::get_if<ByteRange>(&field.value)) {
      data.place = TensorData::Raw{{files_.file, range->offset, range->size}, false};
    } else if (const auto* fixed = std::get_if<Fixed32>(&field.value)) {
      data.place = TensorData::Scalar{fixed->bits};
    } else {
      data.place = TensorData::Scalar{std::get<std::uint64_t>(field.value)};
    }
    object.type = data.type;
    object.dims = data.dims;
    add_tensor(object.input_name, std::move(data));
    return done();
  }

  void add_tensor(std::string name, TensorData data) {
    index_.tensors.push_back({std::move(name), dtype_of(data), data.dims, stored_size(data)});
    index_.data.push_back(std::move(data));
    index_.object_of.push_back(index_.objects.size());
  }

  const ModelFiles& files_;
  const Message& model_;
  ModelIndex index_;
  ValueNames names_;
  std::set<std::string> main_names_;
  std::map<FunctionId, std::size_t> function_ids_;
};

}  // namespace

Result<ModelIndex> index_model(const ModelFiles& files, const Message& model) {
  return Indexer(files, model).run();
}

}  // namespace sealpack::models::onnx
