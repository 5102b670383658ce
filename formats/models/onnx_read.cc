// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx_read.h"

namespace sealpack::models::onnx {
namespace {

bool is_list(FieldKind kind) {
  return kind == FieldKind::kIntegers || kind == FieldKind::kFloats ||
         kind == FieldKind::kDoubles || kind == FieldKind::kByteLists;
}

// Wire type of a value, or of one element of a list.
WireType wire_type(FieldKind kind) {
  switch (kind) {
    case FieldKind::kInteger:
    case FieldKind::kIntegers:
      return WireType::kVarint;
    case FieldKind::kFloat:
    case FieldKind::kFloats:
      return WireType::kFixed32;
    case FieldKind::kDoubles:
      return WireType::kFixed64;
    default:
      return WireType::kSized;
  }
}

class ModelParser {
 public:
  explicit ModelParser(const BlockSource& source)
      : source_(source), reader_(source, {0, source.size()}) {}

  Result<MessagePointer> parse() {
    auto model = parse_message(MessageType::kModel, source_.size());
    if (model.ok()) return model;
    Error error = std::move(model).take_error();
    return std::move(error).within(path_.empty() ? "ModelProto" : path_text());
  }

 private:
  // A step from a message to its field: what an error message is named by.
  struct Step {
    const char* name;
    std::size_t index;
    bool repeated;
  };

  std::string path_text() const {
    std::string text;
    for (const Step& step : path_) {
      if (!text.empty()) text += '.';
      text += step.name;
      if (step.repeated) text += '[' + std::to_string(step.index) + ']';
    }
    return text;
  }

  Result<MessagePointer> parse_message(MessageType type, std::uint64_t end) {
    if (path_.size() > kMaxMessageDepth) return too_deep("messages", kMaxMessageDepth);
    if (type == MessageType::kGraph && ++graph_depth_ > kMaxGraphDepth) {
      return too_deep("graphs", kMaxGraphDepth);
    }
    auto message = std::make_unique<Message>();
    message->type = type;
    std::vector<std::size_t> counts(field_rules(type).size());
    while (reader_.position() < end) TRY(parse_field(*message, end, counts));
    if (reader_.position() != end) return reader_.malformed("a field runs past its message");
    if (type == MessageType::kGraph) --graph_depth_;
    message->fields.shrink_to_fit();
    return message;
  }

  static Error too_deep(const char* what, unsigned limit) {
    return {ErrorCode::kLimit,
            std::string(what) + " nested over " + std::to_string(limit) + " deep"};
  }

  // Leaves the path where it failed, for the message.
  Status parse_field(Message& message, std::uint64_t end, std::vector<std::size_t>& counts) {
    const std::uint64_t start = reader_.position();
    const WireReader::Tag tag = TRY(reader_.tag());
    const FieldRule* rule = find_rule(message.type, tag.number);
    if (rule == nullptr) {
      return Error(ErrorCode::kUnsupported, "field " + std::to_string(tag.number) + " of " +
                                                message_name(message.type) +
                                                " is not part of ONNX IR version 10")
          .with_hint("convert the model to IR version 10 or older, or seal it as an opaque file");
    }
    std::size_t& count = counts[static_cast<std::size_t>(rule - field_rules(message.type).data())];
    path_.push_back({rule->name, count, rule->repeated});
    if (++count > 1 && !rule->repeated) return reader_.malformed("the field appears again");
    if (++field_count_ > kMaxFieldCount) {
      return Error(ErrorCode::kLimit, "over " + std::to_string(kMaxFieldCount) + " fields");
    }
    FieldValue value = is_list(rule->kind) ? FieldValue(TRY(parse_list(*rule, tag, start, end)))
                                           : TRY(parse_value(*rule, tag, end));
    if (reader_.position() > end) return reader_.malformed("the field runs past its message");
    message.fields.push_back(make_field(rule->number, std::move(value)));
    path_.pop_back();
    return done();
  }

  Result<FieldValue> parse_value(const FieldRule& rule, WireReader::Tag tag, std::uint64_t end) {
    if (tag.type != wire_type(rule.kind)) return reader_.malformed("wrong wire type");
    switch (rule.kind) {
      case FieldKind::kInteger:
        return FieldValue(TRY(reader_.varint()));
      case FieldKind::kFloat:
        return FieldValue(Fixed32{static_cast<std::uint32_t>(TRY(reader_.fixed(4)))});
      case FieldKind::kText:
        return FieldValue(TRY(parse_text(end)));
      case FieldKind::kMessage: {
        const std::uint64_t size = TRY(reader_.size(end));
        return FieldValue(TRY(parse_message(rule.message, reader_.position() + size)));
      }
      default: {
        const std::uint64_t size = TRY(reader_.size(end));
        const ByteRange range{reader_.position(), size};
        TRY(reader_.skip(size));
        return FieldValue(range);
      }
    }
  }

  Result<std::string> parse_text(std::uint64_t end) {
    const std::uint64_t size = TRY(reader_.size(end));
    text_total_ += size;
    if (size > kMaxTextSize || text_total_ > kMaxTextTotal) {
      return Error(ErrorCode::kLimit, "a text of " + std::to_string(size) + " bytes, over " +
                                          std::to_string(kMaxTextSize) + ", or " +
                                          std::to_string(kMaxTextTotal) + " of all texts");
    }
    std::string text = TRY(reader_.text(size));
    if (!is_utf8(text)) return reader_.malformed("the text is not UTF-8");
    if (text.find('\0') != std::string::npos) return reader_.malformed("a text with NUL");
    return text;
  }

  // All records with the number of `tag` that follow each other, each packed or a single element.
  Result<ElementList> parse_list(const FieldRule& rule, WireReader::Tag tag, std::uint64_t start,
                                 std::uint64_t end) {
    ElementList list;
    std::uint64_t record_count = 0;
    for (;;) {
      TRY(parse_record(rule, tag, end, list));
      list.records = {start, reader_.position() - start};
      if (++record_count > 1) list.is_packed = false;
      if (reader_.position() >= end) return list;
      const std::uint64_t next_start = reader_.position();
      tag = TRY(reader_.tag());
      if (tag.number != rule.number) {
        reader_.rewind(next_start);
        return list;
      }
    }
  }

  Status parse_record(const FieldRule& rule, WireReader::Tag tag, std::uint64_t end,
                      ElementList& list) {
    const WireType element = wire_type(rule.kind);
    if (tag.type == WireType::kSized) {
      const std::uint64_t size = TRY(reader_.size(end));
      list.payload_size += size;
      list.packed = {reader_.position(), size};
      list.is_packed = element != WireType::kSized;
      if (element == WireType::kVarint) {
        list.count += TRY(reader_.count_varints(size));
        return done();
      }
      const std::uint64_t width = element == WireType::kFixed32 ? 4 : 8;
      if (list.is_packed && size % width != 0) {
        return reader_.malformed("a packed list ends inside an element");
      }
      list.count += list.is_packed ? size / width : 1;
      return reader_.skip(size);
    }
    if (tag.type != element) return reader_.malformed("wrong wire type");
    ++list.count;
    if (element == WireType::kVarint) {
      TRY(reader_.varint());
      return done();
    }
    return reader_.skip(element == WireType::kFixed32 ? 4 : 8);
  }

  const BlockSource& source_;
  WireReader reader_;
  std::vector<Step> path_;
  unsigned graph_depth_ = 0;
  std::uint64_t field_count_ = 0;
  std::uint64_t text_total_ = 0;
};

}  // namespace

Result<MessagePointer> parse_model(const BlockSource& source) {
  return ModelParser(source).parse();
}

Result<std::vector<std::uint64_t>> read_integers(const BlockSource& source, const ElementList& list,
                                                 std::uint64_t limit) {
  if (list.count > limit) {
    return Error(ErrorCode::kLimit,
                 std::to_string(list.count) + " elements, over " + std::to_string(limit));
  }
  std::vector<std::uint64_t> values;
  values.reserve(static_cast<std::size_t>(list.count));
  const std::uint64_t end = list.records.offset + list.records.size;
  WireReader reader(source, list.records);
  while (reader.position() < end) {
    const WireReader::Tag tag = TRY(reader.tag());
    std::uint64_t stop = reader.position() + 1;
    if (tag.type == WireType::kSized) {
      const std::uint64_t size = TRY(reader.size(end));
      stop = reader.position() + size;
    }
    while (reader.position() < stop) {
      // The source may have changed since the count was taken.
      if (values.size() == list.count) return reader.malformed("more elements than before");
      values.push_back(TRY(reader.varint()));
    }
  }
  if (values.size() != list.count) return reader.malformed("fewer elements than before");
  return values;
}

}  // namespace sealpack::models::onnx
