// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/files/input_tree.h"

namespace sealpack {

// The part of open_inputs for folders. Files are in no order yet.
Result<InputTree> open_folder(const std::filesystem::path& path, const InputOptions& options);

}  // namespace sealpack
