// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/load_tensor.h"

namespace sealpack::nn {

// Whether an AttributeProto holds a graph: a node with such a one is control flow.
bool holds_graph(const models::onnx::Message& attribute);

// The attribute of an AttributeProto: a number, text, tensor or list of numbers or texts.
// kUnsupported for other kinds.
Result<Attribute> load_attribute(TensorLoader& loader, const models::onnx::Message& message);

// The tensor that a Constant node stands for, from its attributes.
Result<StoredTensor> constant_tensor(Node node);

}  // namespace sealpack::nn
