// SPDX-License-Identifier: Apache-2.0
#include "formats/files/npy.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "formats/base/byte_reader.h"
#include "formats/files/system_calls.h"

namespace sealpack {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kAlignment = 64;
constexpr std::uint64_t kMaxDataSize = std::numeric_limits<std::int64_t>::max();

struct TypeRow {
  NpyType type;
  std::size_t size;
  const char* descriptor;
  const char* name;
};
constexpr TypeRow kTypes[] = {
    {NpyType::kF16, 2, "<f2", "float16"}, {NpyType::kF32, 4, "<f4", "float32"},
    {NpyType::kF64, 8, "<f8", "float64"}, {NpyType::kI8, 1, "|i1", "int8"},
    {NpyType::kI32, 4, "<i4", "int32"},   {NpyType::kI64, 8, "<i8", "int64"},
    {NpyType::kU8, 1, "|u1", "uint8"},    {NpyType::kBool, 1, "|b1", "bool"},
};

const TypeRow& row_of(NpyType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row;
  }
  die("unknown npy type");
}

// nullopt for more than kMaxDataSize bytes.
std::optional<std::uint64_t> data_size(NpyType type, const std::vector<std::uint64_t>& shape) {
  // A dimension of 0 empties the array, but no product on the way may overflow either: two readers
  // would differ.
  std::uint64_t size = row_of(type).size;
  for (const std::uint64_t dimension : shape) {
    const std::optional<std::uint64_t> product =
        checked_multiply(size, std::max<std::uint64_t>(dimension, 1));
    if (!product || *product > kMaxDataSize) return std::nullopt;
    size = *product;
  }
  const bool empty = std::find(shape.begin(), shape.end(), 0U) != shape.end();
  return empty ? 0 : size;
}

Error malformed(const std::string& why) {
  return Error(ErrorCode::kMalformed, "npy header: " + why);
}

// The Python literal of the header: a dictionary of a string, a bool and a tuple of integers.
class Literal {
 public:
  explicit Literal(std::string_view text) : text_(text) {}

  Result<NpyHeader> dictionary() {
    TRY(expect('{'));
    NpyHeader header;
    bool first = true;
    while (!accept('}')) {
      if (!first) TRY(expect(','));
      if (!first && accept('}')) break;
      first = false;
      TRY(entry(header));
    }
    if (seen_[0] && seen_[1] && seen_[2]) return header;
    return malformed("'descr', 'fortran_order' and 'shape' must all be there");
  }

  // Spaces, then one newline, then nothing.
  Status finish() {
    skip_spaces();
    if (at_ + 1 == text_.size() && text_[at_] == '\n') return done();
    return malformed("it does not end with a newline after the dictionary");
  }

 private:
  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool accept(char c) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  Status expect(char c) {
    if (accept(c)) return done();
    return malformed(std::string("expected '") + c + "' at byte " + std::to_string(at_) +
                     " of the dictionary");
  }

  Result<std::string_view> quoted() {
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'') TRY(expect('\''));
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) return malformed("a string without an end");
    const std::string_view inside = text_.substr(at_, end - at_);
    at_ = end + 1;
    if (inside.find('\\') != std::string_view::npos) return malformed("an escape in a string");
    return inside;
  }

  Result<std::string_view> word() {
    skip_spaces();
    const std::size_t start = at_;
    while (at_ < text_.size() &&
           std::string_view("{}(),:' \n").find(text_[at_]) == std::string_view::npos) {
      ++at_;
    }
    return text_.substr(start, at_ - start);
  }

  Status entry(NpyHeader& header) {
    const std::string_view key = TRY(quoted());
    TRY(expect(':'));
    if (key == "descr") return once(0, key, type(header));
    if (key == "fortran_order") return once(1, key, order());
    if (key == "shape") return once(2, key, shape(header));
    return malformed("unknown key " + printable(key));
  }
  Status once(std::size_t index, std::string_view key, Status status) {
    if (seen_[index]) return malformed("the key " + printable(key) + " is there twice");
    seen_[index] = true;
    return status;
  }

  Status type(NpyHeader& header) {
    skip_spaces();
    if (at_ < text_.size() && text_[at_] == '[') {
      return Error(ErrorCode::kUnsupported, "npy: records are not tensors");
    }
    const std::string_view descriptor = TRY(quoted());
    for (const TypeRow& row : kTypes) {
      if (descriptor != row.descriptor) continue;
      header.type = row.type;
      return done();
    }
    return Error(ErrorCode::kUnsupported, "npy: element type " + printable(descriptor))
        .with_hint("convert it: x.astype('<f4'); these are read: <f2 <f4 <f8 |i1 <i4 <i8 |u1 |b1");
  }

  Status order() {
    const std::string_view value = TRY(word());
    if (value == "False") return done();
    if (value != "True") return malformed("'fortran_order' is neither True nor False");
    return Error(ErrorCode::kUnsupported, "npy: the array is in Fortran order")
        .with_hint("save numpy.ascontiguousarray(x)");
  }

  Result<std::uint64_t> dimension() {
    const std::string_view digits = TRY(word());
    const bool canonical = !digits.empty() && digits.size() <= 19 &&
                           digits.find_first_not_of("0123456789") == std::string_view::npos &&
                           (digits.size() == 1 || digits[0] != '0');
    if (!canonical) return malformed("a dimension that is no number: " + printable(digits));
    std::uint64_t value = 0;
    for (const char digit : digits) value = value * 10 + static_cast<std::uint64_t>(digit - '0');
    return value;
  }

  // "()", "(3,)", "(3, 4)", "(3, 4,)": Python wants the comma for one dimension.
  Status shape(NpyHeader& header) {
    TRY(expect('('));
    header.shape.clear();
    bool comma = true;
    while (!accept(')')) {
      if (!comma) return malformed("a comma is missing in 'shape'");
      if (header.shape.size() == NpyHeader::kMaxRank) {
        return Error(ErrorCode::kLimit,
                     "npy: more than " + std::to_string(NpyHeader::kMaxRank) + " dimensions");
      }
      header.shape.push_back(TRY(dimension()));
      comma = accept(',');
    }
    if (header.shape.size() == 1 && !comma) return malformed("'shape' is not a tuple");
    return done();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::array<bool, 3> seen_{};
};

struct Prologue {
  std::size_t size = 0;         // 10 or 12
  std::uint64_t text_size = 0;  // of the dictionary
};

Result<Prologue> parse_prologue(ByteReader& reader) {
  const Bytes magic = TRY(reader.bytes(kMagic.size(), "magic"));
  if (as_text(magic) != kMagic) {
    return Error(ErrorCode::kMalformed, "not an npy file: it does not start with \\x93NUMPY");
  }
  const std::uint8_t major = TRY(reader.u8("major version"));
  const std::uint8_t minor = TRY(reader.u8("minor version"));
  if (major < 1 || major > 3 || minor != 0) {
    return Error(ErrorCode::kUnsupported,
                 "npy version " + std::to_string(major) + "." + std::to_string(minor));
  }
  if (major == 1) return Prologue{10, TRY(reader.u16("header size"))};
  return Prologue{12, TRY(reader.u32("header size"))};
}

}  // namespace

std::size_t npy_element_size(NpyType type) {
  return row_of(type).size;
}
const char* npy_descriptor(NpyType type) {
  return row_of(type).descriptor;
}
const char* to_string(NpyType type) {
  return row_of(type).name;
}

Result<std::uint64_t> npy_header_size(Bytes prologue) {
  ByteReader reader(prologue, "npy header");
  const Prologue parsed = TRY(parse_prologue(reader));
  const std::uint64_t size = parsed.size + parsed.text_size;
  if (size <= NpyHeader::kMaxSize) return size;
  return Error(ErrorCode::kLimit, "an npy header of " + std::to_string(size) +
                                      " bytes, more than " + std::to_string(NpyHeader::kMaxSize));
}

Result<NpyHeader> parse_npy_header(Bytes bytes) {
  ByteReader reader(bytes, "npy header");
  const Prologue prologue = TRY(parse_prologue(reader));
  const Bytes text = TRY(reader.bytes(prologue.text_size, "dictionary"));
  TRY(reader.finish());
  Literal literal(as_text(text));
  NpyHeader header = TRY(literal.dictionary());
  TRY(literal.finish());
  const std::optional<std::uint64_t> size = data_size(header.type, header.shape);
  if (!size) return Error(ErrorCode::kLimit, "npy: the shape exceeds 2^63 bytes");
  header.data_size = *size;
  return header;
}

Result<ByteVector> serialize_npy_header(NpyType type, const std::vector<std::uint64_t>& shape) {
  if (shape.size() > NpyHeader::kMaxRank || !data_size(type, shape)) {
    return Error(ErrorCode::kLimit, "the shape does not fit an npy file");
  }
  std::string tuple;
  for (const std::uint64_t dimension : shape) {
    if (!tuple.empty()) tuple += ", ";
    tuple += std::to_string(dimension);
  }
  if (shape.size() == 1) tuple += ",";
  std::string text = std::string("{'descr': '") + npy_descriptor(type) +
                     "', 'fortran_order': False, 'shape': (" + tuple + "), }";
  constexpr std::size_t kBefore = 10;
  const std::size_t unpadded = kBefore + text.size() + 1;
  text.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  text += '\n';
  std::string header(kMagic);
  header += '\x01';
  header += '\0';
  header += static_cast<char>(text.size() & 0xffU);
  header += static_cast<char>(text.size() >> 8U);
  return to_vector(as_bytes(header + text));
}

Result<NpyReader> NpyReader::open(const std::string& path) {
  FileDescriptor file(uninterrupted(
      [&] { return system_calls().openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC, 0); }));
  if (file.get() < 0) return io_error("cannot open " + printable(path), errno);
  return NpyReader(std::move(file), printable(path));
}

Result<std::size_t> NpyReader::read_some(MutableBytes out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const MutableBytes rest = out.subspan(filled);
    const ssize_t count =
        uninterrupted([&] { return ::read(file_.get(), rest.data(), rest.size()); });
    if (count < 0) return io_error("cannot read " + name_, errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  return filled;
}

Result<std::optional<NpyHeader>> NpyReader::next() {
  if (left_ != 0) die("the data of an npy array were not read to the end");
  const Error truncated(ErrorCode::kMalformed, name_ + ": the input ends inside an npy header");
  ByteVector header(NpyHeader::kPrologueSize);
  const std::size_t got = TRY(read_some(header));
  if (got == 0) return std::optional<NpyHeader>();
  if (got < header.size()) return truncated;
  const std::uint64_t size = TRY(npy_header_size(header).within(name_));
  if (size < header.size()) return truncated;
  header.resize(size);
  const MutableBytes rest = MutableBytes(header).subspan(NpyHeader::kPrologueSize);
  if (TRY(read_some(rest)) < rest.size()) return truncated;
  NpyHeader parsed = TRY(parse_npy_header(header).within(name_));
  left_ = parsed.data_size;
  type_ = parsed.type;
  return std::optional<NpyHeader>(std::move(parsed));
}

Status NpyReader::read(MutableBytes out) {
  if (out.size() > left_) die("more was asked for than an npy array has");
  const std::size_t got = TRY(read_some(out));
  left_ -= got;
  if (got < out.size()) {
    return Error(ErrorCode::kMalformed, name_ + ": the input ends " + std::to_string(left_) +
                                            " bytes before the end of an npy array");
  }
  if (type_ == NpyType::kBool &&
      std::any_of(out.begin(), out.end(), [](std::uint8_t byte) { return byte > 1; })) {
    return Error(ErrorCode::kMalformed, name_ + ": a bool that is neither 0 nor 1");
  }
  return done();
}

}  // namespace sealpack
