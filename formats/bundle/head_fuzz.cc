// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/encode.h"

// The message of a head copy; its checksum lies outside.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const Bytes input(data, size);
  const auto head = bundle::parse_head(input);
  if (head.ok() && bundle::serialize_head(*head) != to_vector(input)) __builtin_trap();
  return 0;
}
