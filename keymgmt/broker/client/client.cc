// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/client/client.h"

#include <curl/curl.h>

#include <algorithm>
#include <thread>

namespace sealpack::broker {
namespace {

using std::chrono::milliseconds;

// Of an answer: a refusal is the largest.
constexpr std::size_t kMaxAnswerSize = kMaxRefusalSize;
static_assert(kMaxAnswerSize >= loader::kMaxKeyGrantSize && kMaxAnswerSize >= kMaxChallengeSize);
constexpr std::uint32_t kLongestRetryAfter = 3600;  // seconds; beyond that it is no wait

struct Easy {
  void operator()(CURL* handle) const { ::curl_easy_cleanup(handle); }
};
struct List {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};

bool start_curl() {
  static const bool started = ::curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return started;
}

// What came back of one try.
struct Reply {
  long status = 0;
  ByteVector body;
  std::uint32_t retry_after = 0;
  bool too_large = false;
};

std::size_t take_body(char* data, std::size_t one, std::size_t count, void* context) {
  Reply& reply = *static_cast<Reply*>(context);
  const std::size_t size = one * count;
  if (size > kMaxAnswerSize - reply.body.size()) {
    reply.too_large = true;
    return 0;
  }
  const Bytes bytes = as_bytes({data, size});
  reply.body.insert(reply.body.end(), bytes.begin(), bytes.end());
  return size;
}

Status check_url(const std::string& url) {
  constexpr std::string_view kScheme = "https://";
  const bool right = url.starts_with(kScheme) && url.size() > kScheme.size() &&
                     url.find_first_of("/?#@ \t\r\n", kScheme.size()) == std::string::npos;
  if (right) return done();
  return Error(ErrorCode::kUsage, printable(url) + " is not the address of a broker")
      .with_hint("https://HOST:PORT, without a path");
}

// A challenge that was good when it was given; null for every other reason.
const char* why_challenge_is_over(const std::string& code) {
  // Nobody else asks about this challenge: it was this request that was answered before.
  if (code == "broker.nonce-used") return " answered before, and the answer was lost on its way";
  if (code == "broker.nonce-expired") return ": its challenge ended before it was answered";
  if (code == "broker.nonce-epoch") return " voided its challenges a moment ago";
  return nullptr;
}

class HttpsClient final : public Client {
 public:
  HttpsClient(ClientOptions options, CURL* handle)
      : options_(std::move(options)), handle_(handle) {}

  Status set_up() {
    headers_.reset(::curl_slist_append(nullptr, "Content-Type: application/x-protobuf"));
    // No waiting for "100 Continue" before a body.
    if (headers_) (void)::curl_slist_append(headers_.get(), "Expect:");
    const bool set =
        headers_ && option(CURLOPT_HTTPHEADER, headers_.get()) &&
        option(CURLOPT_PROTOCOLS_STR, "https") && option(CURLOPT_FOLLOWLOCATION, 0L) &&
        option(CURLOPT_PROXY, "") && option(CURLOPT_NOPROXY, "*") &&
        option(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED)) &&
        option(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
        option(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3)) &&
        option(CURLOPT_SSL_VERIFYPEER, 1L) && option(CURLOPT_SSL_VERIFYHOST, 2L) &&
        option(CURLOPT_SSL_SESSIONID_CACHE, 0L) && option(CURLOPT_NOSIGNAL, 1L) &&
        option(CURLOPT_TCP_NODELAY, 1L) &&
        option(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_time.count())) &&
        option(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.request_time.count())) &&
        option(CURLOPT_USERAGENT, "sealpack") && option(CURLOPT_WRITEFUNCTION, take_body) &&
        option(CURLOPT_ERRORBUFFER, message_.data());
    if (!set) return Error(ErrorCode::kInternal, "the HTTPS client cannot be set up");
    if (options_.ca_file.empty()) return done();
    std::error_code failed;
    if (!std::filesystem::is_regular_file(options_.ca_file, failed)) {
      return Error(ErrorCode::kIo,
                   "cannot read certificates from " + printable(options_.ca_file.string()));
    }
    if (!option(CURLOPT_CAINFO, options_.ca_file.c_str()) || !option(CURLOPT_CAPATH, nullptr)) {
      return Error(ErrorCode::kInternal, "the HTTPS client cannot be set up");
    }
    return done();
  }

  Result<ChallengeReply> challenge(const ChallengeRequest& request) override {
    return parse_challenge_reply(TRY(post("/v1/challenge", serialize(request)))).within(name());
  }
  Result<loader::KeyGrant> release(const ReleaseRequest& request) override {
    auto answer = post("/v1/release", serialize(request));
    if (!answer.ok() && refusal_) {
      if (const char* why = why_challenge_is_over(refusal_->reasons.front().code)) {
        return Error(ErrorCode::kTryAgain, name() + why)
            .with_hint("ask again, with a new challenge");
      }
    }
    return loader::parse_key_grant(TRY(std::move(answer))).within(name());
  }
  const std::optional<Refusal>& last_refusal() const override { return refusal_; }

 private:
  template <typename Value>
  bool option(CURLoption which, Value value) {
    return ::curl_easy_setopt(handle_.get(), which, value) == CURLE_OK;
  }
  std::string name() const { return "broker " + printable(options_.url); }

  Result<Reply> try_once(const std::string& url, const ByteVector& body) {
    Reply reply;
    message_.fill('\0');
    const bool set = option(CURLOPT_URL, url.c_str()) && option(CURLOPT_WRITEDATA, &reply) &&
                     option(CURLOPT_POSTFIELDS, body.data()) &&
                     option(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    if (!set) return Error(ErrorCode::kInternal, "the HTTPS client cannot be set up");
    const CURLcode code = ::curl_easy_perform(handle_.get());
    if (reply.too_large) {
      return Error(ErrorCode::kLimit,
                   name() + " answers more than " + std::to_string(kMaxAnswerSize) + " bytes");
    }
    if (code != CURLE_OK) return failure(code);
    (void)::curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &reply.status);
    curl_off_t wait = 0;
    (void)::curl_easy_getinfo(handle_.get(), CURLINFO_RETRY_AFTER, &wait);
    reply.retry_after =
        static_cast<std::uint32_t>(std::clamp<curl_off_t>(wait, 0, curl_off_t{kLongestRetryAfter}));
    return reply;
  }

  // What may pass by itself is kTryAgain; a certificate that is not the right one does not.
  Error failure(CURLcode code) {
    const std::string why = message_[0] != '\0' ? message_.data() : ::curl_easy_strerror(code);
    const std::string text = name() + ": " + why;
    switch (code) {
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
      case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return Error(ErrorCode::kNotAuthentic, text)
            .with_hint(
                "--broker-ca names the file with the broker's certificate, or its "
                "authority's; it has to be for the host in the URL");
      case CURLE_COULDNT_CONNECT:
      case CURLE_COULDNT_RESOLVE_HOST:
      case CURLE_OPERATION_TIMEDOUT:
      case CURLE_SEND_ERROR:
      case CURLE_RECV_ERROR:
      case CURLE_GOT_NOTHING:
      case CURLE_PARTIAL_FILE:
        return {ErrorCode::kTryAgain, text};
      default:
        return {ErrorCode::kIo, text};
    }
  }

  Result<ByteVector> post(const char* path, const ByteVector& body) {
    refusal_.reset();
    const std::string url = options_.url + path;
    milliseconds wait = options_.first_wait;
    for (unsigned tried = 1;; ++tried) {
      auto reply = try_once(url, body);
      const bool reached = reply.ok();
      if (reached && reply->status == 200) return std::move(reply->body);
      Error why = reached ? refused(*reply) : std::move(reply).take_error();
      if (tried >= options_.tries || why.code() != ErrorCode::kTryAgain) return why;
      if (reached && reply->retry_after != 0) wait = std::chrono::seconds(reply->retry_after);
      if (reached && wait > options_.longest_wait && reply->retry_after != 0) {
        return std::move(why).with_hint("ask again in " + std::to_string(reply->retry_after) +
                                        " seconds");
      }
      std::this_thread::sleep_for(std::min(wait, options_.longest_wait));
      wait *= 2;
    }
  }

  // An answer other than 200.
  Error refused(Reply& reply) {
    auto parsed = parse_refusal(reply.body);
    if (parsed.ok()) {
      refusal_ = *std::move(parsed);
      // Whatever is between may drop the header; the message says it too.
      reply.retry_after =
          std::max(reply.retry_after, std::min(refusal_->retry_after, kLongestRetryAfter));
      return to_error(*refusal_).within(name());
    }
    const std::string text = name() + " answers with HTTP status " + std::to_string(reply.status);
    if (reply.status == 429 || reply.status == 503) return {ErrorCode::kTryAgain, text};
    return {ErrorCode::kMalformed, text + " and what is no message of a broker"};
  }

  ClientOptions options_;
  std::unique_ptr<CURL, Easy> handle_;
  std::unique_ptr<curl_slist, List> headers_;
  std::array<char, CURL_ERROR_SIZE> message_{};
  std::optional<Refusal> refusal_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::create(ClientOptions options) {
  TRY(check_url(options.url));
  if (!start_curl()) return Error(ErrorCode::kInternal, "libcurl cannot be started");
  CURL* handle = ::curl_easy_init();
  if (handle == nullptr) return Error(ErrorCode::kInternal, "libcurl cannot be started");
  auto client = std::make_unique<HttpsClient>(std::move(options), handle);
  TRY(client->set_up());
  return std::unique_ptr<Client>(std::move(client));
}

Error to_error(const Refusal& refusal) {
  std::string text = "no key";
  for (std::size_t i = 0; i < refusal.reasons.size(); ++i) {
    const Reason& reason = refusal.reasons[i];
    // The broker's words are a stranger's: they must not steer a terminal.
    text += (i == 0 ? ": " : "; ") + printable(reason.code + ": " + reason.text);
  }
  if (refusal.log_index != 0) {
    text += " (entry " + std::to_string(refusal.log_index) + " of its log)";
  }
  return {refusal.code, text};
}

}  // namespace sealpack::broker
