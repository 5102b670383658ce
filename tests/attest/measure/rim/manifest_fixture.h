// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>

#include "tests/attest/measure/rim/manifest_maker.h"
#include "tests/testing/reason_matchers.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::testing {

// A manifest that is accepted as it is; each test changes one thing.
class Manifest : public ::testing::Test {
 protected:
  Result<rim::ReferenceManifest> read(const std::string& text) {
    roots = {maker.root_key.digest()};
    rules.roots = roots;
    reasons.clear();
    return rim::verify_manifest(as_bytes(text), rules, reasons);
  }
  Result<rim::ReferenceManifest> run() { return read(maker.text()); }
  void expect_reason(const char* code) {
    EXPECT_THAT(run(), Fails(ErrorCode::kNotAuthentic));
    EXPECT_THAT(reasons, HasOnlyReason(code));
  }
  static std::string with(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    if (at == text.npos) die("the text to replace is not there");
    return text.replace(at, from.size(), to);
  }

  ManifestMaker maker;
  rim::ManifestRules rules{.now = 1750000000};
  std::vector<Digest> roots;
  std::vector<Reason> reasons;
};

}  // namespace sealpack::testing
