// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/onnx_edit.h"
#include "formats/models/onnx_objects.h"

namespace sealpack::models::onnx {

// The halves of a model of which sealed[i] says that tensors[i] is secret, some true, some false.
// Both tensors of a sparse one go where either goes.
//
// Public: the model's path, an ONNX file without the sealed tensors (onnx_edit.h), and each
// external data file with the bytes of public tensors only, at multiples of 64. Sealed:
// <path>.safetensors, every sealed tensor by its name. Where an entry is not a tensor of its own
// dtype and shape, the header's metadata say what it is: "tensor:<name>" -> "INT4 [3,5]" for one
// held as bytes (safetensors_form), "sparse:<input>" -> "[4,5]" for the dense shape of the values
// and indices.
Result<Split> split_model(const ModelFiles& files, const Message& model, const ModelIndex& index,
                          const std::vector<bool>& sealed, bool keep_metadata);

}  // namespace sealpack::models::onnx
