// SPDX-License-Identifier: Apache-2.0
// Running the model of a bundle.
#include <algorithm>

#include "keymgmt/crypto/secret_bytes.h"
#include "runtime-loader/capi/handles.h"

namespace sealpack::capi {
namespace {

static_assert(SEALPACK_MAX_RANK == nn::kMaxRank);
constexpr std::size_t kMaxValues = 1024;

Result<nn::Shape> shape_of(const sealpack_value& value) {
  if (value.rank > SEALPACK_MAX_RANK) {
    return Error(ErrorCode::kLimit, "a tensor of rank " + std::to_string(value.rank));
  }
  return nn::Shape::make({value.shape, value.rank});
}

Result<nn::TensorType> type_of(const sealpack_value& value) {
  if (value.dtype < 0) return usage("there is no dtype " + std::to_string(value.dtype));
  return nn::TensorType{TRY(nn::to_dtype(static_cast<std::uint64_t>(value.dtype))),
                        TRY(shape_of(value))};
}

void set_type(const nn::TensorType& type, sealpack_value& value) {
  value.dtype = static_cast<std::int32_t>(type.dtype);
  value.rank = static_cast<std::uint32_t>(type.shape.rank());
  std::fill(std::begin(value.shape), std::end(value.shape), 0);
  std::copy_n(type.shape.dims().begin(), value.rank, std::begin(value.shape));
  value.size = static_cast<std::size_t>(type.size());
}

Result<loader::LoadOptions> load_options(const SessionState& session,
                                         const sealpack_model_options& given) {
  loader::LoadOptions options;
  options.may_spill = session.may_spill();
  if (given.graph != nullptr) options.model = TRY(text_of(given.graph, "graph"));
  if (given.memory_limit != 0) options.memory_limit = given.memory_limit;
  for (const sealpack_value& value :
       TRY(take_array(given.input_shapes, given.input_shape_count, kMaxValues, "input_shapes"))) {
    const std::string name = TRY(text_of(value.name, "name of an input"));
    options.input_shapes[name] = TRY(shape_of(value).within("input " + printable(name)));
  }
  return options;
}

sealpack_model_info describe(const loader::ModelInfo& model) {
  sealpack_model_info info{};
  info.input_count = model.inputs.size() + model.taps.size();
  info.output_count = model.outputs.size();
  info.sealed_answers = model.sealed_answers ? 1 : 0;
  info.peak = model.peak;
  info.unlimited_peak = model.unlimited_peak;
  info.least_limit = model.least_limit;
  info.resident_weights = model.resident_weights;
  info.streamed_weights = model.streamed;
  return info;
}

Status give_port(const loader::Port& port, sealpack_value* out) {
  sealpack_value value{};
  value.name = port.name.c_str();
  set_type(port.type, value);
  return give(value, out, "value");
}

Error no_model() {
  return usage("no model is loaded: call sealpack_model_load first");
}

struct Inputs {
  std::vector<loader::InputTensor> tensors;
};
Result<Inputs> take_inputs(const sealpack_value* given, std::size_t count) {
  Inputs inputs;
  for (const sealpack_value& value : TRY(take_array(given, count, kMaxValues, "inputs"))) {
    loader::InputTensor input;
    input.name = TRY(text_of(value.name, "name of an input"));
    input.type = TRY(type_of(value).within("input " + printable(input.name)));
    if (value.size != input.type.size()) {
      return usage("input " + printable(input.name) + " has " + std::to_string(value.size) +
                   " bytes, its type takes " + std::to_string(input.type.size()));
    }
    if (value.size != 0) TRY(require(value.data, "data of an input"));
    input.bytes = {static_cast<const std::uint8_t*>(value.data), value.size};
    inputs.tensors.push_back(std::move(input));
  }
  return inputs;
}

// Runs it step by step, so that the caller may stop it in between.
Result<loader::Answer> run(loader::Session& session, const Hooks& hooks, loader::BundleId bundle,
                           const Inputs& inputs) {
  TRY(session.begin_run(bundle, inputs.tensors));
  const std::vector<loader::Port> missing = session.missing_inputs();
  if (!missing.empty()) {
    session.abandon_run();
    return usage("input " + printable(missing.front().name) + " is missing");
  }
  while (true) {
    if (hooks.stops()) {
      session.abandon_run();
      return cancelled();
    }
    const Result<bool> finished = session.advance_run();
    if (!finished.ok()) {
      if (session.is_running()) session.abandon_run();
      return finished.error();
    }
    if (*finished) return session.take_answer();
  }
}

// Wipes the answer however the function is left.
class AnswerGuard {
 public:
  explicit AnswerGuard(loader::Answer answer) : answer_(std::move(answer)) {}
  AnswerGuard(const AnswerGuard&) = delete;
  AnswerGuard& operator=(const AnswerGuard&) = delete;
  ~AnswerGuard() {
    for (loader::Answer::Tensor& tensor : answer_.tensors) crypto::wipe(tensor.bytes);
  }
  const loader::Answer& operator*() const { return answer_; }
  const loader::Answer* operator->() const { return &answer_; }

 private:
  loader::Answer answer_;
};

const loader::Port* find_output(const loader::ModelInfo& model, const std::string& name) {
  for (const loader::Port& port : model.outputs) {
    if (port.name == name) return &port;
  }
  return nullptr;
}

// Before the run, which counts: whether every answer has its place.
Result<std::vector<std::string>> check_outputs(const loader::ModelInfo& model,
                                               sealpack_value* outputs, std::size_t count) {
  if (model.sealed_answers) return usage("answers of this model leave sealed");
  std::vector<std::string> names;
  for (const sealpack_value& value : TRY(take_array(outputs, count, kMaxValues, "outputs"))) {
    const std::string name = TRY(text_of(value.name, "name of an output"));
    const loader::Port* port = find_output(model, name);
    if (port == nullptr) return usage("the model has no output " + printable(name));
    if (value.size != port->type.size()) {
      return usage("output " + printable(name) + " takes " + std::to_string(port->type.size()) +
                   " bytes, there is room for " + std::to_string(value.size));
    }
    if (value.size != 0) TRY(require(value.data, "data of an output"));
    names.push_back(name);
  }
  return names;
}

void give_outputs(const loader::Answer& answer, const std::vector<std::string>& names,
                  sealpack_value* outputs) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    sealpack_value* value = element(outputs, i);
    for (const loader::Answer::Tensor& tensor : answer.tensors) {
      if (tensor.port.name != names[i]) continue;
      std::copy(tensor.bytes.begin(), tensor.bytes.end(), static_cast<std::uint8_t*>(value->data));
      set_type(tensor.port.type, *value);
    }
  }
}

Status give_counters(const loader::RunCounters& counters, sealpack_run_counters* out) {
  if (out == nullptr) return done();
  sealpack_run_counters given{};
  given.weights_read = counters.weights_read;
  given.spill_stored = counters.spill_stored;
  given.spill_loaded = counters.spill_loaded;
  given.answers_left = counters.answers_left;
  return give(given, out, "counters");
}

// That the struct can be filled, before the run.
Status check_counters(const sealpack_run_counters* counters) {
  if (counters == nullptr) return done();
  return check_struct(counters, counters->struct_size, kMaxStructSize, "counters");
}

// On failure nothing of an answer is left in what the caller gave.
void clear_outputs(sealpack_value* outputs, std::size_t count) {
  if (outputs == nullptr || count > kMaxValues) return;
  for (std::size_t i = 0; i < count; ++i) {
    const sealpack_value* value = element(outputs, i);
    if (value->struct_size != outputs->struct_size ||
        value->struct_size < offsetof(sealpack_value, dtype)) {
      return;
    }
    if (value->data != nullptr) std::memset(value->data, 0, value->size);
  }
}

int describe_port(sealpack_bundle* bundle, std::size_t index, bool is_input, sealpack_value* value,
                  sealpack_error* error) {
  return guarded(error, [&]() -> Status {
    BundleState* state = TRY(state_of(bundle));
    const auto session = state->session().lock();
    const loader::ModelInfo* model = session->model(state->id());
    if (model == nullptr) return no_model();
    if (!is_input) {
      if (index < model->outputs.size()) return give_port(model->outputs[index], value);
    } else if (index < model->inputs.size()) {
      return give_port(model->inputs[index], value);
    } else if (index - model->inputs.size() < model->taps.size()) {
      return give_port(model->taps[index - model->inputs.size()], value);
    }
    return usage("the model has no " + std::string(is_input ? "input " : "output ") +
                 std::to_string(index));
  });
}

}  // namespace
}  // namespace sealpack::capi

using namespace sealpack;

int sealpack_model_load(sealpack_bundle* bundle, const sealpack_model_options* options,
                        sealpack_model_info* info, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    const loader::LoadOptions wanted =
        TRY(capi::load_options(state->session(), TRY(capi::take_optional(options, "options"))));
    const auto session = state->session().lock();
    const loader::ModelInfo model = TRY(session->load(state->id(), wanted));
    state->session().hooks().log(SEALPACK_LOG_INFO,
                                 "loaded the model, " + format_size(model.peak) + " at its peak");
    if (info == nullptr) return done();
    return capi::give(capi::describe(model), info, "info");
  });
}

int sealpack_model_input(sealpack_bundle* bundle, size_t index, sealpack_value* value,
                         sealpack_error* error) {
  return capi::describe_port(bundle, index, true, value, error);
}

int sealpack_model_output(sealpack_bundle* bundle, size_t index, sealpack_value* value,
                          sealpack_error* error) {
  return capi::describe_port(bundle, index, false, value, error);
}

int sealpack_model_run(sealpack_bundle* bundle, const sealpack_value* inputs, size_t input_count,
                       sealpack_value* outputs, size_t output_count,
                       sealpack_run_counters* counters, sealpack_error* error) {
  const int code = capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    const capi::Inputs given = TRY(capi::take_inputs(inputs, input_count));
    TRY(capi::check_counters(counters));
    const auto session = state->session().lock();
    const loader::ModelInfo* model = session->model(state->id());
    if (model == nullptr) return capi::no_model();
    const auto names = TRY(capi::check_outputs(*model, outputs, output_count));
    const capi::AnswerGuard answer(
        TRY(capi::run(*session, state->session().hooks(), state->id(), given)));
    TRY(capi::give_counters(answer->counters, counters));
    capi::give_outputs(*answer, names, outputs);
    return done();
  });
  if (code != SEALPACK_OK) capi::clear_outputs(outputs, output_count);
  return code;
}

int sealpack_model_run_sealed(sealpack_bundle* bundle, const sealpack_value* inputs,
                              size_t input_count, void* out, size_t* size,
                              sealpack_run_counters* counters, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    TRY(capi::require(size, "size"));
    const capi::Inputs given = TRY(capi::take_inputs(inputs, input_count));
    TRY(capi::check_counters(counters));
    const auto session = state->session().lock();
    const loader::ModelInfo* model = session->model(state->id());
    if (model == nullptr) return capi::no_model();
    if (!model->sealed_answers) return capi::usage("answers of this model leave in the clear");
    const capi::AnswerGuard answer(
        TRY(capi::run(*session, state->session().hooks(), state->id(), given)));
    TRY(capi::give_counters(answer->counters, counters));
    return capi::give_bytes(answer->sealed, out, size, "sealed answer");
  });
}
