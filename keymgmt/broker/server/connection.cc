// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/server/connection.h"

#include <openssl/ssl.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include "keymgmt/broker/messages.h"

namespace sealpack::broker::internal {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint32_t kBusySeconds = 1;
constexpr auto kGoodbyeTime = std::chrono::seconds(2);

HttpRequest::Method method_of(http::verb verb) {
  if (verb == http::verb::get) return HttpRequest::Method::kGet;
  if (verb == http::verb::post) return HttpRequest::Method::kPost;
  return HttpRequest::Method::kOther;
}

// One class for both: over TLS and, for the operator, without. All of it runs in the strand of the
// stream's executor, so a connection needs no lock.
template <typename Stream>
class HttpConnection final : public Connection,
                             public std::enable_shared_from_this<HttpConnection<Stream>> {
 public:
  static constexpr bool kTls = !std::is_same_v<Stream, beast::tcp_stream>;

  template <typename... Args>
  HttpConnection(Peer peer, std::shared_ptr<Shared> shared, Handler handler,
                 std::shared_ptr<asio::ssl::context> tls, Args&&... args)
      : tls_(std::move(tls)),
        stream_(std::forward<Args>(args)...),
        peer_(std::move(peer)),
        shared_(std::move(shared)),
        handler_(std::move(handler)) {}

  void start() override {
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] { self->greet(); });
  }
  void finish() override {
    asio::post(stream_.get_executor(), [self = this->shared_from_this()] {
      if (self->idle_) self->close();
    });
  }
  void abort() override {
    asio::post(stream_.get_executor(), [self = this->shared_from_this()] { self->close(); });
  }

 private:
  using Parser = http::request_parser<http::vector_body<std::uint8_t>>;
  using Reply = http::response<http::vector_body<std::uint8_t>>;

  // A member function as a handler that keeps this alive.
  template <typename Member>
  auto then(Member member) {
    return [self = this->shared_from_this(), member](error_code failed, auto&&...) {
      ((*self).*member)(failed);
    };
  }
  void expire_in(std::chrono::milliseconds time) {
    beast::get_lowest_layer(stream_).expires_after(time);
  }
  void close() {
    error_code ignored;
    (void)beast::get_lowest_layer(stream_).socket().close(ignored);
  }
  void count_if_late(error_code failed) {
    if (failed == beast::error::timeout) shared_->metrics.count_turned_away(TurnedAway::kDeadline);
  }

  void greet() {
    if constexpr (kTls) {
      expire_in(shared_->limits.handshake_time);
      stream_.async_handshake(asio::ssl::stream_base::server, then(&HttpConnection::on_greeted));
    } else {
      await_request();
    }
  }
  void on_greeted(error_code failed) {
    count_if_late(failed);
    if (!failed) await_request();
  }

  // The time between requests is the client's, up to idle_time; from its first byte on, a request
  // has request_time for all of it, however slowly it drips.
  void await_request() {
    if (shared_->stopping) return say_goodbye();
    parser_.emplace();
    is_head_ = false;
    parser_->header_limit(kMaxHeadSize);
    parser_->body_limit(kMaxRequestSize);
    if (buffer_.size() != 0) return read_head();
    // A connection that waits does not keep the room that a large body took.
    if (buffer_.capacity() > kKeptBuffer) buffer_.shrink_to_fit();
    idle_ = true;
    expire_in(shared_->limits.idle_time);
    stream_.async_read_some(buffer_.prepare(kFirstRead), [self = this->shared_from_this()](
                                                             error_code failed, std::size_t size) {
      self->idle_ = false;
      self->buffer_.commit(size);
      if (!failed) return self->read_head();
      if (failed == asio::ssl::error::stream_truncated || failed == asio::error::eof) return;
      if (failed == beast::error::timeout) self->close();
    });
  }
  void read_head() {
    expire_in(shared_->limits.request_time);
    http::async_read_header(stream_, buffer_, *parser_, then(&HttpConnection::on_head));
  }

  void on_head(error_code failed) {
    count_if_late(failed);
    if (failed == http::error::header_limit) return turn_away(431, "server.head", "the head");
    if (failed == http::error::body_limit) return turn_away(413, "server.size", "the body");
    if (failed && failed.category() == http::make_error_code(http::error{}).category() &&
        failed != http::error::end_of_stream && failed != http::error::partial_message) {
      return turn_away(400, "server.http", failed.message());
    }
    if (failed) return;
    const auto now = RateLimiter::Instant::clock::now();
    if (const std::uint32_t wait = shared_->requests.take(peer_.client.address, now); wait != 0) {
      shared_->metrics.count_turned_away(TurnedAway::kRequestRate);
      return turn_away(429, "server.rate", "too many requests from this address", wait);
    }
    if (parser_->chunked()) return turn_away(411, "server.http", "a body has its length");
    const std::uint64_t size = parser_->content_length().value_or(0);
    if (size != 0) {
      body_place_ = shared_->bodies.take(peer_.client.address, size);
      if (!body_place_) {
        shared_->metrics.count_turned_away(TurnedAway::kMemory);
        return turn_away(503, "server.busy", "too many bodies at once", kBusySeconds);
      }
    }
    if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) return say_continue();
    read_body();
  }
  void say_continue() {
    auto go_on = std::make_shared<http::response<http::empty_body>>(http::status::continue_, 11);
    http::async_write(stream_, *go_on,
                      [self = this->shared_from_this(), go_on](error_code failed, std::size_t) {
                        if (!failed) self->read_body();
                      });
  }
  void read_body() {
    http::async_read(stream_, buffer_, *parser_, then(&HttpConnection::on_request));
  }

  void on_request(error_code failed) {
    count_if_late(failed);
    if (failed) return close();
    HttpRequest request;
    auto message = parser_->release();
    request.method = method_of(message.method());
    is_head_ = message.method() == http::verb::head;
    request.target = std::string(message.target());
    request.content_type = std::string(message[http::field::content_type]);
    request.body = std::move(message.body());
    version_ = message.version();
    keep_alive_ = message.keep_alive();
    beast::get_lowest_layer(stream_).expires_never();
    // The answer may come from another thread.
    handler_(
        std::move(request), peer_.client, [self = this->shared_from_this()](HttpAnswer answer) {
          asio::post(self->stream_.get_executor(), [self, answer = std::move(answer)]() mutable {
            self->body_place_.reset();
            self->reply(std::move(answer));
          });
        });
  }

  // Answers before the request is read, and ends: what follows could be anything.
  void turn_away(unsigned status, const char* reason, const std::string& text,
                 std::uint32_t retry_after = 0) {
    keep_alive_ = false;
    const ErrorCode code = retry_after != 0 ? ErrorCode::kTryAgain : ErrorCode::kLimit;
    const std::string why =
        status == 413 || status == 431 ? text + " is larger than this broker takes" : text;
    reply(refuse(status, status == 400 ? ErrorCode::kMalformed : code, reason, why, retry_after));
  }

  void reply(HttpAnswer answer) {
    if (shared_->stopping) keep_alive_ = false;
    reply_ = std::make_unique<Reply>();
    reply_->version(version_);
    reply_->result(answer.status);
    reply_->set(http::field::content_type, answer.content_type);
    reply_->set(http::field::cache_control, "no-store");
    if (answer.retry_after != 0) {
      reply_->set(http::field::retry_after, std::to_string(answer.retry_after));
    }
    if (!answer.allow.empty()) reply_->set(http::field::allow, answer.allow);
    reply_->body() = std::move(answer.body);
    reply_->keep_alive(keep_alive_);
    reply_->prepare_payload();
    if (is_head_) reply_->body().clear();  // RFC 9110 §9.3.2: what follows is the next answer
    expire_in(shared_->limits.answer_time);
    http::async_write(stream_, *reply_, then(&HttpConnection::on_replied));
  }
  void on_replied(error_code failed) {
    count_if_late(failed);
    reply_.reset();
    if (failed) return close();
    if (!keep_alive_) return say_goodbye();
    await_request();
  }

  void say_goodbye() {
    if constexpr (kTls) {
      beast::get_lowest_layer(stream_).expires_after(kGoodbyeTime);
      stream_.async_shutdown([self = this->shared_from_this()](error_code) { self->close(); });
    } else {
      error_code ignored;
      (void)stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    }
  }

  static constexpr std::size_t kFirstRead = 4096;
  static constexpr std::size_t kKeptBuffer = std::size_t{16} << 10U;

  std::shared_ptr<asio::ssl::context> tls_;  // what the stream refers to
  Stream stream_;
  Peer peer_;
  std::shared_ptr<Shared> shared_;
  Handler handler_;
  beast::flat_buffer buffer_{kMaxHeadSize + kMaxRequestSize};
  std::optional<Parser> parser_;
  std::unique_ptr<Reply> reply_;
  Share body_place_;
  unsigned version_ = 11;
  bool keep_alive_ = false;
  bool is_head_ = false;
  bool idle_ = false;
};

}  // namespace

Peer peer_of(const tcp::endpoint& endpoint) {
  const asio::ip::address address = endpoint.address();
  Peer peer;
  peer.client.address = address.is_v4() ? ClientAddress::of_ipv4(address.to_v4().to_bytes())
                                        : ClientAddress::of_ipv6(address.to_v6().to_bytes());
  error_code ignored;
  peer.client.name = address.to_string(ignored);
  return peer;
}

std::shared_ptr<Connection> make_tls_connection(tcp::socket socket, Peer peer,
                                                std::shared_ptr<TlsContext> tls,
                                                std::shared_ptr<Shared> shared, Handler handler) {
  using Stream = beast::ssl_stream<beast::tcp_stream>;
  // The context of asio owns one reference of OpenSSL's.
  (void)::SSL_CTX_up_ref(tls->native());
  auto context = std::make_shared<asio::ssl::context>(tls->native());
  asio::ssl::context& referred = *context;
  return std::make_shared<HttpConnection<Stream>>(std::move(peer), std::move(shared),
                                                  std::move(handler), std::move(context),
                                                  std::move(socket), referred);
}

std::shared_ptr<Connection> make_plain_connection(tcp::socket socket, Peer peer,
                                                  std::shared_ptr<Shared> shared, Handler handler) {
  return std::make_shared<HttpConnection<beast::tcp_stream>>(
      std::move(peer), std::move(shared), std::move(handler), nullptr, std::move(socket));
}

}  // namespace sealpack::broker::internal
