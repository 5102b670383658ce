// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/der.h"

namespace sealpack::crypto::internal {
namespace {

constexpr std::uint8_t kLongForm = 0x80;

}  // namespace

Result<Bytes> DerReader::element(DerTag tag, std::string_view field) {
  const std::uint8_t found = TRY(in_.u8(field));
  if (found != static_cast<std::uint8_t>(tag)) {
    return in_.malformed(std::string(field) + " has DER tag " + std::to_string(found) + ", not " +
                         std::to_string(static_cast<int>(tag)));
  }
  return contents(field);
}

Result<DerReader::Element> DerReader::any_element(std::string_view field) {
  Element element;
  element.tag = TRY(in_.u8(field));
  element.contents = TRY(contents(field));
  return element;
}

// Behind the tag.
Result<Bytes> DerReader::contents(std::string_view field) {
  std::size_t size = TRY(in_.u8(field));
  if (size >= kLongForm) {
    const std::size_t count = size - kLongForm;
    if (count != 1 && count != 2) return in_.malformed(std::string(field) + " has a bad length");
    size = TRY(in_.u8(field));
    if (count == 2) size = size << 8U | TRY(in_.u8(field));
    if (size < (count == 1 ? 0x80U : 0x100U)) {
      return in_.malformed(std::string(field) + " has a length not in its shortest form");
    }
  }
  return in_.bytes(size, field);
}

Result<DerReader> DerReader::sequence(std::string_view field) {
  return DerReader(TRY(element(DerTag::kSequence, field)), what_);
}

Result<std::uint64_t> DerReader::unsigned_integer(std::string_view field) {
  Bytes bytes = TRY(element(DerTag::kInteger, field));
  const bool shortest = !bytes.empty() && (bytes.size() == 1 || bytes[0] != 0 || bytes[1] >= 0x80);
  if (!shortest || bytes[0] >= 0x80) {
    return in_.malformed(std::string(field) + " is not a non-negative integer in shortest form");
  }
  if (bytes.size() > 1 && bytes[0] == 0) bytes = bytes.subspan(1);
  if (bytes.size() > sizeof(std::uint64_t)) {
    return in_.malformed(std::string(field) + " exceeds 64 bits");
  }
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8U | byte;
  return value;
}

ByteVector der_header(DerTag tag, std::size_t size) {
  if (size > 0xffff) die("a DER element exceeds 65,535 bytes");
  const auto low = static_cast<std::uint8_t>(size);
  const auto high = static_cast<std::uint8_t>(size >> 8U);
  if (size < 0x80) return {static_cast<std::uint8_t>(tag), low};
  if (size < 0x100) return {static_cast<std::uint8_t>(tag), kLongForm | 1, low};
  return {static_cast<std::uint8_t>(tag), kLongForm | 2, high, low};
}

ByteVector der_element(DerTag tag, std::initializer_list<Bytes> parts) {
  std::size_t size = 0;
  for (const Bytes part : parts) size += part.size();
  ByteVector out = der_header(tag, size);
  for (const Bytes part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

ByteVector der_unsigned(std::uint64_t value) {
  ByteVector bytes;
  do {
    bytes.insert(bytes.begin(), static_cast<std::uint8_t>(value));
    value >>= 8U;
  } while (value != 0);
  if (bytes.front() >= 0x80) bytes.insert(bytes.begin(), 0);
  return der_element(DerTag::kInteger, {bytes});
}

}  // namespace sealpack::crypto::internal
