// SPDX-License-Identifier: Apache-2.0
// trust.toml and revocation files, as text alone: no file they name is read.
#include "unpacker/trust_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const std::string_view text = as_text({data, size});
  const auto trust = unpacker::parse_trust_text(text, "fuzz");
  if (trust.ok()) {
    bool somebody_signs = false;
    for (const auto& signers : trust->signers) {
      if (signers.threshold < 1 || signers.threshold > signers.key_paths.size()) {
        die("a threshold out of range");
      }
      somebody_signs = somebody_signs || (signers.sign && signers.role != "reviewer");
    }
    if (!somebody_signs) die("a trust file with which nobody signs");
  }
  (void)unpacker::parse_revocations(text, "fuzz");
  return 0;
}
