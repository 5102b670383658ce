// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "formats/base/bytes.h"

namespace sealpack {

// The one cursor over untrusted bytes. Every read names its field, so that a truncated input says
// where it ends; integers are little-endian; `bytes` returns views into the input; `finish` ends
// every parser. All failures are kMalformed.
class ByteReader {
 public:
  // `what` names the structure in messages ("safetensors header") and must outlive the reader, as
  // must `input`.
  ByteReader(Bytes input, std::string_view what) : input_(input), what_(what) {}

  std::uint64_t position() const { return position_; }
  std::uint64_t remaining() const { return input_.size() - position_; }

  Result<std::uint8_t> u8(std::string_view field);
  Result<std::uint16_t> u16(std::string_view field);
  Result<std::uint32_t> u32(std::string_view field);
  Result<std::uint64_t> u64(std::string_view field);
  // Base-128 varint of at most 64 bits in its shortest form (protobuf wire format).
  Result<std::uint64_t> varint(std::string_view field);
  Result<Bytes> bytes(std::uint64_t size, std::string_view field);
  Status skip(std::uint64_t size, std::string_view field);

  template <std::size_t N>
  Result<std::array<std::uint8_t, N>> array(std::string_view field) {
    const Bytes view = TRY(bytes(N, field));
    std::array<std::uint8_t, N> out;
    std::copy(view.begin(), view.end(), out.begin());
    return out;
  }

  // Refuses bytes left over: a parser that ignores its tail lets two readers disagree.
  Status finish() const;

  // "<what>, byte <position>: <why>", kMalformed.
  Error malformed(const std::string& why) const;

 private:
  Bytes input_;
  std::string_view what_;
  std::size_t position_ = 0;
};

}  // namespace sealpack
