// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to attest/measure/snp.

#include <array>

#include "attest/measure/snp/firmware_image.h"

namespace sealpack::attest::snp {

using Page = std::array<std::uint8_t, kPageSize>;

// VMSA of a processor before its first instruction at `start`, as QEMU and KVM fill it in (AMD64
// Architecture Programmer's Manual, volume 2, table B-4; reset values: table 14-1).
Page processor_state(std::uint32_t start, std::uint32_t signature, std::uint64_t features);

}  // namespace sealpack::attest::snp
