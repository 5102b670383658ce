// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/server/server.h"

#include <malloc.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <charconv>
#include <csignal>
#include <set>
#include <thread>
#include <utility>

#include "keymgmt/broker/server/connection.h"
#include "keymgmt/broker/server/service_manager.h"

namespace sealpack::broker {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using internal::Connection;

constexpr std::uint32_t kAdminConnections = 64;
constexpr std::size_t kAdminAddresses = 256;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr auto kGiveBackEvery = std::chrono::seconds(1);
constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

// Literal addresses alone: a name would be looked up, and could be several.
Result<tcp::endpoint> parse_listen(const std::string& text, const std::string& what) {
  const std::size_t colon = text.rfind(':');
  const std::string port_text = colon == std::string::npos ? "" : text.substr(colon + 1);
  std::string host = text.substr(0, colon == std::string::npos ? 0 : colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  std::uint16_t port = 0;
  const char* end = port_text.data() + port_text.size();
  const auto parsed = std::from_chars(port_text.data(), end, port);
  error_code failed;
  const asio::ip::address address = asio::ip::make_address(host, failed);
  if (failed || parsed.ec != std::errc() || parsed.ptr != end) {
    return Error(ErrorCode::kUsage, what + ": " + printable(text) + " is not ADDRESS:PORT")
        .with_hint("127.0.0.1:8443 for this machine alone, 0.0.0.0:8443 or [::]:8443 for all");
  }
  return tcp::endpoint(address, port);
}

Error cannot_listen(const tcp::endpoint& endpoint, const error_code& failed) {
  error_code ignored;
  return {ErrorCode::kIo, "cannot listen on " + endpoint.address().to_string(ignored) + ":" +
                              std::to_string(endpoint.port()) + ": " + failed.message()};
}

// Connections that are there, so that they can be told of the end.
class ConnectionList {
 public:
  void add(const std::shared_ptr<Connection>& connection) {
    const std::lock_guard lock(mutex_);
    forget_ended();
    list_.push_back(connection);
  }
  // Whether any ended since this was asked last.
  bool have_some_ended() {
    const std::lock_guard lock(mutex_);
    forget_ended();
    return std::exchange(some_ended_, false);
  }
  template <typename Action>
  void for_each(const Action& action) {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : list_) {
      if (const auto connection = entry.lock()) action(*connection);
    }
  }

 private:
  void forget_ended() {
    const auto ended = std::erase_if(list_, [](const auto& entry) { return entry.expired(); });
    some_ended_ = some_ended_ || ended != 0;
  }

  std::mutex mutex_;
  std::vector<std::weak_ptr<Connection>> list_;
  bool some_ended_ = false;
};

class AsioServer final : public Server {
 public:
  AsioServer(ServerOptions options, Service& service, ServerContent content, EventLog& events)
      : options_(std::move(options)),
        events_(events),
        shared_(
            std::make_shared<internal::Shared>(options_.limits, metrics_, RateLimiter::kAddresses)),
        admin_shared_(
            std::make_shared<internal::Shared>(admin_limits(), metrics_, kAdminAddresses)),
        api_(ApiParts{service, std::move(content.log), options_.public_log, std::move(content.keys),
                      options_.limits, metrics_, events_}) {}
  ~AsioServer() override { context_.stop(); }

  Status listen() {
    TRY(load_certificate());
    TRY(open(public_, TRY(parse_listen(options_.listen, "listen"))));
    if (!options_.admin.empty()) TRY(open(admin_, TRY(parse_listen(options_.admin, "admin"))));
    return done();
  }

  std::uint16_t port() const override { return port_of(public_); }
  std::uint16_t admin_port() const override { return port_of(admin_); }

  void run(Signals signals) override {
    if (signals == Signals::kHandled) await_signals();
    accept(public_, true);
    if (admin_.is_open()) accept(admin_, false);
    give_memory_back();
    events_.write(EventLog::Level::kInfo, "ready",
                  {{"port", std::uint64_t{port()}}, {"admin_port", std::uint64_t{admin_port()}}});
    tell_service_manager("READY=1");
    std::vector<std::thread> others;
    for (unsigned i = 1; i < options_.threads; ++i) {
      others.emplace_back([this] { (void)context_.run(); });
    }
    (void)context_.run();
    for (std::thread& other : others) other.join();
    events_.write(EventLog::Level::kInfo, "stopped");
  }

  void stop() override {
    asio::post(strand_, [this] { begin_stop(); });
  }

  Status reload() override {
    Status loaded = load_certificate();
    if (loaded.ok() && options_.reload) loaded = options_.reload();
    metrics_.count_reload(loaded.ok());
    return loaded;
  }

 private:
  static ServerLimits admin_limits() {
    ServerLimits limits;
    limits.connections = limits.connections_per_address = kAdminConnections;
    return limits;
  }
  static std::uint16_t port_of(const tcp::acceptor& acceptor) {
    error_code failed;
    const tcp::endpoint endpoint = acceptor.local_endpoint(failed);
    return failed ? std::uint16_t{0} : endpoint.port();
  }

  Status load_certificate() {
    auto loaded = TRY(TlsContext::load(options_.certificate, options_.key));
    std::atomic_store(&tls_, std::move(loaded));
    return done();
  }

  static Status open(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
    error_code failed;
    (void)acceptor.open(endpoint.protocol(), failed);
    if (!failed) (void)acceptor.set_option(tcp::acceptor::reuse_address(true), failed);
    if (!failed) (void)acceptor.bind(endpoint, failed);
    if (!failed) (void)acceptor.listen(tcp::acceptor::max_listen_connections, failed);
    if (failed) return cannot_listen(endpoint, failed);
    return done();
  }

  void accept(tcp::acceptor& acceptor, bool is_public) {
    acceptor.async_accept(asio::make_strand(context_),
                          [this, &acceptor, is_public](error_code failed, tcp::socket socket) {
                            if (shared_->stopping) return;
                            if (!failed) {
                              admit(std::move(socket), is_public);
                            } else if (failed == asio::error::operation_aborted) {
                              return;
                            } else {
                              // Out of descriptors, most likely: others must end first.
                              return pause_accepting(acceptor, is_public);
                            }
                            accept(acceptor, is_public);
                          });
  }

  void pause_accepting(tcp::acceptor& acceptor, bool is_public) {
    metrics_.count_turned_away(TurnedAway::kConnections);
    auto timer = std::make_shared<asio::steady_timer>(strand_, kAcceptPause);
    timer->async_wait([this, &acceptor, is_public, timer](error_code) {
      if (!shared_->stopping) accept(acceptor, is_public);
    });
  }

  // Decided by the address alone, before the handshake costs a signature. Whoever is not admitted
  // is cut off without a word.
  void admit(tcp::socket socket, bool is_public) {
    error_code failed;
    const tcp::endpoint endpoint = socket.remote_endpoint(failed);
    if (failed) return;
    internal::Shared& shared = is_public ? *shared_ : *admin_shared_;
    internal::Peer peer = internal::peer_of(endpoint);
    peer.place = shared.connections.take(peer.client.address);
    if (!peer.place) return metrics_.count_turned_away(TurnedAway::kConnections);
    if (is_public &&
        shared.handshakes.take(peer.client.address, RateLimiter::Instant::clock::now()) != 0) {
      return metrics_.count_turned_away(TurnedAway::kHandshakeRate);
    }
    (void)socket.set_option(tcp::no_delay(true), failed);
    metrics_.count_connection();
    std::shared_ptr<Connection> connection;
    if (is_public) {
      connection = internal::make_tls_connection(
          std::move(socket), std::move(peer), std::atomic_load(&tls_), shared_,
          [this](HttpRequest request, const HttpClient& from, Api::Done done) {
            api_.handle(std::move(request), from, std::move(done));
          });
    } else {
      connection = internal::make_plain_connection(
          std::move(socket), std::move(peer), admin_shared_,
          [this](const HttpRequest& request, const HttpClient&, const Api::Done& done) {
            done(administer(request));
          });
    }
    list_.add(connection);
    connection->start();
  }

  HttpAnswer administer(const HttpRequest& request) {
    if (Api::is_about_log(request.target)) return api_.answer_about_log(request);
    HttpAnswer answer;
    answer.content_type = kMetricsType;
    answer.status = 404;
    if (request.method != HttpRequest::Method::kGet) {
      answer.status = 405;
      answer.allow = "GET";
    } else if (request.target == "/healthz") {
      return api_.health();
    } else if (request.target == "/metrics") {
      answer.status = 200;
      answer.body = to_vector(as_bytes(metrics_.text(gauges())));
    }
    return answer;
  }
  std::map<std::string, double> gauges() {
    std::map<std::string, double> all;
    if (options_.gauges) all = options_.gauges();
    all["process_resident_memory_bytes"] = static_cast<double>(resident_memory());
    all["sealpack_broker_connections"] = static_cast<double>(shared_->connections.used());
    all["sealpack_broker_body_bytes"] = static_cast<double>(shared_->bodies.used());
    all["sealpack_broker_certificate_not_after_timestamp_seconds"] =
        static_cast<double>(std::atomic_load(&tls_)->not_after());
    all["sealpack_broker_in_flight"] = static_cast<double>(api_.in_flight());
    return all;
  }

  void await_signals() {
    signals_.emplace(strand_, SIGTERM, SIGINT, SIGHUP);
    next_signal();
  }
  void next_signal() {
    signals_->async_wait([this](error_code failed, int number) {
      if (failed) return;
      if (number != SIGHUP) return begin_stop();
      tell_service_manager("RELOADING=1");
      const Status loaded = reload();
      if (loaded.ok()) {
        events_.write(EventLog::Level::kInfo, "reloaded");
      } else {
        events_.write(EventLog::Level::kError, "reload-failed",
                      {{"message", loaded.error().message()}});
      }
      tell_service_manager("READY=1");
      next_signal();
    });
  }

  // malloc keeps what connections took while a few blocks among it live on: of a crowd, hundreds of
  // MiB for ever. Takes half a millisecond, and only where connections ended.
  void give_memory_back() {
    if (shared_->stopping) return;
    if (list_.have_some_ended()) (void)::malloc_trim(0);
    give_back_.expires_after(kGiveBackEvery);
    give_back_.async_wait([this](error_code failed) {
      if (!failed) give_memory_back();
    });
  }

  void begin_stop() {
    if (shared_->stopping.exchange(true)) return;
    admin_shared_->stopping = true;
    tell_service_manager("STOPPING=1");
    events_.write(EventLog::Level::kInfo, "stopping");
    error_code ignored;
    (void)public_.close(ignored);
    (void)admin_.close(ignored);
    if (signals_) (void)signals_->cancel(ignored);
    give_back_.cancel();
    list_.for_each([](Connection& connection) { connection.finish(); });
    // With nothing left to wait for, the threads return by themselves.
    deadline_.expires_after(options_.limits.shutdown_time);
    watch_end();
  }
  // Looks whether all are gone, and cuts off those that are not when the time is over.
  void watch_end() {
    if (shared_->connections.used() + admin_shared_->connections.used() == 0) return;
    if (deadline_.expiry() <= std::chrono::steady_clock::now()) {
      list_.for_each([](Connection& connection) { connection.abort(); });
      return;
    }
    poll_.expires_after(std::chrono::milliseconds(20));
    poll_.async_wait([this](error_code failed) {
      if (!failed) watch_end();
    });
  }

  ServerOptions options_;
  Metrics metrics_;
  EventLog& events_;
  std::shared_ptr<internal::Shared> shared_;
  std::shared_ptr<internal::Shared> admin_shared_;
  Api api_;
  asio::io_context context_;
  asio::strand<asio::io_context::executor_type> strand_{context_.get_executor()};
  tcp::acceptor public_{strand_};
  tcp::acceptor admin_{strand_};
  std::optional<asio::signal_set> signals_;
  asio::steady_timer deadline_{strand_};
  asio::steady_timer poll_{strand_};
  asio::steady_timer give_back_{strand_};
  ConnectionList list_;
  std::shared_ptr<TlsContext> tls_;
};

}  // namespace

Status check_listen_address(const std::string& text, const std::string& what) {
  (void)TRY(parse_listen(text, what));
  return done();
}

Result<std::unique_ptr<Server>> Server::create(ServerOptions options, Service& service,
                                               ServerContent content, EventLog& events) {
  auto server =
      std::make_unique<AsioServer>(std::move(options), service, std::move(content), events);
  TRY(server->listen());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace sealpack::broker
