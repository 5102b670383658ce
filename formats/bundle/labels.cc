// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/labels.h"

namespace sealpack::bundle {
namespace {

std::array<std::uint8_t, 8> little_endian(std::uint64_t value) {
  std::array<std::uint8_t, 8> bytes;
  for (auto& byte : bytes) {
    byte = static_cast<std::uint8_t>(value);
    value >>= 8U;
  }
  return bytes;
}

}  // namespace

LengthPrefixed& LengthPrefixed::add(Bytes part) {
  const auto size = little_endian(part.size());
  bytes_.insert(bytes_.end(), size.begin(), size.end());
  bytes_.insert(bytes_.end(), part.begin(), part.end());
  return *this;
}

LengthPrefixed& LengthPrefixed::add(std::uint64_t number) {
  return add(little_endian(number));
}

}  // namespace sealpack::bundle
