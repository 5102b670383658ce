// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/hcl_report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sealpack::Bytes input(data, size);
  const auto report = sealpack::attest::parse_hcl_report(input);
  if (report.ok() && report.value().variable_data.size() > size) __builtin_trap();
  // The report binds its JSON by a hash; without one the parser behind it is reached directly.
  const auto parsed = sealpack::attest::parse_hcl_variable_data(input);
  if (parsed.ok() && parsed.value().ak.type() != sealpack::crypto::DeviceKey::Type::kRsa) {
    __builtin_trap();
  }
  return 0;
}
