// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include "tests/runtime-loader/nn/ops/interpreter.h"

// The node tests that ONNX publishes (Debian package libonnx-testdata): a folder holds model.onnx
// and test_data_set_N with input_N.pb and output_N.pb, each a TensorProto.
namespace sealpack::nn::testing {

struct DataSet {
  std::vector<OwnedTensor> inputs;
  std::vector<OwnedTensor> outputs;
};

struct NodeTest {
  std::string name;
  ByteVector model;  // opset raised to 9 where the file says less
  std::vector<DataSet> data;
};

// A test, or in `why_not` the rule by which it does not apply: an operator that the registry lacks,
// an opset out of range, values that are not dense tensors, training, or wrong data. Errors are
// failures.
struct NodeTestOrReason {
  std::optional<NodeTest> test;
  std::string why_not;
};
Result<NodeTestOrReason> load_node_test(const std::filesystem::path& folder);

// Compares as ONNX's own runner does: types and shapes equal, integers and bools exact, floats with
// |actual - expected| <= 1e-7 + 1e-3 * |expected|, NaN equal to NaN. kMalformed with the first
// element that differs.
Status compare(const OwnedTensor& actual, const OwnedTensor& expected);

}  // namespace sealpack::nn::testing
