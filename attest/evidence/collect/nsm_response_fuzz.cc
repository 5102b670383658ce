// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/evidence/collect/nitro_device.h"

// What the module answers comes from the hypervisor: of it, the document is taken out unchanged.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const Bytes input(data, size);
  const auto document = attest::parse_nsm_response(input);
  if (!document.ok()) return 0;
  if (std::search(input.begin(), input.end(), document->begin(), document->end()) == input.end()) {
    die("a document that is not in the answer");
  }
  return 0;
}
