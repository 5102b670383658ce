// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/tpm: TPM structures are big-endian, with 16-bit sizes.

#include "formats/base/byte_reader.h"

namespace sealpack::tpm {

class WireWriter {
 public:
  WireWriter& u8(std::uint8_t value) {
    out_.push_back(value);
    return *this;
  }
  WireWriter& u16(std::uint16_t value) { return number(value, 2); }
  WireWriter& u32(std::uint32_t value) { return number(value, 4); }
  WireWriter& u64(std::uint64_t value) { return number(value, 8); }
  WireWriter& raw(Bytes bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  // A TPM2B: its size, then its bytes; at most 65,535.
  WireWriter& sized(Bytes bytes) {
    if (bytes.size() > 0xffff) die("a TPM structure of more than 64 KiB");
    return u16(static_cast<std::uint16_t>(bytes.size())).raw(bytes);
  }
  ByteVector take() { return std::move(out_); }

 private:
  WireWriter& number(std::uint64_t value, unsigned size) {
    for (unsigned i = size; i-- > 0;) out_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    return *this;
  }
  ByteVector out_;
};

class WireReader {
 public:
  WireReader(Bytes input, std::string_view what) : in_(input, what) {}

  Result<std::uint8_t> u8(std::string_view field) { return in_.u8(field); }
  Result<std::uint16_t> u16(std::string_view field) {
    return static_cast<std::uint16_t>(TRY(number(2, field)));
  }
  Result<std::uint32_t> u32(std::string_view field) {
    return static_cast<std::uint32_t>(TRY(number(4, field)));
  }
  Result<std::uint64_t> u64(std::string_view field) { return number(8, field); }
  Result<Bytes> raw(std::uint64_t size, std::string_view field) { return in_.bytes(size, field); }
  Result<Bytes> sized(std::size_t limit, std::string_view field) {
    const std::uint16_t size = TRY(u16(field));
    if (size > limit) {
      return in_.malformed(std::string(field) + " of " + std::to_string(size) + " bytes, at most " +
                           std::to_string(limit));
    }
    return in_.bytes(size, field);
  }
  Status finish() const { return in_.finish(); }
  Error malformed(const std::string& why) const { return in_.malformed(why); }

 private:
  Result<std::uint64_t> number(std::uint64_t size, std::string_view field) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : TRY(in_.bytes(size, field))) value = value << 8U | byte;
    return value;
  }
  ByteReader in_;
};

}  // namespace sealpack::tpm
