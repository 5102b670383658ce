// SPDX-License-Identifier: Apache-2.0
// What the program of the process backend can still do once it has given up its rights, and what
// others can do to it.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "runtime-loader/tee/process/protocol.h"
#include "runtime-loader/tee/process/tee_program.h"
#include "tests/runtime-loader/tee/confinement_deeds.h"
#include "tests/runtime-loader/tee/looking.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::tee {
namespace {

using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using sealpack::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

bool is_root() {
  return ::geteuid() == 0;
}

class Probe {
 public:
  explicit Probe(int seals = F_SEAL_SHRINK | F_SEAL_GROW) {
    memory_ = FileDescriptor(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(::ftruncate(memory_.get(), 65536), 0);
    EXPECT_EQ(::fcntl(memory_.get(), F_ADD_SEALS, seals), 0);
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    control_ = FileDescriptor(ends[0]);
    const FileDescriptor theirs(ends[1]);
    program_ = FileDescriptor(::open(SEALPACK_PROBE, O_RDONLY | O_CLOEXEC));
    ProgramStart start;
    start.program = program_.get();
    start.control = theirs.get();
    start.shared = memory_.get();
    start.errors = STDERR_FILENO;
    if (is_root()) start.user = *find_user("nobody");
    const auto started = start_program(start);
    EXPECT_THAT(started, Succeeds());
    if (started.ok()) process_ = started->process;
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  ~Probe() {
    control_.reset();
    if (process_ >= 0) (void)describe_end(process_);
  }

  std::string end_after(Deed deed) {
    send(static_cast<std::uint8_t>(deed));
    return end();
  }
  // However long it takes to come.
  std::string end() {
    siginfo_t info{};
    EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOWAIT), 0);
    return describe_end(std::exchange(process_, -1));
  }
  void send(std::uint8_t byte) { EXPECT_EQ(::write(control_.get(), &byte, 1), 1); }
  std::uintptr_t receive_address() {
    std::uintptr_t address = 0;
    EXPECT_EQ(::read(control_.get(), &address, sizeof address),
              static_cast<ssize_t>(sizeof address));
    return address;
  }
  pid_t process() const { return process_; }
  std::string proc(const std::string& name) const {
    return "/proc/" + std::to_string(process_) + "/" + name;
  }

 private:
  FileDescriptor memory_;
  FileDescriptor control_;
  FileDescriptor program_;
  pid_t process_ = -1;
};

// Status of `action` in a child process that runs as `user`.
template <typename Action>
int as_user(uid_t user, Action action) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresgid(user, user, user) != 0 || ::setresuid(user, user, user) != 0) ::_exit(99);
    ::_exit(action());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const std::string kDoneEnd = "exit status 42";
const std::string kKilledEnd = "killed by signal 31";  // SIGSYS

TEST(Confinement, LetsTheProgramWork) {
  EXPECT_EQ(Probe().end_after(Deed::kNothing), kDoneEnd);
  EXPECT_EQ(Probe().end_after(Deed::kTakeEnough), kDoneEnd);
}

TEST(Confinement, KillsWhatReachesOut) {
  for (const Deed deed : {Deed::kSocket, Deed::kOpen, Deed::kExecute, Deed::kFork, Deed::kThread,
                          Deed::kTrace, Deed::kSignalOthers, Deed::kReadOther, Deed::kWriteOther,
                          Deed::kRaiseLimit, Deed::kDumpable}) {
    EXPECT_EQ(Probe().end_after(deed), kKilledEnd) << static_cast<int>(deed);
  }
}

TEST(Confinement, KillsWhatMakesCode) {
  EXPECT_EQ(Probe().end_after(Deed::kExecutableMemory), kKilledEnd);
  EXPECT_EQ(Probe().end_after(Deed::kMakeExecutable), kKilledEnd);
}

TEST(Confinement, HoldsTheCap) {
  EXPECT_EQ(Probe().end_after(Deed::kTakeTooMuch), "exit status 43");
  EXPECT_EQ(Probe().end_after(Deed::kHeapTooMuch), "exit status 43");
}

TEST(Confinement, LeavesNoCoreFileWhenItCrashes) {
  Probe probe;
  const pid_t process = probe.process();
  probe.send(static_cast<std::uint8_t>(Deed::kCrash));
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_code, CLD_KILLED);  // not CLD_DUMPED
  EXPECT_EQ(info.si_status, SIGSEGV);
}

TEST(Confinement, DoesNotStartOnMemoryThatMayShrink) {
  Probe probe(F_SEAL_GROW);
  EXPECT_THAT(probe.end(), StartsWith("killed by signal"));
}

TEST(Confinement, HidesFromOtherUsersAndFromItsOwn) {
  if (!is_root()) GTEST_SKIP() << "needs root to be others";
  Probe probe;
  probe.send(static_cast<std::uint8_t>(Deed::kWait));
  (void)probe.receive_address();
  const uid_t own = find_user("nobody")->user;
  for (const uid_t user : {own, uid_t{12345}}) {
    for (const char* name : {"mem", "maps", "environ", "smaps", "pagemap", "auxv"}) {
      const std::string path = probe.proc(name);
      EXPECT_EQ(as_user(user, [&] { return ::open(path.c_str(), O_RDONLY) < 0 ? 0 : 1; }), 0)
          << name << " as " << user;
    }
    EXPECT_EQ(
        as_user(
            user,
            [&] { return ::ptrace(PTRACE_SEIZE, probe.process(), nullptr, nullptr) < 0 ? 0 : 1; }),
        0);
  }
}

TEST(Confinement, KeepsSecretsEvenFromRoot) {
  if (!may_look()) GTEST_SKIP() << kNoLooking;
  Probe probe;
  probe.send(static_cast<std::uint8_t>(Deed::kWait));
  const std::uintptr_t address = probe.receive_address();
  const FileDescriptor memory(::open(probe.proc("mem").c_str(), O_RDONLY));
  ASSERT_GE(memory.get(), 0);
  ByteVector bytes(32);
  const ssize_t got =
      ::pread(memory.get(), bytes.data(), bytes.size(), static_cast<off_t>(address));
  if (got > 0) GTEST_SKIP() << "this kernel has no memfd_secret";
  EXPECT_LT(got, 0);
}

TEST(Confinement, SaysNothingOnItsCommandLineAndHasNoEnvironment) {
  if (!may_look()) GTEST_SKIP() << kNoLooking;
  ASSERT_EQ(::setenv("SEALPACK_TEST_SECRET", "hunter2", 1), 0);
  Probe probe;
  probe.send(static_cast<std::uint8_t>(Deed::kWait));
  (void)probe.receive_address();
  EXPECT_EQ(sealpack::testing::content_of(probe.proc("cmdline")),
            std::string("sealpack-tee") + '\0');
  EXPECT_THAT(sealpack::testing::content_of(probe.proc("environ")), IsEmpty());
  const std::string status = sealpack::testing::content_of(probe.proc("status"));
  EXPECT_THAT(status, HasSubstr("\nNoNewPrivs:\t1\n"));
  EXPECT_THAT(status, HasSubstr("\nSeccomp:\t2\n"));
  EXPECT_THAT(status, HasSubstr("\nCapEff:\t0000000000000000\n"));
  EXPECT_THAT(status, Not(HasSubstr("\nUid:\t0\t")));
}

TEST(Confinement, KeepsNoDescriptorOfTheHost) {
  if (!may_look()) GTEST_SKIP() << kNoLooking;
  const FileDescriptor leaked(::open("/etc/passwd", O_RDONLY));  // without O_CLOEXEC
  ASSERT_GE(leaked.get(), 0);
  Probe probe;
  probe.send(static_cast<std::uint8_t>(Deed::kWait));
  (void)probe.receive_address();
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(probe.proc("fd"))) {
    if (entry.path().filename() == "2") continue;  // given on purpose
    names.insert(std::filesystem::read_symlink(entry.path()).string());
  }
  for (const std::string& name : names) {
    const bool expected = name == "/dev/null" || name.starts_with("socket:") ||
                          name.ends_with("/status") || name.ends_with("/smaps_rollup");
    EXPECT_TRUE(expected) << name;
  }
}

TEST(TeeProgram, DoesNotRunAsRoot) {
  EXPECT_THAT(find_user("root"), FailsWith(ErrorCode::kUsage, HasSubstr("root")));
  EXPECT_THAT(find_user("0"), FailsWith(ErrorCode::kUsage, HasSubstr("root")));
  EXPECT_THAT(find_user("no-such-user"), FailsWith(ErrorCode::kUsage, HasSubstr("no-such-user")));
  EXPECT_THAT(find_user(""), FailsWith(ErrorCode::kUsage, HasSubstr("")));
}

TEST(TeeProgram, SaysWhatCannotBeRun) {
  const TemporaryFolder folder;
  const auto path = folder.put("not-a-program", "text");
  const FileDescriptor program(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ProgramStart start;
  start.program = program.get();
  start.control = start.shared = program.get();
  EXPECT_THAT(start_program(start), FailsWith(ErrorCode::kIo, HasSubstr("sealpack-tee")));
}

}  // namespace
}  // namespace sealpack::tee
