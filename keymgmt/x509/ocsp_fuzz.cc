// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/x509/ocsp_response.h"

// Every accessor of what parses.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace x509 = sealpack::x509;
  const auto response = x509::OcspResponse::parse_der({data, size});
  if (!response.ok()) return 0;
  if (response->serials().empty() || response->serials().size() > x509::kMaxOcspAnswers) {
    __builtin_trap();
  }
  const std::vector<std::uint64_t> times = response->boundaries();
  if (times.empty()) __builtin_trap();
  return 0;
}
