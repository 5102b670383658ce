// SPDX-License-Identifier: Apache-2.0
#include "formats/models/json_reader.h"

#include "tests/testing/result_matchers.h"

namespace sealpack::models {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;

Status check(std::string_view text) {
  JsonReader in(as_bytes(text), "text");
  TRY(in.skip_value());
  return in.finish();
}

Result<std::string> string(std::string_view text) {
  JsonReader in(as_bytes(text), "text");
  std::string value = TRY(in.string("value"));
  TRY(in.finish());
  return value;
}

Result<std::uint64_t> integer(std::string_view text) {
  JsonReader in(as_bytes(text), "text");
  const std::uint64_t value = TRY(in.integer("value"));
  TRY(in.finish());
  return value;
}

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(JsonReader, HandsOutMembersInOrder) {
  JsonReader in(as_bytes(R"( { "a" : [ 1 , "x" ] , "b" : null } )"), "text");
  ASSERT_THAT(in.begin_object("o"), Succeeds());
  EXPECT_EQ(*in.next_key(), "a");
  ASSERT_THAT(in.begin_array("l"), Succeeds());
  EXPECT_TRUE(*in.next_element());
  EXPECT_EQ(*in.integer("i"), 1U);
  EXPECT_TRUE(*in.next_element());
  EXPECT_EQ(*in.string("s"), "x");
  EXPECT_FALSE(*in.next_element());
  EXPECT_EQ(*in.next_key(), "b");
  EXPECT_THAT(in.null("n"), Succeeds());
  EXPECT_EQ(*in.next_key(), std::nullopt);
  EXPECT_THAT(in.finish(), Succeeds());
}

TEST(JsonReader, AcceptsEveryKindOfValue) {
  for (const char* text : {"{}", "[]", "0", "-0", "-1.5E+10", "1e400", "true", "false", "null",
                           "\"\"", " [ ] ", R"({"a":{"b":[{}]},"c":{"b":1}})"}) {
    EXPECT_THAT(check(text), Succeeds()) << text;
  }
}

TEST(JsonReader, RefusesWhatIsNotJson) {
  for (const char* text :
       {"",          " ",           "{",         "[",     "]",         "}",        "[1",
        "[1,",       "[1,]",        "[,1]",      "[1 2]", "{\"a\"}",   "{\"a\":}", "{\"a\":1,}",
        "{,}",       "{1:2}",       "{\"a\" 1}", "[1}",   "{\"a\":1]", "tru",      "nul",
        "True",      "NaN",         "Infinity",  "'a'",   "\"a",       "\"\\",     "\"\\x\"",
        "\"\\u12\"", "\"\\u12G4\"", "01",        "-",     "-01",       "1.",       ".5",
        "+1",        "1e",          "1e+",       "0x10",  "// c\n1",   "[1]//",    "\"a\nb\"",
        "1 1",       "{}{}"}) {
    EXPECT_THAT(check(text), Fails(ErrorCode::kMalformed)) << text;
  }
}

TEST(JsonReader, RefusesAByteOrderMarkAndNul) {
  EXPECT_THAT(check("\xef\xbb\xbf{}"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(check(std::string_view("{}\0", 3)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(check(std::string_view("\"\0\"", 3)), Fails(ErrorCode::kMalformed));
}

TEST(JsonReader, DecodesEscapes) {
  EXPECT_EQ(*string(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(*string(R"("\u0041\u00e9\u4E2d\ud83d\ude00")"),
            "A\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80");
  EXPECT_EQ(*string(R"("\u0000")"), std::string(1, '\0'));
}

TEST(JsonReader, RefusesUnpairedSurrogates) {
  for (const char* text : {R"("\ud83d")", R"("\ude00")", R"("\ud83dx")", R"("\ud83d\n")",
                           R"("\ud83d\ud83d")", R"("\ud83d\u0041")", R"("\ude00\ud83d")"}) {
    EXPECT_THAT(string(text), FailsWith(ErrorCode::kMalformed, HasSubstr("surrogate"))) << text;
  }
}

TEST(JsonReader, RefusesStringsThatAreNotUtf8) {
  for (const char* text : {"\"\xff\"", "\"\xc3\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
                           "\"\xf4\x90\x80\x80\"", "{\"\xfe\":1}"}) {
    EXPECT_THAT(check(text), FailsWith(ErrorCode::kMalformed, HasSubstr("UTF-8"))) << text;
  }
}

TEST(JsonReader, TakesIntegersExactly) {
  EXPECT_EQ(*integer("0"), 0U);
  EXPECT_EQ(*integer("9007199254740993"), 9007199254740993U);  // a double would round it
  EXPECT_EQ(*integer("18446744073709551615"), ~std::uint64_t{0});
  for (const char* text : {"18446744073709551616", "99999999999999999999", "-1", "-0", "01", "1.0",
                           "1e3", "1E0", "0.0", "\"1\"", "true", "", "1x"}) {
    EXPECT_THAT(integer(text), Fails(ErrorCode::kMalformed)) << text;
  }
  EXPECT_THAT(integer(std::string(100'000, '9')), Fails(ErrorCode::kMalformed));
}

TEST(JsonReader, LimitsNesting) {
  EXPECT_THAT(check(nested(JsonReader::kMaxDepth)), Succeeds());
  EXPECT_THAT(check(nested(JsonReader::kMaxDepth + 1)), Fails(ErrorCode::kLimit));
  EXPECT_THAT(check(nested(100'000)), Fails(ErrorCode::kLimit));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_THAT(check(objects), Fails(ErrorCode::kLimit));
  EXPECT_THAT(check("[[],[[]],{\"a\":[]}]"), Succeeds());  // depth is not a count
}

TEST(JsonReader, RefusesDuplicateKeysInSkippedValues) {
  EXPECT_THAT(check(R"({"a":1,"b":2,"a":3})"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate key 'a'")));
  EXPECT_THAT(check(R"([{"x":{"a":1,"\u0061":2}}])"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(check(R"([{"a":1},{"a":1}])"), Succeeds());
}

TEST(JsonReader, LimitsTheKeysItKeepsToFindDuplicates) {
  std::string text = "{\"0\":0";
  for (std::size_t i = 1; i < JsonReader::kMaxSkippedKeys; ++i) {
    text += ",\"" + std::to_string(i) + "\":0";
  }
  EXPECT_THAT(check(text + "}"), Succeeds());
  EXPECT_THAT(check(text + ",\"x\":0}"), Fails(ErrorCode::kLimit));
}

TEST(JsonReader, CutsLongNamesInMessages) {
  const std::string key = '"' + std::string(1'000'000, 'k') + "\":0";
  const auto status = check("{" + key + "," + key + "}");
  ASSERT_THAT(status, Fails(ErrorCode::kMalformed));
  EXPECT_LT(status.error().message().size(), 400U);
}

TEST(JsonReader, PermitsBehindTheTextWhatTheCallerSays) {
  const auto finish = [](std::string_view text, std::string_view permitted) -> Status {
    JsonReader in(as_bytes(text), "text");
    TRY(in.skip_value());
    return in.finish(permitted);
  };
  EXPECT_THAT(finish("{}  ", " "), Succeeds());
  EXPECT_THAT(finish("{} \n", " "), FailsWith(ErrorCode::kMalformed, HasSubstr("1 bytes left")));
  EXPECT_THAT(finish("{} ", ""), Fails(ErrorCode::kMalformed));
}

TEST(JsonReader, RefusesEveryTruncation) {
  constexpr std::string_view kText =
      R"({"a":[1,2.5,true,null,"\u00e9\ud83d\ude00"],"b":{"c":false}})";
  ASSERT_THAT(check(kText), Succeeds());
  for (std::size_t size = 0; size < kText.size(); ++size) {
    EXPECT_THAT(check(kText.substr(0, size)), Fails(ErrorCode::kMalformed)) << size;
  }
}

}  // namespace
}  // namespace sealpack::models
