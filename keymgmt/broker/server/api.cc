// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/server/api.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>

namespace sealpack::broker {
namespace {

constexpr const char* kJson = "application/json";
constexpr const char* kText = "text/plain; charset=utf-8";
constexpr std::uint32_t kBusySeconds = 1;  // until a busy broker is asked again

using Clock = std::chrono::steady_clock;

HttpAnswer text_answer(unsigned status, const char* type, const std::string& text) {
  HttpAnswer answer;
  answer.status = status;
  answer.content_type = type;
  answer.body = to_vector(as_bytes(text));
  return answer;
}

HttpAnswer json_error(unsigned status, const std::string& message) {
  return text_answer(status, kJson, nlohmann::json{{"error", message}}.dump() + "\n");
}

unsigned status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
    case ErrorCode::kMalformed:
    case ErrorCode::kUnsupported:
      return 400;
    case ErrorCode::kNotAuthentic:
    case ErrorCode::kRefused:
    case ErrorCode::kKeyUnavailable:
      return 403;
    case ErrorCode::kLimit:
      return 413;
    case ErrorCode::kTryAgain:
    case ErrorCode::kIo:
      return 503;
    case ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

HttpAnswer to_http(Answer answer) {
  HttpAnswer out;
  out.status = answer.kind == Answer::Kind::kRefusal ? status_of(answer.code) : 200;
  out.body = std::move(answer.body);
  if (out.status == 503) {
    const auto refusal = parse_refusal(out.body);
    out.retry_after = std::max(kBusySeconds, refusal.ok() ? refusal->retry_after : 0);
  }
  return out;
}

HttpAnswer told(const Result<std::string>& text, const char* type) {
  if (text.ok()) return text_answer(200, type, *text);
  return json_error(status_of(text.error().code()), text.error().message());
}

bool is_message(const std::string& content_type) {
  return content_type == kMessageType;
}

HttpAnswer wrong_method(const char* allowed) {
  HttpAnswer answer = json_error(405, std::string("this is for ") + allowed);
  answer.allow = allowed;
  return answer;
}

}  // namespace

HttpAnswer refuse(unsigned status, ErrorCode code, const std::string& reason,
                  const std::string& text, std::uint32_t retry_after) {
  Refusal refusal;
  refusal.code = code;
  refusal.reasons = {{reason, text}};
  refusal.retry_after = retry_after;
  HttpAnswer answer;
  answer.status = status;
  answer.body = serialize(refusal);
  answer.retry_after = retry_after;
  return answer;
}

std::optional<std::vector<std::uint64_t>> parse_query(
    const std::string& query, std::initializer_list<std::string_view> names) {
  std::vector<std::optional<std::uint64_t>> found(names.size());
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('&'));
    rest.remove_prefix(part.size());
    if (!rest.empty()) {
      rest.remove_prefix(1);
      if (rest.empty()) return std::nullopt;
    }
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view digits = part.substr(equals + 1);
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool whole = parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size();
    if (!whole || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
    std::size_t place = 0;
    for (const std::string_view name : names) {
      if (name == part.substr(0, equals)) break;
      ++place;
    }
    if (place == names.size() || found[place]) return std::nullopt;
    found[place] = value;
  }
  std::vector<std::uint64_t> values;
  for (const auto& value : found) {
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

HttpAnswer Api::log_answer(const std::string& path, const std::string& query, std::string& route) {
  const auto two_numbers = [&](const char* first, const char* second, const auto& ask) {
    const auto values = parse_query(query, {first, second});
    if (!values) {
      return json_error(400, std::string("the query is ?") + first + "=N&" + second + "=N");
    }
    return told(ask((*values)[0], (*values)[1]), kJson);
  };
  route = path;
  if (path == "/v1/log/checkpoint") {
    if (!query.empty()) return json_error(400, "there is no query here");
    return told(parts_.log.checkpoint(), kText);
  }
  if (path == "/v1/log/entries") return two_numbers("start", "end", parts_.log.entries);
  if (path == "/v1/log/inclusion") return two_numbers("index", "size", parts_.log.inclusion);
  if (path == "/v1/log/consistency") return two_numbers("first", "second", parts_.log.consistency);
  route = "other";
  return json_error(404, "there is nothing here");
}

HttpAnswer Api::health() {
  const auto unwell = parts_.service.why_unwell();
  if (!unwell) return text_answer(200, kText, "ok\n");
  return text_answer(503, kText, unwell->code + ": " + unwell->text + "\n");
}

HttpAnswer Api::get(const std::string& path, std::string& route) {
  route = path;
  if (path == "/healthz") return health();
  if (path == "/v1/keys") return told(parts_.keys(), kJson);
  route = "other";
  return json_error(404, "there is nothing here");
}

HttpAnswer Api::answer_get(const HttpRequest& request, bool with_log) {
  const Clock::time_point start = Clock::now();
  std::string route = "other";
  HttpAnswer answer;
  if (request.method != HttpRequest::Method::kGet) {
    answer = wrong_method("GET");
  } else if (is_about_log(request.target) && with_log) {
    const std::size_t mark = std::min(request.target.find('?'), request.target.size());
    answer = log_answer(request.target.substr(0, mark),
                        request.target.substr(std::min(mark + 1, request.target.size())), route);
  } else {
    answer = get(request.target.substr(0, request.target.find('?')), route);
  }
  parts_.metrics.count_answer(route, answer.status, Clock::now() - start);
  return answer;
}

HttpAnswer Api::answer_about_log(const HttpRequest& request) {
  return answer_get(request, true);
}

void Api::report(const std::string& from, const Answer& answer, double milliseconds) {
  if (answer.kind != Answer::Kind::kRefusal) {
    parts_.events.write(EventLog::Level::kInfo, "released",
                        {{"address", from}, {"milliseconds", milliseconds}});
    return;
  }
  std::string codes;
  std::uint64_t index = 0;
  if (const auto refusal = parse_refusal(answer.body); refusal.ok()) {
    index = refusal->log_index;
    for (const Reason& reason : refusal->reasons) codes += (codes.empty() ? "" : " ") + reason.code;
  }
  parts_.events.write(EventLog::Level::kWarning, "refused",
                      {{"address", from},
                       {"code", to_string(answer.code)},
                       {"reasons", codes},
                       {"log_index", index},
                       {"milliseconds", milliseconds}});
}

void Api::release(HttpRequest request, const HttpClient& from, Done done) {
  auto place = std::make_shared<Share>(in_flight_.take(from.address));
  if (!*place) {
    parts_.metrics.count_turned_away(TurnedAway::kInFlight);
    return done(refuse(503, ErrorCode::kTryAgain, "server.busy",
                       "the broker verifies as many requests as it may", kBusySeconds));
  }
  const Clock::time_point start = Clock::now();
  parts_.service.release(
      std::move(request.body), Transport::kNetwork,
      [this, place, name = from.name, start, done = std::move(done)](Answer answer) {
        place->reset();
        const std::chrono::duration<double, std::milli> took = Clock::now() - start;
        report(name, answer, took.count());
        done(to_http(std::move(answer)));
      });
}

void Api::handle(HttpRequest request, const HttpClient& from, Done done) {
  const std::size_t mark = request.target.find('?');
  const std::string path = request.target.substr(0, mark);
  const bool challenge = path == "/v1/challenge";
  if (!challenge && path != "/v1/release") return done(answer_get(request, parts_.public_log));
  const Clock::time_point start = Clock::now();
  const auto finish = [this, start, path, done](HttpAnswer answer) {
    parts_.metrics.count_answer(path, answer.status, Clock::now() - start);
    done(std::move(answer));
  };
  if (request.method != HttpRequest::Method::kPost) return finish(wrong_method("POST"));
  if (mark != std::string::npos) return finish(json_error(400, "there is no query here"));
  if (!is_message(request.content_type)) {
    return finish(json_error(415, std::string("this takes ") + kMessageType));
  }
  if (challenge) {
    return finish(to_http(parts_.service.challenge(request.body, Transport::kNetwork)));
  }
  release(std::move(request), from, finish);
}

}  // namespace sealpack::broker
