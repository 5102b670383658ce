// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to collect_gpu.cc and its tests: the part of NVIDIA's management library (NVML, API 12)
// that gives evidence, as its header lays it out. Sizes are the driver's own.

#include <cstdint>

namespace sealpack::attest::nvml {

inline constexpr unsigned kChainSize = 0x1000;
inline constexpr unsigned kAttestationChainSize = 0x1400;
inline constexpr unsigned kNonceSize = 0x20;
inline constexpr unsigned kReportSize = 0x2000;
inline constexpr unsigned kCecReportSize = 0x1000;

using Device = void*;
enum Result : unsigned {
  kSuccess = 0,
  kNotSupported = 3,
  kNotFound = 6,
  kDriverNotLoaded = 9,
  kTimeout = 10,
  kInUse = 19,
};

// nvmlConfComputeGpuCertificate_t: chains in PEM.
struct Certificate {
  unsigned chain_size;
  unsigned attestation_chain_size;
  std::uint8_t chain[kChainSize];
  std::uint8_t attestation_chain[kAttestationChainSize];
};

// nvmlConfComputeGpuAttestationReport_t: the nonce goes in. That of a Ceres controller is not used.
struct Report {
  unsigned has_cec_report;
  unsigned report_size;
  unsigned cec_report_size;
  std::uint8_t nonce[kNonceSize];
  std::uint8_t report[kReportSize];
  std::uint8_t cec_report[kCecReportSize];
};

// nvmlSystemConfComputeSettings_v1_t.
struct Settings {
  unsigned version;
  unsigned environment;  // 0: none, 1: simulation, 2: production
  unsigned feature;      // 0: off, 1: on
  unsigned dev_tools;    // 0: off, 1: on
  unsigned multi_gpu;    // 0: none, 1: protected PCIe, 2: NVLink encrypted
};
inline constexpr unsigned kSettingsVersion = static_cast<unsigned>(sizeof(Settings)) | 1U << 24U;

static_assert(sizeof(Certificate) == 8 + 0x1000 + 0x1400);
static_assert(sizeof(Report) == 12 + 0x20 + 0x2000 + 0x1000);
static_assert(kSettingsVersion == 0x1000014);

}  // namespace sealpack::attest::nvml
