// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/launch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sealpack::Bytes input(data, size);
  const auto config = sealpack::loader::parse_launch(input);
  if (config.ok() && sealpack::loader::serialize_launch(*config) != sealpack::to_vector(input)) {
    sealpack::die("a launch configuration has two encodings");
  }
  return 0;
}
