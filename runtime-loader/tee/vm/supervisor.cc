// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/vm/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "formats/files/file_source.h"

namespace sealpack::tee {
namespace {

// All but those that stop a process and let it go on: others end it, one says that ours ended.
sigset_t watched_signals() {
  sigset_t set;
  ::sigfillset(&set);
  for (const int number : {SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU}) ::sigdelset(&set, number);
  return set;
}

// Whoever started this process may have chosen not to hear of children, and then nobody does.
void hear_of_children() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  (void)::sigaction(SIGCHLD, &action, nullptr);
}

// The status of the child when it ended; signals that come meanwhile are for it. Nothing is known
// of a child that somebody else waited for.
std::optional<int> wait_for(pid_t child, const sigset_t& watched) {
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    if (ended < 0 && errno != EINTR) return std::nullopt;
    const int number = ::sigwaitinfo(&watched, nullptr);
    if (number > 0 && number != SIGCHLD) (void)::kill(child, number);
  }
}

bool says_settled(int line) {
  char byte = 0;
  for (;;) {
    const ssize_t got = ::read(line, &byte, 1);
    if (got >= 0 || errno != EINTR) return got == 1;
  }
}

[[noreturn]] void end_as(std::optional<int> known) {
  constexpr int kByUnknown = 255;
  if (!known) ::_exit(kByUnknown);
  const int status = *known;
  if (WIFSIGNALED(status)) {
    const rlimit no_core{0, 0};
    (void)::setrlimit(RLIMIT_CORE, &no_core);
    (void)::signal(WTERMSIG(status), SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
    (void)::raise(WTERMSIG(status));
  }
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : kByUnknown);
}

void report(const Error& error) {
  const std::string text = "sealpack: what was to be done at the end failed: " + error.message() +
                           ": stop this machine\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

Result<Supervisor> Supervisor::begin(const std::function<Status()>& otherwise) {
  int line[2];
  if (::pipe2(line, O_CLOEXEC) != 0) return io_error("cannot make a pipe", errno);
  const sigset_t watched = watched_signals();
  hear_of_children();
  sigset_t before;
  (void)::sigprocmask(SIG_BLOCK, &watched, &before);
  const pid_t child = ::fork();
  if (child < 0) {
    const int number = errno;
    (void)::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::close(line[0]);
    ::close(line[1]);
    return io_error("cannot start a process", number);
  }
  if (child == 0) {
    (void)::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::close(line[0]);
    return Supervisor(line[1]);
  }
  ::close(line[1]);
  const std::optional<int> status = wait_for(child, watched);
  if (!says_settled(line[0])) {
    const Status did = otherwise();
    if (!did.ok()) report(did.error());
  }
  end_as(status);
}

void Supervisor::settled() {
  if (line_ < 0) return;
  constexpr char kSettled = 1;
  (void)!::write(line_, &kSettled, 1);
  ::close(std::exchange(line_, -1));
}

Supervisor::Supervisor(Supervisor&& other) noexcept : line_(std::exchange(other.line_, -1)) {}

Supervisor::~Supervisor() {
  if (line_ >= 0) ::close(line_);
}

}  // namespace sealpack::tee
