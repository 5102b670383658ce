// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "formats/base/bytes.h"

namespace sealpack::bundle {

// Writes one message of the canonical protobuf subset (FORMAT.md §2): the inverse of
// bundle::MessageReader. Call with ascending fields; defaults are left out.
class MessageWriter {
 public:
  MessageWriter& u64(std::uint32_t field, std::uint64_t value);
  MessageWriter& bytes(std::uint32_t field, Bytes value);
  MessageWriter& text(std::uint32_t field, std::string_view value) {
    return bytes(field, as_bytes(value));
  }
  MessageWriter& digest(std::uint32_t field, const Digest& value) {
    return element(field, value.bytes);
  }
  // An element of a repeated field: written even if empty.
  MessageWriter& element(std::uint32_t field, Bytes value);
  MessageWriter& packed(std::uint32_t field, std::span<const std::uint64_t> values);

  ByteVector take() { return std::move(out_); }

 private:
  void varint(std::uint64_t value);
  void sized(std::uint32_t field, Bytes value);
  ByteVector out_;
};

}  // namespace sealpack::bundle
