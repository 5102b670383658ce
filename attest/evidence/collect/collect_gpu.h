// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "attest/evidence/evidence.h"

namespace sealpack::attest {

struct CollectGpuRequest {
  ByteVector nonce;  // 32 bytes: what the report is over
  unsigned index = 0;
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

struct CollectedGpu {
  std::vector<EvidenceItem> items;  // gpu-request, gpu-report, gpu-certificates
  GpuSettings settings;
};

// kUsage for another nonce or a GPU that is not there; kUnsupported without the library, without
// what it needs, or for a GPU that gives no reports (confidential computing is off, or the GPU has
// none); kTryAgain where it is busy; kIo for what the driver answers otherwise.
Result<CollectedGpu> collect_gpu(const CollectGpuRequest& request);

}  // namespace sealpack::attest
