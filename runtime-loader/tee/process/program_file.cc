// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/process/program_file.h"

#include <algorithm>

#include "formats/base/byte_reader.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::tee {
namespace {

// System V ABI, "ELF Header" and "Program Header"; the parts that say what the kernel loads.
constexpr std::size_t kHeaderSize = 64;
constexpr std::size_t kSegmentSize = 56;
constexpr std::uint16_t kMaxSegments = 256;
constexpr std::uint8_t kStart[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};  // 64 bits, little-endian
constexpr std::uint32_t kInterpreter = 3;                          // PT_INTERP

struct SegmentTable {
  std::uint64_t offset = 0;
  std::uint16_t count = 0;
};

Result<SegmentTable> parse_header(Bytes bytes) {
  if (!std::equal(std::begin(kStart), std::end(kStart), bytes.begin())) {
    return Error(ErrorCode::kMalformed, "it is no 64-bit ELF file");
  }
  ByteReader reader(bytes, "ELF header");
  TRY(reader.skip(32, "identification"));
  SegmentTable table;
  table.offset = TRY(reader.u64("offset of the segments"));
  TRY(reader.skip(14, "offset of the sections"));
  const std::uint16_t size = TRY(reader.u16("size of a segment's entry"));
  table.count = TRY(reader.u16("count of segments"));
  if (size != kSegmentSize || table.count == 0 || table.count > kMaxSegments) {
    return Error(ErrorCode::kMalformed, "it has " + std::to_string(table.count) + " segments of " +
                                            std::to_string(size) + " bytes");
  }
  return table;
}

}  // namespace

Status check_self_contained(const BlockSource& file) {
  std::array<std::uint8_t, kHeaderSize> header{};
  if (file.size() < header.size()) return Error(ErrorCode::kMalformed, "it is no ELF file");
  TRY(file.read_at(0, header));
  const SegmentTable table = TRY(parse_header(header));
  ByteVector entries(table.count * kSegmentSize);
  if (table.offset > file.size() || entries.size() > file.size() - table.offset) {
    return Error(ErrorCode::kMalformed, "its segments lie beyond its end");
  }
  TRY(file.read_at(table.offset, entries));
  ByteReader reader(entries, "ELF segments");
  for (std::uint16_t i = 0; i < table.count; ++i) {
    const std::uint32_t type = TRY(reader.u32("type"));
    if (type == kInterpreter) {
      return Error(ErrorCode::kRefused,
                   "it loads libraries when it starts, and its measurement would not cover them")
          .with_hint("link it as sealpack_self_contained in cmake/SealpackTargets.cmake does");
    }
    TRY(reader.skip(kSegmentSize - sizeof type, "rest of a segment's entry"));
  }
  return done();
}

Result<Digest> measure_program(const BlockSource& file) {
  crypto::Sha256 hash;
  ByteVector piece(std::size_t{1} << 20U);
  for (std::uint64_t at = 0; at < file.size(); at += piece.size()) {
    const MutableBytes part =
        MutableBytes(piece).first(std::min<std::uint64_t>(piece.size(), file.size() - at));
    TRY(file.read_at(at, part));
    hash.update(part);
  }
  return hash.finish();
}

}  // namespace sealpack::tee
