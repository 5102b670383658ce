// SPDX-License-Identifier: Apache-2.0
#include "attest/files/evidence_file.h"

// Whatever form it had, what is read travels in the envelope and comes back.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const auto evidence = attest::parse_evidence_file({data, size}, "fuzz");
  if (!evidence.ok()) return 0;
  const auto again = attest::parse_evidence(attest::serialize_evidence(*evidence));
  if (!again.ok() || !(*again == *evidence)) __builtin_trap();
  return 0;
}
