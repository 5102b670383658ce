// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to the server.

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "keymgmt/broker/server/api.h"
#include "keymgmt/broker/server/limits.h"
#include "keymgmt/broker/server/tls.h"

namespace sealpack::broker::internal {

// What a connection answers with; called in its strand.
using Handler = std::function<void(HttpRequest, const HttpClient& from, Api::Done)>;

// What all connections share. `addresses`: how many have a rate of their own.
struct Shared {
  Shared(const ServerLimits& its_limits, Metrics& its_metrics, std::size_t addresses)
      : limits(its_limits),
        metrics(its_metrics),
        connections(limits.connections, limits.connections_per_address),
        bodies(limits.body_memory, limits.body_memory / 8),
        handshakes(limits.handshakes_per_second, limits.handshake_burst, addresses),
        requests(limits.requests_per_second, limits.request_burst, addresses) {}

  ServerLimits limits;
  Metrics& metrics;
  Quota connections;
  Quota bodies;
  RateLimiter handshakes;
  RateLimiter requests;
  std::atomic<bool> stopping{false};
};

// One client, from its handshake to its end.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual void start() = 0;
  // The server stops: ends at once where nothing is under way, else after the answer.
  virtual void finish() = 0;
  // Ends at once.
  virtual void abort() = 0;
};

struct Peer {
  HttpClient client;
  Share place;  // among the connections
};
Peer peer_of(const boost::asio::ip::tcp::endpoint& endpoint);

std::shared_ptr<Connection> make_tls_connection(boost::asio::ip::tcp::socket socket, Peer peer,
                                                std::shared_ptr<TlsContext> tls,
                                                std::shared_ptr<Shared> shared, Handler handler);
std::shared_ptr<Connection> make_plain_connection(boost::asio::ip::tcp::socket socket, Peer peer,
                                                  std::shared_ptr<Shared> shared, Handler handler);

}  // namespace sealpack::broker::internal
