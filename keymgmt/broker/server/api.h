// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "keymgmt/broker/server/admission.h"
#include "keymgmt/broker/server/event_log.h"
#include "keymgmt/broker/server/limits.h"
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

// Who asks.
struct HttpClient {
  ClientAddress address;
  std::string name;  // for the log
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
  bool public_log = false;                    // handle() tells it too
  std::function<Result<std::string>()> keys;  // JSON: what /v1/keys answers
  const ServerLimits& limits;
  Metrics& metrics;
  EventLog& events;
};

// For several threads.
class Api {
 public:
  using Done = std::function<void(HttpAnswer)>;
  explicit Api(ApiParts parts)
      : parts_(std::move(parts)),
        in_flight_(parts_.limits.in_flight, parts_.limits.in_flight_per_address) {}

  // `done` is called once, from any thread, perhaps before this returns.
  void handle(HttpRequest request, const HttpClient& from, Done done);
  // /v1/log, which the operator is told whoever else is.
  static bool is_about_log(std::string_view target) { return target.starts_with("/v1/log/"); }
  HttpAnswer answer_about_log(const HttpRequest& request);
  // 200 where keys are given out, else 503 and why not.
  HttpAnswer health();
  // Releases that are being verified.
  std::uint64_t in_flight() const { return in_flight_.used(); }

 private:
  HttpAnswer get(const std::string& path, std::string& route);
  HttpAnswer log_answer(const std::string& path, const std::string& query, std::string& route);
  HttpAnswer answer_get(const HttpRequest& request, bool with_log);
  void release(HttpRequest request, const HttpClient& from, Done done);
  void report(const std::string& from, const Answer& answer, double milliseconds);

  ApiParts parts_;
  Quota in_flight_;
};

// The answer to a request that is turned away before it is looked at, as a Refusal message.
HttpAnswer refuse(unsigned status, ErrorCode code, const std::string& reason,
                  const std::string& text, std::uint32_t retry_after = 0);

// "start=5&end=9" as numbers, in the order of `names`; nothing unless each is there exactly once,
// in decimal without leading zeros, and nothing else.
std::optional<std::vector<std::uint64_t>> parse_query(
    const std::string& query, std::initializer_list<std::string_view> names);

}  // namespace sealpack::broker
