// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx_wire.h"

#include <algorithm>

namespace sealpack::models::onnx {
namespace {

constexpr std::uint64_t kWindowSize = std::uint64_t{64} << 10U;

}  // namespace

const Field* Message::find(std::uint32_t number) const {
  for (const Field& field : fields) {
    if (field.number == number) return &field;
  }
  return nullptr;
}

std::uint64_t Message::integer(std::uint32_t number) const {
  const Field* field = find(number);
  return field == nullptr ? 0 : std::get<std::uint64_t>(field->value);
}

std::string_view Message::text(std::uint32_t number) const {
  const Field* field = find(number);
  return field == nullptr ? std::string_view() : std::get<std::string>(field->value);
}

const Message* Message::message(std::uint32_t number) const {
  const Field* field = find(number);
  return field == nullptr ? nullptr : std::get<MessagePointer>(field->value).get();
}

const ElementList* Message::elements(std::uint32_t number) const {
  const Field* field = find(number);
  return field == nullptr ? nullptr : &std::get<ElementList>(field->value);
}

std::vector<const Message*> Message::messages(std::uint32_t number) const {
  std::vector<const Message*> found;
  for (const Field& field : fields) {
    if (field.number == number) found.push_back(std::get<MessagePointer>(field.value).get());
  }
  return found;
}

std::vector<std::string_view> Message::texts(std::uint32_t number) const {
  std::vector<std::string_view> found;
  for (const Field& field : fields) {
    if (field.number == number) found.emplace_back(std::get<std::string>(field.value));
  }
  return found;
}

Field make_field(std::uint32_t number, FieldValue value) {
  Field field;
  field.number = number;
  field.value = std::move(value);
  return field;
}

MessagePointer make_message(MessageType type, std::vector<Field> fields) {
  auto message = std::make_unique<Message>();
  message->type = type;
  message->fields = std::move(fields);
  return message;
}

Error WireReader::malformed(const std::string& why) const {
  return {ErrorCode::kMalformed, "byte " + std::to_string(position_) + ": " + why};
}

Status WireReader::fill() {
  if (position_ >= end_) return malformed("ends inside a field");
  if (position_ >= window_offset_ && position_ - window_offset_ < window_.size()) return done();
  window_.resize(static_cast<std::size_t>(std::min(kWindowSize, end_ - position_)));
  window_offset_ = position_;
  Status status = source_.read_at(position_, window_);
  if (!status.ok()) window_.clear();
  return status;
}

Result<std::uint64_t> WireReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    TRY(fill());
    const std::uint8_t byte = window_[static_cast<std::size_t>(position_ - window_offset_)];
    ++position_;
    if (shift < 64) value |= (byte & std::uint64_t{0x7f}) << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  return malformed("a varint exceeds 64 bits");
}

Result<WireReader::Tag> WireReader::tag() {
  const std::uint64_t value = TRY(varint());
  const std::uint64_t number = value >> 3U;
  const auto type = static_cast<unsigned>(value & 7U);
  if (number == 0 || number >= (1U << 29U)) return malformed("not a protobuf field number");
  if (type == 3 || type == 4 || type > 5) {
    return malformed("wire type " + std::to_string(type) + " is not used by ONNX");
  }
  return Tag{static_cast<std::uint32_t>(number), static_cast<WireType>(type)};
}

Result<std::uint64_t> WireReader::fixed(unsigned size) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < size; ++i) {
    TRY(fill());
    const std::uint8_t byte = window_[static_cast<std::size_t>(position_ - window_offset_)];
    value |= static_cast<std::uint64_t>(byte) << (8 * i);
    ++position_;
  }
  return value;
}

Result<std::uint64_t> WireReader::size(std::uint64_t end) {
  const std::uint64_t size = TRY(varint());
  if (position_ > end || size > end - position_) {
    return malformed("a field of " + std::to_string(size) + " bytes runs past its message");
  }
  return size;
}

Result<std::string> WireReader::text(std::uint64_t size) {
  std::string text;
  while (text.size() < size) {
    TRY(fill());
    const auto at = static_cast<std::size_t>(position_ - window_offset_);
    const std::size_t part =
        std::min(static_cast<std::size_t>(size) - text.size(), window_.size() - at);
    text += as_text(Bytes(window_).subspan(at, part));
    position_ += part;
  }
  return text;
}

Status WireReader::skip(std::uint64_t size) {
  if (size > end_ - position_) return malformed("ends inside a field");
  position_ += size;
  return done();
}

Result<std::uint64_t> WireReader::count_varints(std::uint64_t size) {
  const std::uint64_t end = position_ + size;
  std::uint64_t count = 0;
  unsigned length = 0;
  while (position_ < end) {
    TRY(fill());
    const auto at = static_cast<std::size_t>(position_ - window_offset_);
    const auto part =
        static_cast<std::size_t>(std::min<std::uint64_t>(end - position_, window_.size() - at));
    for (const std::uint8_t byte : Bytes(window_).subspan(at, part)) {
      if (++length > 10) return malformed("a varint exceeds 64 bits");
      if ((byte & 0x80U) == 0) ++count, length = 0;
    }
    position_ += part;
  }
  if (length != 0) return malformed("a packed list ends inside a varint");
  return count;
}

unsigned varint_size(std::uint64_t value) {
  unsigned size = 1;
  while (value >= 0x80) value >>= 7U, ++size;
  return size;
}

void append_varint(ByteVector& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out.push_back(static_cast<std::uint8_t>(value | 0x80U));
  out.push_back(static_cast<std::uint8_t>(value));
}

void append_little_endian(ByteVector& out, std::uint64_t value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

}  // namespace sealpack::models::onnx
