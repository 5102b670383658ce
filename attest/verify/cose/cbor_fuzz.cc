// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/cose/cbor.h"

namespace {

using sealpack::Bytes;
using sealpack::ByteVector;
using sealpack::attest::append_cbor_head;
using sealpack::attest::CborReader;
using sealpack::attest::CborType;

void copy(ByteVector& out, CborType type, Bytes bytes) {
  append_cbor_head(out, type, bytes.size());
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// Writes again what the reader reads.
void copy_item(CborReader& in, ByteVector& out) {
  const CborType type = in.peek().value();
  std::uint64_t children = 0;
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
      children = in.array("").value();
      append_cbor_head(out, type, children);
      break;
    case CborType::kMap:
      children = in.map("").value();
      append_cbor_head(out, type, children);
      children *= 2;
      break;
  }
  for (std::uint64_t i = 0; i < children; ++i) copy_item(in, out);
}

// Negative numbers that need 65 bits are well-formed, and none that a caller can have.
bool may_have_huge_negative(Bytes bytes) {
  return std::find(bytes.begin(), bytes.end(), 0x3B) != bytes.end();
}

}  // namespace

// What is skipped as well-formed is read again item by item, and written again byte for byte.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(data, size);
  CborReader in(input, "fuzz");
  const auto item = in.skip();
  if (!item.ok() || may_have_huge_negative(input)) return 0;
  CborReader again(*item, "fuzz");
  ByteVector out;
  copy_item(again, out);
  if (!again.at_end() || !std::equal(out.begin(), out.end(), item->begin(), item->end())) {
    __builtin_trap();
  }
  const auto map = sealpack::attest::CborMap::parse(input, "fuzz");
  if (map.ok() && in.at_end() == false) __builtin_trap();
  return 0;
}
