// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "keymgmt/tpm/key_blob.h"

// What is accepted is written again byte for byte.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sealpack::Bytes input(data, size);
  const auto blob = sealpack::tpm::parse_key_blob(input);
  if (blob.ok()) {
    const auto again = sealpack::tpm::serialize_key_blob(*blob);
    if (!std::equal(again.begin(), again.end(), input.begin(), input.end())) __builtin_trap();
  }
  const auto area = sealpack::tpm::parse_public(input);
  if (area.ok()) {
    const auto again = sealpack::tpm::serialize_public(*area);
    if (!std::equal(again.begin(), again.end(), input.begin(), input.end())) __builtin_trap();
  }
  return 0;
}
