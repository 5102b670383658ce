// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "formats/files/output_file.h"
#include "keymgmt/broker/messages.h"

// Messages in files, for sites without a network: each is a magic line that names its kind, then
// the message as it would go over HTTP (docs/PROTOCOL.md).
namespace sealpack::broker {

enum class FileKind {
  kChallengeRequest,  // site to broker: a ChallengeRequest
  kChallenge,         // broker to site: a ChallengeReply
  kReleaseRequest,    // site to broker: a ReleaseRequest
  kGrant,             // broker to site: a KeyGrant
  kRefusal,           // broker to site, instead of either: a Refusal
};
const char* to_string(FileKind kind);  // "challenge-request"

struct MessageFile {
  FileKind kind{};
  ByteVector message;
};
ByteVector serialize_message_file(FileKind kind, Bytes message);
// kMalformed for another kind of file; kLimit. The message is not looked at.
Result<MessageFile> parse_message_file(Bytes bytes);

// Mode 0600: a request names a site's bundle and device.
Status store_message_file(const std::filesystem::path& path, FileKind kind, Bytes message,
                          Overwrite overwrite);
Result<MessageFile> load_message_file(const std::filesystem::path& path);

}  // namespace sealpack::broker
