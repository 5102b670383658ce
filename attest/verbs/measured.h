// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/policy/claims.h"
#include "formats/cli/verb.h"
#include "runtime-loader/core/launch.h"
#include "unpacker/verbs/opening.h"

// What the verbs that predict measurements share.
namespace sealpack::attest {

// Lines for a policy: "measurement = { accept = ["…"] }"; with --json {"tee", "claims"}.
void print_measured(const Claims& claims, cli::Terminal& terminal);

// What a TEE is launched with, from the command line.
struct LaunchOptions {
  unpacker::TrustOptions trust;
  std::string owner = "vendor";
  std::string broker_key;
  std::string answer_key;
  std::string memory_limit;
  bool counter_required = false;
  bool top1 = false;
  std::optional<std::uint32_t> rounded;
  std::uint64_t query_budget = 0;
};
void add_launch_options(CLI::App& verb, LaunchOptions& options);
Result<loader::LaunchConfig> launch_config(const LaunchOptions& options);

void add_measure_launch(CLI::App& group, cli::Job& job);
void add_measure_process(CLI::App& group, cli::Job& job);
void add_measure_sgx(CLI::App& group, cli::Job& job);
void add_measure_snp(CLI::App& group, cli::Job& job);
void add_measure_pcr(CLI::App& group, cli::Job& job);
void add_measure_rim(CLI::App& group, cli::Job& job);

}  // namespace sealpack::attest
