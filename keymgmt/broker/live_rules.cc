// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/live_rules.h"

namespace sealpack::broker {
namespace {

Status check_follows(const State& state, const State& before) {
  const auto refuse = [](std::string how) {
    return Error(ErrorCode::kIo, "the store " + std::move(how))
        .with_hint("start the broker again, after `sealpack broker restore` and reconcile");
  };
  if (state.epoch_id != before.epoch_id) {
    return refuse("is another: it was restored or replaced since this broker started");
  }
  if (state.generation >= before.generation) return done();
  return refuse("went back in time, from change " + std::to_string(before.generation) + " to " +
                std::to_string(state.generation));
}

}  // namespace

std::shared_ptr<const Rules> LiveRules::get() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

Status LiveRules::refresh() {
  const std::lock_guard refreshing(refresh_mutex_);
  const bool first = get() == nullptr;
  Status fresh = read();
  const std::string trouble = fresh.ok() ? "" : fresh.error().message();
  if (!fresh.ok() && !first && trouble != trouble_ && options_.report) {
    options_.report(fresh.error());
  }
  trouble_ = trouble;
  return fresh;
}

Status LiveRules::read() {
  const StateVersion version = TRY(store_->version());
  const auto current = get();
  if (current && current->state().version() == version) return done();
  auto state = TRY(store_->state());
  if (current) TRY(check_follows(*state, current->state()));
  auto fresh = TRY(Rules::create(std::move(state), options_));
  const std::lock_guard lock(mutex_);
  rules_ = std::move(fresh);
  return done();
}

}  // namespace sealpack::broker
