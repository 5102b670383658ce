// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/verbs/run_options.h"

// What can be said about the files of a run before anything is opened or started.
namespace sealpack::loader {

// kUsage where the model is not sealed and should be, or the other way round: then it says what to
// do. Anything else about the file is said by whoever reads it.
Status check_model_file(const RunOptions& options);

// kUsage for two outputs that are one file, and for an output that would replace something the run
// reads: by name, and by device and inode.
Status check_files(const RunOptions& options);

}  // namespace sealpack::loader
