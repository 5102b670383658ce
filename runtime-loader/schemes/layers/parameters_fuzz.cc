// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/schemes/layers/parameters.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sealpack::Bytes input(data, size);
  const auto parsed = sealpack::layers::parse_parameters(input);
  if (!parsed.ok()) return 0;
  const sealpack::ByteVector again = sealpack::layers::serialize_parameters(*parsed);
  // One meaning, one encoding.
  if (again != sealpack::to_vector(input)) sealpack::die("parameters change when written again");
  return 0;
}
