// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/cose/cbor.h"

namespace {

using sealpack::Bytes;
using sealpack::ByteVector;
using sealpack::attest::append_cbor_head;
using sealpack::attest::CborLengths;
using sealpack::attest::CborReader;
using sealpack::attest::CborType;

void copy(ByteVector& out, CborType type, Bytes bytes) {
  append_cbor_head(out, type, bytes.size());
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void copy_item(CborReader& in, ByteVector& out);

// A collection is written with the count of what is in it, whichever way it came.
void copy_members(CborReader& in, CborReader::Members members, CborType type, ByteVector& out) {
  ByteVector content;
  std::uint64_t count = 0;
  for (; in.next(members).value(); ++count) {
    copy_item(in, content);
    if (type == CborType::kMap) copy_item(in, content);
  }
  append_cbor_head(out, type, count);
  out.insert(out.end(), content.begin(), content.end());
}

// Writes again what the reader reads, every head the shortest.
void copy_item(CborReader& in, ByteVector& out) {
  const CborType type = in.peek().value();
  switch (type) {
    case CborType::kUnsigned:
      return append_cbor_head(out, type, in.unsigned_number("").value());
    case CborType::kNegative:
      return append_cbor_head(out, type, static_cast<std::uint64_t>(-1 - in.number("").value()));
    case CborType::kBytes:
      return copy(out, type, in.bytes("").value());
    case CborType::kText:
      return copy(out, type, sealpack::as_bytes(in.text("").value()));
    case CborType::kSimple:
      if (in.take_null().value()) return out.push_back(0xF6);
      return out.push_back(in.boolean("").value() ? 0xF5 : 0xF4);
    case CborType::kTag:
      append_cbor_head(out, type, in.tag("").value());
      return copy_item(in, out);
    case CborType::kArray:
      return copy_members(in, in.open_array("").value(), type, out);
    case CborType::kMap:
      return copy_members(in, in.open_map("").value(), type, out);
  }
}

ByteVector written_again(Bytes item, CborLengths lengths) {
  CborReader in(item, "fuzz", lengths);
  ByteVector out;
  copy_item(in, out);
  if (!in.at_end()) __builtin_trap();
  return out;
}

// Negative numbers that need 65 bits are well-formed, and none that a caller can have.
bool may_have_huge_negative(Bytes bytes) {
  return std::find(bytes.begin(), bytes.end(), 0x3B) != bytes.end();
}

void check(Bytes input, CborLengths lengths) {
  CborReader in(input, "fuzz", lengths);
  const auto item = in.skip();
  const auto map = sealpack::attest::CborMap::parse(input, "fuzz", lengths);
  if (map.ok() && !(item.ok() && in.at_end())) __builtin_trap();
  if (!item.ok() || may_have_huge_negative(input)) return;
  const ByteVector once = written_again(*item, lengths);
  if (once != written_again(once, CborLengths::kDefinite)) __builtin_trap();
}

}  // namespace

// What is skipped as well-formed is read again item by item; written with the shortest heads and
// read once more, it is the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check(Bytes(data, size), CborLengths::kDefinite);
  check(Bytes(data, size), CborLengths::kAny);
  return 0;
}
