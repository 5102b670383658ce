// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/rim/manifest_file.h"
#include "attest/measure/rim/reference_manifest.h"

// Nobody signs under a root that nobody pinned.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const auto xml = rim::unwrap_manifest({data, size});
  if (!xml.ok()) return 0;
  const std::vector<Digest> roots{Digest{}};
  rim::ManifestRules rules;
  rules.now = 1750000000;
  rules.roots = roots;
  std::vector<Reason> reasons;
  if (rim::verify_manifest(*xml, rules, reasons).ok()) __builtin_trap();
  return 0;
}
