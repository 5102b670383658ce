// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx_write.h"

namespace sealpack::models::onnx {
namespace {

std::uint64_t tag_of(std::uint32_t number, WireType type) {
  return std::uint64_t{number} << 3U | static_cast<unsigned>(type);
}

class ModelWriter {
 public:
  ModelWriter(const BlockSource& source, std::uint32_t file, const Edits& edits)
      : source_(source), file_(file), edits_(edits) {}

  Result<std::vector<Piece>> write(const Message& model) {
    measure(model);
    TRY(write_message(model));
    flush();
    return std::move(pieces_);
  }

 private:
  // Calls visit(field) for the fields of the edited message, in the order they are written, until
  // one fails.
  template <typename Visit>
  Status for_each(const Message& message, Visit visit) {
    const auto added = [&](const std::unordered_map<const Message*, std::vector<Field>>& edits) {
      const auto found = edits.find(&message);
      return found == edits.end() ? std::span<const Field>() : std::span(found->second);
    };
    for (const Field& field : added(edits_.prepended)) TRY(visit(field));
    for (const Field& field : message.fields) {
      if (is_dropped(message.type, field)) continue;
      const auto replaced = edits_.replaced.find(&field);
      TRY(visit(replaced == edits_.replaced.end() ? field : replaced->second));
    }
    for (const Field& field : added(edits_.appended)) TRY(visit(field));
    return done();
  }

  bool is_dropped(MessageType type, const Field& field) const {
    if (edits_.dropped.contains(&field)) return true;
    return edits_.drop_descriptive && find_rule(type, field.number)->descriptive;
  }

  std::uint64_t measure(const Message& message) {
    std::uint64_t size = 0;
    (void)for_each(message, [&](const Field& field) {
      size += measure_field(field);
      return done();
    });
    sizes_[&message] = size;
    return size;
  }

  std::uint64_t measure_field(const Field& field) {
    const std::uint64_t tag_size = varint_size(tag_of(field.number, WireType::kVarint));
    if (const auto* integer = std::get_if<std::uint64_t>(&field.value)) {
      return tag_size + varint_size(*integer);
    }
    if (std::holds_alternative<Fixed32>(field.value)) return tag_size + 4;
    if (const auto* list = std::get_if<ElementList>(&field.value)) return list->records.size;
    std::uint64_t size = 0;
    if (const auto* text = std::get_if<std::string>(&field.value)) size = text->size();
    if (const auto* range = std::get_if<ByteRange>(&field.value)) size = range->size;
    if (const auto* child = std::get_if<MessagePointer>(&field.value)) size = measure(**child);
    return tag_size + varint_size(size) + size;
  }

  Status write_message(const Message& message) {
    return for_each(message, [&](const Field& field) { return write_field(field); });
  }

  Status write_field(const Field& field) {
    if (const auto* integer = std::get_if<std::uint64_t>(&field.value)) {
      append_varint(literal_, tag_of(field.number, WireType::kVarint));
      append_varint(literal_, *integer);
    } else if (const auto* fixed = std::get_if<Fixed32>(&field.value)) {
      append_varint(literal_, tag_of(field.number, WireType::kFixed32));
      append_little_endian(literal_, fixed->bits, 4);
    } else if (const auto* list = std::get_if<ElementList>(&field.value)) {
      return copy(list->records);
    } else if (const auto* text = std::get_if<std::string>(&field.value)) {
      write_head(field.number, text->size());
      literal_.insert(literal_.end(), text->begin(), text->end());
    } else if (const auto* range = std::get_if<ByteRange>(&field.value)) {
      write_head(field.number, range->size);
      return copy(*range);
    } else {
      const Message& child = *std::get<MessagePointer>(field.value);
      write_head(field.number, sizes_.at(&child));
      return write_message(child);
    }
    return done();
  }

  void write_head(std::uint32_t number, std::uint64_t size) {
    append_varint(literal_, tag_of(number, WireType::kSized));
    append_varint(literal_, size);
  }

  Status copy(ByteRange range) {
    if (range.size > kMaxLiteralRange) {
      flush();
      pieces_.emplace_back(SourceRange{file_, range.offset, range.size});
      return done();
    }
    const std::size_t at = literal_.size();
    literal_.resize(at + static_cast<std::size_t>(range.size));
    return source_.read_at(range.offset, MutableBytes(literal_).subspan(at));
  }

  void flush() {
    if (literal_.empty()) return;
    pieces_.emplace_back(std::move(literal_));
    literal_ = {};
  }

  const BlockSource& source_;
  std::uint32_t file_;
  const Edits& edits_;
  std::unordered_map<const Message*, std::uint64_t> sizes_;
  ByteVector literal_;
  std::vector<Piece> pieces_;
};

}  // namespace

Result<std::vector<Piece>> serialize_model(const BlockSource& source, std::uint32_t file,
                                           const Message& model, const Edits& edits) {
  return ModelWriter(source, file, edits).write(model);
}

}  // namespace sealpack::models::onnx
