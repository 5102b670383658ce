// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "packer/core/assembly.h"

// What must hold of inputs and outputs before and after a bundle is written.
namespace sealpack::packer {

// kRefused when the file is a private key as sealpack writes it: whoever can open the bundle, or
// everybody, would have it.
Status check_is_no_private_key(const models::InputFile& input);

// kUnsupported when a public file copies input bytes that are data of a sealed file as well: two
// models that share a file of external data, say, of which one is sealed.
Status check_nothing_sealed_is_public(const Assembly& assembly);

// kIo when an input file was written to since it was opened. What was sealed might then be neither
// the old nor the new model.
Status check_inputs_unchanged(const Assembly& assembly);

}  // namespace sealpack::packer
