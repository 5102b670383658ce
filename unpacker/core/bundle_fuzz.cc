// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "unpacker/core/bundle.h"

namespace {

using namespace sealpack;

constexpr std::size_t kCopyOffset = bundle::kHeadOffset + bundle::kAlignment;
constexpr std::size_t kMessageOffset = kCopyOffset + 4 + Digest::kSize;

// Opens the file and reads all that can be read without trust. What the manifest describes must
// fit.
void read_claims(ByteVector file) {
  const std::uint64_t size = file.size();
  const auto unverified =
      unpacker::UnverifiedBundle::open(std::make_shared<MemorySource>(std::move(file)));
  if (!unverified.ok()) return;
  const auto claimed = unverified->claimed_without_proof();
  if (!claimed.ok()) return;
  const auto layout = bundle::layout_of(claimed->content, claimed->release.content_size);
  if (!layout.ok() || layout->file_size != size) __builtin_trap();
  for (const bundle::Member& member : layout->members) {
    const std::uint64_t headers = member.data_offset - member.header_offset;
    if (bundle::member_headers(member).size() != headers) __builtin_trap();
  }
}

}  // namespace

// The whole file as it is; then with the checksum of copy A put right, which hides what lies
// behind.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteVector file(data, data + size);
  read_claims(file);
  if (size < kMessageOffset) return 0;
  std::size_t message = 0;
  for (unsigned i = 0; i < 4; ++i) message |= std::size_t{file[kCopyOffset + i]} << (8 * i);
  if (message > size - kMessageOffset) return 0;
  const Digest checksum = crypto::sha256(Bytes(file).subspan(kMessageOffset, message));
  std::copy(checksum.bytes.begin(), checksum.bytes.end(), file.begin() + kCopyOffset + 4);
  read_claims(std::move(file));
  return 0;
}
