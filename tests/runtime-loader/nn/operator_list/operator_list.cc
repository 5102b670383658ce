// SPDX-License-Identifier: Apache-2.0
// Prints docs/OPERATORS.md from the registry; with a file as its argument, compares.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "runtime-loader/nn/ops/operator.h"

namespace {

using sealpack::nn::Operator;

constexpr const char* kBefore = R"(# Operators

What the loader runs: ONNX IR versions 3 to 10, operator sets 9 to 17 of the default domain. `sealpack plan` and `sealpack build --plan` or `--split`
name every operator of a model that is not in this list, with its node. This page is printed from the registry
(`operator_list > docs/OPERATORS.md`), and a test compares the two.

* **Types**: float32, float64, float16, bfloat16, the integers of 8 to 64 bits and bool, as ONNX allows them for the operator. Strings, sequences,
  maps, optionals and sparse tensors are not read.
* **Shapes** are known before anything runs. An input whose contents decide a shape (the second input of Reshape, say) must be constant, or come by way of
  Shape from sizes that are known.
* **Subgraphs** (If, Loop, Scan), functions and other domains are refused.
* **Weights** may be stored as float16 or as int8/uint8 with DequantizeLinear; they are widened tile by tile and computed with in float32.
* **Fast paths**: convolutions (direct, 1x1, Winograd, depthwise, grouped), Gemm and MatMul, pooling, chains of elementwise operators, softmax, layer
  normalisation also in the form that exporters write out, GELU, batch normalisation folded into what precedes it. These also run in tiles under a
  memory limit. All else runs on whole tensors.
* **What passes**: the node tests that ONNX publishes (Debian package libonnx-testdata), run one by one and as programs; test `onnx_node_tests` prints
  how many of them apply. Whole networks are compared with PyTorch (`tests/runtime-loader/nn/program/networks_test.py`).

| operator | operator sets | inputs | outputs | attributes |
|---|---|---|---|---|
)";

std::string range(std::int64_t first, std::int64_t last) {
  return first == last ? std::to_string(first) : std::to_string(first) + "–" + std::to_string(last);
}

std::string count(std::size_t least, std::size_t most) {
  if (most > 1000) return std::to_string(least) + " or more";
  return range(static_cast<std::int64_t>(least), static_cast<std::int64_t>(most));
}

std::string page() {
  std::ostringstream out;
  out << kBefore;
  for (const Operator* one : sealpack::nn::all_operators()) {
    const std::int64_t first = std::max<std::int64_t>(one->first_opset, 9);
    const std::int64_t last = std::min<std::int64_t>(one->last_opset, 17);
    if (first > last) continue;
    std::string attributes = one->attributes;
    std::replace(attributes.begin(), attributes.end(), ' ', ',');
    for (std::size_t at = 0; (at = attributes.find(',', at)) != std::string::npos; at += 2) {
      attributes.insert(at + 1, " ");
    }
    out << "| " << one->name << " | " << range(first, last) << " | "
        << count(one->min_inputs, one->max_inputs) << " | " << count(1, one->max_outputs) << " | "
        << attributes << " |\n";
  }
  return out.str();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string text = page();
  if (argc != 2) {
    std::cout << text;
    return 0;
  }
  std::ifstream file(argv[1]);
  const std::string stored((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
  if (stored == text) return 0;
  std::cerr << argv[1] << " is not what the registry says: operator_list > docs/OPERATORS.md\n";
  return 1;
}
