// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "formats/base/base64.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::broker {
namespace {

constexpr std::string_view kSignaturePrefix = "\xe2\x80\x94 ";  // an em dash and a space
constexpr std::uint8_t kEd25519Type = 1;                        // of signed notes
constexpr std::size_t kRawKeySize = 32;
constexpr std::size_t kKeyHashSize = 4;
constexpr std::size_t kMaxCheckpointSize = 16U << 10U;
constexpr std::size_t kMaxSignatures = 16;

Error malformed(const std::string& why) {
  return {ErrorCode::kMalformed, "checkpoint: " + why};
}

// What stands for the key in notes: its type and the 32 bytes at the end of its SPKI.
Result<ByteVector> note_key(const crypto::VerifyingKey& key) {
  if (key.algorithm() != crypto::SignatureAlgorithm::kEd25519) {
    return Error(ErrorCode::kUnsupported, "checkpoints are signed with Ed25519 keys");
  }
  ByteVector out = {kEd25519Type};
  const Bytes raw = key.spki().last(kRawKeySize);
  out.insert(out.end(), raw.begin(), raw.end());
  return out;
}

ByteVector key_hash(const std::string& name, Bytes note_key) {
  const Digest digest =
      crypto::Sha256().update(as_bytes(name)).update(as_bytes("\n")).update(note_key).finish();
  return to_vector(Bytes(digest.bytes).first(kKeyHashSize));
}

// A name that a note can have: text without spaces and '+', since both end it.
bool is_origin(std::string_view text) {
  const auto allowed = [](char c) { return c > ' ' && c < 0x7f && c != '+'; };
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}

// Takes the line at the start of `text`, without its end.
Result<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return malformed("a line does not end");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end != text.data() + text.size() || std::to_string(size) != text) {
    return malformed("no size: " + printable(text));
  }
  return size;
}

Result<Checkpoint> parse_body(std::string_view body) {
  Checkpoint checkpoint;
  checkpoint.origin = std::string(TRY(take_line(body)));
  if (!is_origin(checkpoint.origin)) return malformed("no origin");
  checkpoint.head.size = TRY(parse_size(TRY(take_line(body))));
  const ByteVector root = TRY(from_base64(TRY(take_line(body))).within("checkpoint"));
  if (root.size() != Digest::kSize) {
    return malformed("a root of " + std::to_string(root.size()) + " bytes");
  }
  std::copy(root.begin(), root.end(), checkpoint.head.root.bytes.begin());
  if (!body.empty()) return malformed("lines that are not understood");
  return checkpoint;
}

struct NoteSignature {
  std::string_view name;
  ByteVector bytes;  // key hash, then signature
};

Result<NoteSignature> parse_signature(std::string_view line) {
  if (!line.starts_with(kSignaturePrefix)) return malformed("no signature where one belongs");
  line.remove_prefix(kSignaturePrefix.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || !is_origin(line.substr(0, space))) {
    return malformed("a signature without a name");
  }
  NoteSignature signature{line.substr(0, space),
                          TRY(from_base64(line.substr(space + 1)).within("checkpoint"))};
  if (signature.bytes.size() <= kKeyHashSize) return malformed("a signature that is too short");
  return signature;
}

Result<bool> is_signed_by(const crypto::VerifyingKey& key, std::string_view body,
                          const NoteSignature& signature) {
  if (key.algorithm() != crypto::SignatureAlgorithm::kEd25519) return false;
  const ByteVector hash = key_hash(std::string(signature.name), TRY(note_key(key)));
  const Bytes bytes(signature.bytes);
  if (!std::equal(hash.begin(), hash.end(), bytes.begin())) return false;
  return key.verify(as_bytes(body), bytes.subspan(kKeyHashSize)).ok();
}

}  // namespace

Result<Checkpoint> sign_checkpoint(const std::string& origin, const LogHead& head,
                                   const crypto::Signer& signer) {
  if (!is_origin(origin)) return Error(ErrorCode::kUsage, "no origin: " + printable(origin));
  const ByteVector key = TRY(note_key(signer.public_key()));
  const std::string body =
      origin + "\n" + std::to_string(head.size) + "\n" + to_base64(head.root.bytes) + "\n";
  ByteVector signature = key_hash(origin, key);
  const ByteVector made = TRY(signer.sign(as_bytes(body)));
  signature.insert(signature.end(), made.begin(), made.end());
  std::string text = body;
  text += "\n";
  text += kSignaturePrefix;
  text += origin + " " + to_base64(signature) + "\n";
  return Checkpoint{origin, head, std::move(text)};
}

Result<Checkpoint> verify_checkpoint(std::string_view text,
                                     std::span<const crypto::VerifyingKey> keys) {
  if (text.size() > kMaxCheckpointSize) return malformed("it is too long");
  const std::size_t blank = text.find("\n\n");
  if (blank == std::string_view::npos) return malformed("it has no signatures");
  const std::string_view body = text.substr(0, blank + 1);
  std::string_view rest = text.substr(blank + 2);
  bool proven = false;
  for (std::size_t count = 0; !rest.empty(); ++count) {
    if (count == kMaxSignatures) return malformed("it has too many signatures");
    const NoteSignature signature = TRY(parse_signature(TRY(take_line(rest))));
    for (const crypto::VerifyingKey& key : keys) {
      // A signature under the log's own name: a witness has another.
      const bool own = body.starts_with(std::string(signature.name) + "\n");
      if (own && TRY(is_signed_by(key, body, signature))) proven = true;
    }
  }
  if (!proven) {
    return Error(ErrorCode::kNotAuthentic, "the checkpoint is not signed by a key of the log");
  }
  Checkpoint checkpoint = TRY(parse_body(body));
  checkpoint.text = std::string(text);
  return checkpoint;
}

Result<std::string> verifier_key(const std::string& origin, const crypto::VerifyingKey& key) {
  const ByteVector bytes = TRY(note_key(key));
  return origin + "+" + to_hex(key_hash(origin, bytes)) + "+" + to_base64(bytes);
}

}  // namespace sealpack::broker
