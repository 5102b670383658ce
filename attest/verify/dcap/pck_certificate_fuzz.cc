// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/pck_certificate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack::attest::dcap;
  const auto extension = parse_pck_extension(sealpack::Bytes(data, size));
  if (extension.ok() && size < 100) __builtin_trap();  // shorter than its fields
  return 0;
}
