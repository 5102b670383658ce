// SPDX-License-Identifier: Apache-2.0
#include "attest/files/pem_blocks.h"

#include "attest/files/text_encodings.h"

namespace sealpack::attest {
namespace {

constexpr std::size_t kMaxBlocks = 1024;
constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kDashes = "-----";

Error malformed(const std::string& why) {
  return Error(ErrorCode::kMalformed, "PEM: " + why);
}

}  // namespace

Result<std::vector<PemContent>> parse_pem_blocks(std::string_view text) {
  std::vector<PemContent> blocks;
  for (std::size_t at = text.find(kBegin); at != text.npos; at = text.find(kBegin, at)) {
    const std::size_t label_at = at + kBegin.size();
    const std::size_t label_end = text.find(kDashes, label_at);
    if (label_end == text.npos || label_end - label_at > 64) return malformed("no label");
    const std::string label(text.substr(label_at, label_end - label_at));
    if (label.find("PRIVATE KEY") != label.npos) {
      return malformed("a private key; it belongs neither here nor on this machine");
    }
    const std::string end = "-----END " + label + "-----";
    const std::size_t body_at = label_end + kDashes.size();
    const std::size_t body_end = text.find(end, body_at);
    if (body_end == text.npos) return malformed("block " + printable(label) + " does not end");
    if (blocks.size() == kMaxBlocks) {
      return Error(ErrorCode::kLimit, "PEM: more than " + std::to_string(kMaxBlocks) + " blocks");
    }
    ByteVector der = TRY(
        decode_base64(text.substr(body_at, body_end - body_at)).within("PEM " + printable(label)));
    blocks.push_back({label, std::move(der)});
    at = body_end + end.size();
  }
  if (blocks.empty()) return malformed("no block");
  return blocks;
}

}  // namespace sealpack::attest
