// SPDX-License-Identifier: Apache-2.0
#include "attest/files/endorsement_file.h"

#include "attest/verify/endorsements.h"

// Whatever form they had, what is read travels as a message and comes back.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  attest::Endorsements found;
  if (!attest::add_endorsement_file({data, size}, "fuzz", found).ok()) return 0;
  const auto again = attest::parse_endorsements(attest::serialize_endorsements(found));
  if (!again.ok()) __builtin_trap();
  return 0;
}
