// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/snp/endorsement_key.h"

// What is accepted has the identity that its kind must have, and not the other's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace snp = sealpack::attest::snp;
  const auto certificate = sealpack::x509::Certificate::parse_der({data, size});
  if (!certificate.ok()) return 0;
  for (const snp::SigningKey kind : {snp::SigningKey::kVcek, snp::SigningKey::kVlek}) {
    std::vector<sealpack::Reason> reasons;
    const auto key = snp::parse_endorsement_key(*certificate, kind, reasons);
    if (key.has_value() != reasons.empty()) __builtin_trap();
    if (!key) continue;
    const bool is_chip = kind == snp::SigningKey::kVcek;
    if (key->hardware_id.empty() == is_chip) __builtin_trap();
    if (is_chip && !key->csp_id.empty()) __builtin_trap();
  }
  return 0;
}
