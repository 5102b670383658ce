// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/verb.h"

namespace sealpack::packer {

void add_build(CLI::App& app, cli::Job& job);
void add_grant(CLI::App& app, cli::Job& job);
void add_reseal(CLI::App& app, cli::Job& job);

}  // namespace sealpack::packer
