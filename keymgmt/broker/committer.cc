// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/committer.h"

#include <algorithm>

namespace sealpack::broker {
namespace {

constexpr std::size_t kMaxBatch = 512;
constexpr std::uint64_t kForgetEvery = 60;  // seconds
// How long a nonce is remembered after its challenge ended: clocks of replicas differ by less.
constexpr std::uint64_t kForgetAfter = 15 * 60;

}  // namespace

void Committer::start() {
  thread_ = std::thread([this] { run(); });
}

void Committer::add(Pending pending) {
  const std::lock_guard lock(mutex_);
  pending_.push_back(std::move(pending));
  changed_.notify_one();
}

void Committer::stop() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

// Waits for what there is to commit; false at the end.
bool Committer::take_batch(std::vector<Pending>& batch) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ends_ || !pending_.empty(); });
  if (pending_.size() <= kMaxBatch) {
    batch.swap(pending_);
  } else {
    const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(kMaxBatch);
    batch.assign(std::make_move_iterator(pending_.begin()), std::make_move_iterator(end));
    pending_.erase(pending_.begin(), end);
  }
  return !batch.empty();
}

void Committer::run() {
  for (std::vector<Pending> batch; take_batch(batch); batch.clear()) {
    // The clock may have jumped since; the time of a decision is one that was believed.
    const std::uint64_t now = batch.back().decided.decision.entry.time;
    commit(std::move(batch));
    forget(now);
  }
}

void Committer::commit(std::vector<Pending> batch) {
  // All of one state, the newest: what was decided under an older one is decided again.
  const StateVersion version =
      std::max_element(batch.begin(), batch.end(), [](const Pending& a, const Pending& b) {
        return a.version.generation < b.version.generation;
      })->version;
  const auto old = std::stable_partition(batch.begin(), batch.end(),
                                         [&](const Pending& p) { return p.version == version; });
  if (old != batch.end()) {
    handlers_.decide_again({std::make_move_iterator(old), std::make_move_iterator(batch.end())});
    batch.erase(old, batch.end());
  }
  std::vector<Decision> decisions;
  decisions.reserve(batch.size());
  for (const Pending& pending : batch) decisions.push_back(pending.decided.decision);
  const auto committed = store_->commit(version, decisions);
  if (!committed.ok()) return handlers_.fail(std::move(batch), committed.error());
  if (committed->stale) {
    const Status fresh = handlers_.refresh();
    if (!fresh.ok()) return handlers_.fail(std::move(batch), fresh.error());
    return handlers_.decide_again(std::move(batch));
  }
  ++transactions_;
  for (std::size_t i = 0; i < batch.size(); ++i) handlers_.settle(batch[i], committed->outcomes[i]);
}

// A piece at a time, between what is decided meanwhile.
void Committer::forget(std::uint64_t now) {
  if (!more_to_forget_ && now < forgot_at_ + kForgetEvery) return;
  forgot_at_ = now;
  if (now <= kForgetAfter) return;
  const auto more = store_->forget(now - kForgetAfter);
  more_to_forget_ = more.ok() && *more;
}

}  // namespace sealpack::broker
