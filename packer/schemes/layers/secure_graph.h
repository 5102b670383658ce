// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "packer/schemes/layers/part_writer.h"

namespace sealpack::packer::layers {

// Types of the values named: as declared by the model, and where that is silent, as the executor
// infers them from the whole graph. What neither knows is left out.
ValueTypes value_types(const models::onnx::ModelFiles& files, const models::onnx::Message& model,
                       const std::vector<std::string>& names);

// Whether the loader can run an ONNX file that is one of the outputs: kUnsupported naming all that
// it cannot.
Status check_runnable(const models::OutputFile& file,
                      const std::vector<models::OutputFile>& externals,
                      const std::vector<sealpack::layers::External>& locations,
                      std::span<const models::InputFile> inputs);

}  // namespace sealpack::packer::layers
