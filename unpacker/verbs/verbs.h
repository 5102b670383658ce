// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/verb.h"

namespace sealpack::unpacker {

void add_inspect(CLI::App& app, cli::Job& job);
void add_verify(CLI::App& app, cli::Job& job);
void add_extract(CLI::App& app, cli::Job& job);
void add_unseal(CLI::App& app, cli::Job& job);
void add_diff(CLI::App& app, cli::Job& job);

}  // namespace sealpack::unpacker
