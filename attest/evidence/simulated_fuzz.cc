// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/evidence/simulated.h"

// What is accepted is written again byte for byte.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sealpack::Bytes input(data, size);
  const auto report = sealpack::attest::parse_simulated_report(input);
  if (!report.ok()) return 0;
  const auto again = sealpack::attest::serialize_simulated_report(report.value());
  if (!std::equal(again.begin(), again.end(), input.begin(), input.end())) __builtin_trap();
  return 0;
}
