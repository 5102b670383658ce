// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/server/admission.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "keymgmt/crypto/random.h"

namespace sealpack::broker {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t kNetworkSize = 8;  // bytes of an IPv6 address that name a network

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

RateLimiter::RateLimiter(std::uint32_t per_second, std::uint32_t burst, std::size_t capacity)
    : per_second_(per_second),
      burst_(burst),
      ways_(std::clamp<std::size_t>(capacity, 1, kWays)),
      buckets_(std::max<std::size_t>(capacity / ways_, 1) * ways_) {
  crypto::random_bytes({reinterpret_cast<std::uint8_t*>(secret_.data()), sizeof secret_});
  shared_.tokens = burst_;
  // Full, as whoever was never here finds his.
  for (Bucket& bucket : buckets_) bucket.tokens = burst_;
}

double RateLimiter::tokens_at(const Bucket& bucket, Instant now) const {
  const std::chrono::duration<double> passed = now - bucket.filled;
  return std::min(burst_, bucket.tokens + std::max(0.0, passed.count()) * per_second_);
}

std::uint32_t RateLimiter::take_from(Bucket& bucket, Instant now) const {
  bucket.tokens = tokens_at(bucket, now);
  bucket.filled = now;
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return 0;
  }
  constexpr double kLongest = 3600;
  const double wait = per_second_ > 0 ? (1 - bucket.tokens) / per_second_ : kLongest;
  return static_cast<std::uint32_t>(std::clamp(std::ceil(wait), 1.0, kLongest));
}

// Multiply-shift over the four words of the address, which is strongly universal: without the
// secret nobody finds addresses that crowd out another (Thorup, High Speed Hashing, section 3.5).
std::span<RateLimiter::Bucket> RateLimiter::places_of(const ClientAddress& address) {
  std::array<std::uint32_t, 4> words{};
  static_assert(sizeof words == sizeof address.bytes());
  std::memcpy(words.data(), address.bytes().data(), sizeof words);
  std::uint64_t sum = secret_[4];
  for (std::size_t i = 0; i < words.size(); ++i) sum += secret_[i] * words[i];
  return std::span(buckets_).subspan((sum >> 32U) % (buckets_.size() / ways_) * ways_, ways_);
}

// A bucket that is full again says no more than one that is not there.
RateLimiter::Bucket& RateLimiter::find(const ClientAddress& address, Instant now) {
  Bucket* free = nullptr;
  for (Bucket& bucket : places_of(address)) {
    if (bucket.address == address) return bucket;
    if (free == nullptr && tokens_at(bucket, now) >= burst_) free = &bucket;
  }
  if (free == nullptr) return shared_;
  *free = {address, burst_, now};
  return *free;
}

std::uint32_t RateLimiter::take(const ClientAddress& address, Instant now) {
  const std::lock_guard lock(mutex_);
  return take_from(find(address, now), now);
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
