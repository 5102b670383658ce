// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::testing {

// A PE32+ image as small as they come.
class PeBuilder {
 public:
  static constexpr std::size_t kPeAt = 0x400;
  static constexpr std::size_t kOptionalAt = kPeAt + 24;
  static constexpr std::size_t kChecksumAt = kOptionalAt + 64;
  static constexpr std::size_t kSecurityAt = kOptionalAt + 112 + 32;
  static constexpr std::size_t kSectionsAt = kOptionalAt + 240;
  static constexpr std::size_t kHeadersSize = 0x1000;
  static constexpr std::size_t kAlignment = 0x200;

  // A setup header of the x86 boot protocol 2.15, as Linux has one where DOS had its stub.
  PeBuilder& bzimage() {
    bzimage_ = true;
    return *this;
  }
  PeBuilder& add(const std::string& name, const ByteVector& data) {
    sections_.emplace_back(name, data);
    return *this;
  }
  PeBuilder& sign(const ByteVector& signature) {
    signature_ = signature;
    return *this;
  }

  ByteVector build() const {
    ByteVector out(kHeadersSize);
    put(out, 0, 0x5a4d, 2);
    put(out, 0x3c, kPeAt, 4);
    if (bzimage_) put_setup_header(out);
    put(out, kPeAt, 0x4550, 4);
    put(out, kPeAt + 4, 0x8664, 2);
    put(out, kPeAt + 6, sections_.size(), 2);
    put(out, kPeAt + 20, 240, 2);
    put(out, kOptionalAt, 0x20b, 2);
    put(out, kOptionalAt + 60, kHeadersSize, 4);
    put(out, kOptionalAt + 108, 16, 4);
    std::size_t at = kSectionsAt;
    for (const auto& [name, data] : sections_) {
      for (std::size_t i = 0; i < name.size(); ++i) {
        out[at + i] = static_cast<std::uint8_t>(name[i]);
      }
      const std::size_t size = (data.size() + kAlignment - 1) / kAlignment * kAlignment;
      put(out, at + 8, data.size(), 4);
      put(out, at + 16, size, 4);
      put(out, at + 20, out.size(), 4);
      out.insert(out.end(), data.begin(), data.end());
      out.resize(out.size() + size - data.size());
      at += 40;
    }
    if (!signature_.empty()) {
      put(out, kSecurityAt, out.size(), 4);
      put(out, kSecurityAt + 4, signature_.size(), 4);
      out.insert(out.end(), signature_.begin(), signature_.end());
    }
    return out;
  }

  static void put(ByteVector& out, std::size_t at, std::uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) {
      out[at + i] = static_cast<std::uint8_t>((value >> (8U * i)) & 0xffU);
    }
  }

 private:
  static void put_setup_header(ByteVector& out) {
    put(out, 0x202, 0x53726448, 4);  // HdrS
    put(out, 0x206, 0x020f, 2);
    out[0x211] = 0x01;
    put(out, 0x22c, 0x7fffffff, 4);
    put(out, 0x236, 0x7f, 2);
  }

  bool bzimage_ = false;
  std::vector<std::pair<std::string, ByteVector>> sections_;
  ByteVector signature_;
};

}  // namespace sealpack::testing
