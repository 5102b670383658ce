// SPDX-License-Identifier: Apache-2.0
#include "attest/files/roots_file.h"

// Files that it names hold the text itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const Bytes input(data, size);
  (void)attest::parse_roots(
      as_text(input), "fuzz",
      [&](const std::filesystem::path&) -> Result<ByteVector> { return to_vector(input); });
  return 0;
}
