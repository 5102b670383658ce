// SPDX-License-Identifier: Apache-2.0
#include "tests/keymgmt/broker/replica.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/keymgmt/broker/replica_frame.h"

namespace sealpack::broker::testing {

void Replica::start() {
  ::signal(SIGPIPE, SIG_IGN);
  int to[2];
  int from[2];
  ASSERT_EQ(::pipe2(to, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(from, O_CLOEXEC), 0);
  process_ = ::fork();
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(to[0], STDIN_FILENO);
    ::dup2(from[1], STDOUT_FILENO);
    ::execl(BROKER_REPLICA, BROKER_REPLICA, uri_.c_str(), keys_.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(to[0]);
  ::close(from[1]);
  from_ = from[0];
  ASSERT_TRUE(read_frame(from_)) << "the broker did not start";
  const std::lock_guard lock(mutex_);
  to_ = to[1];
  reader_ = std::thread([this] { receive(); });
}

void Replica::kill() {
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
  if (reader_.joinable()) reader_.join();
  ::close(from_);
}

Replica::Reply Replica::ask(std::uint8_t kind, Bytes body) {
  std::future<Reply> reply;
  {
    const std::lock_guard lock(mutex_);
    if (to_ < 0) return std::nullopt;
    reply = waiting_[++number_].get_future();
    if (!write_frame(to_, {number_, kind, to_vector(body)})) waiting_.erase(number_);
  }
  try {
    return reply.get();
  } catch (const std::future_error&) {
    return std::nullopt;
  }
}

// Until the process is gone; then nobody waits any longer.
void Replica::receive() {
  while (const auto frame = read_frame(from_)) {
    const std::lock_guard lock(mutex_);
    const auto at = waiting_.find(frame->number);
    if (at == waiting_.end()) continue;
    at->second.set_value(
        Answer{static_cast<Answer::Kind>(frame->kind), ErrorCode::kRefused, frame->body});
    waiting_.erase(at);
  }
  const std::lock_guard lock(mutex_);
  waiting_.clear();
  ::close(to_);
  to_ = -1;
}

}  // namespace sealpack::broker::testing
