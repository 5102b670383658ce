// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/nvidia/fwid.h"

#include "formats/base/byte_reader.h"

namespace sealpack::attest {
namespace {

constexpr std::uint8_t kInteger = 0x02;
constexpr std::uint8_t kOctetString = 0x04;
constexpr std::uint8_t kObjectIdentifier = 0x06;
constexpr std::uint8_t kSequence = 0x30;
constexpr std::uint8_t kFwids = 0xA6;  // [6] of a DiceTcbInfo

struct Element {
  std::uint8_t tag = 0;
  Bytes contents;
};

// DER with tags of one byte and sizes below 64 KiB.
Result<Element> read_element(ByteReader& in) {
  Element element;
  element.tag = TRY(in.u8("tag"));
  std::uint64_t size = TRY(in.u8("size"));
  if (size >= 0x80) {
    const std::uint64_t count = size & 0x7FU;
    if (count != 1 && count != 2) return in.malformed("a size in a form that is not expected");
    size = 0;
    for (std::uint64_t i = 0; i < count; ++i) size = size << 8U | TRY(in.u8("size"));
    if (size < (count == 1 ? 0x80U : 0x100U))
      return in.malformed("a size not in its shortest form");
  }
  element.contents = TRY(in.bytes(size, "contents"));
  return element;
}

Result<Bytes> read(ByteReader& in, std::uint8_t tag) {
  const Element element = TRY(read_element(in));
  if (element.tag != tag) return in.malformed("an element of another type than expected");
  return element.contents;
}

// FWID ::= SEQUENCE { hashAlg OBJECT IDENTIFIER, digest OCTET STRING }
Result<ByteVector> read_fwid(Bytes contents) {
  ByteReader in(contents, "FWID");
  TRY(read(in, kObjectIdentifier));
  const Bytes digest = TRY(read(in, kOctetString));
  TRY(in.finish());
  if (digest.size() != 32 && digest.size() != 48 && digest.size() != 64) {
    return in.malformed("a digest of " + std::to_string(digest.size()) + " bytes");
  }
  return to_vector(digest);
}

// CompositeDeviceID ::= SEQUENCE { version INTEGER, deviceID SubjectPublicKeyInfo, fwid FWID }
Result<ByteVector> read_composite(ByteReader& in) {
  TRY(read(in, kSequence));
  const Bytes fwid = TRY(read(in, kSequence));
  TRY(in.finish());
  return read_fwid(fwid);
}

}  // namespace

Result<ByteVector> parse_fwid(Bytes extension) {
  ByteReader outer(extension, "DICE extension");
  const Bytes contents = TRY(read(outer, kSequence));
  TRY(outer.finish());
  ByteReader in(contents, "DICE extension");
  std::optional<Bytes> fwids;
  for (bool first = true; in.remaining() != 0; first = false) {
    const Element element = TRY(read_element(in));
    if (first && element.tag == kInteger) return read_composite(in);
    if (element.tag != kFwids) continue;
    if (fwids) return in.malformed("two lists of FWIDs");
    fwids = element.contents;
  }
  if (!fwids) return in.malformed("no FWID");
  ByteReader list(*fwids, "FWIDs");
  return read_fwid(TRY(read(list, kSequence)));
}

Result<std::optional<ByteVector>> fwid_of(const x509::Certificate& certificate) {
  const auto device = certificate.extension("2.23.133.5.4.1");
  const auto layer = certificate.extension("2.23.133.5.4.1.1");
  if (device && layer) {
    return Error(ErrorCode::kMalformed, "a certificate with two DICE extensions");
  }
  if (!device && !layer) return std::optional<ByteVector>();
  return std::optional<ByteVector>(TRY(parse_fwid(device ? *device : *layer)));
}

}  // namespace sealpack::attest
