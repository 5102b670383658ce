// SPDX-License-Identifier: Apache-2.0
// The typed fields of TensorProto as little-endian elements.
#include "formats/models/onnx_read.h"
#include "formats/models/onnx_tensor.h"

namespace sealpack::models::onnx {
namespace {

// Values of an element type that int32_data carries; FLOAT16 and its like are carried bit by bit.
struct NarrowRange {
  unsigned size;
  std::int64_t low;
  std::int64_t high;
};

std::optional<NarrowRange> narrow_range(unsigned type) {
  switch (type) {
    case 3:
      return NarrowRange{1, INT8_MIN, INT8_MAX};
    case 5:
      return NarrowRange{2, INT16_MIN, INT16_MAX};
    case 9:
      return NarrowRange{1, 0, 1};
    case 4:
    case 10:
    case 16:
      return NarrowRange{2, 0, UINT16_MAX};
    case 2:
    case 17:
    case 18:
    case 19:
    case 20:
    case 21:
      return NarrowRange{1, 0, UINT8_MAX};
    case 22:
      return NarrowRange{1, INT8_MIN, UINT8_MAX};  // two 4-bit elements a byte
    default:
      return std::nullopt;
  }
}

Status append_integer(unsigned type, std::uint64_t value, ByteVector& out) {
  const auto misfit = [&] {
    return Error(ErrorCode::kMalformed, "the element " +
                                            std::to_string(static_cast<std::int64_t>(value)) +
                                            " does not fit its type");
  };
  if (type == 6) {
    append_little_endian(out, value, 4);  // protobuf cuts an int32 to 32 bits
  } else if (type == 12) {
    if (value > UINT32_MAX) return misfit();
    append_little_endian(out, value, 4);
  } else if (const auto range = narrow_range(type)) {
    const auto number = static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
    if (number < range->low || number > range->high) return misfit();
    append_little_endian(out, static_cast<std::uint64_t>(number), range->size);
  } else {
    append_little_endian(out, value, 8);
  }
  return done();
}

// One string: 4-byte size, then the bytes.
Status append_string(WireReader& reader, std::uint64_t size, ByteVector& out) {
  if (size > UINT32_MAX) return Error(ErrorCode::kLimit, "a string over 4 GiB");
  append_little_endian(out, size, 4);
  const std::string text = TRY(reader.text(size));
  out.insert(out.end(), text.begin(), text.end());
  return done();
}

Status append_element(const TensorData& data, FieldKind kind, WireReader& reader, ByteVector& out) {
  if (kind == FieldKind::kIntegers) {
    const std::uint64_t value = TRY(reader.varint());
    return append_integer(data.type, value, out);
  }
  const unsigned size = kind == FieldKind::kFloats ? 4 : 8;
  const std::uint64_t bits = TRY(reader.fixed(size));
  append_little_endian(out, bits, size);
  return done();
}

Result<ByteVector> convert(const BlockSource& source, const TensorData& data,
                           const TensorData::Typed& typed, std::uint64_t size) {
  ByteVector out;
  out.reserve(static_cast<std::size_t>(size));
  const ByteRange records = typed.elements->records;
  const std::uint64_t end = records.offset + records.size;
  WireReader reader(source, records);
  while (reader.position() < end && out.size() <= size) {
    const WireReader::Tag tag = TRY(reader.tag());
    if (tag.type != WireType::kSized) {
      TRY(append_element(data, typed.kind, reader, out));
      continue;
    }
    const std::uint64_t record_size = TRY(reader.size(end));
    if (typed.kind == FieldKind::kByteLists) {
      TRY(append_string(reader, record_size, out));
      continue;
    }
    const std::uint64_t stop = reader.position() + record_size;
    while (reader.position() < stop && out.size() <= size) {
      TRY(append_element(data, typed.kind, reader, out));
    }
  }
  if (out.size() != size) return reader.malformed("the file has changed since it was opened");
  return out;
}

}  // namespace

Result<Piece> tensor_bytes(const ModelFiles& files, const TensorData& data) {
  const SafetensorsForm form = TRY(safetensors_form(data));
  const auto* raw = std::get_if<TensorData::Raw>(&data.place);
  if (raw != nullptr && data.type != kTypeString) return Piece(raw->range);
  const auto* typed = std::get_if<TensorData::Typed>(&data.place);
  const bool is_fixed =
      typed != nullptr && (typed->kind == FieldKind::kFloats || typed->kind == FieldKind::kDoubles);
  if (is_fixed && typed->elements->is_packed) {
    const ByteRange packed = typed->elements->packed;
    return Piece(SourceRange{files.file, packed.offset, packed.size});
  }
  if (form.size > kMaxConvertedSize) {
    return Error(ErrorCode::kLimit, format_size(form.size) +
                                        " of elements in a typed field, over " +
                                        format_size(kMaxConvertedSize))
        .with_hint("store the tensor as raw_data or external data, or seal the whole file");
  }
  ByteVector out;
  if (raw != nullptr) {  // the string of an attribute
    WireReader reader(files.source(), {raw->range.offset, raw->range.size});
    TRY(append_string(reader, raw->range.size, out));
  } else if (typed != nullptr) {
    out = TRY(convert(files.source(), data, *typed, form.size));
  } else if (const auto* scalar = std::get_if<TensorData::Scalar>(&data.place)) {
    append_little_endian(out, scalar->bits, static_cast<unsigned>(form.size));
  }
  return Piece(std::move(out));
}

}  // namespace sealpack::models::onnx
