// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/bundle/content.h"
#include "formats/models/safetensors.h"
#include "unpacker/core/file_reader.h"

namespace sealpack::unpacker {

// The card is what the vendor tells everybody about the sealed tensors, and only the header inside
// the sealed file is used to load them. A bundle where the two disagree lies to somebody: a reader
// that can open it refuses it (FORMAT.md §5).

// Compares the header of file number `file` with what the card says of it: the same tensors with
// name, dtype and shape; with Redaction::kNames without names; with kAll the card lists none.
// kMalformed, naming the first difference.
Status check_card(const bundle::Content& content, std::uint32_t file,
                  const models::SafetensorsHeader& header);

// Whether the file is safetensors with its header in segments of its own.
bool has_safetensors_header(const bundle::SealedFile& file);

// Does so for every sealed safetensors file. Headers are read one after the other and wiped.
Status check_card(const bundle::Content& content, FileReader& reader);

}  // namespace sealpack::unpacker
