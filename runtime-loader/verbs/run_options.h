// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/verb.h"
#include "runtime-loader/core/launch.h"
#include "unpacker/verbs/opening.h"

namespace sealpack::loader {

// Where the key comes from when this host does not have it.
struct BrokerOptions {
  std::string url;           // --broker
  std::string files;         // --broker-files: a folder, instead of a network
  std::string key;           // --broker-key
  std::string ca;            // --broker-ca
  std::string evidence_key;  // --evidence-key
  bool given() const { return !url.empty() || !files.empty(); }
};

// Of a measured machine that is the TEE itself.
struct VmRunOptions {
  std::string platform = "tpm";      // --platform: which TEE, as in a release's policy
  std::string source;                // --source
  bool platform_event_log = false;   // --platform-event-log
  bool gpus = false;                 // --gpus
  std::string nvml;                  // --nvml
  std::string key;                   // --tpm-key
  std::string tcti;                  // --tpm
  std::vector<unsigned> pcrs;        // --tpm-pcrs; empty: 0 to 14
  std::string event_log;             // --tpm-event-log
  std::string endorsement_password;  // --tpm-password-file
  bool confirm = false;              // --confirm
  bool has_tpm() const { return platform == "tpm"; }
};

struct RunOptions {
  std::string bundle;
  unpacker::TrustOptions trust;
  unpacker::KeyOptions keys;
  BrokerOptions broker;
  VmRunOptions vm;
  bool measure = false;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::string model;
  std::string tee = "process";
  std::string tee_memory_text = "none";
  std::uint64_t tee_memory = 0;  // what that says; 0: no cap
  std::string tee_user;
  unsigned threads = 0;
  std::uint64_t batch = 0;
  bool top1 = false;
  std::optional<std::uint32_t> rounded;
  std::uint64_t query_budget = 0;
  std::string counters;
  bool force = false;
};

void add_run_options(CLI::App& verb, RunOptions& options);

// What the command line narrows of the answer rule; `outputs` are the names that may leave.
Narrowing narrowing_of(const RunOptions& options, std::vector<std::string> outputs);

// Reads what is more than a word; kUsage for options that contradict one another.
Status check_options(RunOptions& options, bool json);

}  // namespace sealpack::loader
