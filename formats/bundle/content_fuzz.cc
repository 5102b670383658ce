// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/encode.h"

// What parses is the one encoding of what it means.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const Bytes input(data, size);
  const auto content = bundle::parse_content(input);
  if (content.ok() && bundle::serialize_content(*content) != to_vector(input)) __builtin_trap();
  return 0;
}
