// SPDX-License-Identifier: Apache-2.0
#include "formats/base/path_rules.h"

#include <ctime>

#include "formats/base/bytes.h"
#include "tests/testing/result_matchers.h"

namespace sealpack {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::Succeeds;
using namespace std::string_literals;

TEST(CheckPath, AcceptsOrdinaryNames) {
  for (const std::string& good :
       {"a"s, "model.safetensors"s, "a/b/c.bin"s, ".gitattributes"s, "..a"s, "a..b/c"s,
        "größe/模型.onnx"s, "with space.bin"s, "-rf"s, "~"s, "ab:c"s, "weights/K\xe2\x84\xaa.bin"s,
        std::string(255, 'x'), std::string(255, 'x') + "/" + std::string(255, 'y'), "100%"s, "a'b"s,
        "nul"s}) {
    EXPECT_THAT(check_path(good), Succeeds()) << good;
  }
  std::string deep = "a";
  while (deep.size() + 2 <= kMaxPathSize) deep += "/a";
  EXPECT_THAT(check_path(deep), Succeeds());
}

TEST(CheckPath, RefusesNastyNames) {
  const std::string nasty[] = {"",
                               "/",
                               "//",
                               "/x",
                               "x/",
                               "a//b",
                               "a/b//",
                               ".",
                               "..",
                               "./a",
                               "../x",
                               "a/.",
                               "a/..",
                               "a/./b",
                               "a/../b",
                               "a/../../x",
                               "../../etc/passwd",
                               "a\\b",
                               "\\\\server\\share",
                               "..\\x",
                               "C:",
                               "C:x",
                               "C:\\x",
                               "c:/x",
                               "1:x",
                               "x\0y"s,
                               "\0"s,
                               "a\nb",
                               "a\rb",
                               "a\tb",
                               "\x1b[2J",
                               "a\x7f",
                               "\xc2\x80",
                               "\xc2\x9b"
                               "2J",
                               "\xe2\x80\xae"
                               "gpj.exe",
                               "a\xe2\x80\x8b"
                               "b",
                               "a\xe2\x80\x8d"
                               "b",
                               "\xef\xbb\xbf"
                               "a",
                               "a\xe2\x81\xa6",
                               "\xd8\x9c"
                               "a",
                               "\xf3\xa0\x81\x81",
                               "\xe2\x80\xa8",
                               "\xff",
                               "\xc0\xaf",
                               "\xe0\x80\xaf",
                               "\xed\xa0\x80",
                               "\xf4\x90\x80\x80",
                               "a\xc3",
                               "x.",
                               "x ",
                               "...",
                               "a/x./b",
                               "a /b",
                               ". ",
                               " ",
                               "a/ ",
                               ".. /x",
                               std::string(256, 'x'),
                               "a/" + std::string(256, 'x') + "/b",
                               std::string(1025, 'x'),
                               std::string(1 << 20, '/')};
  for (const std::string& path : nasty) {
    EXPECT_THAT(check_path(path), Fails(ErrorCode::kMalformed)) << printable(path.substr(0, 40));
  }
}

TEST(CheckPath, RefusesOneByteMoreThanTheLimit) {
  const std::string folders = std::string(255, 'a') + "/" + std::string(255, 'b') + "/" +
                              std::string(255, 'c') + "/" + std::string(154, 'd') + "/";
  EXPECT_THAT(check_path(folders + std::string(101, 'e')), Succeeds());
  EXPECT_THAT(check_path(folders + std::string(102, 'e')),
              FailsWith(ErrorCode::kMalformed, HasSubstr("1025 bytes, more than 1024")));
}

TEST(CheckPath, ShowsTheNameWithoutItsControlCharacters) {
  const Status status = check_path("a\x1b[31m");
  EXPECT_THAT(status, FailsWith(ErrorCode::kMalformed, HasSubstr("'a\\x1b[31m'")));
  EXPECT_LT(check_path(std::string(1 << 20, 'x')).error().message().size(), 2000U);
}

Status check(std::vector<std::string> paths) {
  return check_no_collisions(paths);
}

TEST(CheckNoCollisions, AcceptsNamesThatOnlyLookClose) {
  EXPECT_THAT(check({}), Succeeds());
  EXPECT_THAT(check({"a"}), Succeeds());
  EXPECT_THAT(check({"a/b", "a-b", "a.b", "ab", "a/c", "b/a"}), Succeeds());
  EXPECT_THAT(check({"Dir/a", "dir/b"}), Succeeds());
  EXPECT_THAT(check({"[", "{"}), Succeeds());
  EXPECT_THAT(check({"k", "\xe2\x84\xaa"}), Succeeds());      // KELVIN SIGN: bytes differ
  EXPECT_THAT(check({"\xc3\xa4", "a\xcc\x88"}), Succeeds());  // not normalised
  EXPECT_THAT(check({"\xc3\xa4", "\xc3\x84"}), Succeeds());   // only ASCII is folded
}

TEST(CheckNoCollisions, RefusesTwins) {
  EXPECT_THAT(check({"b", "a", "b"}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("'b' is there twice")));
  EXPECT_THAT(check({"a/x", "A/X"}), FailsWith(ErrorCode::kMalformed, HasSubstr("case")));
  EXPECT_THAT(check({"Model.bin", "z", "model.BIN"}), Fails(ErrorCode::kMalformed));
}

TEST(CheckNoCollisions, RefusesAFileThatIsAFolder) {
  EXPECT_THAT(check({"a/b", "a"}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("file and a folder")));
  EXPECT_THAT(check({"a", "a b", "a!b", "a-b", "a.b", "a/b"}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(check({"A", "a!", "a/b/c"}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(check({"x/y", "X/y/z"}), Fails(ErrorCode::kMalformed));
}

TEST(CheckNoCollisions, StaysQuickForDeepHostileLists) {
  std::string deep = "a";
  while (deep.size() + 2 < 1000) deep += "/a";
  std::vector<std::string> paths;
  for (int i = 0; i < 20000; ++i) paths.push_back(deep + "/" + std::to_string(i));
  const std::clock_t start = std::clock();
  EXPECT_THAT(check_no_collisions(paths), Succeeds());
  EXPECT_LT((std::clock() - start) / CLOCKS_PER_SEC, 20);  // of computing
}

}  // namespace
}  // namespace sealpack
