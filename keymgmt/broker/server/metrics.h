// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace sealpack::broker {

// Why somebody was turned away before anything was verified.
enum class TurnedAway { kConnections, kHandshakeRate, kRequestRate, kInFlight, kMemory, kDeadline };

// What the server counts, for Prometheus. For several threads.
class Metrics {
 public:
  // `route` is one of the server's own names, so that their number is bounded.
  void count_answer(const std::string& route, unsigned status, std::chrono::nanoseconds took);
  void count_turned_away(TurnedAway why);
  void count_connection();
  void count_reload(bool worked);
  // Text exposition format 0.0.4. Gauges are the caller's, by name; "…_total" is a counter.
  std::string text(const std::map<std::string, double>& gauges) const;

 private:
  static constexpr std::array<double, 12> kBounds = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02,
                                                     0.05,   0.1,   0.2,   0.5,   1,    5};
  struct Histogram {
    std::array<std::uint64_t, kBounds.size()> buckets{};
    std::uint64_t count = 0;
    double sum = 0;  // seconds
  };
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, unsigned>, std::uint64_t> answers_;
  std::map<std::string, Histogram> durations_;
  std::map<TurnedAway, std::uint64_t> turned_away_;
  std::uint64_t connections_ = 0;
  std::map<bool, std::uint64_t> reloads_;
};

// Bytes of memory that this process has resident; 0 where it cannot be told.
std::uint64_t resident_memory();

}  // namespace sealpack::broker
