// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "formats/base/bytes.h"

namespace sealpack::attest {

struct HttpReply {
  ByteVector body;
  std::map<std::string, std::string> headers;  // names in lower case; the last of several
};

struct HttpOptions {
  bool allow_plain = false;                // http:// too: for a mirror that the user names
  std::string ca_file;                     // empty: the system's authorities
  std::chrono::seconds timeout{60};        // of one request, all of it
  std::chrono::seconds longest_wait{300};  // in all, where the service asks to come later
  std::uint64_t max_size = std::uint64_t{4} << 20U;  // of a body
};

// GET of small public documents, and questions to OCSP responders. Follows no redirection, sends no
// cookies and no credentials.
class HttpsClient {
 public:
  static Result<HttpsClient> create(HttpOptions options);
  HttpsClient(HttpsClient&&) noexcept;
  HttpsClient& operator=(HttpsClient&&) noexcept;
  ~HttpsClient();

  // 200 alone is success. 429 and 503 are asked again after what Retry-After says, within
  // longest_wait: kTryAgain after that. kIo for other answers and for no answer; kLimit; kUsage for
  // a URL that is not https.
  Result<HttpReply> get(const std::string& url);
  // The same with a body.
  Result<HttpReply> post(const std::string& url, const std::string& content_type, Bytes body);

 private:
  struct State;
  struct Question;
  Result<HttpReply> exchange(const Question& question);
  explicit HttpsClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// "%41b" to "Ab": Intel's services put certificate chains into headers like that. kMalformed.
Result<std::string> decode_percent(std::string_view text);

}  // namespace sealpack::attest
