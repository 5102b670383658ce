// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/client/files.h"

namespace sealpack::broker {
namespace {

constexpr std::string_view kMagic = "sealpack broker ";
constexpr FileKind kKinds[] = {FileKind::kChallengeRequest, FileKind::kChallenge,
                               FileKind::kReleaseRequest, FileKind::kGrant, FileKind::kRefusal};
constexpr std::uint64_t kMaxFileSize = kMaxRequestSize + 64;

// "sealpack broker challenge-request\n"
std::string first_line(FileKind kind) {
  return std::string(kMagic) + to_string(kind) + "\n";
}

}  // namespace

const char* to_string(FileKind kind) {
  switch (kind) {
    case FileKind::kChallengeRequest:
      return "challenge-request";
    case FileKind::kChallenge:
      return "challenge";
    case FileKind::kReleaseRequest:
      return "release-request";
    case FileKind::kGrant:
      return "grant";
    case FileKind::kRefusal:
      return "refusal";
  }
  die("unknown kind of message file");
}

ByteVector serialize_message_file(FileKind kind, Bytes message) {
  ByteVector out = to_vector(as_bytes(first_line(kind)));
  out.insert(out.end(), message.begin(), message.end());
  return out;
}

Result<MessageFile> parse_message_file(Bytes bytes) {
  if (bytes.size() > kMaxFileSize) {
    return Error(ErrorCode::kLimit, "a message file of " + format_size(bytes.size()));
  }
  for (const FileKind kind : kKinds) {
    const std::string line = first_line(kind);
    if (!as_text(bytes).starts_with(line)) continue;
    return MessageFile{kind, to_vector(bytes.subspan(line.size()))};
  }
  return Error(ErrorCode::kMalformed, "this is no file of an exchange with a broker");
}

Status store_message_file(const std::filesystem::path& path, FileKind kind, Bytes message,
                          Overwrite overwrite) {
  OutputFile file = TRY(OutputFile::create(path, overwrite, 0600));
  TRY(file.write_at(0, serialize_message_file(kind, message)));
  return file.commit();
}

Result<MessageFile> load_message_file(const std::filesystem::path& path) {
  const ByteVector bytes = TRY(load_file(path, kMaxFileSize));
  return parse_message_file(bytes).within(printable(path.string()));
}

}  // namespace sealpack::broker
