// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "runtime-loader/nn/graph.h"
#include "runtime-loader/nn/services.h"

// The operators, each in its plain form: any types and shapes that ONNX allows, dense row-major
// tensors that are all in memory. Programs run most of a large model through faster steps
// (program/), and everything else, and constant folding, through these.
namespace sealpack::nn {

// What an operator may ask while its outputs are typed, before anything runs.
struct InferContext {
  const Node& node;
  std::int64_t opset;
  // One an input; nullptr where an optional input is left out.
  std::vector<const TensorType*> inputs;
  // One an input: its contents if they are known by now; data is nullptr otherwise.
  std::vector<ConstTensor> constants;
};

struct RunContext {
  const Node& node;
  std::int64_t opset;
  // data is nullptr where an optional input is left out, and only there: an empty tensor has some.
  std::vector<ConstTensor> inputs;
  std::vector<Tensor> outputs;  // typed as infer said; data is nullptr where nobody reads it
  Memory& memory;               // for scratch
  Workers& workers;
};

struct Operator {
  const char* name;
  std::int64_t first_opset;  // this form of the operator holds from here …
  std::int64_t last_opset;   // … to here
  std::size_t min_inputs;
  std::size_t max_inputs;
  std::size_t max_outputs;
  // Checks attributes, input types and shapes (all untrusted: kMalformed, kUnsupported, kLimit),
  // and says what the outputs are, at least as many as the node has. An operator whose output shape
  // depends on contents needs them among the constants, and is kUnsupported otherwise.
  Result<std::vector<TensorType>> (*infer)(const InferContext& context);
  // Called by run_node, on inputs that infer has accepted. Fails only for contents (an index out of
  // range: kMalformed) or for want of scratch memory (kLimit).
  Status (*run)(RunContext& context);
  // Names of the attributes this form has, separated by single spaces; any other is refused.
  const char* attributes = "";
};

// nullptr if there is none for this opset.
const Operator* find_operator(std::string_view name, std::int64_t opset);
// All, ascending by name and first opset; for docs/OPERATORS.md.
std::span<const Operator* const> all_operators();

// infer through the registry, one type an output of the node. Checks first what holds for every
// operator: how many inputs and outputs, none of the required ones left out, no unknown attribute.
// Errors name operator and node.
Result<std::vector<TensorType>> infer_node(const InferContext& context);
// run through the registry, on what infer_node has accepted; errors name operator and node. Does
// nothing where no output has both a reader and elements: operators rely on that.
Status run_node(RunContext& context);
// "Conv (node 'stem/conv1')", or "Conv" if the node has no name: for messages.
std::string describe(const Node& node);

}  // namespace sealpack::nn
