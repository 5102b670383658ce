// SPDX-License-Identifier: Apache-2.0
#include "attest/files/endorsement_file.h"

#include <algorithm>
#include <set>

#include "attest/files/json_web_key.h"
#include "attest/files/pem_blocks.h"
#include "attest/files/text_encodings.h"
#include "attest/verify/dcap/collateral_file.h"
#include "attest/verify/endorsements.h"
#include "formats/base/byte_reader.h"
#include "formats/models/json_reader.h"

namespace sealpack::attest {
namespace {

constexpr std::uint8_t kSequence = 0x30;
constexpr std::uint8_t kInteger = 0x02;
constexpr std::uint8_t kEnumerated = 0x0a;
constexpr std::uint8_t kExplicitVersion = 0xa0;
constexpr std::uint8_t kUtcTime = 0x17;
constexpr std::uint8_t kGeneralizedTime = 0x18;
constexpr std::uint8_t kBitString = 0x03;
constexpr std::uint8_t kObjectIdentifier = 0x06;

Error not_known(const std::string& why) {
  return Error(ErrorCode::kMalformed, why)
      .with_hint(
          "an endorsement is a certificate, a revocation list or a public key (DER, PEM), an OCSP "
          "response (DER), Intel's TCB info or enclave identity, or a JSON Web Key");
}

Error is_a_manifest() {
  return Error(ErrorCode::kMalformed, "a reference manifest, which is no endorsement")
      .with_hint("'sealpack attest measure nvidia-rim' makes rules for a policy of it");
}

struct DerElement {
  std::uint8_t tag = 0;
  Bytes content;
};

Result<DerElement> next_element(ByteReader& in) {
  DerElement element;
  element.tag = TRY(in.u8("tag"));
  std::uint64_t size = TRY(in.u8("length"));
  if (size == 0x80 || size > 0x83) return in.malformed("impossible length");
  if (size > 0x80) {
    const Bytes octets = TRY(in.bytes(size - 0x80, "length"));
    size = 0;
    for (const std::uint8_t octet : octets) size = (size << 8U) | octet;
  }
  element.content = TRY(in.bytes(size, "element"));
  return element;
}

enum class DerKind { kCertificate, kRevocationList, kPublicKey, kOcspResponse };

// By the shape of its first elements alone (RFC 5280, RFC 6960): what it says is for the verifiers.
Result<DerKind> kind_of(Bytes der) {
  ByteReader outer(der, "DER");
  const DerElement whole = TRY(next_element(outer));
  TRY(outer.finish());
  ByteReader in(whole.content, "DER");
  const DerElement first = TRY(next_element(in));
  if (whole.tag == kSequence && first.tag == kEnumerated) return DerKind::kOcspResponse;
  if (whole.tag != kSequence || first.tag != kSequence) return in.malformed("no sequence");
  ByteReader inner(first.content, "DER");
  DerElement element = TRY(next_element(inner));
  if (element.tag == kObjectIdentifier && TRY(next_element(in)).tag == kBitString) {
    return DerKind::kPublicKey;
  }
  if (element.tag == kExplicitVersion) return DerKind::kCertificate;
  // Version or serial, then algorithm and issuer; a list has its time next, a certificate of
  // version 1 a sequence of two.
  if (element.tag == kInteger) element = TRY(next_element(inner));
  if (element.tag != kSequence) return in.malformed("neither certificate, list nor key");
  (void)TRY(next_element(inner));
  const std::uint8_t third = TRY(next_element(inner)).tag;
  if (third == kUtcTime || third == kGeneralizedTime) return DerKind::kRevocationList;
  if (third == kSequence) return DerKind::kCertificate;
  return in.malformed("neither certificate, list nor key");
}

Status add_der(Bytes der, Endorsements& out) {
  switch (TRY(kind_of(der))) {
    case DerKind::kCertificate:
      out.certificates.push_back(to_vector(der));
      break;
    case DerKind::kRevocationList:
      out.revocation_lists.push_back(to_vector(der));
      break;
    case DerKind::kPublicKey:
      out.public_keys.push_back(to_vector(der));
      break;
    case DerKind::kOcspResponse:
      out.ocsp_responses.push_back(to_vector(der));
      break;
  }
  return done();
}

Status add_pem(Bytes content, Endorsements& out) {
  for (const PemContent& block : TRY(parse_pem_blocks(as_text(content)))) {
    std::vector<ByteVector>* list = nullptr;
    if (block.label == "CERTIFICATE") list = &out.certificates;
    if (block.label == "X509 CRL") list = &out.revocation_lists;
    if (block.label == "PUBLIC KEY") list = &out.public_keys;
    if (list == nullptr) return not_known("PEM block " + printable(block.label));
    list->push_back(block.der);
  }
  return done();
}

Result<std::set<std::string>> top_level_keys(Bytes content) {
  models::JsonReader in(content, "JSON");
  std::set<std::string> keys;
  TRY(in.begin_object("document"));
  while (const auto key = TRY(in.next_key())) {
    if (!keys.insert(*key).second) return in.malformed("member " + printable(*key) + " twice");
    TRY(in.skip_value());
  }
  TRY(in.finish());
  return keys;
}

Status add_json(Bytes content, Endorsements& out) {
  const std::set<std::string> keys = TRY(top_level_keys(content));
  const auto has = [&](const char* key) { return keys.count(key) != 0; };
  if (has("tcbInfo") || has("enclaveIdentity") || has("tcb_info") || has("qe_identity")) {
    merge_endorsements(out, TRY(parse_dcap_collateral(content)));
  } else if (has("kty") || has("keys")) {
    for (ByteVector& key : TRY(parse_json_web_keys(content))) {
      out.public_keys.push_back(std::move(key));
    }
  } else if (has("rim")) {
    return is_a_manifest();
  } else {
    return not_known("JSON of no known kind");
  }
  return done();
}

Status add_text(std::string_view text, Endorsements& out) {
  // JSON may have PEM inside.
  if (text.starts_with('{')) return add_json(as_bytes(text), out);
  if (text.find("SoftwareIdentity") != text.npos) return is_a_manifest();
  if (text.find("-----BEGIN ") != text.npos) return add_pem(as_bytes(text), out);
  const auto bytes = decode_hex_text(text);
  if (bytes.ok() && !bytes->empty()) return add_der(*bytes, out);
  return not_known("text of no known kind");
}

bool is_printable_text(Bytes content) {
  return std::all_of(content.begin(), content.end(), [](std::uint8_t byte) {
    return byte >= 0x20 || byte == '\n' || byte == '\r' || byte == '\t';
  });
}

Status add_content(Bytes content, Endorsements& out) {
  if (content.empty()) return not_known("an empty file");
  // A NUL ends a text of Intel's tools.
  while (content.size() > 1 && content.back() == 0 && content.front() != kSequence &&
         content.front() != 0x08) {
    content = content.first(content.size() - 1);
  }
  if (content.front() == 0x08) {
    merge_endorsements(out, TRY(parse_endorsements(content)));
    return done();
  }
  const bool is_text = is_printable_text(content);
  if (content.front() == kSequence && !is_text) return add_der(content, out);
  if (!is_text) return not_known("bytes of no known kind");
  std::string_view text = as_text(content);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return add_text(text, out);
}

}  // namespace

Status add_endorsement_file(Bytes content, const std::string& name, Endorsements& out) {
  return add_content(content, out).within(printable(name));
}

}  // namespace sealpack::attest
