// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "formats/base/bytes.h"

// Protobuf messages for tests, written field by field, right or wrong.
namespace sealpack::models::testing {

class Proto {
 public:
  Proto& raw(Bytes bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Proto& varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) bytes_.push_back(static_cast<std::uint8_t>(value | 0x80U));
    bytes_.push_back(static_cast<std::uint8_t>(value));
    return *this;
  }
  Proto& tag(std::uint32_t number, unsigned wire_type) {
    return varint(std::uint64_t{number} << 3U | wire_type);
  }
  Proto& integer(std::uint32_t number, std::uint64_t value) { return tag(number, 0).varint(value); }
  Proto& bytes(std::uint32_t number, Bytes value) {
    return tag(number, 2).varint(value.size()).raw(value);
  }
  Proto& text(std::uint32_t number, std::string_view value) {
    return bytes(number, as_bytes(value));
  }
  Proto& message(std::uint32_t number, const Proto& value) { return bytes(number, value.bytes_); }
  Proto& packed(std::uint32_t number, const std::vector<std::uint64_t>& values) {
    Proto list;
    for (const std::uint64_t value : values) list.varint(value);
    return message(number, list);
  }
  Proto& fixed32(std::uint32_t number, std::uint32_t value) {
    tag(number, 5);
    for (unsigned i = 0; i < 4; ++i) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    return *this;
  }

  const ByteVector& get() const { return bytes_; }

 private:
  ByteVector bytes_;
};

inline ByteVector pattern(std::size_t size, std::uint8_t seed) {
  ByteVector out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(seed + i * 7 + i / 37);
  return out;
}

// TensorProto of FLOAT raw_data.
inline Proto raw_tensor(std::string_view name, std::uint64_t count, std::uint8_t seed) {
  return Proto()
      .packed(1, {count})
      .integer(2, 1)
      .text(8, name)
      .bytes(9, pattern(static_cast<std::size_t>(count * 4), seed));
}

// TensorProto with dims [count] and data in `field` as varints.
inline Proto typed_tensor(std::string_view name, std::uint64_t type, std::uint32_t field,
                          const std::vector<std::uint64_t>& values) {
  return Proto().packed(1, {values.size()}).integer(2, type).packed(field, values).text(8, name);
}

inline Proto value_info(std::string_view name) {
  const Proto type = Proto().message(1, Proto().integer(1, 1).message(2, Proto()));
  return Proto().text(1, name).message(2, type);
}

inline Proto node(std::string_view operation, const std::vector<std::string_view>& inputs,
                  std::string_view output) {
  Proto proto;
  for (const std::string_view input : inputs) proto.text(1, input);
  return proto.text(2, output).text(3, output).text(4, operation);
}

// ModelProto around a graph, which comes last so that every truncation cuts it.
inline Proto model(const Proto& graph) {
  return Proto()
      .integer(1, 8)
      .text(2, "secret producer")
      .message(8, Proto().text(1, "").integer(2, 17))
      .message(7, graph);
}

// y = x + w, v unused, both of 300 floats.
inline Proto small_graph() {
  return Proto()
      .message(1, node("Add", {"x", "w"}, "y").text(6, "secret doc"))
      .text(2, "g")
      .message(5, raw_tensor("w", 300, 1))
      .message(5, raw_tensor("v", 300, 100))
      .message(11, value_info("x"))
      .message(12, value_info("y"));
}

}  // namespace sealpack::models::testing
