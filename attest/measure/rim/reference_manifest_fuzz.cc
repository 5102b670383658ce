// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/measure/rim/manifest_file.h"
#include "attest/measure/rim/reference_manifest.h"

namespace {

using namespace sealpack;

bool is_before(const rim::GoldenMeasurement& a, const rim::GoldenMeasurement& b) {
  return a.index < b.index;
}

// What the header promises of whatever is read.
void check(const rim::ReferenceManifest& manifest) {
  const auto& all = manifest.measurements;
  if (all.empty() || !std::is_sorted(all.begin(), all.end(), is_before)) __builtin_trap();
  for (const rim::GoldenMeasurement& one : all) {
    if (one.index > 63 || one.values.empty()) __builtin_trap();
    if (!std::is_sorted(one.values.begin(), one.values.end())) __builtin_trap();
    for (const ByteVector& value : one.values) {
      if (value.size() != 48) __builtin_trap();
    }
  }
}

}  // namespace

// Nobody signs under a root that nobody pinned: the whole verification refuses, and what is read
// behind it is tried by itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto xml = rim::unwrap_manifest({data, size});
  if (!xml.ok()) return 0;
  const std::vector<Digest> roots{Digest{}};
  rim::ManifestRules rules;
  rules.now = 1750000000;
  rules.roots = roots;
  std::vector<Reason> reasons;
  if (rim::verify_manifest(*xml, rules, reasons).ok()) __builtin_trap();
  const auto manifest = rim::read_manifest_that_nobody_verified(*xml);
  if (manifest.ok()) check(*manifest);
  return 0;
}
