// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/nvidia/fwid.h"

#include "keymgmt/crypto/der.h"

namespace sealpack::attest {
namespace {

using crypto::internal::DerReader;
using crypto::internal::DerTag;

constexpr std::uint8_t kFwids = 0xA6;  // [6] of a DiceTcbInfo

// FWID ::= SEQUENCE { hashAlg OBJECT IDENTIFIER, digest OCTET STRING }
Result<ByteVector> read_fwid(DerReader in) {
  TRY(in.element(DerTag::kObjectIdentifier, "hash algorithm"));
  const Bytes digest = TRY(in.element(DerTag::kOctetString, "digest"));
  TRY(in.finish());
  if (digest.size() != 32 && digest.size() != 48 && digest.size() != 64) {
    return in.malformed("a digest of " + std::to_string(digest.size()) + " bytes");
  }
  return to_vector(digest);
}

// CompositeDeviceID ::= SEQUENCE { version INTEGER, deviceID SubjectPublicKeyInfo, fwid FWID }
Result<ByteVector> read_composite(DerReader in) {
  TRY(in.sequence("device key"));
  const DerReader fwid = TRY(in.sequence("FWID"));
  TRY(in.finish());
  return read_fwid(fwid);
}

}  // namespace

Result<ByteVector> parse_fwid(Bytes extension) {
  DerReader outer(extension, "DICE extension");
  DerReader in = TRY(outer.sequence("extension"));
  TRY(outer.finish());
  std::optional<Bytes> fwids;
  for (bool first = true; !in.at_end(); first = false) {
    const DerReader::Element element = TRY(in.any_element("field"));
    if (first && element.is(DerTag::kInteger)) return read_composite(in);
    if (element.tag != kFwids) continue;
    if (fwids) return in.malformed("two lists of FWIDs");
    fwids = element.contents;
  }
  if (!fwids) return in.malformed("no FWID");
  DerReader list(*fwids, "FWIDs");
  return read_fwid(TRY(list.sequence("FWID")));
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
