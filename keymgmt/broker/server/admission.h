// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

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

// A token bucket for each address, in memory that is all taken when it is made. An address has few
// places where its bucket may lie, which nobody outside can tell; when all of them are in use,
// addresses that have none share one bucket, so that a flood of new addresses costs the newcomers
// alone.
class RateLimiter {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kAddresses = 65536;
  RateLimiter(std::uint32_t per_second, std::uint32_t burst, std::size_t capacity = kAddresses);

  // Takes a token and gives 0, or the seconds until there may be one.
  std::uint32_t take(const ClientAddress& address, Instant now);

 private:
  static constexpr std::size_t kWays = 8;
  struct Bucket {
    ClientAddress address;
    double tokens = 0;
    Instant filled;
  };
  double tokens_at(const Bucket& bucket, Instant now) const;
  std::uint32_t take_from(Bucket& bucket, Instant now) const;
  std::span<Bucket> places_of(const ClientAddress& address);
  Bucket& find(const ClientAddress& address, Instant now);

  double per_second_;
  double burst_;
  std::size_t ways_;
  std::array<std::uint64_t, 5> secret_;  // where addresses lie
  std::mutex mutex_;
  std::vector<Bucket> buckets_;
  Bucket shared_;
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
