// SPDX-License-Identifier: Apache-2.0
#include "attest/files/azure_import.h"
#include "attest/files/tpm_import.h"

// What is accepted is evidence: it travels and comes back.
static void check(const sealpack::attest::Evidence& evidence) {
  const auto bytes = sealpack::attest::serialize_evidence(evidence);
  if (bytes.size() > sealpack::attest::kMaxEvidenceSize) return;
  const auto again = sealpack::attest::parse_evidence(bytes);
  if (again.ok() && !(again.value() == evidence)) __builtin_trap();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sealpack::Bytes input(data, size);
  const auto tpm = sealpack::attest::parse_trustee_tpm(input);
  if (tpm.ok()) check(tpm.value());
  const auto azure = sealpack::attest::parse_trustee_azure(input);
  if (azure.ok()) check(azure.value());
  const auto message = sealpack::attest::parse_go_tpm_attestation(input);
  if (message.ok()) check(message.value().evidence);
  return 0;
}
