// SPDX-License-Identifier: Apache-2.0
#include "formats/base/byte_reader.h"

namespace sealpack {
namespace {

template <typename Integer>
Integer little_endian(Bytes bytes) {
  Integer value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = static_cast<Integer>((static_cast<std::uint64_t>(value) << 8U) | bytes[i]);
  }
  return value;
}

}  // namespace

Result<Bytes> ByteReader::bytes(std::uint64_t size, std::string_view field) {
  if (size > remaining()) {
    return malformed("ends inside " + std::string(field) + ", which needs " + std::to_string(size) +
                     " bytes where " + std::to_string(remaining()) + " are left");
  }
  const Bytes view = input_.subspan(position_, static_cast<std::size_t>(size));
  position_ += static_cast<std::size_t>(size);
  return view;
}

Status ByteReader::skip(std::uint64_t size, std::string_view field) {
  TRY(bytes(size, field));
  return done();
}

Result<std::uint8_t> ByteReader::u8(std::string_view field) {
  return TRY(bytes(1, field))[0];
}
Result<std::uint16_t> ByteReader::u16(std::string_view field) {
  return little_endian<std::uint16_t>(TRY(bytes(2, field)));
}
Result<std::uint32_t> ByteReader::u32(std::string_view field) {
  return little_endian<std::uint32_t>(TRY(bytes(4, field)));
}
Result<std::uint64_t> ByteReader::u64(std::string_view field) {
  return little_endian<std::uint64_t>(TRY(bytes(8, field)));
}

Result<std::uint64_t> ByteReader::varint(std::string_view field) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = TRY(u8(field));
    const std::uint64_t part = byte & 0x7fU;
    if (shift == 63 && part > 1) return malformed(std::string(field) + " exceeds 64 bits");
    value |= part << shift;
    if ((byte & 0x80U) == 0) {
      if (byte == 0 && shift != 0) return malformed(std::string(field) + " is not minimal");
      return value;
    }
  }
  return malformed(std::string(field) + " exceeds 64 bits");
}

Status ByteReader::finish() const {
  if (remaining() != 0) {
    return malformed(std::to_string(remaining()) + " bytes left over");
  }
  return done();
}

Error ByteReader::malformed(const std::string& why) const {
  return {ErrorCode::kMalformed,
          std::string(what_) + ", byte " + std::to_string(position_) + ": " + why};
}

}  // namespace sealpack
