// SPDX-License-Identifier: Apache-2.0
#include "formats/toml/toml_table.h"

#include <gmock/gmock.h>

#include "tests/testing/result_matchers.h"

namespace sealpack {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TomlTable parsed(std::string_view text) {
  return TomlTable::parse(text, "f.toml").value();
}

TEST(TomlTable, GivesWhatIsThereAndNothingElse) {
  TomlTable table =
      parsed("a = 'x'\nb = 7\nc = true\nd = ['x', 2, false]\n[e]\nf = 1\n[[g]]\n[[g]]\n");
  EXPECT_EQ(table.text("a").value(), "x");
  EXPECT_EQ(table.number("b").value(), 7U);
  EXPECT_EQ(table.boolean("c").value(), true);
  EXPECT_EQ(table.list("d").value()->size(), 3U);
  EXPECT_EQ(table.table("e").value()->keys(), std::vector<std::string>{"f"});
  EXPECT_EQ(table.tables("g").value().size(), 2U);
  EXPECT_FALSE(table.text("z").value().has_value());
  EXPECT_THAT(table.finish(), Succeeds());
}

// Each part of a dotted key is a level of recursion in the parser.
TEST(TomlTable, RefusesKeysSoDeepThatTheStackWouldEnd) {
  std::string key = "a";
  for (int i = 0; i < 40000; ++i) key += ".a";
  for (const std::string& text : {key + " = 1\n", "[" + key + "]\n", "x = { " + key + " = 1 }\n",
                                  "x = { y = \"\"\"\n\"\"\", " + key + " = 1 }\n"}) {
    EXPECT_THAT(TomlTable::parse(text, "f.toml"), Fails(ErrorCode::kLimit));
  }
  EXPECT_THAT(TomlTable::parse("x = ['" + std::string(4000, '.') + "']\n", "f.toml"), Succeeds());
}

TEST(TomlTable, RefusesAKeyThatNobodyAskedForWithItsPlace) {
  TomlTable table = parsed("a = 1\n  thresold = 2\n");
  ASSERT_THAT(table.number("a"), Succeeds());
  EXPECT_THAT(table.finish(),
              FailsWith(ErrorCode::kMalformed, "f.toml:2:3: unknown key 'thresold'"));
}

TEST(TomlTable, RefusesOtherTypesWithTheirPlace) {
  const std::string_view text =
      "a = 1\nb = 'x'\nc = -1\nd = 1.5\ne = [1.5]\nf = [[1]]\ng = 2026-01-01\n";
  EXPECT_THAT(parsed(text).text("a"), FailsWith(ErrorCode::kMalformed, StartsWith("f.toml:1:1: ")));
  EXPECT_THAT(parsed(text).number("b"),
              FailsWith(ErrorCode::kMalformed, StartsWith("f.toml:2:1: ")));
  EXPECT_THAT(parsed(text).number("c"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parsed(text).number("d"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parsed(text).boolean("a"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parsed(text).table("a"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parsed(text).tables("a"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parsed(text).tables("e"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parsed(text).list("a"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parsed(text).list("e"), FailsWith(ErrorCode::kMalformed, StartsWith("f.toml:5:6: ")));
  EXPECT_THAT(parsed(text).list("f"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parsed(text).text("g"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parsed("a = [1]").text_list("a"), Fails(ErrorCode::kMalformed));
}

TEST(TomlTable, RefusesWhatIsNotToml) {
  for (const char* text : {"a", "a = ", "a = 1\na = 2", "[t]\n[t]", "a = \"\n", "a = 1 b = 2",
                           "[[[a", "[=", "\xff = 1"}) {
    EXPECT_THAT(TomlTable::parse(text, "f.toml"),
                FailsWith(ErrorCode::kMalformed, StartsWith("f.toml:")))
        << text;
  }
}

TEST(TomlTable, KeepsLettersBeyondAscii) {
  const std::string text =
      "\"sch\u00f6n\" = 'caf\u00e9 \ufed5 \U0001f511 \ue0e9'  # \u00fc\nb = \"\\u00e9\"\n";
  TomlTable table = parsed(text);
  EXPECT_EQ(table.text("sch\u00f6n").value(), "caf\u00e9 \ufed5 \U0001f511 \ue0e9");
  EXPECT_EQ(table.text("b").value(), "\u00e9");
  EXPECT_THAT(table.finish(), Succeeds());
}

TEST(TomlTable, NamesAByteOrderMark) {
  for (const char* text : {"\xef\xbb\xbf", "\xff\xfe\x61", "\xfe\xff\x61"}) {
    EXPECT_THAT(TomlTable::parse(text, "f.toml"),
                FailsWith(ErrorCode::kMalformed, HasSubstr("byte order mark")));
  }
}

TEST(TomlTable, RefusesLettersBeyondAsciiOutsideOfStrings) {
  for (const char* text : {"\u00e9 = 1", "a\u00a0= 1", "a = \u00e9", "\ufeffa = 1", "a = 1 \ufed5",
                           "a = \"\\uE0E9\"", "a = \"\\U0000e0e9\"", "a = '\xe9'"}) {
    EXPECT_THAT(TomlTable::parse(text, "f"), Fails(ErrorCode::kMalformed)) << text;
  }
}

TEST(TomlTable, LimitsSizeAndDepth) {
  EXPECT_THAT(TomlTable::parse(std::string(TomlTable::kMaxSize + 1, '\n'), "f"),
              Fails(ErrorCode::kLimit));
  const std::string deep = "a = " + std::string(100000, '[');
  EXPECT_FALSE(TomlTable::parse(deep, "f").ok());
  EXPECT_THAT(parsed("a = '" + std::string(4097, 'x') + "'").text("a"), Fails(ErrorCode::kLimit));
}

TEST(TomlTable, ShowsNoControlCharactersOfTheInput) {
  const auto wrong = TomlTable::parse("a = \x1b[31m", "f\x1b[31m.toml");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().message().find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace sealpack
