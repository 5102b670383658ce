// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/enclave_identity.h"

// An inner value, or a whole document, whose inner value is then read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack::attest::dcap;
  sealpack::Bytes input(data, size);
  if (const auto document = split_document(input, EnclaveIdentity::kName); document.ok()) {
    input = document->inner;
  }
  const auto identity = parse_enclave_identity(input);
  if (!identity.ok()) return 0;
  if (identity->levels.empty() || identity->id.empty()) __builtin_trap();
  return 0;
}
