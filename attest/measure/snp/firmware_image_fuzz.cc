// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/snp/firmware_image.h"

// Sections of what is accepted are whole pages below 4 GiB.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace snp = sealpack::attest::snp;
  const auto image = snp::parse_firmware_image({data, size});
  if (!image.ok()) return 0;
  for (const snp::Section& section : image->sections) {
    if (section.address % snp::kPageSize != 0 || section.size % snp::kPageSize != 0) {
      __builtin_trap();
    }
  }
  return 0;
}
