// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "keymgmt/broker/server/api.h"
#include "keymgmt/broker/server/limits.h"

// The broker on the network: HTTP/1.1 over TLS 1.3, event-driven, in a few threads.
namespace sealpack::broker {

struct ServerOptions {
  std::string listen = "127.0.0.1:8443";  // ADDRESS:PORT, [IPv6]:PORT; port 0: any that is free
  // Plain HTTP for /metrics, /healthz and /v1/log, for the operator's own network; empty: none.
  std::string admin = "127.0.0.1:8444";
  bool public_log = false;  // /v1/log at `listen` too: it names devices, and says who got what
  std::filesystem::path certificate;
  std::filesystem::path key;
  unsigned threads = 2;
  ServerLimits limits;
  // More for SIGHUP to read again, besides the certificate: endorsements.
  std::function<Status()> reload;
  std::function<std::map<std::string, double>()> gauges;  // for /metrics, by name
};

// What it tells besides the service's answers.
struct ServerContent {
  LogQueries log;
  std::function<Result<std::string>()> keys;  // JSON
};

// ADDRESS:PORT, [IPv6]:PORT; a name is none. kUsage, `what` names it.
Status check_listen_address(const std::string& text, const std::string& what);

class Server {
 public:
  // Listens already. kUsage for an address; kIo.
  static Result<std::unique_ptr<Server>> create(ServerOptions options, Service& service,
                                                ServerContent content, EventLog& events);
  virtual ~Server() = default;

  // The ports that it listens on; admin is 0 where there is none.
  virtual std::uint16_t port() const = 0;
  virtual std::uint16_t admin_port() const = 0;

  // Serves in this thread and others until stop(). With `signals`, SIGTERM and SIGINT stop it and
  // SIGHUP reloads: for the one server of a process.
  enum class Signals { kIgnored, kHandled };
  virtual void run(Signals signals) = 0;
  // Takes no more connections, answers what is under way, then run() returns. From any thread.
  virtual void stop() = 0;
  // Reads the certificate and its key again; connections that are open keep theirs. On failure all
  // stays as it was.
  virtual Status reload() = 0;
};

}  // namespace sealpack::broker
