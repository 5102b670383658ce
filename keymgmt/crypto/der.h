// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to sealpack: the little DER that key files and manufacturers' extensions need.

#include <initializer_list>

#include "formats/base/byte_reader.h"

namespace sealpack::crypto::internal {

enum class DerTag : std::uint8_t {
  kBoolean = 0x01,
  kInteger = 0x02,
  kOctetString = 0x04,
  kObjectIdentifier = 0x06,
  kEnumerated = 0x0a,
  kIa5String = 0x16,
  kSequence = 0x30,
};

// Reads elements of DER with definite lengths in their shortest form, up to 65,535 bytes.
class DerReader {
 public:
  DerReader(Bytes input, std::string_view what) : in_(input, what), what_(what) {}

  // The contents of the next element; kMalformed if it has another tag.
  Result<Bytes> element(DerTag tag, std::string_view field);
  // The next element, whatever its tag, which has one byte.
  struct Element {
    std::uint8_t tag = 0;
    Bytes contents;
    bool is(DerTag other) const { return tag == static_cast<std::uint8_t>(other); }
  };
  Result<Element> any_element(std::string_view field);
  // The elements of a SEQUENCE.
  Result<DerReader> sequence(std::string_view field);
  // A non-negative INTEGER of at most 64 bits.
  Result<std::uint64_t> unsigned_integer(std::string_view field);

  bool at_end() const { return in_.remaining() == 0; }
  Status finish() const { return in_.finish(); }
  Error malformed(const std::string& why) const { return in_.malformed(why); }

 private:
  Result<Bytes> contents(std::string_view field);

  ByteReader in_;
  std::string_view what_;
};

// Tag and length of an element of `size` bytes (at most 65,535).
ByteVector der_header(DerTag tag, std::size_t size);
// An element around the concatenation of `parts`. For public bytes.
ByteVector der_element(DerTag tag, std::initializer_list<Bytes> parts);
ByteVector der_unsigned(std::uint64_t value);

}  // namespace sealpack::crypto::internal
