// SPDX-License-Identifier: Apache-2.0
// Every file operation of every output, made to fail one at a time.
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "formats/files/output_folder.h"
#include "tests/formats/files/failing_system_calls.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack {
namespace {

using testing::content_of;
using testing::FailingSystemCalls;
using testing::Fails;
using testing::Succeeds;
using testing::TemporaryFolder;

constexpr std::string_view kContent = "new content";

Status write_file(const std::filesystem::path& path, Overwrite overwrite) {
  OutputFile file = TRY(OutputFile::create(path, overwrite, 0600));
  TRY(file.allocate(kContent.size()));
  TRY(file.write_at(4, as_bytes(kContent.substr(4))));
  file.start_writeback(4, 4);
  TRY(file.write_at(0, as_bytes(kContent.substr(0, 4))));
  return file.commit();
}

Status write_folder(const std::filesystem::path& path) {
  OutputFolder folder = TRY(OutputFolder::create(path));
  for (const char* name : {"a", "d/e/f", "d/g"}) {
    OutputFile file = TRY(folder.create_file(name, 0600));
    TRY(file.write_at(0, as_bytes(kContent)));
    TRY(file.commit());
  }
  return folder.commit();
}

struct Variant {
  bool unnamed_files;
  bool rename_flags;
};
constexpr Variant kVariants[] = {{true, true}, {false, true}, {false, false}};

using Scenario = std::function<Status(const TemporaryFolder&)>;
using Check = std::function<void(const TemporaryFolder&, bool)>;
using Prepare = std::function<void(const TemporaryFolder&)>;

// Runs `scenario` in a new folder with the nth call failing, for every n until none is reached, and
// lets `check` judge what is there then.
void fail_each(int error_number, const Variant& variant, const Prepare& prepare,
               const Scenario& scenario, const Check& check) {
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 200);
    const TemporaryFolder folder;
    prepare(folder);
    FailingSystemCalls calls;
    calls.fail_at = n;
    calls.error_number = error_number;
    calls.unnamed_files = variant.unnamed_files;
    calls.rename_flags = variant.rename_flags;
    bool succeeded = false;
    {
      const ScopedSystemCalls scope(calls);
      const Status status = scenario(folder);
      succeeded = status.ok();
      if (!succeeded) {
        EXPECT_THAT(status, Fails(ErrorCode::kIo)) << calls.failed_call();
      }
    }
    SCOPED_TRACE("call " + std::to_string(n) + ": " + calls.failed_call());
    // What fails to be removed stays; nothing more can be done.
    if (calls.failed_call() != "unlinkat") check(folder, succeeded);
    if (calls.failed_call().empty()) {
      EXPECT_TRUE(succeeded);
      EXPECT_GT(n, 5);
      return;
    }
  }
}

void prepare_nothing(const TemporaryFolder&) {}

TEST(FileFaults, ANewFileIsThereCompleteOrNotAtAll) {
  for (const Variant& variant : kVariants) {
    for (const int number : {EIO, ENOSPC, EDQUOT, EACCES}) {
      fail_each(
          number, variant, prepare_nothing,
          [](const TemporaryFolder& folder) {
            return write_file(folder / "x", Overwrite::kRefuse);
          },
          [](const TemporaryFolder& folder, bool succeeded) {
            const auto names = folder.names();
            EXPECT_TRUE(names == std::set<std::string>{"x"} || (names.empty() && !succeeded));
            if (!names.empty()) {
              EXPECT_EQ(content_of(folder / "x"), kContent);
            }
          });
    }
  }
}

TEST(FileFaults, AReplacedFileIsTheOldOneOrTheNewOne) {
  for (const Variant& variant : kVariants) {
    fail_each(
        EIO, variant, [](const TemporaryFolder& folder) { folder.put("x", "old"); },
        [](const TemporaryFolder& folder) { return write_file(folder / "x", Overwrite::kReplace); },
        [](const TemporaryFolder& folder, bool succeeded) {
          EXPECT_EQ(folder.names(), std::set<std::string>{"x"});
          const std::string content = content_of(folder / "x");
          EXPECT_TRUE(content == kContent || (content == "old" && !succeeded));
        });
  }
}

TEST(FileFaults, AFolderIsThereCompleteOrNotAtAll) {
  const std::set<std::string> complete = {"out/",     "out/a",     "out/d/",
                                          "out/d/e/", "out/d/e/f", "out/d/g"};
  for (const Variant& variant : kVariants) {
    for (const bool existed : {false, true}) {
      const std::set<std::string> old =
          existed ? std::set<std::string>{"out/"} : std::set<std::string>{};
      fail_each(
          ENOSPC, variant,
          [&](const TemporaryFolder& folder) {
            if (existed) std::filesystem::create_directory(folder / "out");
          },
          [](const TemporaryFolder& folder) { return write_folder(folder / "out"); },
          [&](const TemporaryFolder& folder, bool succeeded) {
            EXPECT_TRUE(folder.names() == complete || (folder.names() == old && !succeeded));
          });
    }
  }
}

TEST(FileFaults, ReadingFailsWithTheNameOfTheFile) {
  fail_each(
      EIO, kVariants[0], [](const TemporaryFolder& folder) { folder.put("x", "old"); },
      [](const TemporaryFolder& folder) -> Status {
        for (int i = 0; i < 2; ++i) {
          const ByteVector bytes = TRY(load_file(folder / "x", 100));
          if (as_text(bytes) != "old") return Error(ErrorCode::kInternal, "wrong bytes");
        }
        return done();
      },
      [](const TemporaryFolder&, bool) {});
}

TEST(FileFaults, ASignalInterruptsNothing) {
  for (const char* call : {"openat", "pwritev", "fallocate", "fsync"}) {
    for (int n = 1; n < 40; ++n) {
      const TemporaryFolder folder;
      FailingSystemCalls calls;
      calls.fail_at = n;
      calls.error_number = EINTR;
      const ScopedSystemCalls scope(calls);
      const Status status = write_file(folder / "x", Overwrite::kReplace);
      if (calls.failed_call() == call) {
        EXPECT_THAT(status, Succeeds()) << call;
      }
    }
  }
}

// In a child with its own mounts, where a user may have them: a real full disk.
int write_on_a_full_disk(const std::filesystem::path& path) {
  const std::string user = std::to_string(::getuid());
  const std::string group = std::to_string(::getgid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 77;
  std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/gid_map") << "0 " << group << " 1";
  if (::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=64k,mode=0777") != 0) return 77;
  const ByteVector big(std::size_t{1} << 20U, 1);
  {
    auto file = OutputFile::create(path / "x", Overwrite::kRefuse, 0600);
    if (!file.ok()) return 1;
    if (file->allocate(big.size()).ok()) return 2;
    const Status status = file->write_at(0, big);
    if (status.ok() || status.error().code() != ErrorCode::kIo) return 3;
    if (status.error().message().find("no space left") == std::string::npos) return 4;
  }
  if (!std::filesystem::is_empty(path)) return 5;
  return write_file(path / "small", Overwrite::kRefuse).ok() ? 0 : 6;
}

TEST(FileFaults, AFullDiskIsAnErrorAndLeavesNothing) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(write_on_a_full_disk(folder.path()));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "mounting a file system is not allowed here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace sealpack
