// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/process/tee_program.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "formats/files/system_calls.h"
#include "runtime-loader/tee/process/protocol.h"

namespace sealpack::tee {
namespace {

constexpr const char* kName = "sealpack-tee";
// Copies of the descriptors wait here for their places.
constexpr int kFirstFree = 64;
constexpr std::size_t kMaxDescriptors = 3 + 3 + kMaxBundleDescriptors;

// What the child tells before it becomes the program.
struct ChildNote {
  int failed_step = 0;  // 0: none
  int error_number = 0;
  bool own_network = false;
};
constexpr const char* kSteps[] = {"", "start a session", "become another user", "pass descriptors",
                                  "run"};

struct Placement {
  int from = -1;
  int to = -1;
};

// All that the child does between fork and exec: system calls alone, no memory, no locks.
struct Child {
  int program = -1;
  int notes = -1;
  pid_t host = -1;
  std::optional<ProgramUser> user;
  std::array<Placement, kMaxDescriptors> places{};
  std::size_t place_count = 0;

  [[noreturn]] void fail(int step) const {
    const ChildNote note{step, errno, false};
    (void)!::write(notes, &note, sizeof note);
    ::_exit(127);
  }

  bool leave_network() const {
    if (::unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0) return true;
    return ::geteuid() != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0;
  }

  // Without a cap a model may ask for all there is: not at the cost of others. No more than a wish.
  static void go_first_when_memory_is_short() {
    const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    (void)!::write(file, "1000", 4);
    (void)::close(file);
  }

  void become_user() const {
    // So that all secure memory may be locked; fails silently without the right.
    const rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    (void)::setrlimit(RLIMIT_MEMLOCK, &unlimited);
    if (!user) return;
    if (::setgroups(0, nullptr) != 0 || ::setresgid(user->group, user->group, user->group) != 0 ||
        ::setresuid(user->user, user->user, user->user) != 0) {
      fail(2);
    }
  }

  void place_descriptors() {
    for (std::size_t i = 0; i < place_count; ++i) {
      places[i].from = ::fcntl(places[i].from, F_DUPFD_CLOEXEC, kFirstFree);
      if (places[i].from < 0) fail(3);
    }
    program = ::fcntl(program, F_DUPFD_CLOEXEC, kFirstFree);
    notes = ::fcntl(notes, F_DUPFD_CLOEXEC, kFirstFree);
    if (program < 0 || notes < 0 || ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) fail(3);
    for (std::size_t i = 0; i < place_count; ++i) {
      if (::dup2(places[i].from, places[i].to) != places[i].to) fail(3);
    }
  }

  [[noreturn]] void run() {
    if (::setsid() < 0) fail(1);
    ChildNote note;
    note.own_network = leave_network();
    go_first_when_memory_is_short();
    become_user();
    // Keys and plaintext do not outlive the host's side. After become_user, which would clear it.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != host) fail(1);
    place_descriptors();
    sigset_t none;
    (void)::sigemptyset(&none);
    (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
    (void)!::write(notes, &note, sizeof note);
    char name[] = "sealpack-tee";
    char* arguments[] = {name, nullptr};
    char* environment[] = {nullptr};
    (void)::syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
    fail(4);
  }
};

Result<ChildNote> read_notes(int notes) {
  ChildNote last;
  bool any = false;
  for (;;) {
    ChildNote note;
    const ssize_t got = uninterrupted([&] { return ::read(notes, &note, sizeof note); });
    if (got == 0 && any) return last;
    if (got != static_cast<ssize_t>(sizeof note)) {
      return Error(ErrorCode::kIo, std::string("cannot start ") + kName);
    }
    if (note.failed_step != 0) {
      return io_error(std::string("cannot start ") + kName + ", at: " + kSteps[note.failed_step],
                      note.error_number);
    }
    last = note;
    any = true;
  }
}

}  // namespace

Result<ProgramUser> find_user(const std::string& name) {
  const bool number = !name.empty() && name.size() <= 9 &&
                      name.find_first_not_of("0123456789") == std::string::npos;
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> text{};
  if (number) {
    const auto user = static_cast<uid_t>(std::stoul(name));
    (void)::getpwuid_r(user, &entry, text.data(), text.size(), &found);
    if (found == nullptr) entry.pw_uid = user, entry.pw_gid = user, found = &entry;
  } else {
    (void)::getpwnam_r(name.c_str(), &entry, text.data(), text.size(), &found);
  }
  if (found == nullptr) {
    return Error(ErrorCode::kUsage, "there is no user " + printable(name));
  }
  if (entry.pw_uid == 0 || entry.pw_gid == 0) {
    return Error(ErrorCode::kUsage, "the TEE program does not run as root");
  }
  return ProgramUser{entry.pw_uid, entry.pw_gid};
}

Result<std::filesystem::path> find_tee_program() {
  std::error_code failed;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return io_error("cannot find this program", failed.value());
  const std::filesystem::path folder = self.parent_path();
  const std::filesystem::path beside = folder / kName;
  const std::filesystem::path installed = folder.parent_path() / "libexec" / "sealpack" / kName;
  for (const std::filesystem::path& path : {beside, installed}) {
    if (std::filesystem::is_regular_file(path, failed)) return path;
  }
  return Error(ErrorCode::kIo, std::string("the program ") + kName + " is neither " +
                                   printable(beside.string()) + " nor " +
                                   printable(installed.string()))
      .with_hint("install sealpack with its process backend (it needs libseccomp to be built)");
}

Result<StartedProgram> start_program(const ProgramStart& start) {
  if (start.bundles.size() > kMaxBundleDescriptors) {
    return Error(ErrorCode::kLimit, std::to_string(start.bundles.size()) +
                                        " bundles for one TEE, more than " +
                                        std::to_string(kMaxBundleDescriptors));
  }
  const FileDescriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  int ends[2] = {-1, -1};
  if (null.get() < 0 || ::pipe2(ends, O_CLOEXEC) != 0) {
    return io_error(std::string("cannot start ") + kName, errno);
  }
  const FileDescriptor notes(ends[0]);
  FileDescriptor child_notes(ends[1]);

  Child child;
  child.program = start.program;
  child.notes = child_notes.get();
  child.host = ::getpid();
  child.user = start.user;
  const auto place = [&](int from, int to) { child.places[child.place_count++] = {from, to}; };
  place(null.get(), 0);
  place(null.get(), 1);
  place(start.errors < 0 ? null.get() : start.errors, 2);
  place(start.control, kControlDescriptor);
  place(start.shared, kSharedDescriptor);
  if (start.evidence_key >= 0) place(start.evidence_key, kEvidenceKeyDescriptor);
  for (std::size_t i = 0; i < start.bundles.size(); ++i) {
    place(start.bundles[i], kFirstBundleDescriptor + static_cast<int>(i));
  }

  const pid_t process = ::fork();
  if (process < 0) return io_error(std::string("cannot start ") + kName, errno);
  if (process == 0) child.run();
  child_notes.reset();
  Result<ChildNote> note = read_notes(notes.get());
  if (!note.ok()) {
    (void)describe_end(process);
    return std::move(note).take_error();
  }
  return StartedProgram{process, note->own_network};
}

std::string describe_end(pid_t process) {
  // It ends by itself when its channel closes; somebody who stops it gets no say.
  int status = 0;
  pid_t ended = 0;
  for (int i = 0; i < 200 && ended == 0; ++i) {
    ended = ::waitpid(process, &status, WNOHANG);
    if (ended == 0) std::this_thread::sleep_for(std::chrono::milliseconds(i < 20 ? 1 : 10));
  }
  if (ended == 0) {
    (void)::kill(process, SIGKILL);
    ended = uninterrupted([&] { return ::waitpid(process, &status, 0); });
  }
  if (ended < 0) return "gone";
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace sealpack::tee
