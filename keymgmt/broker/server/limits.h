// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace sealpack::broker {

// What the server gives to whom, all of it decided before anything is verified or decrypted. Rates
// are for one address: an IPv4 address, or a /64 of IPv6.
struct ServerLimits {
  std::uint32_t connections = 4096;  // at once
  std::uint32_t connections_per_address = 256;
  std::uint32_t handshakes_per_second = 50;
  std::uint32_t handshake_burst = 200;
  std::uint32_t requests_per_second = 100;
  std::uint32_t request_burst = 400;
  std::uint32_t in_flight = 256;  // releases that are being verified
  std::uint32_t in_flight_per_address = 64;
  std::uint64_t body_memory = std::uint64_t{256} << 20U;  // of bodies that are being received
  // Deadlines for the whole of each step; bytes that drip in do not move them.
  std::chrono::milliseconds handshake_time{5000};
  std::chrono::milliseconds request_time{10000};  // from a request's first byte to its last
  std::chrono::milliseconds answer_time{10000};   // for the client to take the answer
  std::chrono::milliseconds idle_time{60000};     // between requests of a connection
  std::chrono::milliseconds shutdown_time{15000};
};

// Of a request's head.
inline constexpr std::uint32_t kMaxHeadSize = 8U << 10U;

}  // namespace sealpack::broker
