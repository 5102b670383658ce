// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/onnx_objects.h"
#include "formats/models/onnx_write.h"

namespace sealpack::models::onnx {

// Edits that take the objects i with sealed[i] out of a model and leave a graph of the same meaning
// that is fed them as inputs, by their input_name:
//   model's graph         the value becomes an input of the graph
//   subgraph              the model's graph gets the input; an Identity node in the subgraph gives
//   it
//                         its old name there
//   function              the function gets an input, as does every function that calls it; every
//                         call passes the input of the calling graph on
//   training graph        as for a subgraph; the input is that of the training graph
// kUnsupported where nothing can take the data's place; kMalformed; kLimit.
Result<Edits> plan_edits(const Message& model, const ModelIndex& index,
                         const std::vector<bool>& sealed);

}  // namespace sealpack::models::onnx
