// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const Bytes input(data, size);
  const auto to_tee = loader::parse_host_message(input);
  if (to_tee.ok() && loader::serialize(*to_tee) != to_vector(input)) {
    die("a message to the TEE has two encodings");
  }
  const auto from_tee = loader::parse_tee_message(input);
  if (from_tee.ok() && loader::serialize(*from_tee) != to_vector(input)) {
    die("a message of the TEE has two encodings");
  }
  return 0;
}
