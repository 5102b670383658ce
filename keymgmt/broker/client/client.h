// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>

#include "keymgmt/broker/messages.h"

// Speaks to a broker over HTTPS (docs/PROTOCOL.md). Believes nothing that it hears: what counts is
// the signature of the grant, which the TEE checks.
namespace sealpack::broker {

struct ClientOptions {
  std::string url;  // https://HOST:PORT, nothing after it
  // PEM: authorities whose certificates count, or the server's own certificate; empty: those of the
  // system.
  std::filesystem::path ca_file;
  std::chrono::milliseconds connect_time{5000};
  std::chrono::milliseconds request_time{20000};  // for the whole of each try
  // Tries of one call, where the broker cannot be reached or says that it is busy (429, 503). The
  // time between them doubles up to longest_wait, or is what the broker asks for; where that is
  // longer, somebody has to do something first, and the call ends at once.
  unsigned tries = 4;
  std::chrono::milliseconds first_wait{250};
  std::chrono::milliseconds longest_wait{10000};
};

// For one thread at a time; keeps its connection between calls. TLS 1.3 alone. Knows no proxies, no
// redirections and no environment variables.
class Client {
 public:
  // kUsage for a URL; kIo for the CA file.
  static Result<std::unique_ptr<Client>> create(ClientOptions options);
  virtual ~Client() = default;

  // kIo when the broker cannot be reached or is another; kTryAgain when it stayed busy; kMalformed
  // when it says what no broker says; else the code of its refusal, with all its reasons.
  virtual Result<ChallengeReply> challenge(const ChallengeRequest& request) = 0;
  // kTryAgain, too, where the request was answered and the answer did not arrive: its challenge is
  // spent, another one is needed.
  virtual Result<loader::KeyGrant> release(const ReleaseRequest& request) = 0;
  // What it refused last, if the last call was refused by the broker itself.
  virtual const std::optional<Refusal>& last_refusal() const = 0;
};

// "refused: policy.measurement: …; …" with the code of the refusal.
Error to_error(const Refusal& refusal);

}  // namespace sealpack::broker
