// SPDX-License-Identifier: Apache-2.0
#include "formats/cli/interruption.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

#include "formats/base/error.h"

namespace sealpack::cli {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

std::atomic<int> came{0};
static_assert(std::atomic<int>::is_always_lock_free);  // as a signal handler needs it

std::array<struct sigaction, kSignals.size()> before;

void note_signal(int number) {
  came = number;
}

void end_by(int number) {
  (void)std::signal(number, SIG_DFL);
  (void)std::raise(number);
}

}  // namespace

Interruption::Interruption() {
  struct sigaction action = {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    (void)::sigaction(kSignals[i], nullptr, &before[i]);
    if (before[i].sa_handler != SIG_IGN) (void)::sigaction(kSignals[i], &action, nullptr);
  }
}

Interruption::~Interruption() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    (void)::sigaction(kSignals[i], &before[i], nullptr);
  }
}

Status Interruption::check() {
  const int number = came;
  if (number == 0) return done();
  return Error(ErrorCode::kIo, "interrupted by signal " + std::to_string(number) +
                                   "; what was half done is removed");
}

void end_if_interrupted() {
  const int number = came;
  if (number != 0) end_by(number);
}

void end_if_nobody_reads() {
  pollfd output = {STDOUT_FILENO, POLLOUT, 0};
  if (::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0) end_by(SIGPIPE);
}

}  // namespace sealpack::cli
