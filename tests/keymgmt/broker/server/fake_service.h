// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "keymgmt/broker/service.h"

namespace sealpack::broker::testing {

// Answers what it is told to, at once or when it is let.
class FakeService final : public Service {
 public:
  Answer challenge(Bytes request, Transport) override {
    const std::lock_guard lock(mutex_);
    challenges.emplace_back(request.begin(), request.end());
    return challenge_answer;
  }
  void release(ByteVector request, Transport, std::function<void(Answer)> done) override {
    {
      const std::lock_guard lock(mutex_);
      releases.push_back(std::move(request));
      if (held_) {
        waiting_.push_back(std::move(done));
        arrived_.notify_all();
        return;
      }
    }
    done(release_answer);
  }
  void set_endorsements(attest::Endorsements) override {}
  ServiceStatistics statistics() const override { return {}; }
  std::optional<Reason> why_unwell() override { return unwell; }
  void stop() override {}

  // From now on releases wait for let_go().
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void await(std::size_t count) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return waiting_.size() >= count; });
  }
  std::size_t held() {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  void let_go() {
    std::deque<std::function<void(Answer)>> all;
    {
      const std::lock_guard lock(mutex_);
      held_ = false;
      all.swap(waiting_);
    }
    for (const auto& done : all) done(release_answer);
  }

  Answer challenge_answer{Answer::Kind::kChallenge, ErrorCode::kRefused, {1, 2, 3}};
  Answer release_answer{Answer::Kind::kGrant, ErrorCode::kRefused, {4, 5, 6}};
  std::optional<Reason> unwell;
  std::vector<ByteVector> challenges;
  std::vector<ByteVector> releases;

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  bool held_ = false;
  std::deque<std::function<void(Answer)>> waiting_;
};

inline Answer refusal(ErrorCode code, std::vector<Reason> reasons, std::uint64_t index = 0) {
  Refusal refusal;
  refusal.code = code;
  refusal.reasons = std::move(reasons);
  refusal.log_index = index;
  return {Answer::Kind::kRefusal, code, serialize(refusal)};
}

}  // namespace sealpack::broker::testing
