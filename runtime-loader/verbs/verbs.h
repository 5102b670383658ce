// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/verb.h"

namespace sealpack::plan {

void add_plan(CLI::App& app, cli::Job& job);

}  // namespace sealpack::plan

namespace sealpack::loader {

void add_run(CLI::App& app, cli::Job& job);

}  // namespace sealpack::loader
