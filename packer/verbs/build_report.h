// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/terminal.h"
#include "packer/core/build.h"
#include "packer/verbs/build_options.h"

namespace sealpack::packer {

// Tensors, bytes and share of what is sealed, public and excluded.
void print_summary(const Assembly& assembly, std::ostream& out);
// Every tensor and file with its place, as `build --dry-run` shows before anything is sealed.
void print_entries(const Assembly& assembly, std::ostream& out);

// The same as JSON; `report` is null for a dry run.
std::string report_json(const Assembly& assembly, const BuildRequest* request,
                        const BuildReport* report);

}  // namespace sealpack::packer
