// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/json_output.h"

namespace sealpack::unpacker {

// `inspect` of a model that is not packed yet: its tensors and files, read and not judged. `path`
// as for open_inputs.
Status inspect_model(const std::string& path, cli::Terminal& terminal);

}  // namespace sealpack::unpacker
