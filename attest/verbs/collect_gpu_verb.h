// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/evidence/evidence.h"
#include "formats/cli/verb.h"

namespace sealpack::attest {

// `attest collect --tee nvidia-gpu`: GPUs alone, or beside a TEE that has reported already.
struct GpuOptions {
  std::string library;            // empty: libnvidia-ml.so.1
  std::string beside;             // evidence of the TEE
  std::string transcript;         // file: what the TEE's report data are the hash of
  std::vector<unsigned> indices;  // empty: all of the machine
  bool is_default() const {
    return library.empty() && beside.empty() && transcript.empty() && indices.empty();
  }
};
void add_gpu_options(CLI::App& verb, GpuOptions& options);

// Alone the nonce is `report_data`; beside a TEE it is made of its evidence and the transcript
// (gpu_nonce.h), and `report_data` must be empty. Notes what the host says of its settings.
Result<Evidence> collect_gpu_evidence(const GpuOptions& options, Bytes report_data,
                                      cli::Terminal& terminal);

}  // namespace sealpack::attest
