// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/program/steps/generic.h"

// What operators take from Memory while they run: bounds by family, from types alone. The ONNX node
// tests, run as programs, show that they hold.
namespace sealpack::nn::program {
namespace {

constexpr std::uint64_t kWidest = 8;              // bytes of an element that is computed with
constexpr std::uint64_t kBlocks = 16 * 64;        // rounding, of as many blocks as any takes
constexpr std::uint64_t kPanel = 64;              // columns that products pack at least
constexpr std::uint64_t kUnrolled = 1ULL << 18U;  // elements of input that convolutions unroll

using Types = std::span<const TensorType>;

std::uint64_t elements(const TensorType& type) {
  return static_cast<std::uint64_t>(type.shape.element_count());
}

std::uint64_t all_elements(Types types) {
  std::uint64_t sum = 0;
  for (const TensorType& type : types) sum += elements(type);
  return sum;
}

std::uint64_t longest_dimension(Types types) {
  std::int64_t longest = 1;
  for (const TensorType& type : types) {
    for (const std::int64_t dim : type.shape.dims()) longest = std::max(longest, dim);
  }
  return static_cast<std::uint64_t>(longest);
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

// Copies of the operands in a wider type, and packed columns.
std::uint64_t product_scratch(Types inputs, Types outputs) {
  return kWidest * (all_elements(inputs) + all_elements(outputs)) +
         2 * kWidest * kPanel * longest_dimension(inputs);
}

std::size_t weights_input(const std::string& op) {
  return op == "QLinearConv" ? 3 : 1;
}

// Weights in another order, input unrolled in chunks, sums, and what the product of these takes.
std::uint64_t convolution_scratch(const std::string& op, Types inputs, Types outputs) {
  const TensorType& weights = inputs[weights_input(op)];
  const auto rows = static_cast<std::uint64_t>(std::max(weights.shape[0], weights.shape[1]));
  const std::uint64_t inner = elements(weights);  // at least
  const std::uint64_t pixels = elements(outputs[0]);
  const std::uint64_t chunk =
      std::min(std::max<std::uint64_t>(kUnrolled, 64 * inner), pixels * inner);
  return kWidest *
         (2 * inner + 2 * chunk + std::min(kUnrolled, pixels) * rows + 2 * kPanel * inner);
}

// Products of all inputs over time with the weights, and the states.
std::uint64_t recurrent_scratch(Types inputs) {
  const auto rows = static_cast<std::uint64_t>(inputs[1].shape[1]);
  const auto batch = static_cast<std::uint64_t>(inputs[0].shape[0] * inputs[0].shape[1]);
  return 4 * kWidest * rows * batch;
}

bool is_any(const std::string& op, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return op == name; });
}

std::uint64_t family_scratch(const std::string& op, Types inputs, Types outputs) {
  if (contains(op, "Conv") && inputs.size() > weights_input(op) &&
      inputs[weights_input(op)].shape.rank() > 1) {
    return product_scratch(inputs, outputs) + convolution_scratch(op, inputs, outputs);
  }
  if (is_any(op, {"LSTM", "GRU", "RNN"})) {
    return product_scratch(inputs, outputs) + recurrent_scratch(inputs);
  }
  if (contains(op, "MatMul") || is_any(op, {"Gemm", "Einsum"})) {
    return product_scratch(inputs, outputs);
  }
  if (op.starts_with("Reduce")) return 2 * kWidest * all_elements(outputs);
  if (contains(op, "Normalization") || is_any(op, {"TopK", "Unique"})) {
    return 2 * kWidest * all_elements(inputs);
  }
  if (is_any(op, {"Resize", "Upsample"})) {
    return kWidest *
           (elements(inputs[0]) + elements(outputs[0]) + kMaxRank * longest_dimension(outputs));
  }
  return 0;
}

}  // namespace

std::uint64_t operator_scratch(const Node& node, Types inputs, Types outputs) {
  const std::uint64_t size = family_scratch(node.op, inputs, outputs);
  return size == 0 ? 0 : size + kBlocks;
}

}  // namespace sealpack::nn::program
