// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "formats/base/block_source.h"
#include "formats/models/onnx_schema.h"

namespace sealpack::models::onnx {

// Protobuf wire types (protobuf.dev/programming-guides/encoding); groups (3, 4) are refused.
enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kSized = 2, kFixed32 = 5 };

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// All elements of a repeated field of numbers or bytes: the records with their tags, as they lie in
// the file one after the other.
struct ElementList {
  ByteRange records;
  std::uint64_t count = 0;
  std::uint64_t payload_size = 0;  // without tags and lengths
  ByteRange packed;                // payload, where all elements lie in one packed record
  bool is_packed = false;
};

struct Fixed32 {
  std::uint32_t bits = 0;
};

struct Message;
using MessagePointer = std::unique_ptr<Message>;

// kInteger, kFloat, kText, kBytes, the lists, kMessage.
using FieldValue =
    std::variant<std::uint64_t, Fixed32, std::string, ByteRange, ElementList, MessagePointer>;

struct Field {
  std::uint32_t number = 0;
  FieldValue value;
};

// A message without its bulk: fields in file order. Addresses of messages and fields are stable
// once parsed; other structures refer to them by pointer.
struct Message {
  MessageType type = MessageType::kModel;
  std::vector<Field> fields;

  const Field* find(std::uint32_t number) const;
  // Value of a field, or the default that protobuf gives an absent one.
  std::uint64_t integer(std::uint32_t number) const;
  std::string_view text(std::uint32_t number) const;
  const Message* message(std::uint32_t number) const;       // nullptr if absent
  const ElementList* elements(std::uint32_t number) const;  // nullptr if absent
  // In file order.
  std::vector<const Message*> messages(std::uint32_t number) const;
  std::vector<std::string_view> texts(std::uint32_t number) const;
};

Field make_field(std::uint32_t number, FieldValue value);
MessagePointer make_message(MessageType type, std::vector<Field> fields);
// make_field(number, make_message(type, {fields...})), where Field is move-only.
template <typename... Fields>
Field make_message_field(std::uint32_t number, MessageType type, Fields... fields) {
  std::vector<Field> list;
  list.reserve(sizeof...(fields));
  (list.push_back(std::move(fields)), ...);
  return make_field(number, make_message(type, std::move(list)));
}

// Cursor over a range of a source, through a window of 64 KiB. Accepts what protobuf parsers
// accept: varints in any length up to 10 bytes, cut to 64 bits. Failures are kMalformed "byte
// <position>: <why>", or those of the source.
class WireReader {
 public:
  WireReader(const BlockSource& source, ByteRange range)
      : source_(source), position_(range.offset), end_(range.offset + range.size) {}

  std::uint64_t position() const { return position_; }
  void rewind(std::uint64_t position) { position_ = position; }  // to where it has been

  struct Tag {
    std::uint32_t number;
    WireType type;
  };
  Result<Tag> tag();
  Result<std::uint64_t> varint();
  Result<std::uint64_t> fixed(unsigned size);  // little-endian
  // Length of a kSized field; what it counts lies before `end`.
  Result<std::uint64_t> size(std::uint64_t end);
  Result<std::string> text(std::uint64_t size);
  Status skip(std::uint64_t size);
  // Number of varints in the next `size` bytes, which it skips. The last one must end there.
  Result<std::uint64_t> count_varints(std::uint64_t size);

  Error malformed(const std::string& why) const;

 private:
  Status fill();  // makes the byte at position_ present

  const BlockSource& source_;
  std::uint64_t position_;
  std::uint64_t end_;
  std::uint64_t window_offset_ = 0;
  ByteVector window_;
};

unsigned varint_size(std::uint64_t value);
void append_varint(ByteVector& out, std::uint64_t value);
void append_little_endian(ByteVector& out, std::uint64_t value, unsigned size);

}  // namespace sealpack::models::onnx
