// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "formats/bundle/encode.h"
#include "keymgmt/crypto/sha256.h"

namespace {

constexpr std::size_t kChecksumOffset = 20;
constexpr std::size_t kMessageOffset = kChecksumOffset + sealpack::Digest::kSize;

void check(const sealpack::ByteVector& file) {
  const auto grant = sealpack::bundle::parse_grant(file);
  if (grant.ok() && sealpack::bundle::serialize_grant(*grant) != file) __builtin_trap();
}

}  // namespace

// The file as it is, then with its checksum put right: it is no secret, and hides the parser.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  ByteVector file(data, data + size);
  check(file);
  if (size < kMessageOffset) return 0;
  const Digest checksum = crypto::sha256(Bytes(file).subspan(kMessageOffset));
  std::copy(checksum.bytes.begin(), checksum.bytes.end(), file.begin() + kChecksumOffset);
  check(file);
  return 0;
}
