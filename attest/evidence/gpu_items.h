// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/evidence/evidence.h"

namespace sealpack::attest {

// Items about GPUs: of the first "gpu-request", "gpu-report" and "gpu-certificates", of the second
// "gpu2-request" and so on. No number is left out.
inline constexpr std::size_t kMaxGpus = 8;

// Bytes of a "request": GET_MEASUREMENTS of SPDM 1.1 (DSP0274), with nonce and slot. Drivers and
// NVIDIA's files have the report right behind it.
inline constexpr std::size_t kGpuRequestSize = 37;

// Of GPU `number`, from 1: the kind of its part "request", "report" or "certificates".
std::string gpu_kind(std::size_t number, std::string_view part);
bool is_gpu_kind(std::string_view kind);
// The greatest number that an item names; 0 without any.
std::size_t count_gpus(const Evidence& evidence);

}  // namespace sealpack::attest
