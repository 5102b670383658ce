// SPDX-License-Identifier: Apache-2.0
#include "formats/models/safetensors.h"

#include "tests/testing/result_matchers.h"

namespace sealpack::models {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;

ByteVector with_length(std::string_view json) {
  ByteVector out;
  for (unsigned i = 0; i < 8; ++i) {
    out.push_back(static_cast<std::uint8_t>(std::uint64_t{json.size()} >> (8 * i)));
  }
  out.insert(out.end(), json.begin(), json.end());
  return out;
}

Result<SafetensorsHeader> parse(std::string_view json, std::uint64_t data_size) {
  const ByteVector prefix = with_length(json);
  return parse_safetensors(prefix, prefix.size() + data_size);
}

// One tensor 't' of the fields given.
Result<SafetensorsHeader> parse_one(const std::string& dtype, const std::string& shape,
                                    const std::string& offsets, std::uint64_t data_size) {
  return parse(R"({"t":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
                   offsets + "}}",
               data_size);
}

std::string tensor(const std::string& name, std::uint64_t begin, std::uint64_t end) {
  return '"' + name + R"(":{"dtype":"U8","shape":[)" + std::to_string(end - begin) +
         R"(],"data_offsets":[)" + std::to_string(begin) + ',' + std::to_string(end) + "]}";
}

TEST(SafetensorsHeader, SortsTensorsByPosition) {
  const auto header = parse("{" + tensor("b", 2, 5) + "," + tensor("empty", 2, 2) + "," +
                                tensor("a", 0, 2) + R"(,"__metadata__":{"k":"v"}}  )",
                            5);
  ASSERT_THAT(header, Succeeds());
  ASSERT_EQ(header->entries.size(), 3U);
  EXPECT_EQ(header->entries[0].name, "a");
  EXPECT_EQ(header->entries[1].name, "empty");
  EXPECT_EQ(header->entries[2].name, "b");
  EXPECT_EQ(header->metadata, (decltype(header->metadata){{"k", "v"}}));
}

TEST(SafetensorsHeader, KnowsEveryDtypeOfTheReference) {
  const std::pair<const char*, unsigned> dtypes[] = {
      {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
      {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
      {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
      {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
      {"I64", 64},        {"U64", 64}};
  for (const auto& [dtype, bits] : dtypes) {
    EXPECT_EQ(safetensors_bits(dtype), bits);
    EXPECT_THAT(parse_one(dtype, "[2,4]", "[0," + std::to_string(bits) + "]", bits), Succeeds());
  }
  EXPECT_THAT(parse_one("f32", "[1]", "[0,4]", 4), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(parse_one("", "[1]", "[0,4]", 4), Fails(ErrorCode::kUnsupported));
}

TEST(SafetensorsHeader, AcceptsScalarsAndEmptyTensors) {
  EXPECT_THAT(parse_one("F32", "[]", "[0,4]", 4), Succeeds());
  EXPECT_THAT(parse_one("F32", "[3,0]", "[0,0]", 0), Succeeds());
  EXPECT_THAT(parse("{}", 0), Succeeds());
}

TEST(SafetensorsHeader, RefusesSubByteTensorsThatEndInsideAByte) {
  EXPECT_THAT(parse_one("F4", "[3]", "[0,2]", 2), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_one("F6_E2M3", "[2]", "[0,2]", 2), Fails(ErrorCode::kMalformed));
}

TEST(SafetensorsHeader, RefusesSizesThatDisagreeOrOverflow) {
  for (const char* shape :
       {"[3]", "[5]", "[2,3]", "[4294967296,4294967296]", "[18446744073709551615]",
        "[9223372036854775808,2,0]", "[2305843009213693952,8]", "[-1]", "[4.0]", "[4e0]", "[\"4\"]",
        "[null]", "[[4]]", "4", "{}", "[18446744073709551616]"}) {
    EXPECT_THAT(parse_one("U8", shape, "[0,4]", 4), Fails(ErrorCode::kMalformed)) << shape;
  }
  EXPECT_THAT(parse_one("U8", "[4294967296,4294967296]", "[0,0]", 0), Fails(ErrorCode::kMalformed));
}

TEST(SafetensorsHeader, RefusesOffsetsThatAreNoRange) {
  for (const char* offsets :
       {"[4,0]", "[0]", "[]", "[0,4,4]", "[0,-4]", "[0.0,4]", "[0,4e0]", "[0,18446744073709551615]",
        "[18446744073709551615,3]", "{}", "null"}) {
    EXPECT_THAT(parse_one("U8", "[4]", offsets, 4), Fails(ErrorCode::kMalformed)) << offsets;
  }
}

TEST(SafetensorsHeader, RefusesHolesAndOverlaps) {
  const auto two = [](const std::string& a, const std::string& b) {
    return parse("{" + a + "," + b + "}", 4);
  };
  EXPECT_THAT(two(tensor("a", 0, 2), tensor("b", 2, 4)), Succeeds());
  EXPECT_THAT(two(tensor("a", 0, 1), tensor("b", 2, 4)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("hole")));
  EXPECT_THAT(two(tensor("a", 0, 3), tensor("b", 2, 4)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("inside")));
  EXPECT_THAT(two(tensor("a", 0, 4), tensor("b", 0, 4)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(two(tensor("a", 0, 4), tensor("b", 1, 3)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(two(tensor("a", 0, 4), tensor("b", 2, 2)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(two(tensor("a", 1, 2), tensor("b", 2, 4)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(two(tensor("a", 0, 2), tensor("b", 2, 3)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(two(tensor("a", 0, 2), tensor("b", 2, 5)), Fails(ErrorCode::kMalformed));
}

TEST(SafetensorsHeader, RefusesDuplicatesAtEveryLevel) {
  EXPECT_THAT(parse("{" + tensor("a", 0, 2) + "," + tensor("a", 2, 4) + "}", 4),
              FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate tensor 'a'")));
  EXPECT_THAT(parse("{" + tensor("a", 0, 2) + "," + tensor("\\u0061", 2, 4) + "}", 4),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse(R"({"__metadata__":{},"__metadata__":{}})", 0), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse(R"({"__metadata__":{"a":"1","a":"1"}})", 0), Fails(ErrorCode::kMalformed));
  for (const char* field : {R"("dtype":"U8")", R"("shape":[0])", R"("data_offsets":[0,0])"}) {
    EXPECT_THAT(
        parse(std::string(R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0],)") + field + "}}",
              0),
        FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate field")));
  }
}

TEST(SafetensorsHeader, RefusesMissingAndUnknownFields) {
  for (const char* fields : {R"("shape":[0],"data_offsets":[0,0])",
                             R"("dtype":"U8","data_offsets":[0,0])", R"("dtype":"U8","shape":[0])",
                             "", R"("dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1)"}) {
    EXPECT_THAT(parse(std::string(R"({"t":{)") + fields + "}}", 0), Fails(ErrorCode::kMalformed));
  }
}

TEST(SafetensorsHeader, AcceptsStringsOnlyAsMetadata) {
  EXPECT_THAT(parse(R"({"__metadata__":{"a":"\u0000"}})", 0), Succeeds());
  for (const char* value :
       {"1", "null", "[]", "\"x\"", R"({"a":1})", R"({"a":null})", R"({"a":{}})"}) {
    EXPECT_THAT(parse(std::string(R"({"__metadata__":)") + value + "}", 0),
                Fails(ErrorCode::kMalformed))
        << value;
  }
}

TEST(SafetensorsHeader, RefusesNulInNames) {
  EXPECT_THAT(parse("{" + tensor("a\\u0000b", 0, 1) + "}", 1),
              FailsWith(ErrorCode::kMalformed, HasSubstr("NUL")));
}

TEST(SafetensorsHeader, BeginsWithABraceAndEndsWithSpaces) {
  for (const char* text :
       {"", " {}", "\n{}", "\xef\xbb\xbf{}", "[]", "{}\n", "{}\t", "{} {}", "{}x"}) {
    EXPECT_THAT(parse(text, 0), Fails(ErrorCode::kMalformed)) << text;
  }
  EXPECT_THAT(parse("{}      ", 0), Succeeds());
}

TEST(SafetensorsHeader, RefusesEveryTruncation) {
  ByteVector file = with_length("{" + tensor("a", 0, 2) + R"(,"__metadata__":{"k":"v"}} )");
  const ByteVector prefix = file;
  file.resize(file.size() + 2);
  ASSERT_THAT(parse_safetensors(file, file.size()), Succeeds());
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_THAT(parse_safetensors(Bytes(file).first(size), size), Fails(ErrorCode::kMalformed));
    EXPECT_THAT(read_safetensors_header(
                    MemorySource({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)})),
                Fails(ErrorCode::kMalformed));
  }
  // The file is whole, but the caller read too little.
  for (std::size_t size = 0; size < prefix.size(); ++size) {
    EXPECT_THAT(parse_safetensors(Bytes(prefix).first(size), file.size()),
                Fails(ErrorCode::kMalformed));
  }
}

TEST(SafetensorsHeader, NeverCrashesOnAChangedBit) {
  const ByteVector file = with_length("{" + tensor("a", 0, 2) + R"(,"__metadata__":{"k":"v"}} )");
  for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
    ByteVector changed = file;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1U << bit % 8));
    (void)parse_safetensors(changed, changed.size() + 2);
  }
}

TEST(SafetensorsHeader, RefusesHostileLengths) {
  ByteVector file = with_length("{}");
  for (const std::uint64_t length :
       {~std::uint64_t{0}, ~std::uint64_t{7}, std::uint64_t{100'000'001}, std::uint64_t{1} << 32U,
        std::uint64_t{1} << 63U}) {
    for (unsigned i = 0; i < 8; ++i) file[i] = static_cast<std::uint8_t>(length >> (8 * i));
    EXPECT_THAT(parse_safetensors(file, file.size()), Fails(ErrorCode::kLimit));
    EXPECT_THAT(read_safetensors_header(MemorySource(file)), Fails(ErrorCode::kLimit));
  }
}

TEST(SafetensorsHeader, TakesSizesBeyond32Bits) {
  for (const std::uint64_t size :
       {(std::uint64_t{1} << 31U) + 1, std::uint64_t{1} << 32U, (std::uint64_t{1} << 40U) + 7}) {
    const auto header =
        parse("{" + tensor("a", 0, size) + "," + tensor("b", size, size + 1) + "}", size + 1);
    ASSERT_THAT(header, Succeeds());
    EXPECT_EQ(header->entries[1].begin, size);
  }
}

TEST(SafetensorsHeader, LimitsDimensionsAndTensors) {
  std::string shape = "[1";
  for (int i = 1; i < 64; ++i) shape += ",1";
  EXPECT_THAT(parse_one("U8", shape + "]", "[0,1]", 1), Succeeds());
  EXPECT_THAT(parse_one("U8", shape + ",1]", "[0,1]", 1), Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse_one("U8", std::string(100'000, '['), "", 1), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse(R"({"__metadata__":)" + std::string(100'000, '['), 0),
              Fails(ErrorCode::kMalformed));
}

TEST(SafetensorsHeader, LimitsMetadata) {
  std::string text = R"({"__metadata__":{"0":"")";
  for (int i = 1; i < 1 << 16; ++i) text += ",\"" + std::to_string(i) + R"(":"")";
  EXPECT_THAT(parse(text + "}}", 0), Succeeds());
  EXPECT_THAT(parse(text + R"(,"x":""}})", 0), Fails(ErrorCode::kLimit));
}

// What is quadratic in the number of tensors shows as a test that does not end.
TEST(SafetensorsHeader, ReadsAMillionTensorsInTime) {
  std::string text = "{";
  constexpr std::uint64_t kCount = 1'000'000;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    text += tensor(std::to_string(i), i, i + 1);
    text += i + 1 < kCount ? ',' : '}';
  }
  const auto header = parse(text, kCount);
  ASSERT_THAT(header, Succeeds());
  EXPECT_EQ(header->entries.size(), kCount);
  text.pop_back();
  for (std::uint64_t i = kCount; i <= (1U << 20U); ++i)
    text += ',' + tensor(std::to_string(i), i, i + 1);
  EXPECT_THAT(parse(text, kCount), Fails(ErrorCode::kLimit));
}

TEST(SafetensorsHeader, SurvivesSerialization) {
  const std::vector<SafetensorsEntry> entries = {
      {"w \"quoted\"\\\n\x01\xc3\xa9", "BF16", {2, 3}, 0, 0},
      {"empty", "F32", {0}, 0, 0},
      {"scalar", "I64", {}, 0, 0},
      {"", "F4", {4}, 0, 0}};
  const std::vector<std::pair<std::string, std::string>> metadata = {{"format", "pt"},
                                                                     {"z\t", "\x1f"}};
  const ByteVector bytes = serialize_safetensors_header(entries, metadata);
  EXPECT_EQ(bytes.size() % 8, 0U);
  const auto header = parse_safetensors(bytes, bytes.size() + 12 + 8 + 2);
  ASSERT_THAT(header, Succeeds());
  EXPECT_EQ(header->metadata, metadata);
  ASSERT_EQ(header->entries.size(), entries.size());
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(header->entries[i].name, entries[i].name);
    EXPECT_EQ(header->entries[i].dtype, entries[i].dtype);
    EXPECT_EQ(header->entries[i].shape, entries[i].shape);
    EXPECT_EQ(header->entries[i].begin, at);
    at = header->entries[i].end;
  }
  EXPECT_EQ(serialize_safetensors_header(header->entries, header->metadata), bytes);
}

}  // namespace
}  // namespace sealpack::models
