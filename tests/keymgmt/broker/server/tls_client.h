// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <string>

namespace sealpack::broker::testing {

// A client that does what it is told, byte by byte. Verifies nothing. A server that neither answers
// nor ends the connection fails the test.
class TlsClient {
 public:
  // From an address of this machine: 127.0.0.1, 127.0.0.2 …
  TlsClient(std::uint16_t port, const char* from = "127.0.0.1") {
    (void)std::signal(SIGPIPE, SIG_IGN);  // a connection that was cut is an error like others
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    (void)::inet_pton(AF_INET, from, &address.sin_addr);
    (void)::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    (void)::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    address.sin_port = htons(port);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    const timeval patience{120, 0};
    (void)::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;
  ~TlsClient() {
    tls_.reset();
    if (socket_ >= 0) (void)::close(socket_);
  }

  bool connected() const { return connected_; }
  int socket() const { return socket_; }

  bool shake_hands(int version = TLS1_3_VERSION) {
    context_.reset(::SSL_CTX_new(::TLS_client_method()));
    (void)::SSL_CTX_set_max_proto_version(context_.get(), version);
    tls_.reset(::SSL_new(context_.get()));
    (void)::SSL_set_fd(tls_.get(), socket_);
    return ended_well(::SSL_connect(tls_.get()));
  }
  bool send(const std::string& text) {
    return ::SSL_write(tls_.get(), text.data(), static_cast<int>(text.size())) ==
           static_cast<int>(text.size());
  }
  // Up to the end of a head and as much body as it announces; what there was where it ends before.
  std::string receive() {
    std::string text;
    while (true) {
      const std::size_t head = text.find("\r\n\r\n");
      if (head != std::string::npos && text.size() >= head + 4 + body_size(text)) return text;
      char piece[4096];
      const int got = ::SSL_read(tls_.get(), piece, sizeof piece);
      if (!ended_well(got)) return text;
      text.append(piece, static_cast<std::size_t>(got));
    }
  }
  // True once the server ended the connection; waits for it.
  bool is_cut() {
    char byte = 0;
    if (tls_) return !ended_well(::SSL_read(tls_.get(), &byte, 1));
    return is_cut_below_tls(0);
  }
  // The same of the connection itself. With MSG_PEEK for `flags` what comes is left there.
  bool is_cut_below_tls(int flags) {
    char byte = 0;
    const ssize_t got = ::recv(socket_, &byte, 1, flags);
    if (got < 0 && errno == EAGAIN) ADD_FAILURE() << "the server neither says a byte nor ends";
    return got <= 0;
  }
  std::string ask(const std::string& text) { return send(text) ? receive() : std::string(); }
  SSL* native() { return tls_.get(); }

 private:
  static std::size_t body_size(const std::string& text) {
    const std::size_t at = text.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::stoul(text.substr(at + 16));
  }
  bool ended_well(int result) {
    if (result > 0) return true;
    if (::SSL_get_error(tls_.get(), result) == SSL_ERROR_WANT_READ) {
      ADD_FAILURE() << "the server neither answers nor ends the connection";
    }
    return false;
  }
  struct Free {
    void operator()(SSL* tls) const { ::SSL_free(tls); }
    void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  };
  int socket_ = -1;
  bool connected_ = false;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> tls_;
};

inline std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n";
}
inline std::string post(const std::string& target, const std::string& body,
                        const std::string& more = "") {
  return "POST " + target + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n" +
         more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// What the operator's side answers.
inline std::string plain_ask(std::uint16_t port, const std::string& text) {
  const TlsClient client(port);
  (void)::send(client.socket(), text.data(), text.size(), MSG_NOSIGNAL);
  std::string answer;
  char piece[4096];
  while (true) {
    const ssize_t got = ::recv(client.socket(), piece, sizeof piece, 0);
    if (got <= 0) return answer;
    answer.append(piece, static_cast<std::size_t>(got));
  }
}

}  // namespace sealpack::broker::testing
