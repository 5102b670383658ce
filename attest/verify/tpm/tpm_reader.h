// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/byte_reader.h"

namespace sealpack::attest {

// Structures of the TPM 2.0 library specification, part 2: integers big-endian, sized buffers
// behind 16 bits of size.
class TpmReader {
 public:
  TpmReader(Bytes input, std::string_view what) : in_(input, what) {}

  std::uint64_t remaining() const { return in_.remaining(); }
  Result<std::uint8_t> u8(std::string_view field) { return in_.u8(field); }
  Result<std::uint16_t> u16(std::string_view field) { return integer<std::uint16_t>(field); }
  Result<std::uint32_t> u32(std::string_view field) { return integer<std::uint32_t>(field); }
  Result<std::uint64_t> u64(std::string_view field) { return integer<std::uint64_t>(field); }
  Result<Bytes> bytes(std::uint64_t size, std::string_view field) { return in_.bytes(size, field); }

  // TPM2B: its contents, a view into the input.
  Result<Bytes> sized(std::uint16_t most, std::string_view field) {
    const std::uint16_t size = TRY(u16(field));
    if (size > most) {
      return malformed(std::string(field) + " of " + std::to_string(size) + " bytes, at most " +
                       std::to_string(most) + " are possible");
    }
    return in_.bytes(size, field);
  }

  Status finish() const { return in_.finish(); }
  Error malformed(const std::string& why) const { return in_.malformed(why); }

 private:
  template <typename Integer>
  Result<Integer> integer(std::string_view field) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : TRY(in_.bytes(sizeof(Integer), field))) {
      value = (value << 8U) | byte;
    }
    return static_cast<Integer>(value);
  }

  ByteReader in_;
};

}  // namespace sealpack::attest
