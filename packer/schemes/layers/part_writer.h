// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "formats/models/onnx_objects.h"
#include "packer/schemes/layers/onnx_dataflow.h"
#include "runtime-loader/plan/cut.h"
#include "runtime-loader/schemes/layers/parameters.h"

namespace sealpack::packer::layers {

// Type of a value: dtype and shape of a Crossing; the rest is empty.
using ValueTypes = std::map<std::string, sealpack::layers::Crossing, std::less<>>;

// What the model's own declarations (inputs, outputs, value_info) say of tensors with a known rank.
ValueTypes declared_types(const models::onnx::Message& model);

struct PartNames {
  std::string path;             // of the ONNX file
  std::string external_suffix;  // behind the path of each file of external data
  // Constants that a part on the other side has as well: written anew, since no byte of the
  // original is both public and sealed.
  std::vector<std::uint32_t> shared;
};

// One part of a model as an ONNX file of its own, with the external data it reads.
struct PartFiles {
  std::vector<models::OutputFile> files;  // the ONNX file first
  std::vector<sealpack::layers::External> externals;
};

// The model with the nodes and initializers of `part` alone; what crosses its border are typed
// inputs and outputs. kUnsupported where the type of one is unknown. The values it names keep their
// names.
Result<PartFiles> write_part(const models::onnx::ModelFiles& files,
                             const models::onnx::Message& model,
                             const models::onnx::ModelIndex& index, const OnnxDataflow& dataflow,
                             const plan::Part& part, const ValueTypes& types,
                             const PartNames& names, bool keep_metadata);

}  // namespace sealpack::packer::layers
