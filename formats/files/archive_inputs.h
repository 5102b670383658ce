// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "formats/files/input_tree.h"

namespace sealpack {

enum class ArchiveKind { kZip, kTar, kTarGzip, kTarZstd, kTarXz };

// What to unpack `source` as; nullopt for a file to be taken as it is. Both the extension of `name`
// and the first bytes must say so: a PyTorch .pt is a zip archive too, but it is a model.
Result<std::optional<ArchiveKind>> recognise_archive(std::string_view name,
                                                     const BlockSource& source);

// The part of open_inputs for archives; `shown` is for messages. Everything is unpacked into one
// scratch file, of which the files of the result are slices: no name is ever created from the
// archive, and no number of entries uses up the file descriptors. Files are in no order and not yet
// checked for collisions.
Result<InputTree> open_archive(ArchiveKind kind, const std::string& shown,
                               const std::shared_ptr<const BlockSource>& source,
                               const InputOptions& options);

}  // namespace sealpack
