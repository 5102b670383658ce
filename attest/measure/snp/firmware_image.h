// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::attest::snp {

inline constexpr std::size_t kPageSize = 4096;

// Pages beside the image that the firmware's SEV metadata asks the hypervisor to put into the guest
// before it starts.
enum class SectionType : std::uint32_t {
  kMemory = 1,
  kSecrets = 2,
  kCpuid = 3,
  kCallingArea = 4,  // of an SVSM
  kKernelHashes = 0x10,
};

struct Section {
  std::uint32_t address = 0;  // guest physical; a multiple of kPageSize
  std::uint32_t size = 0;     // likewise
  SectionType type{};
};

// What an OVMF image says about itself in the GUIDed table at its end (OvmfPkg/ResetVector).
struct FirmwareImage {
  std::uint32_t address = 0;          // where it lies: it ends at 4 GiB
  std::uint32_t secondary_start = 0;  // where processors but the first start
  std::uint32_t kernel_hashes = 0;    // address of QEMU's table of hashes; 0: it reads none
  std::vector<Section> sections;      // in the image's order
};

// kMalformed; kUnsupported for an image without SEV metadata or with sections of other types, which
// would be measured in ways that are not known here.
Result<FirmwareImage> parse_firmware_image(Bytes image);

}  // namespace sealpack::attest::snp
