// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "runtime-loader/core/session_run.h"

namespace sealpack::loader::internal {
namespace {

// Exponent all ones: infinite or not a number.
template <typename Word>
bool all_finite(Bytes bytes, Word exponent) {
  for (std::size_t i = 0; i + sizeof(Word) <= bytes.size(); i += sizeof(Word)) {
    Word word;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    if ((word & exponent) == exponent) return false;
  }
  return true;
}

bool all_finite(nn::DType dtype, Bytes bytes) {
  switch (dtype) {
    case nn::DType::kF32:
      return all_finite<std::uint32_t>(bytes, 0x7f800000U);
    case nn::DType::kF64:
      return all_finite<std::uint64_t>(bytes, 0x7ff0000000000000U);
    case nn::DType::kF16:
      return all_finite<std::uint16_t>(bytes, 0x7c00U);
    case nn::DType::kBF16:
      return all_finite<std::uint16_t>(bytes, 0x7f80U);
    default:
      return true;
  }
}

bool all_boolean(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte <= 1; });
}

std::string text_of(const nn::TensorType& type) {
  return std::string(nn::to_string(type.dtype)) + nn::to_string(type.shape);
}

Status check_values(const InputTensor& input, Bytes copy) {
  if (!all_finite(input.type.dtype, copy)) {
    return Error(ErrorCode::kRefused,
                 "input " + printable(input.name) + " has a value that is not a finite number");
  }
  if (input.type.dtype == nn::DType::kBool && !all_boolean(copy)) {
    return Error(ErrorCode::kMalformed,
                 "input " + printable(input.name) + " has a boolean that is neither 0 nor 1");
  }
  return done();
}

}  // namespace

Status Run::add_input(const InputTensor& input) {
  const std::vector<Port>& ports = model_->graph_inputs();
  const auto found = std::find_if(ports.begin(), ports.end(),
                                  [&](const Port& port) { return port.name == input.name; });
  if (found == ports.end()) {
    return Error(ErrorCode::kUsage, "the model has no input " + printable(input.name));
  }
  const auto i = static_cast<std::size_t>(found - ports.begin());
  if (given_[i] || started_) {
    return Error(ErrorCode::kUsage, "input " + printable(input.name) + " was given before");
  }
  if (input.type != found->type) {
    return Error(ErrorCode::kMalformed, "input " + printable(input.name) + " is " +
                                            text_of(input.type) + ", the model takes " +
                                            text_of(found->type));
  }
  if (input.bytes.size() != input.type.size()) {
    return Error(ErrorCode::kMalformed, "input " + printable(input.name) + " has " +
                                            std::to_string(input.bytes.size()) + " bytes, not " +
                                            std::to_string(input.type.size()));
  }
  const MutableBytes copy = model_->input_blocks()[i].bytes().first(input.bytes.size());
  if (!copy.empty()) std::memcpy(copy.data(), input.bytes.data(), copy.size());
  TRY(check_values(input, copy));
  given_[i] = true;
  return done();
}

std::vector<Port> Run::missing() const {
  std::vector<Port> missing;
  for (std::size_t i = 0; i < given_.size(); ++i) {
    if (!given_[i]) missing.push_back(model_->graph_inputs()[i]);
  }
  return missing;
}

Status Run::start() {
  std::vector<nn::ConstTensor> inputs;
  for (std::size_t i = 0; i < model_->graph_inputs().size(); ++i) {
    inputs.push_back({model_->graph_inputs()[i].type, model_->input_blocks()[i].bytes().data()});
  }
  std::vector<nn::Tensor> outputs;
  for (std::size_t i = 0; i < model_->graph_outputs().size(); ++i) {
    outputs.push_back({model_->graph_outputs()[i].type, model_->output_blocks()[i].bytes().data()});
  }
  TRY(model_->instance().begin(inputs, outputs));
  started_ = true;
  return done();
}

Result<bool> Run::advance() {
  finished_ = TRY(model_->instance().advance());
  return finished_;
}

void Run::abandon() {
  if (started_ && !finished_) model_->instance().abandon();
}

Result<std::vector<Answer::Tensor>> Run::answer(const bundle::AnswerRule& rule) const {
  std::vector<Answer::Tensor> answer;
  for (std::size_t i = 0; i < model_->graph_outputs().size(); ++i) {
    const Port& port = model_->graph_outputs()[i];
    for (const Port& leaving : model_->info().outputs) {
      if (leaving.name != port.name) continue;
      Answer::Tensor tensor{leaving, ByteVector(static_cast<std::size_t>(leaving.type.size()))};
      const bundle::AnswerRule as_it_is;
      TRY(shape_answer(model_->is_returned(port.name) ? as_it_is : rule,
                       {port.type, model_->output_blocks()[i].bytes().data()}, tensor.bytes)
              .within("output " + printable(port.name)));
      answer.push_back(std::move(tensor));
    }
  }
  return answer;
}

RunCounters Run::counters() const {
  RunCounters now = model_->counters();
  now.weights_read -= before_.weights_read;
  now.spill_stored -= before_.spill_stored;
  now.spill_loaded -= before_.spill_loaded;
  return now;
}

}  // namespace sealpack::loader::internal
