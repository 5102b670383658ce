// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/messages.h"

#include <algorithm>

#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"
#include "runtime-loader/core/names.h"

namespace sealpack::broker {
namespace {

using bundle::MessageReader;
using bundle::MessageWriter;

constexpr std::size_t kNonceSize = 32;
constexpr std::size_t kMaxChallengeIdSize = 256;

Status check_size(Bytes bytes, std::uint64_t limit, const char* what) {
  if (bytes.size() <= limit) return done();
  return Error(ErrorCode::kLimit, std::string(what) + " of " + std::to_string(bytes.size()) +
                                      " bytes, at most " + std::to_string(limit) + " are taken");
}

Status check_version(std::uint32_t version, const char* what) {
  if (version == kProtocolVersion) return done();
  return Error(ErrorCode::kUnsupported, std::string(what) + " of version " +
                                            std::to_string(version) + ", this sealpack knows " +
                                            std::to_string(kProtocolVersion));
}

bool is_code(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}

bool is_refusing(std::uint64_t code) {
  switch (static_cast<ErrorCode>(code)) {
    case ErrorCode::kUsage:
    case ErrorCode::kIo:
    case ErrorCode::kMalformed:
    case ErrorCode::kUnsupported:
    case ErrorCode::kNotAuthentic:
    case ErrorCode::kRefused:
    case ErrorCode::kKeyUnavailable:
    case ErrorCode::kTryAgain:
    case ErrorCode::kLimit:
    case ErrorCode::kInternal:
      return true;
  }
  return false;
}

ByteVector serialize_reason(const Reason& reason) {
  return MessageWriter().text(1, reason.code).text(2, reason.text).take();
}

Result<Reason> parse_reason(Bytes bytes) {
  MessageReader in(bytes, "reason");
  Reason reason;
  reason.code = TRY(in.text(1, "code", kMaxReasonCode));
  if (!is_code(reason.code)) return in.malformed("a code is of a-z, 0-9, '-' and '.'");
  reason.text = TRY(in.text(2, "text", kMaxReasonText));
  TRY(in.finish());
  return reason;
}

}  // namespace

ByteVector serialize(const ChallengeRequest& message) {
  return MessageWriter()
      .u64(1, kProtocolVersion)
      .digest(2, message.authority)
      .digest(3, message.content)
      .digest(4, message.release)
      .text(5, message.tee)
      .take();
}

Result<ChallengeRequest> parse_challenge_request(Bytes bytes) {
  TRY(check_size(bytes, kMaxChallengeSize, "challenge request"));
  MessageReader in(bytes, "challenge request");
  TRY(check_version(TRY(in.u32(1, "version")), "challenge request"));
  ChallengeRequest message;
  message.authority = TRY(in.digest(2, "authority"));
  message.content = TRY(in.digest(3, "content digest"));
  message.release = TRY(in.digest(4, "release digest"));
  message.tee = TRY(in.text(5, "TEE type", loader::kMaxLabelSize));
  TRY(in.finish());
  TRY(loader::check_label(message.tee, "TEE type"));
  return message;
}

ByteVector serialize(const ChallengeReply& message) {
  return MessageWriter()
      .u64(1, kProtocolVersion)
      .bytes(2, message.challenge.nonce)
      .bytes(3, message.challenge.id)
      .u64(4, message.expires)
      .take();
}

Result<ChallengeReply> parse_challenge_reply(Bytes bytes) {
  TRY(check_size(bytes, kMaxChallengeSize, "challenge"));
  MessageReader in(bytes, "challenge");
  TRY(check_version(TRY(in.u32(1, "version")), "challenge"));
  ChallengeReply message;
  message.challenge.nonce = to_vector(TRY(in.bytes(2, "nonce", kNonceSize)));
  if (message.challenge.nonce.size() != kNonceSize) {
    return in.malformed("a nonce of " + std::to_string(message.challenge.nonce.size()) +
                        " bytes, not " + std::to_string(kNonceSize));
  }
  message.challenge.id = to_vector(TRY(in.bytes(3, "challenge id", kMaxChallengeIdSize)));
  if (message.challenge.id.empty()) return in.malformed("no challenge id");
  message.expires = TRY(in.u64(4, "expiry"));
  TRY(in.finish());
  return message;
}

ByteVector serialize(const ReleaseRequest& message) {
  return MessageWriter()
      .u64(1, kProtocolVersion)
      .bytes(2, message.key_request)
      .bytes(3, message.endorsements)
      .take();
}

Result<ReleaseRequest> parse_release_request(Bytes bytes) {
  TRY(check_size(bytes, kMaxRequestSize, "release request"));
  MessageReader in(bytes, "release request");
  TRY(check_version(TRY(in.u32(1, "version")), "release request"));
  ReleaseRequest message;
  message.key_request = to_vector(TRY(in.bytes(2, "key request", loader::kMaxKeyRequestSize)));
  message.endorsements = to_vector(TRY(in.bytes(3, "endorsements", kMaxRequestSize)));
  TRY(in.finish());
  return message;
}

ByteVector serialize(const Refusal& message) {
  MessageWriter out;
  out.u64(1, kProtocolVersion).u64(2, static_cast<std::uint64_t>(message.code));
  for (const Reason& reason : message.reasons) out.element(3, serialize_reason(reason));
  return out.u64(4, message.log_index).u64(5, message.retry_after).take();
}

Result<Refusal> parse_refusal(Bytes bytes) {
  TRY(check_size(bytes, kMaxRefusalSize, "refusal"));
  MessageReader in(bytes, "refusal");
  TRY(check_version(TRY(in.u32(1, "version")), "refusal"));
  Refusal message;
  const std::uint64_t code = TRY(in.u64(2, "code"));
  if (!is_refusing(code)) return in.malformed("no refusal has the code " + std::to_string(code));
  message.code = static_cast<ErrorCode>(code);
  while (TRY(in.at(3))) {
    if (message.reasons.size() == kMaxReasons) {
      return in.malformed("more than " + std::to_string(kMaxReasons) + " reasons");
    }
    message.reasons.push_back(TRY(parse_reason(TRY(in.element(3, "reason")))));
  }
  message.log_index = TRY(in.u64(4, "log index"));
  message.retry_after = TRY(in.u32(5, "seconds to wait"));
  TRY(in.finish());
  if (message.reasons.empty()) return in.malformed("no reason is given");
  return message;
}

}  // namespace sealpack::broker
