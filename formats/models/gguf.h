// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/model.h"

namespace sealpack::models {

// GGUF version 3, little-endian (ggml docs/gguf.md), by the rules of parse_gguf. Shapes have the
// slowest dimension first, as in the other formats (the file has the fastest first).
//
// Of a divided file the public half keeps all keys; the sealed half keeps general.architecture and
// general.alignment. Both lay their tensors out as ggml demands: in order, each padded with zeros
// to the alignment. kLimit when that padding exceeds 256 MiB.
Result<std::unique_ptr<Model>> open_gguf(std::uint32_t file, const InputFile& input);

}  // namespace sealpack::models
