// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx_edit.h"

#include <map>
#include <set>

#include "formats/models/names.h"

namespace sealpack::models::onnx {
namespace {

constexpr std::size_t kMaxPassedInputs = std::size_t{1} << 20U;
constexpr const char* kSealWhole = "seal the whole file, or leave this tensor public";

Field text_field(std::uint32_t number, std::string_view text) {
  return make_field(number, std::string(text));
}

Field input_info(const Object& object) {
  std::vector<Field> dims;
  for (const std::uint64_t dim : object.dims) {
    dims.push_back(make_message_field(shape::kDim, MessageType::kDimension,
                                      make_field(dimension::kValue, dim)));
  }
  Field shape = make_field(tensor_type::kShape, make_message(MessageType::kShape, std::move(dims)));
  Field tensor = make_message_field(type::kTensorType, MessageType::kTensorType,
                                    make_field(tensor_type::kElemType, std::uint64_t{object.type}),
                                    std::move(shape));
  return make_message_field(
      graph::kInput, MessageType::kValueInfo, text_field(value_info::kName, object.input_name),
      make_message_field(value_info::kType, MessageType::kType, std::move(tensor)));
}

// A node that gives the input its old name. `number` is that of nodes in the scope.
Field identity(const Object& object, std::uint32_t number) {
  return make_message_field(number, MessageType::kNode, text_field(node::kInput, object.input_name),
                            text_field(node::kOutput, object.value_name),
                            text_field(node::kOpType, "Identity"));
}

std::size_t count_fields(const Message& message, std::uint32_t number) {
  std::size_t count = 0;
  for (const Field& field : message.fields) count += field.number == number ? 1 : 0;
  return count;
}

class Planner {
 public:
  Planner(const Message& model, const ModelIndex& index)
      : main_(*model.message(model::kGraph)), index_(index) {
    for (std::size_t i = 0; i < index_.functions.size(); ++i) {
      function_of_.emplace(index_.functions[i], i);
    }
    for (const Call& call : index_.calls) callers_[call.function].push_back(&call);
  }

  Result<Edits> plan(const std::vector<bool>& sealed) {
    for (std::size_t i = 0; i < index_.objects.size(); ++i) {
      if (sealed[i]) TRY(take_out(i));
    }
    TRY(pass_through_functions());
    for (const auto& [graph, objects] : graph_inputs_) {
      for (const std::size_t i : objects) {
        edits_.appended[graph].push_back(input_info(index_.objects[i]));
      }
    }
    drop_value_infos();
    return std::move(edits_);
  }

 private:
  using ObjectSet = std::set<std::size_t>;

  Status take_out(std::size_t i) {
    const Object& object = index_.objects[i];
    if (object.place == Object::Place::kAttribute) {
      return Error(ErrorCode::kUnsupported,
                   "the attribute " + shown(object.value_name) +
                       " cannot be sealed alone: no graph input can take its place")
          .with_hint(kSealWhole);
    }
    if (object.is_main) {
      edits_.dropped.insert(object.record);
      if (!object.is_input) graph_inputs_[&main_].insert(i);
      return done();
    }
    if (object.is_input) {
      return Error(ErrorCode::kUnsupported,
                   "the tensor " + shown(object.input_name) +
                       " cannot be sealed alone: it is the default of a subgraph's input")
          .with_hint(kSealWhole);
    }
    if (object.place == Object::Place::kConstant) {
      edits_.replaced.emplace(object.record, identity(object, object.record->number));
    } else {
      edits_.dropped.insert(object.record);
      edits_.prepended[object.scope].push_back(identity(object, graph::kNode));
    }
    const auto function = function_of_.find(object.root);
    if (function == function_of_.end()) {
      graph_inputs_[object.root].insert(i);
    } else {
      pending_.emplace_back(function->second, i);
    }
    return done();
  }

  // Gives every function that needs an object an input for it, and its callers in turn.
  Status pass_through_functions() {
    ObjectSet used;
    ObjectSet wanted;
    for (const auto& [function, object] : pending_) wanted.insert(object);
    while (!pending_.empty()) {
      const auto [function, object] = pending_.back();
      pending_.pop_back();
      if (!function_inputs_[function].insert(object).second) continue;
      for (const Call* call : callers_[function]) {
        if (++passed_count_ > kMaxPassedInputs) {
          return Error(ErrorCode::kLimit, "sealed tensors of functions are passed on over " +
                                              std::to_string(kMaxPassedInputs) + " times")
              .with_hint("inline the functions, or seal the whole file");
        }
        const auto caller = function_of_.find(call->root);
        if (caller != function_of_.end()) {
          pending_.emplace_back(caller->second, object);
        } else {
          graph_inputs_[call->root].insert(object);
          if (call->root == &main_) used.insert(object);
        }
      }
    }
    // What a function holds that nobody calls is an input all the same: every sealed tensor is one.
    for (const std::size_t object : wanted) {
      if (!used.contains(object)) graph_inputs_[&main_].insert(object);
    }
    for (const auto& [function, objects] : function_inputs_) {
      TRY(extend_function(function, objects));
    }
    return done();
  }

  Status extend_function(std::size_t function, const ObjectSet& objects) {
    const Message& declaration = *index_.functions[function];
    const std::size_t declared = count_fields(declaration, function::kInput);
    for (const std::size_t object : objects) {
      edits_.appended[&declaration].push_back(
          text_field(function::kInput, index_.objects[object].input_name));
    }
    for (const Call* call : callers_[function]) {
      const std::size_t given = count_fields(*call->node, node::kInput);
      if (given > declared) {
        return Error(ErrorCode::kMalformed, "a call of the function " +
                                                shown(declaration.text(function::kName)) +
                                                " with " + std::to_string(given) +
                                                " inputs where it has " + std::to_string(declared));
      }
      std::vector<Field>& inputs = edits_.appended[call->node];
      // Inputs left out at the end are given as empty, so that the new ones find their place.
      for (std::size_t i = given; i < declared; ++i) inputs.push_back(text_field(node::kInput, ""));
      for (const std::size_t object : objects) {
        inputs.push_back(text_field(node::kInput, index_.objects[object].input_name));
      }
    }
    return done();
  }

  // A graph that lists a value as input and as intermediate value would describe it twice.
  void drop_value_infos() {
    std::set<std::string_view> names;
    for (const std::size_t i : graph_inputs_[&main_]) names.insert(index_.objects[i].input_name);
    for (const Field& field : main_.fields) {
      if (field.number == graph::kValueInfo &&
          names.contains(std::get<MessagePointer>(field.value)->text(value_info::kName))) {
        edits_.dropped.insert(&field);
      }
    }
  }

  const Message& main_;
  const ModelIndex& index_;
  std::unordered_map<const Message*, std::size_t> function_of_;
  std::unordered_map<std::size_t, std::vector<const Call*>> callers_;
  std::vector<std::pair<std::size_t, std::size_t>> pending_;  // function, object
  std::map<std::size_t, ObjectSet> function_inputs_;
  std::unordered_map<const Message*, ObjectSet> graph_inputs_;
  std::size_t passed_count_ = 0;
  Edits edits_;
};

}  // namespace

Result<Edits> plan_edits(const Message& model, const ModelIndex& index,
                         const std::vector<bool>& sealed) {
  return Planner(model, index).plan(sealed);
}

}  // namespace sealpack::models::onnx
