// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/snp/certificate_table.h"

// What entries hold lies behind them, inside the input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace snp = sealpack::attest::snp;
  const auto table = snp::parse_certificate_table({data, size});
  if (!table.ok()) return 0;
  const std::size_t count = table->certificates.size() + table->revocation_lists.size();
  if (count > snp::kMaxTableEntries || size < 24 * (count + 1)) __builtin_trap();
  for (const auto& certificate : table->certificates) {
    if (certificate.size() > size - 24 * (count + 1)) __builtin_trap();
  }
  return 0;
}
