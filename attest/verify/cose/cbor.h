// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::attest {

// Cursor over untrusted CBOR (RFC 8949) of attestation tokens: any width of a head, since those who
// make tokens need not choose the shortest (RFC 9783 section 5.1); no floats; what is not read is
// skipped with bounded nesting.
enum class CborType : std::uint8_t {
  kUnsigned = 0,
  kNegative = 1,
  kBytes = 2,
  kText = 3,
  kArray = 4,
  kMap = 5,
  kTag = 6,
  kSimple = 7,  // false, true, null
};

// Whether maps and arrays may also end at a break instead of after a count: in Nitro's documents
// (those made since 2025 do), never in Arm's tokens. Bytes and texts are always in one piece.
enum class CborLengths { kDefinite, kAny };

class CborReader {
 public:
  // What is left of a map or an array.
  struct Members {
    std::optional<std::uint64_t> left;  // elements, or pairs; none: until a break
  };

  CborReader(Bytes input, std::string_view what, CborLengths lengths = CborLengths::kDefinite)
      : input_(input), what_(what), lengths_(lengths) {}

  bool at_end() const { return position_ == input_.size(); }
  // kMalformed when bytes are left.
  Status finish() const;

  Result<CborType> peek() const;
  Result<std::uint64_t> unsigned_number(std::string_view field);
  // Any integer that fits 64 bits with its sign.
  Result<std::int64_t> number(std::string_view field);
  Result<Bytes> bytes(std::string_view field);            // views into the input
  Result<std::string_view> text(std::string_view field);  // UTF-8
  Result<std::uint64_t> array(std::string_view field);    // count of elements that follow
  Result<std::uint64_t> map(std::string_view field);      // count of pairs that follow
  // The same for either length: before each element or pair, next() says whether there is one.
  Result<Members> open_array(std::string_view field);
  Result<Members> open_map(std::string_view field);
  Result<bool> next(Members& members);
  Result<std::uint64_t> tag(std::string_view field);
  Result<bool> boolean(std::string_view field);
  // Passes over a null where there is one.
  Result<bool> take_null();
  // Passes over one item of any kind; its bytes. `levels` of others are around it.
  Result<Bytes> skip(unsigned levels = 0);
  Error malformed(std::string_view field, const std::string& why) const;

 private:
  struct Head {
    CborType type;
    std::uint64_t value;
    bool until_break = false;
  };
  Result<Head> head();
  Result<Head> head_of(CborType type, std::string_view field);
  Result<std::uint64_t> count_of(CborType type, std::string_view field);
  Result<Members> open(CborType type, std::string_view field);
  Result<Members> members_of(const Head& head, std::string_view field) const;
  Status skip_item(unsigned depth);
  Status skip_bytes(const Head& head);

  Bytes input_;
  std::string_view what_;
  CborLengths lengths_;
  std::size_t position_ = 0;
};

// The entries of a map, its values still encoded. Keys are numbers or text and none occurs twice,
// however it is encoded. Views into the input.
class CborMap {
 public:
  static constexpr std::uint64_t kMaxEntries = 256;

  static Result<CborMap> read(CborReader& in, std::string_view field);
  // Nothing may follow it.
  static Result<CborMap> parse(Bytes bytes, std::string_view what,
                               CborLengths lengths = CborLengths::kDefinite);

  std::size_t size() const { return entries_.size(); }
  // The item under a key, encoded.
  std::optional<Bytes> find(std::int64_t key) const;
  std::optional<Bytes> find(std::string_view key) const;

 private:
  struct Key {
    CborType type;
    std::uint64_t number;  // as in its head: -1 - number for a negative one
    std::string_view text;
    bool operator==(const Key&) const = default;
  };
  struct Entry {
    Key key;
    Bytes value;
  };
  static Result<Key> read_key(CborReader& in, std::string_view field);
  std::optional<Bytes> value_of(const Key& key) const;

  std::vector<Entry> entries_;
};

// The shortest head of an item: its type and its value, size or count.
void append_cbor_head(ByteVector& out, CborType type, std::uint64_t value);

}  // namespace sealpack::attest
