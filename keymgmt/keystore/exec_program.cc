// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "formats/files/file_source.h"
#include "keymgmt/keystore/exec_key.h"

namespace sealpack::keystore {

namespace {

using Clock = std::chrono::steady_clock;

// posix_spawn's two parameter objects.
class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  // 0 or an errno.
  int prepare(int input, int output) {
    sigset_t all;
    sigset_t none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    const short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    int error = ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (error == 0) error = ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (error == 0) error = ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    if (error == 0) error = ::posix_spawnattr_setflags(&attributes, flags);
    if (error == 0) error = ::posix_spawnattr_setpgroup(&attributes, 0);
    if (error == 0) error = ::posix_spawnattr_setsigdefault(&attributes, &all);
    if (error == 0) error = ::posix_spawnattr_setsigmask(&attributes, &none);
    return error;
  }

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

// A started program. Destruction kills it, with what it started, and reaps it.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Exit status in the form of waitpid, nullopt at the deadline. What the program left running in
  // its group ends with it; the group is killed before the number of its leader is free again.
  std::optional<int> wait_until(Clock::time_point deadline) {
    for (;;) {
      siginfo_t ended{};
      const int answer =
          ::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT);
      if (answer == 0 && ended.si_pid == pid_) {
        ::kill(-pid_, SIGKILL);
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        return status;
      }
      if (Clock::now() >= deadline) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

 private:
  pid_t pid_;
};

Error timed_out(const ExecProgram& program) {
  return Error(ErrorCode::kTryAgain,
               "no answer within " + std::to_string(program.timeout.count()) + " ms");
}

// The input as a file: unlike a pipe it cannot block us or raise SIGPIPE.
Result<FileDescriptor> input_file(Bytes input) {
  FileDescriptor file(::memfd_create("sealpack-exec-input", MFD_CLOEXEC));
  if (file.get() < 0) return io_error("cannot make its input", errno);
  while (!input.empty()) {
    const ssize_t written = ::write(file.get(), input.data(), input.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return io_error("cannot make its input", errno);
    input = input.subspan(static_cast<std::size_t>(written));
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return io_error("cannot make its input", errno);
  return file;
}

Result<pid_t> start(const ExecProgram& program, const std::string& verb, int input, int output) {
  SpawnSettings settings;
  int error = settings.prepare(input, output);
  std::string path = program.path;
  std::string argument = verb;
  const char* search = std::getenv("PATH");
  const char* home = std::getenv("HOME");
  std::string path_entry = std::string("PATH=") + (search == nullptr ? "/usr/bin:/bin" : search);
  std::string home_entry = std::string("HOME=") + (home == nullptr ? "/" : home);
  std::array<char*, 3> arguments{path.data(), argument.data(), nullptr};
  std::array<char*, 3> environment{path_entry.data(), home_entry.data(), nullptr};
  pid_t pid = -1;
  if (error == 0) {
    error = ::posix_spawn(&pid, path.c_str(), &settings.actions, &settings.attributes,
                          arguments.data(), environment.data());
  }
  if (error != 0) return io_error("cannot start it", error);
  return pid;
}

// Everything written to the pipe until it is closed; one byte more than `limit` fits, to notice it.
Result<std::size_t> read_answer(int fd, const ExecProgram& program, Clock::time_point deadline,
                                crypto::SecretBytes& answer) {
  std::size_t filled = 0;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    struct pollfd entry {
      fd, POLLIN, 0
    };
    const int ready = left.count() <= 0 ? 0 : ::poll(&entry, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return io_error("cannot read its answer", errno);
    if (ready == 0) return timed_out(program);
    const MutableBytes rest = answer.reveal_for_writing().subspan(filled);
    const ssize_t got = ::read(fd, rest.data(), rest.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("cannot read its answer", errno);
    if (got == 0) return filled;
    filled += static_cast<std::size_t>(got);
    if (filled == answer.size()) {
      return Error(ErrorCode::kLimit,
                   "answers more than " + std::to_string(answer.size() - 1) + " bytes");
    }
  }
}

Status check_exit(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return done();
  if (WIFSIGNALED(status)) {
    return Error(ErrorCode::kIo, "ended by signal " + std::to_string(WTERMSIG(status)));
  }
  return Error(ErrorCode::kIo, "ended with status " + std::to_string(WEXITSTATUS(status)));
}

Result<crypto::SecretBytes> run(const ExecProgram& program, const std::string& verb, Bytes input,
                                std::size_t limit) {
  const FileDescriptor input_end = TRY(input_file(input));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return io_error("cannot make a pipe", errno);
  const FileDescriptor read_end(ends[0]);
  FileDescriptor write_end(ends[1]);
  const auto deadline = Clock::now() + program.timeout;
  Child child(TRY(start(program, verb, input_end.get(), write_end.get())));
  write_end.reset();
  crypto::SecretBytes answer(limit + 1);
  const std::size_t size = TRY(read_answer(read_end.get(), program, deadline, answer));
  const std::optional<int> status = child.wait_until(deadline);
  if (!status) return timed_out(program);
  TRY(check_exit(*status));
  return crypto::SecretBytes::copy_of(answer.reveal().first(size));
}

}  // namespace

Result<crypto::SecretBytes> run_exec_program(const ExecProgram& program, const std::string& verb,
                                             Bytes input, std::size_t limit) {
  if (program.path.find('/') == std::string::npos) {
    return Error(ErrorCode::kUsage,
                 "exec: takes the path of a program, not " + printable(program.path))
        .with_hint("write exec:./NAME or the full path");
  }
  return run(program, verb, input, limit)
      .within("program " + printable(program.path) + " asked to " + verb);
}

}  // namespace sealpack::keystore
