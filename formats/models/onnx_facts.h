// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/onnx_objects.h"

namespace sealpack::models::onnx {

// What `inspect` tells of a model: "ir_version", "opset", "producer", "inputs", "outputs" (with
// types and shapes), "operators" (the most frequent ones and how often), "parameters" (elements of
// all tensors but sparse indices). Sorted by key; each value at most 400 bytes.
std::vector<std::pair<std::string, std::string>> describe_model(const Message& model,
                                                                const ModelIndex& index);

}  // namespace sealpack::models::onnx
