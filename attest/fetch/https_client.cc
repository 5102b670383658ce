// SPDX-License-Identifier: Apache-2.0
#include "attest/fetch/https_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <thread>

namespace sealpack::attest {
namespace {

constexpr long kOk = 200;
constexpr long kNotFound = 404;
constexpr long kTooMany = 429;
constexpr long kUnavailable = 503;
constexpr long kConnectSeconds = 15;
constexpr std::chrono::seconds kDefaultWait{10};
constexpr std::size_t kMaxHeader = std::size_t{64} << 10U;

struct Collected {
  HttpReply reply;
  std::uint64_t max_size = 0;
  std::size_t header_size = 0;
  bool too_large = false;
};

// libcurl's callbacks; they must not throw.
std::size_t take_body(char* data, std::size_t, std::size_t size, void* to) {
  auto& collected = *static_cast<Collected*>(to);
  if (collected.reply.body.size() + size > collected.max_size) {
    collected.too_large = true;
    return 0;
  }
  const Bytes bytes = as_bytes({data, size});
  collected.reply.body.insert(collected.reply.body.end(), bytes.begin(), bytes.end());
  return size;
}

std::size_t take_header(char* data, std::size_t, std::size_t size, void* to) {
  auto& collected = *static_cast<Collected*>(to);
  collected.header_size += size;
  if (collected.header_size > kMaxHeader) {
    collected.too_large = true;
    return 0;
  }
  const std::string_view line(data, size);
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return size;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  });
  std::string_view value = line.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  value = value.substr(0, value.find_last_not_of(" \t\r\n") + 1);
  collected.reply.headers[name] = std::string(value);
  return size;
}

// Seconds; the form with a date is taken for the default.
std::chrono::seconds asked_wait(const HttpReply& reply) {
  const auto found = reply.headers.find("retry-after");
  if (found == reply.headers.end()) return kDefaultWait;
  std::uint32_t seconds = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return kDefaultWait;
  return std::chrono::seconds(std::max<std::uint32_t>(seconds, 1));
}

}  // namespace

struct HttpsClient::Question {
  std::string url;
  std::string content_type = {};  // empty: GET
  Bytes body = {};
};

struct HttpsClient::State {
  CURL* handle = nullptr;
  curl_slist* fields = nullptr;  // of the request that is being made
  HttpOptions options;
  std::chrono::seconds waited{0};

  explicit State(HttpOptions given) : handle(::curl_easy_init()), options(std::move(given)) {}
  ~State() {
    ::curl_easy_cleanup(handle);
    ::curl_slist_free_all(fields);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  template <typename Value>
  bool set(CURLoption option, Value value) {
    return ::curl_easy_setopt(handle, option, value) == CURLE_OK;
  }

  bool configure_body(const Question& question) {
    ::curl_slist_free_all(fields);
    fields = nullptr;
    if (question.content_type.empty()) return true;
    fields = ::curl_slist_append(nullptr, ("Content-Type: " + question.content_type).c_str());
    return fields != nullptr && set(CURLOPT_HTTPHEADER, fields) && set(CURLOPT_POST, 1L) &&
           set(CURLOPT_POSTFIELDSIZE, static_cast<long>(question.body.size())) &&
           set(CURLOPT_POSTFIELDS, reinterpret_cast<const char*>(question.body.data()));
  }

  bool configure(const Question& question, Collected& collected, char* why) {
    ::curl_easy_reset(handle);
    const std::string& url = question.url;
    const char* protocols = options.allow_plain ? "http,https" : "https";
    const bool ca = options.ca_file.empty() || set(CURLOPT_CAINFO, options.ca_file.c_str());
    return ca && configure_body(question) && set(CURLOPT_URL, url.c_str()) &&
           set(CURLOPT_PROTOCOLS_STR, protocols) && set(CURLOPT_FOLLOWLOCATION, 0L) &&
           set(CURLOPT_NOSIGNAL, 1L) && set(CURLOPT_SSL_VERIFYPEER, 1L) &&
           set(CURLOPT_SSL_VERIFYHOST, 2L) && set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds) &&
           set(CURLOPT_TIMEOUT, static_cast<long>(options.timeout.count())) &&
           set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED)) &&
           set(CURLOPT_WRITEFUNCTION, take_body) && set(CURLOPT_WRITEDATA, &collected) &&
           set(CURLOPT_HEADERFUNCTION, take_header) && set(CURLOPT_HEADERDATA, &collected) &&
           set(CURLOPT_ERRORBUFFER, why);
  }

  // One request; the status of the answer.
  Result<long> ask(const Question& question, Collected& collected) {
    const std::string& url = question.url;
    char why[CURL_ERROR_SIZE] = {};
    if (!configure(question, collected, why)) {
      return Error(ErrorCode::kInternal, "libcurl does not take its options");
    }
    const CURLcode code = ::curl_easy_perform(handle);
    if (collected.too_large) {
      return Error(ErrorCode::kLimit,
                   url + " answers with more than " + format_size(options.max_size));
    }
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT) {
      return Error(ErrorCode::kUsage, printable(url) + " is no URL of https");
    }
    if (code != CURLE_OK) {
      const std::string text = why[0] == 0 ? ::curl_easy_strerror(code) : why;
      return Error(ErrorCode::kIo, "cannot get " + printable(url) + ": " + text)
          .with_hint(
              "a site without a network: docs/ATTESTATION.md, 'Air-gapped sites'; a mirror: "
              "--base-url");
    }
    long status = 0;
    (void)::curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }
};

HttpsClient::HttpsClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpsClient::HttpsClient(HttpsClient&&) noexcept = default;
HttpsClient& HttpsClient::operator=(HttpsClient&&) noexcept = default;
HttpsClient::~HttpsClient() = default;

Result<HttpsClient> HttpsClient::create(HttpOptions options) {
  static const CURLcode kReady = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  auto state = std::make_unique<State>(std::move(options));
  if (kReady != CURLE_OK || state->handle == nullptr) {
    return Error(ErrorCode::kInternal, "libcurl does not start");
  }
  return HttpsClient(std::move(state));
}

Result<HttpReply> HttpsClient::get(const std::string& url) {
  return exchange({url});
}

Result<HttpReply> HttpsClient::post(const std::string& url, const std::string& content_type,
                                    Bytes body) {
  return exchange({url, content_type, body});
}

Result<HttpReply> HttpsClient::exchange(const Question& question) {
  const std::string& url = question.url;
  for (;;) {
    Collected collected;
    collected.max_size = state_->options.max_size;
    const long status = TRY(state_->ask(question, collected));
    if (status == kOk) return std::move(collected.reply);
    const std::string answer = printable(url) + " answers " + std::to_string(status);
    if (status == kNotFound) {
      return Error(ErrorCode::kIo, answer)
          .with_hint("it has nothing for this chip, firmware or platform");
    }
    if (status != kTooMany && status != kUnavailable) return Error(ErrorCode::kIo, answer);
    const std::chrono::seconds wait = asked_wait(collected.reply);
    if (state_->waited + wait > state_->options.longest_wait) {
      return Error(ErrorCode::kTryAgain,
                   answer + " and asks to come back in " + std::to_string(wait.count()) + " s")
          .with_hint("the service limits requests; --longest-wait sets how long to stay");
    }
    std::this_thread::sleep_for(wait);
    state_->waited += wait;
  }
}

Result<std::string> decode_percent(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto byte = from_hex(text.substr(i + 1, 2));
    if (!byte.ok() || byte->size() != 1) {
      return Error(ErrorCode::kMalformed, "a percent sign without two hex digits");
    }
    out += static_cast<char>((*byte)[0]);
    i += 2;
  }
  return out;
}

}  // namespace sealpack::attest
