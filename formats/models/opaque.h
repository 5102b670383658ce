// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/model.h"

namespace sealpack::models {

// A file nobody looks into: it has no tensors, and split({}) seals it whole. Whether it stays
// public instead is the caller's choice (whole_file).
std::unique_ptr<Model> open_opaque(std::uint32_t file, const InputFile& input);

}  // namespace sealpack::models
