// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/endorsements.h"

// What is accepted is written again byte for byte.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sealpack::Bytes input(data, size);
  const auto endorsements = sealpack::attest::parse_endorsements(input);
  if (!endorsements.ok()) return 0;
  const auto again = sealpack::attest::serialize_endorsements(endorsements.value());
  if (!std::equal(again.begin(), again.end(), input.begin(), input.end())) __builtin_trap();
  return 0;
}
