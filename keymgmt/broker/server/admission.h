// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "formats/base/bytes.h"

// Who gets how much, by address. No network in here; for several threads.
namespace sealpack::broker {

// What counts as one client: an IPv4 address (in its IPv6 form), or the first 64 bits of an IPv6
// address, which one client has to itself.
class ClientAddress {
 public:
  static ClientAddress of_ipv4(const std::array<std::uint8_t, 4>& bytes);
  // An IPv4 address in IPv6 form is that IPv4 address.
  static ClientAddress of_ipv6(const std::array<std::uint8_t, 16>& bytes);
  auto operator<=>(const ClientAddress&) const = default;
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

struct HashOfAddress {
  std::size_t operator()(const ClientAddress& address) const;
};

// A token bucket for each address. The number of buckets is bounded: when all are in use, addresses
// that have none share one, so that a flood of new addresses costs the newcomers alone.
class RateLimiter {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  RateLimiter(std::uint32_t per_second, std::uint32_t burst, std::size_t capacity = 65536);

  // Takes a token and gives 0, or the seconds until there may be one.
  std::uint32_t take(const ClientAddress& address, Instant now);

 private:
  struct Bucket {
    double tokens = 0;
    Instant filled;
  };
  std::uint32_t take_from(Bucket& bucket, Instant now) const;
  Bucket* find(const ClientAddress& address, Instant now);
  void drop_full(Instant now);

  double per_second_;
  double burst_;
  std::size_t capacity_;
  std::mutex mutex_;
  std::unordered_map<ClientAddress, Bucket, HashOfAddress> buckets_;
  Bucket shared_;
  Instant swept_;
};

// Something held for as long as this lives: a connection, memory, a place among those in flight.
class Share {
 public:
  Share() = default;
  explicit Share(std::shared_ptr<void> held) : held_(std::move(held)) {}
  explicit operator bool() const { return held_ != nullptr; }
  void reset() { held_.reset(); }

 private:
  std::shared_ptr<void> held_;
};

// Counts what is in use, in all and for each address.
class Quota {
 public:
  Quota(std::uint64_t total, std::uint64_t per_address);
  // Empty where it would be too much.
  Share take(const ClientAddress& address, std::uint64_t amount = 1);
  std::uint64_t used() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shares may outlive the quota
};

}  // namespace sealpack::broker
