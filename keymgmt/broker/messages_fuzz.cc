// SPDX-License-Identifier: Apache-2.0
// The messages between clients and a broker, and a broker's own: each has one encoding.
#include "keymgmt/broker/log_entry.h"
#include "keymgmt/broker/messages.h"

namespace {

using namespace sealpack;

template <typename Message>
void check(const Result<Message>& parsed, Bytes input, const char* what) {
  if (parsed.ok() && broker::serialize(*parsed) != to_vector(input)) die(what);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(data, size);
  check(broker::parse_challenge_request(input), input, "a challenge request has two encodings");
  check(broker::parse_challenge_reply(input), input, "a challenge has two encodings");
  check(broker::parse_release_request(input), input, "a release request has two encodings");
  check(broker::parse_refusal(input), input, "a refusal has two encodings");
  check(broker::parse_log_entry(input), input, "a log entry has two encodings");
  return 0;
}
