// SPDX-License-Identifier: Apache-2.0
#include "formats/models/hf_index.h"

#include <nlohmann/json.hpp>

#include "formats/models/safetensors.h"
#include "tests/formats/models/split_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::models {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;

constexpr std::string_view kIndex = R"({
  "metadata": {"total_parameters": 7, "total_size": 7, "made_by": ["x", 1.5]},
  "weight_map": {"c": "2.safetensors", "a": "1.safetensors", "b": "1.safetensors"}
})";

Result<HfIndex> parse(std::string_view text) {
  return parse_hf_index(as_bytes(text));
}

std::unique_ptr<Model> shard(const std::vector<std::string>& names) {
  std::vector<SafetensorsEntry> entries;
  for (const std::string& name : names) entries.push_back({name, "U8", {1}, 0, 0});
  ByteVector file = serialize_safetensors_header(entries, {});
  file.resize(file.size() + names.size());
  auto model = open_safetensors(0, testing::memory_input("s", std::move(file)));
  EXPECT_THAT(model, Succeeds());
  return std::move(*model);
}

TEST(HfIndex, SortsItsTensors) {
  const auto index = parse(kIndex);
  ASSERT_THAT(index, Succeeds());
  EXPECT_EQ(index->weight_map,
            (decltype(index->weight_map){
                {"a", "1.safetensors"}, {"b", "1.safetensors"}, {"c", "2.safetensors"}}));
}

TEST(HfIndex, RefusesWhatIsNotAnIndex) {
  for (const char* text :
       {"", "{}", "[]", R"({"metadata":{}})", R"({"weight_map":[]})", R"({"weight_map":{"a":1}})",
        R"({"weight_map":{},"metadata":1})", R"({"weight_map":{},"x":1})", R"({"weight_map":{}} x)",
        R"({"weight_map":{"a":"m","a":"m"}})", R"({"weight_map":{},"weight_map":{}})",
        R"({"weight_map":{},"metadata":{},"metadata":{}})",
        R"({"weight_map":{},"metadata":{"a":1,"a":2}})"}) {
    EXPECT_THAT(parse(text), Fails(ErrorCode::kMalformed)) << text;
  }
}

TEST(HfIndex, RefusesShardsOutsideItsFolder) {
  for (const char* name : {"", ".", "..", "../m", "/m", "a/m", "a\\\\m", "m\\u0000"}) {
    EXPECT_THAT(parse(std::string(R"({"weight_map":{"t":")") + name + "\"}}"),
                FailsWith(ErrorCode::kMalformed, HasSubstr("plain file name")))
        << name;
  }
}

TEST(HfIndex, RefusesEveryTruncation) {
  for (std::size_t size = 0; size < kIndex.size(); ++size) {
    EXPECT_THAT(parse(kIndex.substr(0, size)), Fails(ErrorCode::kMalformed));
  }
}

TEST(HfIndex, LimitsDepthAndMetadata) {
  EXPECT_THAT(parse(R"({"metadata":{"a":)" + std::string(100'000, '[')), Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse(R"({"weight_map":{},"metadata":{"a":")" + std::string(70'000, 'x') + "\"}}"),
              Fails(ErrorCode::kLimit));
}

TEST(HfIndex, AgreesWithItsShards) {
  const auto index = parse(kIndex);
  const auto one = shard({"a", "b"});
  const auto two = shard({"c"});
  const std::vector<HfShard> shards = {{"2.safetensors", two.get()}, {"1.safetensors", one.get()}};
  EXPECT_THAT(check_hf_index(*index, shards), Succeeds());
}

TEST(HfIndex, NamesTheShardThatIsMissingOrExtra) {
  const auto index = parse(kIndex);
  const auto one = shard({"a", "b"});
  const auto two = shard({"c"});
  const auto empty = shard({});
  const auto check = [&](const std::vector<HfShard>& shards) {
    return check_hf_index(*index, shards);
  };
  EXPECT_THAT(check({{"1.safetensors", one.get()}}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("'2.safetensors' is missing")));
  EXPECT_THAT(
      check({{"1.safetensors", one.get()}, {"2.safetensors", two.get()}, {"3", empty.get()}}),
      FailsWith(ErrorCode::kMalformed, HasSubstr("'3' is not listed")));
  EXPECT_THAT(check({{"1.safetensors", one.get()},
                     {"2.safetensors", two.get()},
                     {"2.safetensors", two.get()}}),
              Fails(ErrorCode::kUsage));
}

TEST(HfIndex, NamesTheTensorThatDiffers) {
  const auto index = parse(kIndex);
  const auto check = [&](const std::vector<std::string>& first,
                         const std::vector<std::string>& second) {
    const auto one = shard(first);
    const auto two = shard(second);
    const std::vector<HfShard> shards = {{"1.safetensors", one.get()},
                                         {"2.safetensors", two.get()}};
    return check_hf_index(*index, shards);
  };
  EXPECT_THAT(check({"a"}, {"c"}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("'b' is not in '1.safe")));
  EXPECT_THAT(check({"a", "b", "x"}, {"c"}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("'x' of '1.safe")));
  EXPECT_THAT(check({"a"}, {"b", "c"}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("lies in '2.safe")));
  EXPECT_THAT(check({"a", "b"}, {"b", "c"}), Fails(ErrorCode::kMalformed));
}

TEST(HfIndex, KeepsASubset) {
  const KeptSize kept = [](const std::string& tensor) -> std::optional<std::uint64_t> {
    if (tensor == "b") return std::nullopt;
    return (std::uint64_t{1} << 40U) + 1;
  };
  const auto text = subset_hf_index(as_bytes(kIndex), kept);
  ASSERT_THAT(text, Succeeds());
  ASSERT_THAT(parse(*text), Succeeds());
  const auto json = nlohmann::json::parse(*text);
  EXPECT_EQ(json, nlohmann::json::parse(R"({
    "metadata": {"total_size": 2199023255554, "made_by": ["x", 1.5]},
    "weight_map": {"a": "1.safetensors", "c": "2.safetensors"}})"));
}

TEST(HfIndex, WritesASubsetOfNothingAndNamesThatNeedEscapes) {
  const auto none = [](const std::string&) { return std::optional<std::uint64_t>(); };
  const auto empty = subset_hf_index(as_bytes(kIndex), none);
  ASSERT_THAT(empty, Succeeds());
  EXPECT_TRUE(parse(*empty)->weight_map.empty());
  const auto all = [](const std::string&) { return std::optional<std::uint64_t>(1); };
  const auto escaped = subset_hf_index(as_bytes(R"({"weight_map":{"\"\n\u00e9":"m"}})"), all);
  ASSERT_THAT(escaped, Succeeds());
  EXPECT_EQ(parse(*escaped)->weight_map[0].first, "\"\n\xc3\xa9");
}

TEST(HfIndex, RefusesSizesThatOverflow) {
  const auto huge = [](const std::string&) { return std::optional(~std::uint64_t{0}); };
  EXPECT_THAT(subset_hf_index(as_bytes(kIndex), huge), Fails(ErrorCode::kMalformed));
}

TEST(HfIndex, TakesAHundredThousandTensorsInTime) {
  std::string text = R"({"weight_map":{"x":"m")";
  for (int i = 0; i < 100'000; ++i) text += ",\"" + std::to_string(i) + R"(":"m")";
  text += "}}";
  const auto all = [](const std::string&) { return std::optional<std::uint64_t>(2); };
  const auto subset = subset_hf_index(as_bytes(text), all);
  ASSERT_THAT(subset, Succeeds());
  EXPECT_EQ(parse(*subset)->weight_map.size(), 100'001U);
}

}  // namespace
}  // namespace sealpack::models
