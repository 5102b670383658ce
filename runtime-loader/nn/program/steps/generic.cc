// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/steps/generic.h"

#include <algorithm>
#include <cstring>

namespace sealpack::nn::program {
namespace {

// Scratch of operators, cut from what the plan set aside, so that no run holds more than planned.
class PlannedMemory final : public Memory {
 public:
  explicit PlannedMemory(MutableBytes all) : all_(all) {}
  Result<MutableBytes> allocate(std::size_t size) override {
    const std::size_t rounded = (size + 63) / 64 * 64;
    if (rounded < size || rounded > all_.size() - used_) {
      return Error(ErrorCode::kLimit, "the operator needs " + format_size(size) +
                                          " of scratch memory, " +
                                          format_size(all_.size() - used_) + " are planned");
    }
    const MutableBytes block = all_.subspan(used_, size);
    used_ += rounded;
    ++held_;
    return block;
  }
  // What was taken is free again when all of it has come back.
  void release(MutableBytes block) override {
    std::fill(block.begin(), block.end(), std::uint8_t{0});
    if (--held_ == 0) used_ = 0;
  }

 private:
  MutableBytes all_;
  std::size_t used_ = 0;
  std::size_t held_ = 0;
};

constexpr std::uint64_t kUnrolled = std::uint64_t{1} << 18;  // elements: operators work in chunks

std::uint64_t elements(const TensorType& type) {
  return static_cast<std::uint64_t>(type.shape.element_count());
}

// Convolutions unroll their input in chunks.
std::uint64_t convolution_scratch(std::span<const TensorType> inputs,
                                  std::span<const TensorType> outputs) {
  const TensorType& weights = inputs[inputs.size() > 4 ? 3 : 1];  // QLinearConv has it as fourth
  const std::uint64_t out_pixels = elements(outputs[0]);
  const std::uint64_t rows =
      static_cast<std::uint64_t>(std::max(weights.shape[0], weights.shape[1]));
  const std::uint64_t inner = elements(weights);
  const std::uint64_t chunk = std::max<std::uint64_t>(kUnrolled, 64 * inner);
  return 8 * (inner + std::min(chunk, out_pixels * inner) + std::min(chunk, out_pixels) * rows);
}

}  // namespace

std::uint64_t operator_scratch(const Node& node, std::span<const TensorType> inputs,
                               std::span<const TensorType> outputs) {
  const bool is_convolution =
      node.op.find("Conv") != std::string::npos && inputs.size() > 1 && inputs[1].shape.rank() > 2;
  const bool is_product = node.op == "Gemm" || node.op.find("MatMul") != std::string::npos;
  if (!is_convolution && !is_product) return 0;
  std::uint64_t size = 4096;
  for (const TensorType& type : inputs) size += 8 * elements(type);
  for (const TensorType& type : outputs) size += 8 * elements(type);
  return is_convolution ? size + convolution_scratch(inputs, outputs) : size;
}

std::uint64_t GenericStep::scratch(unsigned) const {
  return scratch_size;
}

Status GenericStep::run(const Work& work) const {
  static std::uint8_t nothing = 0;  // where tensors without elements are
  PlannedMemory memory(MutableBytes(work.scratch, work.scratch_size));
  RunContext context{*node, opset, {}, {}, memory, work.workers};
  context.inputs.resize(input_operands.size());
  for (std::size_t i = 0; i < input_operands.size(); ++i) {
    if (input_operands[i] < 0) continue;
    std::uint8_t* data = work.inputs[static_cast<std::size_t>(input_operands[i])].at(0);
    context.inputs[i] = {input_types[i], data != nullptr ? data : &nothing};
  }
  context.outputs.resize(output_types.size());
  for (std::size_t i = 0; i < output_types.size(); ++i) {
    context.outputs[i].type = output_types[i];
    if (output_operands[i] < 0) continue;
    std::uint8_t* data = work.outputs[static_cast<std::size_t>(output_operands[i])].at(0);
    context.outputs[i].data = data != nullptr ? data : &nothing;
  }
  auto status = op->run(context);
  if (status.ok()) return status;
  return std::move(status).take_error().within("node " + printable(node->name) + " (" + node->op +
                                               ")");
}

}  // namespace sealpack::nn::program
