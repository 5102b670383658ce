// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to claim_names.cc: what NVIDIA's GPUs claim, alone (nvidia-gpu) or beside a CPU's TEE,
// where each name has "gpu_" before it. Of several GPUs each makes its claims: each value must be
// accepted.

#include <algorithm>
#include <array>

#include "attest/policy/claim_names.h"

namespace sealpack::policy::internal {

inline constexpr std::array<std::string_view, 2> kGpuArchitectures{"blackwell", "hopper"};
inline constexpr std::array<std::string_view, 4> kGpuModes{"multi-gpu", "protected-pcie",
                                                           "single-gpu", "unstated"};
inline constexpr std::array<std::string_view, 2> kGpuDecoders{"disabled", "enabled"};
inline constexpr std::array<std::size_t, 1> kGpu32{32};
inline constexpr std::array<std::size_t, 3> kGpuHashes{32, 48, 64};

inline constexpr std::size_t kGpuMeasurementCount = 64;
inline constexpr std::string_view kGpuMeasurementName = "gpu_measurement00";
using GpuName = std::array<char, kGpuMeasurementName.size()>;

// "gpu_measurement00" to "gpu_measurement63": counted as NVIDIA's manifests do.
constexpr std::array<GpuName, kGpuMeasurementCount> make_gpu_measurement_names() {
  std::array<GpuName, kGpuMeasurementCount> names{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::copy(kGpuMeasurementName.begin(), kGpuMeasurementName.end(), names[i].begin());
    names[i][names[i].size() - 2] = static_cast<char>('0' + i / 10);
    names[i][names[i].size() - 1] = static_cast<char>('0' + i % 10);
  }
  return names;
}
inline constexpr auto kGpuMeasurementNames = make_gpu_measurement_names();

inline constexpr ClaimName kGpuBefore[] = {
    {"gpu_architecture", ClaimKind::kText, false, {}, kGpuArchitectures},
    {"gpu_board", ClaimKind::kText},
    {"gpu_count", ClaimKind::kNumber},
    {"gpu_driver_version", ClaimKind::kText},
    {"gpu_fwid", ClaimKind::kBytes, false, kGpuHashes},
    {"gpu_hardware_model", ClaimKind::kText},
};
inline constexpr ClaimName kGpuAfter[] = {
    {"gpu_measurements", ClaimKind::kBytes, false, kGpu32},
    {"gpu_mode", ClaimKind::kText, false, {}, kGpuModes},
    {"gpu_nonce", ClaimKind::kBytes, false, kGpu32},
    {"gpu_nvdec", ClaimKind::kText, false, {}, kGpuDecoders},
    {"gpu_revocation_unchecked", ClaimKind::kFlag, false, {}, {}, false, /*bad_news=*/true},
    {"gpu_ueid", ClaimKind::kBytes, false, kGpu32},
    {"gpu_vbios_version", ClaimKind::kText},
};

// Claims that say what the GPUs are and how many: nobody knows with whom he shares a model without
// them.
inline constexpr std::string_view kGpuMandatory[] = {"gpu_architecture",   "gpu_count",
                                                     "gpu_driver_version", "gpu_measurements",
                                                     "gpu_mode",           "gpu_vbios_version"};
constexpr bool is_mandatory_of_gpu(std::string_view name) {
  return std::find(std::begin(kGpuMandatory), std::end(kGpuMandatory), name) !=
         std::end(kGpuMandatory);
}

// A claim of each GPU. All have the same nonce.
constexpr ClaimName of_each(ClaimName claim) {
  if (claim.name == "gpu_nonce") return claim;
  if (claim.kind == ClaimKind::kBytes) {
    claim.kind = ClaimKind::kBytesSet;
    claim.never_empty = true;
  }
  if (claim.kind == ClaimKind::kText) {
    claim.kind = ClaimKind::kTextSet;
    claim.never_empty = true;
  }
  return claim;
}

// Of GPUs beside a TEE.
constexpr auto make_gpu_claims() {
  std::array<ClaimName, std::size(kGpuBefore) + kGpuMeasurementCount + std::size(kGpuAfter)> rows;
  auto out = std::copy(std::begin(kGpuBefore), std::end(kGpuBefore), rows.begin());
  for (const GpuName& name : kGpuMeasurementNames) {
    *out++ = {std::string_view(name.data(), name.size()), ClaimKind::kBytes, false, kGpuHashes};
  }
  std::copy(std::begin(kGpuAfter), std::end(kGpuAfter), out);
  for (ClaimName& row : rows) {
    row = of_each(row);
    row.mandatory_with_gpu = is_mandatory_of_gpu(row.name);
  }
  return rows;
}
inline constexpr auto kGpuBeside = make_gpu_claims();

// Of GPUs alone: their nonce is what the evidence is bound to, and no claim.
constexpr auto make_gpu_alone_claims() {
  std::array<ClaimName, kGpuBeside.size() - 1> rows;
  auto out = rows.begin();
  for (ClaimName row : kGpuBeside) {
    row.name.remove_prefix(kGpuPrefix.size());
    if (row.name == "nonce") continue;
    row.mandatory = row.mandatory_with_gpu;
    row.mandatory_with_gpu = false;
    *out++ = row;
  }
  return rows;
}
inline constexpr auto kGpuAlone = make_gpu_alone_claims();

}  // namespace sealpack::policy::internal
