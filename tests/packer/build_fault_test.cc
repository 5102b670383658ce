// SPDX-License-Identifier: Apache-2.0
// Builds that fail at every system call, race with each other or meet a full disk.
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "tests/formats/files/failing_system_calls.h"
#include "tests/packer/packing.h"

namespace sealpack::packer {
namespace {

using namespace testing;
using ::sealpack::testing::content_of;
using ::sealpack::testing::FailingSystemCalls;

const Keys& keys() {
  static const Keys keys;
  return keys;
}

// In files, so that reading them fails too; a public file, a sealed one and a residue.
Result<Assembly> model_in(const TemporaryFolder& folder) {
  folder.put("in/README.md", std::string(40000, 'r'));
  folder.put("in/m.safetensors", std::string(as_text(safetensors({{"a", 3000}, {"b", 40000}}))));
  Selection selection;
  selection.open = {"a"};
  return assemble(TRY(open_inputs(folder / "in", {})), selection);
}

struct Variant {
  bool unnamed_files;
  bool rename_flags;
};

// Builds with the nth system call failing, for every n. `old` is the content that the output has
// before, empty for none.
void fail_each(const Assembly& assembly, int error_number, const Variant& variant,
               const std::string& old) {
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 300);
    const TemporaryFolder out;
    if (!old.empty()) out.put("b.seal", old);
    FailingSystemCalls calls;
    calls.fail_at = n;
    calls.error_number = error_number;
    calls.unnamed_files = variant.unnamed_files;
    calls.rename_flags = variant.rename_flags;
    BuildRequest request = request_for(keys(), out / "b.seal");
    if (!old.empty()) request.overwrite = Overwrite::kReplace;
    bool succeeded = false;
    {
      const ScopedSystemCalls scope(calls);
      const auto report = build_bundle(assembly, request);
      succeeded = report.ok();
      if (!succeeded) {
        EXPECT_THAT(report, Fails(ErrorCode::kIo));
      }
    }
    const std::string call = calls.failed_call();
    SCOPED_TRACE("call " + std::to_string(n) + ": " + call);
    const bool has_bundle = out.names().contains("b.seal") && content_of(out / "b.seal") != old;
    // What fails to be removed stays; nothing more can be done.
    if (call != "unlinkat") {
      EXPECT_LE(out.names().size(), old.empty() && !has_bundle ? 0U : 1U);
    }
    if (has_bundle) {
      EXPECT_THAT(open_whole(keys(), out / "b.seal"), Succeeds());
    }
    EXPECT_TRUE(has_bundle || !succeeded);
    // Without a name synced to disk the build has not succeeded, but the bundle is there.
    EXPECT_TRUE(succeeded || !has_bundle || call == "fsync");
    // Hints to the kernel may fail, and so may the search for a way to write.
    if (succeeded && !call.empty()) {
      EXPECT_TRUE(call == "sync_file_range" || call == "fstatat" || call == "unlinkat") << call;
    }
    if (call.empty()) {
      EXPECT_GT(n, 20);
      return;
    }
  }
}

TEST(BuildFaults, LeaveNoBundleAndNothingElse) {
  const TemporaryFolder folder;
  const auto assembly = model_in(folder);
  ASSERT_THAT(assembly, Succeeds());
  for (const int number : {ENOSPC, EIO}) {
    for (const Variant variant :
         {Variant{true, true}, Variant{false, true}, Variant{false, false}}) {
      fail_each(*assembly, number, variant, "");
    }
  }
}

TEST(BuildFaults, LeaveTheOldBundleAsItWas) {
  const TemporaryFolder folder;
  const auto assembly = model_in(folder);
  ASSERT_THAT(assembly, Succeeds());
  ASSERT_THAT(build_bundle(*assembly, request_for(keys(), folder / "old.seal")), Succeeds());
  for (const Variant variant : {Variant{true, true}, Variant{false, true}}) {
    fail_each(*assembly, ENOSPC, variant, content_of(folder / "old.seal"));
  }
}

TEST(BuildFaults, ShortWritesMakeTheSameBundle) {
  const TemporaryFolder folder;
  const auto assembly = model_in(folder);
  ASSERT_THAT(assembly, Succeeds());
  FailingSystemCalls calls;
  calls.longest_write = 777;
  {
    const ScopedSystemCalls scope(calls);
    ASSERT_THAT(build_bundle(*assembly, request_for(keys(), folder / "b.seal")), Succeeds());
  }
  EXPECT_THAT(open_whole(keys(), folder / "b.seal"), Succeeds());
}

TEST(BuildRace, OfTwoBuildsToOneNameOneWins) {
  const TemporaryFolder folder;
  const auto assembly = model_in(folder);
  ASSERT_THAT(assembly, Succeeds());
  for (const Overwrite overwrite : {Overwrite::kRefuse, Overwrite::kReplace}) {
    for (int round = 0; round < 15; ++round) {
      const TemporaryFolder out;
      std::vector<Result<BuildReport>> reports(3, Error(ErrorCode::kInternal, "not run"));
      {
        std::vector<std::jthread> threads;
        for (auto& report : reports) {
          threads.emplace_back([&] {
            BuildRequest request = request_for(keys(), out / "b.seal");
            request.overwrite = overwrite;
            report = build_bundle(*assembly, request);
          });
        }
      }
      std::size_t won = 0;
      for (const auto& report : reports) {
        won += report.ok() ? 1U : 0U;
        if (!report.ok()) {
          EXPECT_THAT(report, FailsWith(ErrorCode::kIo, HasSubstr("exists")));
        }
      }
      EXPECT_EQ(won, overwrite == Overwrite::kRefuse ? 1U : reports.size());
      EXPECT_EQ(out.names(), std::set<std::string>{"b.seal"});
      EXPECT_THAT(open_whole(keys(), out / "b.seal"), Succeeds());
    }
  }
}

// In a child with its own mounts, where a user may have them: a disk of 256 KiB.
int build_on_a_full_disk(const Assembly& assembly, const std::filesystem::path& path) {
  const std::string user = std::to_string(::getuid());
  const std::string group = std::to_string(::getgid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 77;
  std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/gid_map") << "0 " << group << " 1";
  if (::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=256k,mode=0777") != 0) return 77;
  const auto report = build_bundle(assembly, request_for(keys(), path / "b.seal"));
  if (report.ok()) return 1;
  if (report.error().code() != ErrorCode::kIo) return 2;
  if (report.error().message().find("no space left") == std::string::npos) return 3;
  if (report.error().hint().empty()) return 4;
  return std::filesystem::is_empty(path) ? 0 : 5;
}

TEST(BuildFaults, AFullDiskIsAnErrorAndLeavesNothing) {
  const TemporaryFolder folder;
  const auto assembly = assemble(tree_of({{"m.bin", noise(1U << 20U, 1)}}), {});
  ASSERT_THAT(assembly, Succeeds());
  (void)keys();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(build_on_a_full_disk(*assembly, folder.path()));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "mounting a file system is not allowed here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace sealpack::packer
