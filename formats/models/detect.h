// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/onnx.h"

namespace sealpack::models {

struct DetectOptions {
  bool opaque = false;  // look into nothing: whatever it is, it is sealed or public as a whole
  OnnxOptions onnx;
};

// Opens inputs[file] in the format that its extension and its content name together: .safetensors,
// .gguf (or any name with GGUF content), .onnx; anything else is opaque.
//
// Pickles are kUnsupported unless options.opaque: loading one can run any code, so that a sealed
// pickle would be a sealed program. Those are .pt, .pth, .ckpt, .pkl, a .bin that begins like one,
// and every zip that holds a data.pkl.
Result<std::unique_ptr<Model>> open_model(std::uint32_t file, std::span<const InputFile> inputs,
                                          const DetectOptions& options);

}  // namespace sealpack::models
