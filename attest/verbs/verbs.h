// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/verb.h"

namespace sealpack::attest {

// `sealpack attest verify|show|collect|measure|fetch`
void add_attest(CLI::App& app, cli::Job& job);
// `sealpack policy init|check|show|test`
void add_policy(CLI::App& app, cli::Job& job);

// Their parts, each in a file of its own.
void add_attest_verify(CLI::App& group, cli::Job& job);
void add_attest_show(CLI::App& group, cli::Job& job);
void add_attest_collect(CLI::App& group, cli::Job& job);
void add_attest_measure(CLI::App& group, cli::Job& job);
void add_attest_fetch(CLI::App& group, cli::Job& job);
void add_policy_init(CLI::App& group, cli::Job& job);
void add_policy_check(CLI::App& group, cli::Job& job);
void add_policy_show(CLI::App& group, cli::Job& job);
void add_policy_test(CLI::App& group, cli::Job& job);

}  // namespace sealpack::attest
