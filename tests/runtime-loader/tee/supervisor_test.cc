// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/vm/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace sealpack::tee {
namespace {

constexpr char kDone = 'd';

struct Outcome {
  int status = 0;
  bool done = false;  // what was to be done otherwise
};

// As a shell starts programs: whoever started this one may have chosen to ignore signals.
void hear_all_signals() {
  for (int number = 1; number <= SIGRTMAX; ++number) (void)::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// A process that begins to be supervised, and then does `work`.
Outcome supervise(
    const std::function<void(Supervisor&)>& work, bool fails = false,
    const std::function<void()>& before = [] {}) {
  int told[2];
  EXPECT_EQ(::pipe(told), 0);
  const pid_t process = ::fork();
  if (process == 0) {
    const rlimit no_core{0, 0};
    (void)::setrlimit(RLIMIT_CORE, &no_core);
    hear_all_signals();
    before();
    auto supervisor = Supervisor::begin([&]() -> Status {
      (void)!::write(told[1], &kDone, 1);
      return fails ? Status(Error(ErrorCode::kIo, "it does not answer")) : done();
    });
    if (!supervisor.ok()) ::_exit(99);
    work(*supervisor);
    ::_exit(0);
  }
  ::close(told[1]);
  Outcome out;
  EXPECT_EQ(::waitpid(process, &out.status, 0), process);
  char byte = 0;
  out.done = ::read(told[0], &byte, 1) == 1 && byte == kDone;
  ::close(told[0]);
  return out;
}

TEST(Supervisor, LeavesAProcessThatSettledAlone) {
  const Outcome out = supervise([](Supervisor& supervisor) {
    supervisor.settled();
    ::_exit(7);
  });
  EXPECT_EQ(WEXITSTATUS(out.status), 7);
  EXPECT_FALSE(out.done);
}

TEST(Supervisor, ActsForAProcessThatEndsOtherwise) {
  const Outcome out = supervise([](Supervisor&) { ::_exit(13); });
  EXPECT_TRUE(WIFEXITED(out.status));
  EXPECT_EQ(WEXITSTATUS(out.status), 13);
  EXPECT_TRUE(out.done);
  EXPECT_TRUE(supervise([](Supervisor&) {}).done) << "success without a word is no success";
}

TEST(Supervisor, ActsAfterACrashAndEndsLikeIt) {
  for (const int number : {SIGSEGV, SIGABRT, SIGKILL}) {
    const Outcome out = supervise([number](Supervisor&) { (void)::raise(number); });
    EXPECT_TRUE(WIFSIGNALED(out.status)) << number;
    EXPECT_EQ(WTERMSIG(out.status), number);
    EXPECT_TRUE(out.done) << number;
  }
}

TEST(Supervisor, PassesSignalsOn) {
  const Outcome out = supervise([](Supervisor&) {
    (void)::kill(::getppid(), SIGTERM);
    ::pause();
  });
  EXPECT_TRUE(WIFSIGNALED(out.status));
  EXPECT_EQ(WTERMSIG(out.status), SIGTERM);
  EXPECT_TRUE(out.done);
}

TEST(Supervisor, ActsForAStarterThatWantsToHearOfNoChild) {
  const auto deaf = [] { (void)::signal(SIGCHLD, SIG_IGN); };
  const Outcome out = supervise([](Supervisor&) { ::_exit(13); }, false, deaf);
  EXPECT_EQ(WEXITSTATUS(out.status), 13);
  EXPECT_TRUE(out.done);
}

TEST(Supervisor, OutlivesEverySignalThatCanBeOutlived) {
  for (const int number : {SIGUSR1, SIGALRM, SIGPIPE, SIGVTALRM, SIGXCPU, SIGRTMIN}) {
    const Outcome out = supervise([number](Supervisor&) {
      (void)::kill(::getppid(), number);
      ::pause();
    });
    EXPECT_TRUE(out.done) << number;
    EXPECT_EQ(WTERMSIG(out.status), number);
  }
}

TEST(Supervisor, SaysWhenItCannotAct) {
  ::testing::internal::CaptureStderr();
  const Outcome out = supervise([](Supervisor&) { ::_exit(1); }, true);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("stop this machine"), std::string::npos);
  EXPECT_EQ(WEXITSTATUS(out.status), 1);
}

}  // namespace
}  // namespace sealpack::tee
