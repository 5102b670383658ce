// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/onnx_objects.h"
#include "runtime-loader/plan/cut.h"

namespace sealpack::packer::layers {

// The graph of an ONNX model as a Dataflow, whatever its operators are, with the way back to the
// messages. kUnsupported for models with functions of their own or a training graph; kMalformed.
struct OnnxDataflow {
  plan::Dataflow flow;
  std::vector<const models::onnx::Field*> node_fields;  // of the graph, one a node
  // The node that holds ModelIndex::tensors[i] in an attribute or subgraph, kNobody for an
  // initializer of the graph.
  std::vector<std::uint32_t> holders;
};
Result<OnnxDataflow> onnx_dataflow(const models::onnx::ModelFiles& files,
                                   const models::onnx::Message& model,
                                   const models::onnx::ModelIndex& index);

// Whether the part has ModelIndex::tensors[i].
bool holds_tensor(const OnnxDataflow& dataflow, const models::onnx::ModelIndex& index,
                  const plan::Part& part, std::size_t i);

}  // namespace sealpack::packer::layers
