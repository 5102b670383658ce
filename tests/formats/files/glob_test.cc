// SPDX-License-Identifier: Apache-2.0
#include "formats/files/glob.h"

#include <ctime>

#include "tests/testing/result_matchers.h"

namespace sealpack {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::Succeeds;

bool match(std::string_view pattern, std::string_view text) {
  const auto glob = Glob::parse(pattern);
  EXPECT_THAT(glob, Succeeds()) << pattern;
  return glob.ok() && glob->matches(text);
}

TEST(Glob, MatchesPlainTextFromEndToEnd) {
  EXPECT_TRUE(match("config.json", "config.json"));
  EXPECT_FALSE(match("config.json", "config_json"));
  EXPECT_FALSE(match("config.json", "xconfig.json"));
  EXPECT_FALSE(match("config.json", "config.jsonx"));
  EXPECT_FALSE(match("config.json", "Config.json"));
  EXPECT_FALSE(match("a", ""));
  EXPECT_TRUE(match("a,b", "a,b"));
}

TEST(Glob, StarStopsAtASlashOnly) {
  EXPECT_TRUE(match("layers.*.weight", "layers.0.weight"));
  EXPECT_TRUE(match("layers.*.weight", "layers.0.attn.q.weight"));
  EXPECT_FALSE(match("layers.*.weight", "layers.0.bias"));
  EXPECT_TRUE(match("*", ""));
  EXPECT_TRUE(match("*.json", ".json"));
  EXPECT_FALSE(match("*.json", "a/b.json"));
  EXPECT_TRUE(match("a/*/c", "a/b/c"));
  EXPECT_FALSE(match("a/*/c", "a/b/b/c"));
  EXPECT_TRUE(match("*a*b*", "xxaybz"));
}

TEST(Glob, TwoStarsCrossSlashes) {
  EXPECT_TRUE(match("**", ""));
  EXPECT_TRUE(match("**", "a/b/c"));
  EXPECT_TRUE(match("a/**", "a/b/c"));
  EXPECT_TRUE(match("a/**", "a/"));
  EXPECT_FALSE(match("a/**", "a"));
  EXPECT_TRUE(match("graph**w", "graph/if0/then/w"));
}

TEST(Glob, FoldersMayBeNone) {
  EXPECT_TRUE(match("**/x.bin", "x.bin"));
  EXPECT_TRUE(match("**/x.bin", "a/b/x.bin"));
  EXPECT_FALSE(match("**/x.bin", "yx.bin"));
  EXPECT_TRUE(match("a/**/b", "a/b"));
  EXPECT_TRUE(match("a/**/b", "a/x/y/b"));
  EXPECT_FALSE(match("a/**/b", "ab"));
  EXPECT_FALSE(match("a/**/b", "a/xb"));
}

TEST(Glob, QuestionMarkIsOneCharacter) {
  EXPECT_TRUE(match("a?c", "abc"));
  EXPECT_TRUE(match("a?c",
                    "a\xc3\xb6"
                    "c"));
  EXPECT_TRUE(match("?", "\xf0\x9f\xa6\xad"));
  EXPECT_FALSE(match("a?c", "ac"));
  EXPECT_FALSE(match("a?c", "a/c"));
  EXPECT_TRUE(match("?", "\xff"));
}

TEST(Glob, ClassesHoldRangesAndNeverASlash) {
  EXPECT_TRUE(match("l[0-9].w", "l7.w"));
  EXPECT_FALSE(match("l[0-9].w", "lx.w"));
  EXPECT_TRUE(match("[abc]", "b"));
  EXPECT_TRUE(match("[a-]", "-"));
  EXPECT_TRUE(match("[-a]", "-"));
  EXPECT_TRUE(match("[\\]]", "]"));
  EXPECT_TRUE(match("[\\!]", "!"));
  EXPECT_TRUE(match("[*?{]", "?"));
  EXPECT_FALSE(match("[!a]", "a"));
  EXPECT_TRUE(match("[!a]", "\xc3\xb6"));
  EXPECT_FALSE(match("[!a]", "/"));
  EXPECT_FALSE(match("[+-9]", "/"));
}

TEST(Glob, BracesAreAlternatives) {
  for (const char* good : {"a.json", "a.txt", "a."})
    EXPECT_TRUE(match("a.{json,txt,}", good)) << good;
  EXPECT_FALSE(match("a.{json,txt}", "a."));
  EXPECT_TRUE(match("{a,b{c,d}}e", "bde"));
  EXPECT_FALSE(match("{a,b{c,d}}e", "be"));
  EXPECT_TRUE(match("{*.w,q/**}", "q/r/s"));
  EXPECT_TRUE(match("{one}", "one"));
  EXPECT_TRUE(match("x{,y}", "x"));
}

TEST(Glob, BackslashTakesTheMeaningAway) {
  EXPECT_TRUE(match("\\*", "*"));
  EXPECT_FALSE(match("\\*", "x"));
  EXPECT_TRUE(match("a\\\\b", "a\\b"));
  EXPECT_TRUE(match("{a\\,b,c\\}}", "a,b"));
  EXPECT_TRUE(match("{a\\,b,c\\}}", "c}"));
}

TEST(Glob, RefusesWhatHasNoMeaning) {
  const std::string deep(100, '{');
  for (const std::string& bad :
       {std::string(""),       std::string("["),      std::string("[a"),
        std::string("[]"),     std::string("[!]"),    std::string("[^a]"),
        std::string("[z-a]"),  std::string("[a/b]"),  std::string("[\xc3\xb6]"),
        std::string("]"),      std::string("}"),      std::string("a}b"),
        std::string("{"),      std::string("{a,b"),   std::string("{a,[}"),
        std::string("***"),    std::string("a****b"), std::string("a\\"),
        std::string("[\\"),    std::string("\xff"),   deep,
        std::string(5000, 'a')}) {
    EXPECT_THAT(Glob::parse(bad), Fails(ErrorCode::kMalformed)) << bad.substr(0, 20);
  }
  EXPECT_THAT(Glob::parse("ab[z-a]"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("'ab[z-a]', byte 6")));
}

TEST(Glob, HostilePatternsTakeLinearTime) {
  std::string stars;
  for (int i = 0; i < 500; ++i) stars += "a*";
  std::string braces;
  for (int i = 0; i < 500; ++i) braces += "{a,aa}";
  const std::string text(4000, 'a');
  const std::clock_t start = std::clock();
  EXPECT_FALSE(match(stars + "b", text));
  EXPECT_FALSE(match(braces + "b", text));
  EXPECT_FALSE(match("**/**/**/**/**/**/**/**/**/**/b", text + "/" + text));
  EXPECT_LT((std::clock() - start) / CLOCKS_PER_SEC, 20);  // of computing
}

}  // namespace
}  // namespace sealpack
