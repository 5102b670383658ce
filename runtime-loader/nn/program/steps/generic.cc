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

}  // namespace

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
  return run_node(context);
}

}  // namespace sealpack::nn::program
