// SPDX-License-Identifier: Apache-2.0
// Files of an exchange without a network. What parses is written to the same bytes, and its message
// is taken or refused.
#include <algorithm>

#include "keymgmt/broker/client/files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const Bytes bytes(data, size);
  const auto file = broker::parse_message_file(bytes);
  if (!file.ok()) return 0;
  const ByteVector again = broker::serialize_message_file(file->kind, file->message);
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) {
    die("the round trip changed a file");
  }
  switch (file->kind) {
    case broker::FileKind::kChallengeRequest:
      (void)broker::parse_challenge_request(file->message).ok();
      break;
    case broker::FileKind::kChallenge:
      (void)broker::parse_challenge_reply(file->message).ok();
      break;
    case broker::FileKind::kReleaseRequest:
      (void)broker::parse_release_request(file->message).ok();
      break;
    case broker::FileKind::kGrant:
      (void)loader::parse_key_grant(file->message).ok();
      break;
    case broker::FileKind::kRefusal:
      (void)broker::parse_refusal(file->message).ok();
      break;
  }
  return 0;
}
