// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/block_source.h"

namespace sealpack::tee {

// Whether a program's file is all that will run: kRefused for one that names an interpreter (the
// dynamic loader, which maps libraries), kMalformed for what is no 64-bit little-endian ELF file.
Status check_self_contained(const BlockSource& file);

// SHA-256 of the file.
Result<Digest> measure_program(const BlockSource& file);

}  // namespace sealpack::tee
