// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "keymgmt/broker/server/admission.h"
#include "keymgmt/broker/server/event_log.h"
#include "keymgmt/broker/server/metrics.h"
#include "keymgmt/broker/service.h"

// What the broker answers over HTTP (docs/PROTOCOL.md), without a network.
namespace sealpack::broker {

inline constexpr const char* kMessageType = "application/x-protobuf";

struct HttpRequest {
  enum class Method { kGet, kPost, kOther };
  Method method = Method::kOther;
  std::string target;        // path and query, as it came
  std::string content_type;  // as it came
  ByteVector body;
};

struct HttpAnswer {
  unsigned status = 500;
  std::string content_type = kMessageType;
  ByteVector body;
  std::uint32_t retry_after = 0;  // seconds; 0: not said
  std::string allow;              // with 405
};

// What is told of the log, each as the text of a JSON object; the checkpoint is a text for people
// and programs.
struct LogQueries {
  std::function<Result<std::string>()> checkpoint;
  std::function<Result<std::string>(std::uint64_t start, std::uint64_t end)> entries;
  std::function<Result<std::string>(std::uint64_t index, std::uint64_t size)> inclusion;
  std::function<Result<std::string>(std::uint64_t first, std::uint64_t second)> consistency;
};

struct ApiParts {
  Service& service;
  LogQueries log;
  std::function<Result<std::string>()> keys;  // JSON: what /v1/keys answers
  std::uint32_t in_flight = 256;
  Metrics& metrics;
  EventLog& events;
};

// For several threads.
class Api {
 public:
  using Done = std::function<void(HttpAnswer)>;
  explicit Api(ApiParts parts) : parts_(std::move(parts)) {}

  // `done` is called once, from any thread, perhaps before this returns. `from` is for the log.
  void handle(HttpRequest request, const std::string& from, Done done);
  // Releases that are being verified.
  std::uint32_t in_flight() const { return in_flight_; }

 private:
  HttpAnswer get(const std::string& path, const std::string& query, std::string& route);
  HttpAnswer log_answer(const std::string& path, const std::string& query, std::string& route);
  void release(HttpRequest request, const std::string& from, Done done);
  void report(const std::string& from, const Answer& answer, double milliseconds);

  ApiParts parts_;
  std::atomic<std::uint32_t> in_flight_{0};
};

// The answer to a request that is turned away before it is looked at, as a Refusal message.
HttpAnswer refuse(unsigned status, ErrorCode code, const std::string& reason,
                  const std::string& text, std::uint32_t retry_after = 0);

// "start=5&end=9" as numbers, in the order of `names`; nothing unless each is there exactly once,
// in decimal without leading zeros, and nothing else.
std::optional<std::vector<std::uint64_t>> parse_query(
    const std::string& query, std::initializer_list<std::string_view> names);

}  // namespace sealpack::broker
