// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/oracle.h"

#include <algorithm>
#include <map>
#include <set>

namespace sealpack::plan {
namespace {

bool among(std::string_view op, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), op) != list.end();
}

// Affine in each input, whatever the other inputs are if they are constants.
bool is_affine(std::string_view op) {
  return among(op, {"Conv",
                    "ConvTranspose",
                    "Gemm",
                    "MatMul",
                    "MatMulInteger",
                    "ConvInteger",
                    "QLinearConv",
                    "QLinearMatMul",
                    "Add",
                    "Sub",
                    "Mul",
                    "Div",
                    "Sum",
                    "Mean",
                    "BatchNormalization",
                    "Neg",
                    "Identity",
                    "Reshape",
                    "Flatten",
                    "Transpose",
                    "Squeeze",
                    "Unsqueeze",
                    "Concat",
                    "Slice",
                    "Split",
                    "Pad",
                    "Gather",
                    "GatherElements",
                    "GatherND",
                    "Expand",
                    "Tile",
                    "DepthToSpace",
                    "SpaceToDepth",
                    "AveragePool",
                    "GlobalAveragePool",
                    "ReduceMean",
                    "ReduceSum",
                    "Dropout",
                    "Cast",
                    "QuantizeLinear",
                    "DequantizeLinear",
                    "Resize",
                    "Upsample",
                    "CumSum"});
}

// Which of many. A comparison is none: with a secret it is an oracle that bisection asks.
bool is_decision(std::string_view op) {
  return among(op, {"ArgMax", "ArgMin", "NonMaxSuppression"});
}

bool is_elementwise_product(std::string_view op) {
  return op == "Mul" || op == "Div";
}

// Scales and shifts by weights: one unknown or two an element, which is not another layer.
bool is_elementwise_affine(std::string_view op) {
  return among(op, {"Add", "Sub", "Mul", "Div", "BatchNormalization"});
}

// kOneLayer in two states: still affine, or with a transparent function behind it.
enum class State : std::uint8_t { kKnown, kAffine, kSeen, kDeep, kDecision };

class Walker {
 public:
  explicit Walker(const Dataflow& flow) : flow_(flow) {}

  void walk(const Part& secure) {
    for (const std::uint32_t value : secure.constants) {
      if (flow_.values[value].is_weight) secret_.insert(value);
    }
    for (const std::uint32_t node : secure.nodes) step(flow_.nodes[node]);
  }

  State state(std::uint32_t value) const {
    const auto found = states_.find(value);
    return found == states_.end() ? State::kKnown : found->second;
  }

 private:
  bool is_secret(std::uint32_t value) const { return secret_.contains(value); }

  void step(const Dataflow::Node& node) {
    bool weights = node.holds_weight;
    bool computes = false;  // from what the host chooses
    std::size_t seen = 0;   // operands with secrets in them
    State worst = State::kKnown;
    for (const std::uint32_t value : node.reads) {
      if (is_secret(value)) weights = true;
      if (is_secret(value) || flow_.values[value].is_constant || constant_.contains(value)) {
        continue;
      }
      computes = true;
      worst = std::max(worst, state(value));
      if (state(value) != State::kKnown) ++seen;
    }
    for (const std::uint32_t value : node.makes) {
      if (!computes) {
        constant_.insert(value);
        if (weights) secret_.insert(value);
      } else {
        states_[value] = after(node.op, weights, worst, seen);
      }
    }
  }

  static State after(std::string_view op, bool weights, State worst, std::size_t seen) {
    if (op == "Shape" || op == "Size") return State::kKnown;
    if (worst == State::kKnown && !weights) return State::kKnown;
    // Of one layer, which of many is a comparison of two of its outputs: bisection asks it too.
    if (is_decision(op)) return worst >= State::kDeep ? State::kDecision : State::kSeen;
    if (worst >= State::kDeep) return State::kDeep;
    if (worst == State::kKnown) return is_affine(op) ? State::kAffine : State::kSeen;
    if (weights) {
      if (is_affine(op) && (worst == State::kAffine || is_elementwise_affine(op))) return worst;
      return State::kDeep;
    }
    if (seen > 1 && is_elementwise_product(op)) return State::kSeen;
    if (seen > 1 && (op == "MatMul" || op == "Gemm")) return State::kDeep;
    // A function without weights is known to everybody, so what it hides of one layer is little.
    return is_affine(op) ? worst : State::kSeen;
  }

  const Dataflow& flow_;
  std::set<std::uint32_t> secret_;    // weights and what is made of them alone
  std::set<std::uint32_t> constant_;  // made of constants alone
  std::map<std::uint32_t, State> states_;
};

Depth depth_of(State state) {
  switch (state) {
    case State::kKnown:
      return Depth::kKnown;
    case State::kAffine:
    case State::kSeen:
      return Depth::kOneLayer;
    case State::kDeep:
      return Depth::kDeep;
    case State::kDecision:
      return Depth::kDecision;
  }
  return Depth::kDeep;
}

}  // namespace

const char* to_string(Depth depth) {
  switch (depth) {
    case Depth::kKnown:
      return "known";
    case Depth::kOneLayer:
      return "one layer";
    case Depth::kDeep:
      return "deep";
    case Depth::kDecision:
      return "decision";
  }
  return "deep";
}

std::vector<OutputDepth> output_depths(const Dataflow& flow, const Part& secure) {
  Walker walker(flow);
  walker.walk(secure);
  std::vector<OutputDepth> depths;
  for (const std::uint32_t value : secure.outputs) {
    depths.push_back({value, depth_of(walker.state(value))});
  }
  return depths;
}

Oracle find_oracle(const Dataflow& flow, const Cut& cut) {
  Oracle oracle;
  for (const OutputDepth& output : output_depths(flow, cut.secure)) {
    const bool goes_back =
        std::find(cut.returned.begin(), cut.returned.end(), output.value) != cut.returned.end();
    if (goes_back && output.depth != Depth::kKnown && output.depth != Depth::kDecision) {
      oracle.returned.push_back(output.value);
    } else if (flow.values[output.value].is_output && output.depth == Depth::kOneLayer) {
      oracle.answers.push_back(output.value);
    }
  }
  return oracle;
}

}  // namespace sealpack::plan
