// SPDX-License-Identifier: Apache-2.0
#include "formats/files/output_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "tests/formats/files/failing_system_calls.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack {
namespace {

using ::testing::AllOf;
using testing::content_of;
using ::testing::ElementsAre;
using testing::FailingSystemCalls;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Succeeds;
using testing::TemporaryFolder;

Status write_file(const std::filesystem::path& path, Overwrite overwrite, std::string_view text,
                  mode_t mode = 0644) {
  OutputFile file = TRY(OutputFile::create(path, overwrite, mode));
  TRY(file.write_at(0, as_bytes(text)));
  return file.commit();
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0);
  return status.st_mode & 07777U;
}

bool has_unnamed_files(const TemporaryFolder& folder) {
  const FileDescriptor file(::open(folder.path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  return file.get() >= 0;
}

TEST(OutputFile, AppearsCompleteAtCommitOnly) {
  const TemporaryFolder folder;
  auto file = OutputFile::create(folder / "x", Overwrite::kRefuse, 0644);
  ASSERT_THAT(file, Succeeds());
  EXPECT_THAT(file->allocate(1 << 20), Succeeds());
  EXPECT_THAT(file->write_at(3, as_bytes("def")), Succeeds());
  EXPECT_THAT(file->write_at(0, as_bytes("abc")), Succeeds());
  file->start_writeback(0, 6);
  EXPECT_EQ(folder.names().size(), has_unnamed_files(folder) ? 0U : 1U);
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
  EXPECT_THAT(file->commit(), Succeeds());
  EXPECT_THAT(folder.names(), ElementsAre("x"));
  EXPECT_EQ(content_of(folder / "x"), "abcdef");
  EXPECT_THAT(file->commit(), Fails(ErrorCode::kInternal));
}

TEST(OutputFile, LeavesNothingWithoutCommit) {
  const TemporaryFolder folder;
  FailingSystemCalls calls;
  for (const bool unnamed : {true, false}) {
    calls.unnamed_files = unnamed;
    const ScopedSystemCalls scope(calls);
    {
      auto file = OutputFile::create(folder / "x", Overwrite::kRefuse, 0600);
      ASSERT_THAT(file, Succeeds());
      EXPECT_THAT(file->write_at(0, as_bytes("abc")), Succeeds());
      EXPECT_EQ(folder.names().size(), unnamed && has_unnamed_files(folder) ? 0U : 1U);
    }
    EXPECT_THAT(folder.names(), IsEmpty());
  }
}

TEST(OutputFile, IsGoneAfterSigkillWhileWriting) {
  const TemporaryFolder folder;
  if (!has_unnamed_files(folder)) GTEST_SKIP() << "the file system has no unnamed files";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto file = OutputFile::create(folder / "x", Overwrite::kRefuse, 0644);
    const ByteVector block(1 << 16, 7);
    bool good = file.ok();
    for (std::uint64_t offset = 0; good; offset += block.size()) {
      good = file->write_at(offset % (1U << 21U), block).ok();
      if (offset == 1U << 20U) (void)!::write(ready[1], "!", 1);
    }
    ::_exit(1);
  }
  ::close(ready[1]);
  char mark = 0;
  EXPECT_EQ(::read(ready[0], &mark, 1), 1);
  EXPECT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_THAT(folder.names(), IsEmpty());
  ::close(ready[0]);
}

TEST(OutputFile, RefusesAnExistingFileBeforeAnyWork) {
  const TemporaryFolder folder;
  folder.put("x", "old");
  const auto file = OutputFile::create(folder / "x", Overwrite::kRefuse, 0644);
  ASSERT_THAT(file, FailsWith(ErrorCode::kIo, HasSubstr("already exists")));
  EXPECT_THAT(file.error().hint(), HasSubstr("--force"));
  ASSERT_EQ(::symlink("nowhere", (folder / "dangling").c_str()), 0);
  EXPECT_THAT(OutputFile::create(folder / "dangling", Overwrite::kRefuse, 0644),
              Fails(ErrorCode::kIo));
}

TEST(OutputFile, RefusesAFileThatAppearsMeanwhile) {
  for (const bool unnamed : {true, false}) {
    for (const bool flags : {true, false}) {
      const TemporaryFolder folder;
      FailingSystemCalls calls;
      calls.unnamed_files = unnamed;
      calls.rename_flags = flags;
      const ScopedSystemCalls scope(calls);
      {
        auto file = OutputFile::create(folder / "x", Overwrite::kRefuse, 0644);
        ASSERT_THAT(file, Succeeds());
        folder.put("x", "other");
        EXPECT_THAT(file->commit(), FailsWith(ErrorCode::kIo, HasSubstr("already exists")));
      }
      EXPECT_EQ(content_of(folder / "x"), "other");
      EXPECT_THAT(folder.names(), ElementsAre("x"));
    }
  }
}

TEST(OutputFile, ReplacesAFileAndALinkButNothingElse) {
  for (const bool unnamed : {true, false}) {
    const TemporaryFolder folder;
    FailingSystemCalls calls;
    calls.unnamed_files = unnamed;
    const ScopedSystemCalls scope(calls);
    folder.put("x", "old");
    EXPECT_THAT(write_file(folder / "x", Overwrite::kReplace, "new"), Succeeds());
    EXPECT_EQ(content_of(folder / "x"), "new");
    folder.put("victim", "safe");
    ASSERT_EQ(::symlink("victim", (folder / "link").c_str()), 0);
    EXPECT_THAT(write_file(folder / "link", Overwrite::kReplace, "new"), Succeeds());
    EXPECT_EQ(content_of(folder / "victim"), "safe");
    EXPECT_EQ(content_of(folder / "link"), "new");
    ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
    EXPECT_THAT(write_file(folder / "fifo", Overwrite::kReplace, "new"), Fails(ErrorCode::kIo));
    EXPECT_THAT(folder.names(), ElementsAre("fifo", "link", "victim", "x"));
  }
}

TEST(OutputFile, RefusesTargetsThatAreFoldersOrNoNames) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "d");
  for (const auto overwrite : {Overwrite::kRefuse, Overwrite::kReplace}) {
    EXPECT_THAT(OutputFile::create(folder / "d", overwrite, 0644),
                FailsWith(ErrorCode::kIo, HasSubstr("is a folder")));
    EXPECT_THAT(OutputFile::create(folder / "d/", overwrite, 0644), Fails(ErrorCode::kUsage));
    EXPECT_THAT(OutputFile::create(folder / "missing/x", overwrite, 0644),
                FailsWith(ErrorCode::kIo, HasSubstr("no such file")));
    EXPECT_THAT(OutputFile::create(folder / std::string(256, 'x'), overwrite, 0644),
                Fails(ErrorCode::kIo));
    for (const char* bad : {"", "/", ".", "..", "d/..", "d/."}) {
      EXPECT_THAT(OutputFile::create(bad, overwrite, 0644), Fails(ErrorCode::kUsage)) << bad;
    }
  }
}

TEST(OutputFile, AcceptsTheLongestNameThereIs) {
  const TemporaryFolder folder;
  FailingSystemCalls calls;
  calls.unnamed_files = false;
  const ScopedSystemCalls scope(calls);
  EXPECT_THAT(write_file(folder / std::string(255, 'x'), Overwrite::kReplace, "1"), Succeeds());
}

TEST(OutputFile, HasTheModeItWasGiven) {
  const mode_t before = ::umask(022);
  for (const bool unnamed : {true, false}) {
    const TemporaryFolder folder;
    FailingSystemCalls calls;
    calls.unnamed_files = unnamed;
    const ScopedSystemCalls scope(calls);
    EXPECT_THAT(write_file(folder / "secret", Overwrite::kRefuse, "s", 0600), Succeeds());
    EXPECT_THAT(write_file(folder / "public", Overwrite::kRefuse, "p", 0666), Succeeds());
    EXPECT_EQ(mode_of(folder / "secret"), 0600U);
    EXPECT_EQ(mode_of(folder / "public"), 0644U);
  }
  ::umask(before);
}

TEST(OutputFile, WritesAllPiecesWhateverTheKernelTakesAtOnce) {
  std::string expected;
  std::vector<ByteVector> owners;
  for (std::size_t i = 0; i < 300; ++i) {
    owners.emplace_back(i % 7, static_cast<std::uint8_t>(i));
    expected.append(as_text(owners.back()));
  }
  const std::vector<Bytes> pieces(owners.begin(), owners.end());
  for (const std::size_t longest : {0U, 1U, 2U, 5U}) {
    const TemporaryFolder folder;
    FailingSystemCalls calls;
    calls.longest_write = longest;
    const ScopedSystemCalls scope(calls);
    auto file = OutputFile::create(folder / "x", Overwrite::kRefuse, 0644);
    ASSERT_THAT(file, Succeeds());
    EXPECT_THAT(file->write_scattered(2, pieces), Succeeds());
    EXPECT_THAT(file->write_scattered(0, {}), Succeeds());
    EXPECT_THAT(file->commit(), Succeeds());
    EXPECT_EQ(content_of(folder / "x"), std::string("\0\0", 2) + expected);
  }
}

TEST(OutputFile, TakesWritesFromSeveralThreads) {
  const TemporaryFolder folder;
  auto file = OutputFile::create(folder / "x", Overwrite::kRefuse, 0644);
  ASSERT_THAT(file, Succeeds());
  std::vector<std::thread> threads;
  for (std::uint8_t i = 0; i < 4; ++i) {
    threads.emplace_back([&file, i] {
      for (std::uint64_t block = i; block < 400; block += 4) {
        EXPECT_THAT(file->write_at(block * 100, ByteVector(100, i)), Succeeds());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_THAT(file->commit(), Succeeds());
  const std::string content = content_of(folder / "x");
  ASSERT_EQ(content.size(), 40000U);
  for (std::size_t i = 0; i < content.size(); ++i) ASSERT_EQ(content[i], char((i / 100) % 4));
}

TEST(OutputFile, SaysWhatWasTooMuch) {
  const TemporaryFolder folder;
  const std::pair<int, const char*> cases[] = {
      {ENOSPC, "no space left"}, {EDQUOT, "quota"}, {EFBIG, "too large"}};
  for (const auto& [number, text] : cases) {
    auto file = OutputFile::create(folder / "x", Overwrite::kRefuse, 0644);
    ASSERT_THAT(file, Succeeds());
    FailingSystemCalls calls;
    calls.fail_at = 1;
    calls.error_number = number;
    const ScopedSystemCalls scope(calls);
    const Status status = file->write_at(4096, as_bytes("abc"));
    EXPECT_THAT(status,
                FailsWith(ErrorCode::kIo, AllOf(HasSubstr(text), HasSubstr("3 bytes at byte 4096"),
                                                HasSubstr("/x'"))));
    EXPECT_NE(status.error().hint(), "");
  }
  auto file = OutputFile::create(folder / "x", Overwrite::kRefuse, 0644);
  EXPECT_THAT(file->write_at(~std::uint64_t{0}, as_bytes("abc")), Fails(ErrorCode::kIo));
  EXPECT_THAT(file->allocate(~std::uint64_t{0}), Fails(ErrorCode::kIo));
  EXPECT_THAT(file->allocate(std::uint64_t{1} << 60U), Fails(ErrorCode::kIo));
}

TEST(OutputFile, AllocatesOnlyWhereTheFileSystemCan) {
  const TemporaryFolder folder;
  for (const int number : {EOPNOTSUPP, ENOSYS, ENOSPC}) {
    auto file = OutputFile::create(folder / "x", Overwrite::kRefuse, 0644);
    ASSERT_THAT(file, Succeeds());
    FailingSystemCalls calls;
    calls.fail_at = 1;
    calls.error_number = number;
    const ScopedSystemCalls scope(calls);
    EXPECT_EQ(file->allocate(4096).ok(), number != ENOSPC);
  }
}

TEST(OutputFile, CopiesThroughTheFileSystemOrThroughMemory) {
  const TemporaryFolder folder;
  const std::string content = "0123" + std::string(3'000'000, 'x') + "6789";
  const auto source = FileSource::open(folder.put("from", content));
  ASSERT_THAT(source, Succeeds());
  for (const int fail_at : {0, 1}) {  // the first call here is copy_file_range
    auto file = OutputFile::create(folder / "to", Overwrite::kReplace, 0644);
    ASSERT_THAT(file, Succeeds());
    {
      FailingSystemCalls calls;
      calls.fail_at = fail_at;
      calls.error_number = EXDEV;
      const ScopedSystemCalls scope(calls);
      EXPECT_THAT(file->copy_from(**source, 4, content.size() - 4), Succeeds());
      EXPECT_EQ(calls.failed_call(), fail_at == 0 ? "" : "copy_file_range");
    }
    EXPECT_THAT(file->commit(), Succeeds());
    EXPECT_EQ(content_of(folder / "to"), std::string(4, '\0') + content.substr(4));
  }
}

TEST(OutputFile, FailsToCopyWhatIsNotThere) {
  const TemporaryFolder folder;
  const auto source = FileSource::open(folder.put("from", "abc"));
  ASSERT_THAT(source, Succeeds());
  const auto file = OutputFile::create(folder / "to", Overwrite::kRefuse, 0644);
  ASSERT_THAT(file, Succeeds());
  EXPECT_THAT(file->copy_from(**source, 0, 4), Fails(ErrorCode::kIo));
}

}  // namespace
}  // namespace sealpack
