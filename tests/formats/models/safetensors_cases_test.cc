// SPDX-License-Identifier: Apache-2.0
// The public conformance cases for safetensors readers, each a whole file.
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/models/safetensors.h"
#include "tests/formats/models/split_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::models {
namespace {

// What the format's own text and our rules say where the cases leave it open.
bool accepted(const nlohmann::json& test) {
  const std::string expect = test["expect"];
  // "accept-reference": white space other than trailing 0x20, which the format's README forbids and
  // its program takes. "reject-strict": duplicate keys. "implementation-defined": an unknown field,
  // which a split would lose, and NUL in a name, where C programs see another name.
  return expect == "accept";
}

TEST(SafetensorsCases, ComeOutAsStated) {
  std::ifstream file(SEALPACK_VECTORS "/packaging/safetensors-cases/safetensors_cases.json");
  if (!file) GTEST_SKIP() << "no vectors in " SEALPACK_VECTORS;
  const auto cases = nlohmann::json::parse(file)["cases"];
  for (const auto& test : cases) {
    const auto bytes = from_hex(test["hex"].get<std::string>());
    ASSERT_TRUE(bytes.ok());
    const auto model = open_safetensors(0, testing::memory_input("m.safetensors", *bytes));
    EXPECT_EQ(model.ok(), accepted(test))
        << test["name"] << ": " << (model.ok() ? "accepted" : model.error().message());
    EXPECT_EQ(parse_safetensors(*bytes, bytes->size()).ok(), model.ok()) << test["name"];
    if (model.ok()) continue;
    EXPECT_NE(model.error().code(), ErrorCode::kIo) << test["name"];
    EXPECT_NE(model.error().code(), ErrorCode::kInternal) << test["name"];
  }
  std::cout << "safetensors cases: " << cases.size() << "\n";
  EXPECT_EQ(cases.size(), 44U);
}

}  // namespace
}  // namespace sealpack::models
