// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/sigstruct.h"

// A signature covers all of it: nothing may follow, and nothing be left out.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const auto sigstruct = attest::parse_sigstruct(Bytes(data, size));
  if (sigstruct.ok() && size != attest::Sigstruct::kSize) die("bytes beside a SIGSTRUCT were read");
  return 0;
}
