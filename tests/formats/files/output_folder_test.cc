// SPDX-License-Identifier: Apache-2.0
#include "formats/files/output_folder.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack {
namespace {

using testing::content_of;
using ::testing::ElementsAre;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Succeeds;
using testing::TemporaryFolder;

Status add(OutputFolder& folder, const std::string& path, std::string_view text) {
  OutputFile file = TRY(folder.create_file(path, 0600));
  TRY(file.write_at(0, as_bytes(text)));
  return file.commit();
}

TEST(OutputFolder, AppearsCompleteAtCommitOnly) {
  const TemporaryFolder place;
  auto folder = OutputFolder::create(place / "out");
  ASSERT_THAT(folder, Succeeds());
  EXPECT_THAT(add(*folder, "a", "1"), Succeeds());
  EXPECT_THAT(add(*folder, "d/e/f", "2"), Succeeds());
  EXPECT_THAT(add(*folder, "d/g", "3"), Succeeds());
  EXPECT_FALSE(std::filesystem::exists(place / "out"));
  ASSERT_THAT(folder->commit(), Succeeds());
  EXPECT_THAT(place.names(),
              ElementsAre("out/", "out/a", "out/d/", "out/d/e/", "out/d/e/f", "out/d/g"));
  EXPECT_EQ(content_of(place / "out/d/e/f"), "2");
  struct stat status {};
  ASSERT_EQ(::stat((place / "out/d").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  EXPECT_THAT(folder->commit(), Fails(ErrorCode::kInternal));
}

TEST(OutputFolder, LeavesNothingWithoutCommit) {
  const TemporaryFolder place;
  {
    auto folder = OutputFolder::create(place / "out/");
    ASSERT_THAT(folder, Succeeds());
    EXPECT_THAT(add(*folder, "a/b/c", "1"), Succeeds());
    EXPECT_THAT(folder->create_file("a/x/never-committed", 0600), Succeeds());
    OutputFolder moved = std::move(*folder);
    EXPECT_THAT(add(moved, "d", "1"), Succeeds());
    EXPECT_EQ(place.names().size(), 6U);
  }
  EXPECT_THAT(place.names(), IsEmpty());
}

TEST(OutputFolder, ReplacesAnEmptyFolderAndNothingElse) {
  const TemporaryFolder place;
  std::filesystem::create_directory(place / "empty");
  auto folder = OutputFolder::create(place / "empty");
  ASSERT_THAT(folder, Succeeds());
  EXPECT_THAT(add(*folder, "a", "1"), Succeeds());
  EXPECT_THAT(folder->commit(), Succeeds());
  EXPECT_THAT(OutputFolder::create(place / "empty"),
              FailsWith(ErrorCode::kIo, HasSubstr("already exists and is not empty")));
  place.put("file", "x");
  EXPECT_THAT(OutputFolder::create(place / "file"),
              FailsWith(ErrorCode::kIo, HasSubstr("already exists")));
  ASSERT_EQ(::symlink("empty", (place / "link").c_str()), 0);
  EXPECT_THAT(OutputFolder::create(place / "link"), Fails(ErrorCode::kIo));
  EXPECT_THAT(OutputFolder::create(place / ".."), Fails(ErrorCode::kUsage));
}

TEST(OutputFolder, RefusesWhatAppearsMeanwhile) {
  const TemporaryFolder place;
  for (const char* other : {"out/file", "out"}) {
    {
      auto folder = OutputFolder::create(place / "out");
      ASSERT_THAT(folder, Succeeds());
      EXPECT_THAT(add(*folder, "a", "1"), Succeeds());
      place.put(other, "theirs");
      EXPECT_THAT(folder->commit(), FailsWith(ErrorCode::kIo, HasSubstr("already exists")));
    }
    EXPECT_EQ(content_of(place / other), "theirs");
    EXPECT_EQ(place.names().size(), std::string(other) == "out" ? 1U : 2U);
    std::filesystem::remove_all(place / "out");
  }
}

TEST(OutputFolder, RefusesNamesThatLeadOutOrComeTwice) {
  const TemporaryFolder place;
  auto folder = OutputFolder::create(place / "out");
  ASSERT_THAT(folder, Succeeds());
  for (const char* bad : {"../x", "/x", "a/../../x", "", "a//b", "a/", "C:x"}) {
    EXPECT_THAT(folder->create_file(bad, 0600), Fails(ErrorCode::kMalformed)) << bad;
  }
  EXPECT_THAT(add(*folder, "a", "1"), Succeeds());
  EXPECT_THAT(folder->create_file("a", 0600), Fails(ErrorCode::kIo));
  EXPECT_THAT(folder->create_file("a/b", 0600), Fails(ErrorCode::kIo));
}

TEST(OutputFolder, FollowsNoLinkPlantedInIt) {
  const TemporaryFolder place;
  std::filesystem::create_directory(place / "elsewhere");
  auto folder = OutputFolder::create(place / "out");
  ASSERT_THAT(folder, Succeeds());
  for (const auto& entry : std::filesystem::directory_iterator(place.path())) {
    if (entry.path().filename() == "elsewhere") continue;
    ASSERT_EQ(::symlink((place / "elsewhere").c_str(), (entry.path() / "d").c_str()), 0);
  }
  EXPECT_THAT(folder->create_file("d/x", 0600), Fails(ErrorCode::kIo));
  EXPECT_TRUE(std::filesystem::is_empty(place / "elsewhere"));
}

TEST(OutputFolder, HasNotItsNameAfterSigkill) {
  const TemporaryFolder place;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto folder = OutputFolder::create(place / "out");
    if (folder.ok()) (void)add(*folder, "a/b", "1").ok();
    (void)::kill(::getpid(), SIGKILL);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  for (const std::string& name : place.names()) EXPECT_THAT(name, HasSubstr(".out.partial-"));
  EXPECT_FALSE(std::filesystem::exists(place / "out"));
}

}  // namespace
}  // namespace sealpack
