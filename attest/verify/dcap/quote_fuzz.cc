// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/dcap/quote.h"

// What is accepted is covered: signed part, size, signature data, zeros.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sealpack::Bytes input(data, size);
  const auto quote = sealpack::attest::dcap::parse_quote(input);
  if (!quote.ok()) return 0;
  if (quote->sgx.has_value() == quote->td.has_value()) __builtin_trap();
  const sealpack::Bytes end = quote->certification;
  const auto covered = static_cast<std::size_t>(end.data() + end.size() - data);
  if (quote->signed_part.size() + 4 + quote->signature.size() + end.size() != covered) {
    __builtin_trap();
  }
  const sealpack::Bytes padding = input.subspan(covered);
  if (std::any_of(padding.begin(), padding.end(), [](std::uint8_t b) { return b != 0; })) {
    __builtin_trap();
  }
  return 0;
}
