// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "formats/cli/terminal.h"

namespace sealpack::cli {

// What a verb does once the command line is read.
using Job = std::function<Status(Terminal&)>;

// Adds one subcommand to the tool; its callback stores the job.
using AddVerb = void (*)(CLI::App& app, Job& job);

// Footer of a verb's help: its exit codes, each with what it means for this verb.
std::string exit_codes(std::initializer_list<std::pair<ErrorCode, const char*>> codes);

// Parses, then runs; gives the exit status. `verbs` is the whole tool.
int run(int argc, const char* const* argv, const std::string& description,
        std::span<const AddVerb> verbs, Terminal& terminal);

}  // namespace sealpack::cli
