// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/server/admission.h"

#include <algorithm>
#include <cmath>

namespace sealpack::broker {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t kNetworkSize = 8;  // bytes of an IPv6 address that name a network
constexpr auto kSweepEvery = std::chrono::seconds(1);

}  // namespace

ClientAddress ClientAddress::of_ipv4(const std::array<std::uint8_t, 4>& bytes) {
  ClientAddress out;
  std::copy(kMapped.begin(), kMapped.end(), out.bytes_.begin());
  std::copy(bytes.begin(), bytes.end(), out.bytes_.begin() + kMapped.size());
  return out;
}

ClientAddress ClientAddress::of_ipv6(const std::array<std::uint8_t, 16>& bytes) {
  ClientAddress out;
  const bool mapped = std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
  std::copy_n(bytes.begin(), mapped ? bytes.size() : kNetworkSize, out.bytes_.begin());
  return out;
}

std::size_t HashOfAddress::operator()(const ClientAddress& address) const {
  return std::hash<std::string_view>()(as_text(address.bytes()));
}

RateLimiter::RateLimiter(std::uint32_t per_second, std::uint32_t burst, std::size_t capacity)
    : per_second_(per_second), burst_(burst), capacity_(capacity) {
  shared_.tokens = burst_;
}

std::uint32_t RateLimiter::take_from(Bucket& bucket, Instant now) const {
  const std::chrono::duration<double> passed = now - bucket.filled;
  bucket.tokens = std::min(burst_, bucket.tokens + std::max(0.0, passed.count()) * per_second_);
  bucket.filled = now;
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return 0;
  }
  constexpr double kLongest = 3600;
  const double wait = per_second_ > 0 ? (1 - bucket.tokens) / per_second_ : kLongest;
  return static_cast<std::uint32_t>(std::clamp(std::ceil(wait), 1.0, kLongest));
}

// A bucket that is full again says no more than one that is not there.
void RateLimiter::drop_full(Instant now) {
  if (now - swept_ < kSweepEvery) return;
  swept_ = now;
  std::erase_if(buckets_, [&](const auto& entry) {
    const std::chrono::duration<double> passed = now - entry.second.filled;
    return entry.second.tokens + passed.count() * per_second_ >= burst_;
  });
}

RateLimiter::Bucket* RateLimiter::find(const ClientAddress& address, Instant now) {
  const auto found = buckets_.find(address);
  if (found != buckets_.end()) return &found->second;
  if (buckets_.size() >= capacity_) drop_full(now);
  if (buckets_.size() >= capacity_) return &shared_;
  return &buckets_.emplace(address, Bucket{burst_, now}).first->second;
}

std::uint32_t RateLimiter::take(const ClientAddress& address, Instant now) {
  const std::lock_guard lock(mutex_);
  return take_from(*find(address, now), now);
}

struct Quota::State {
  State(std::uint64_t in_all, std::uint64_t for_each) : total(in_all), per_address(for_each) {}
  std::uint64_t total;
  std::uint64_t per_address;
  mutable std::mutex mutex;
  std::uint64_t used = 0;
  std::map<ClientAddress, std::uint64_t> by_address;
};

Quota::Quota(std::uint64_t total, std::uint64_t per_address)
    : state_(std::make_shared<State>(total, per_address)) {}

Share Quota::take(const ClientAddress& address, std::uint64_t amount) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->by_address.find(address);
  const std::uint64_t theirs = found == state_->by_address.end() ? 0 : found->second;
  if (amount > state_->total - state_->used || amount > state_->per_address - theirs) return {};
  state_->used += amount;
  state_->by_address[address] = theirs + amount;
  const auto give_back = [state = state_, address, amount](void*) {
    const std::lock_guard inner(state->mutex);
    state->used -= amount;
    const auto entry = state->by_address.find(address);
    entry->second -= amount;
    if (entry->second == 0) state->by_address.erase(entry);
  };
  return Share(std::shared_ptr<void>(state_.get(), give_back));
}

std::uint64_t Quota::used() const {
  const std::lock_guard lock(state_->mutex);
  return state_->used;
}

}  // namespace sealpack::broker
