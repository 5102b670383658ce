// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "attest/evidence/evidence.h"

namespace sealpack::attest {

struct CollectGpuRequest {
  ByteVector nonce;  // 32 bytes: what each report is over
  // Which of the driver's GPUs, from 0, in this order; empty: all.
  std::vector<unsigned> indices;
  // NVIDIA's management library; empty: libnvidia-ml.so.1 where the system's loader finds it. It
  // runs inside this process.
  std::filesystem::path library;
};

// What the host's driver says of its settings. Nobody signed it: for people, never a claim.
struct GpuSettings {
  std::string confidential_computing;  // "on", "off", "unstated"
  std::string environment;             // "production", "simulation", "none", "unstated"
  std::string developer_tools;         // "on", "off", "unstated"
  std::string multi_gpu;               // "none", "protected-pcie", "nvlink-encrypted", "unstated"
};

struct CollectedGpus {
  std::vector<EvidenceItem> items;  // gpu-request, gpu-report, gpu-certificates, gpu2-request …
  GpuSettings settings;
};

// kUsage for another nonce or a GPU that is not there; kLimit for more than kMaxGpus; kUnsupported
// without the library, without what it needs, or for a GPU that gives no reports (confidential
// computing is off, or the GPU has none); kTryAgain where it is busy; kIo for what the driver
// answers otherwise.
Result<CollectedGpus> collect_gpus(const CollectGpuRequest& request);

}  // namespace sealpack::attest
