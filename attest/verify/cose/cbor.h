// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::attest {

// Cursor over untrusted CBOR (RFC 8949) of attestation tokens: definite lengths, shortest heads,
// no floats, no indefinite items; what is not read is skipped with bounded nesting.
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

class CborReader {
 public:
  CborReader(Bytes input, std::string_view what) : input_(input), what_(what) {}

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
  Result<std::uint64_t> tag(std::string_view field);
  Result<bool> boolean(std::string_view field);
  // Passes over a null where there is one.
  Result<bool> take_null();
  // Passes over one item of any kind; its bytes.
  Result<Bytes> skip();
  Error malformed(std::string_view field, const std::string& why) const;

 private:
  struct Head {
    CborType type;
    std::uint64_t value;
  };
  Result<Head> head();
  Result<std::uint64_t> head_of(CborType type, std::string_view field);
  Status skip_item(unsigned depth);

  Bytes input_;
  std::string_view what_;
  std::size_t position_ = 0;
};

// The entries of a map, its values still encoded. Keys are numbers or text and none occurs twice:
// every item has one encoding, so equal keys are equal bytes. Views into the input.
class CborMap {
 public:
  static constexpr std::uint64_t kMaxEntries = 256;

  static Result<CborMap> read(CborReader& in, std::string_view field);
  static Result<CborMap> parse(Bytes bytes, std::string_view what);  // nothing may follow it

  std::size_t size() const { return entries_.size(); }
  // The item under a key, encoded.
  std::optional<Bytes> find(std::int64_t key) const;
  std::optional<Bytes> find(std::string_view key) const;

 private:
  struct Entry {
    Bytes key;
    Bytes value;
  };
  std::optional<Bytes> value_of(Bytes key) const;

  std::vector<Entry> entries_;
};

// The shortest head of an item: its type and its value, size or count.
void append_cbor_head(ByteVector& out, CborType type, std::uint64_t value);

}  // namespace sealpack::attest
