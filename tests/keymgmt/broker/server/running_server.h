// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thread>

#include "keymgmt/broker/server/server.h"
#include "keymgmt/broker/server/tls.h"
#include "keymgmt/keystore/private_file.h"
#include "tests/keymgmt/broker/server/fake_service.h"
#include "tests/keymgmt/broker/server/tls_client.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::broker::testing {

// No deadline that a slow machine misses. A test sets the one that it waits for.
inline ServerLimits patient_limits() {
  ServerLimits limits;
  limits.handshake_time = limits.request_time = limits.answer_time = limits.idle_time =
      limits.shutdown_time = std::chrono::minutes(10);
  return limits;
}

// A server with a fake service on ports of its own, until its end.
class RunningServer {
 public:
  explicit RunningServer(const ServerLimits& limits = patient_limits()) : limits_(limits) {}
  ~RunningServer() { stop(); }

  void write_certificate(const std::vector<std::string>& names = {"localhost", "127.0.0.1"},
                         std::uint64_t now = static_cast<std::uint64_t>(::time(nullptr))) {
    const auto made = make_self_signed(names, now, 30);
    if (!made.ok()) die(made.error().message().c_str());
    certificate = folder.put("tls.crt", made->certificate);
    key = folder / "tls.key";
    if (!keystore::store_file(key, made->key.reveal(), 0600, Overwrite::kReplace).ok()) {
      die("cannot write the key");
    }
  }
  Status try_start() {
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.admin = "127.0.0.1:0";
    options.certificate = certificate;
    options.key = key;
    options.limits = limits_;
    options.public_log = public_log;
    ServerContent content;
    content.log.checkpoint = [] { return Result<std::string>("a note\n"); };
    content.keys = [] { return Result<std::string>("{}\n"); };
    server = TRY(Server::create(options, service, content, events));
    thread_ = std::thread([this] { server->run(Server::Signals::kIgnored); });
    return done();
  }
  void start() {
    write_certificate();
    const Status started = try_start();
    if (!started.ok()) die(started.error().message().c_str());
  }
  void stop() {
    if (server) server->stop();
    join();
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  std::uint16_t port() const { return server->port(); }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(port()); }

  sealpack::testing::TemporaryFolder folder;
  std::filesystem::path certificate;
  std::filesystem::path key;
  FakeService service;
  EventLog events{[](const std::string&) {}};
  std::unique_ptr<Server> server;
  bool public_log = false;

 private:
  ServerLimits limits_;
  std::thread thread_;
};

inline std::string metrics_of(const RunningServer& server) {
  return plain_ask(server.server->admin_port(),
                   "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

// Sooner or later, and on a slow machine later.
inline bool happens(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

}  // namespace sealpack::broker::testing
