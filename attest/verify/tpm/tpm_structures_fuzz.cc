// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/tpm/pcr_values.h"
#include "attest/verify/tpm/tpm_public.h"

// PCR values that are accepted are written again byte for byte; the others are read to their end.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sealpack::Bytes input(data, size);
  const auto quote = sealpack::attest::parse_tpm_quote(input);
  if (quote.ok() && quote.value().extra_data.size() + quote.value().pcr_digest.size() > size) {
    __builtin_trap();
  }
  const auto signature = sealpack::attest::parse_tpm_signature(input);
  if (signature.ok() && signature.value().r_size > signature.value().value.size()) {
    __builtin_trap();
  }
  const auto area = sealpack::attest::parse_tpm_public(input);
  if (area.ok() && area.value().name.size() < 34) __builtin_trap();
  const auto values = sealpack::attest::parse_pcr_values(input);
  if (!values.ok()) return 0;
  const auto again = sealpack::attest::serialize_pcr_values(values.value());
  if (!std::equal(again.begin(), again.end(), input.begin(), input.end())) __builtin_trap();
  return 0;
}
