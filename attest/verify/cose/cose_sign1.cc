// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/cose/cose_sign1.h"

#include "attest/verify/cose/cbor.h"

namespace sealpack::attest {
namespace {

using crypto::DeviceKey;
using crypto::HashAlgorithm;

constexpr std::uint64_t kTagMac0 = 17;
constexpr std::uint64_t kTagSign1 = 18;
constexpr std::int64_t kHeaderAlgorithm = 1;
constexpr std::int64_t kHeaderCritical = 2;
constexpr const char* kNoAlgorithm = ": the protected header names no algorithm";

struct Algorithm {
  std::int64_t id;
  HashAlgorithm hash;
  DeviceKey::Type key_type;
};
// RFC 9053 section 2.1, with the curve that each is made for.
constexpr Algorithm kAlgorithms[] = {
    {-7, HashAlgorithm::kSha256, DeviceKey::Type::kEcdsaP256},
    {-35, HashAlgorithm::kSha384, DeviceKey::Type::kEcdsaP384},
    {-36, HashAlgorithm::kSha512, DeviceKey::Type::kEcdsaP521},
};

class Parser {
 public:
  Parser(Bytes bytes, std::string_view what, std::vector<Reason>& reasons)
      : in_(bytes, what), what_(what), reasons_(reasons) {}

  std::optional<CoseSign1> run(CoseTag tag) {
    const auto token = parse(tag);
    if (token.ok()) return token.value();
    reasons_.push_back({code_, token.error().message()});
    return std::nullopt;
  }

 private:
  Error refuse(const char* code, const std::string& text) {
    code_ = code;
    return Error(ErrorCode::kMalformed, text);
  }

  Result<CoseSign1> parse(CoseTag tag) {
    TRY(check_tag(tag));
    const std::uint64_t count = TRY(in_.array("COSE_Sign1"));
    if (count != 4) {
      return in_.malformed("COSE_Sign1", std::to_string(count) + " elements, expected 4");
    }
    CoseSign1 token;
    token.protected_header = TRY(in_.bytes("protected header"));
    TRY(read_algorithm(token));
    TRY(check_unprotected());
    if (TRY(in_.take_null())) {
      return refuse("cose.detached", std::string(what_) + ": the payload is not in the token");
    }
    token.payload = TRY(in_.bytes("payload"));
    token.signature = TRY(in_.bytes("signature"));
    TRY(in_.finish());
    return token;
  }

  Status check_tag(CoseTag tag) {
    if (TRY(in_.peek()) != CborType::kTag) {
      if (tag == CoseTag::kOptional) return done();
      return in_.malformed("", "the tag 18 of a COSE_Sign1 is missing");
    }
    const std::uint64_t found = TRY(in_.tag("tag"));
    if (found == kTagMac0) {
      return refuse("cose.mac0", std::string(what_) +
                                     ": a COSE_Mac0; whoever can check a MAC could have made it");
    }
    if (found != kTagSign1) {
      return in_.malformed("tag", "tag " + std::to_string(found) + ", expected 18 (COSE_Sign1)");
    }
    return done();
  }

  Status read_algorithm(CoseSign1& token) {
    const std::string name(what_);
    if (token.protected_header.empty()) return refuse("cose.malformed", name + kNoAlgorithm);
    const CborMap header = TRY(CborMap::parse(token.protected_header, "protected header"));
    if (header.find(kHeaderCritical)) {
      return refuse("cose.critical", name + ": it has critical headers, none is understood");
    }
    const auto value = header.find(kHeaderAlgorithm);
    if (!value) return refuse("cose.malformed", name + kNoAlgorithm);
    const auto id = CborReader(*value, "algorithm").number("");
    for (const Algorithm& algorithm : kAlgorithms) {
      if (!id.ok() || algorithm.id != id.value()) continue;
      token.hash = algorithm.hash;
      token.key_type = algorithm.key_type;
      return done();
    }
    return refuse("cose.algorithm", name + ": algorithm " +
                                        (id.ok() ? std::to_string(id.value()) : "by name") +
                                        " is none of ES256 (-7), ES384 (-35) and ES512 (-36)");
  }

  // Nobody signed this header: what decides how the token is read must not be there.
  Status check_unprotected() {
    const CborMap header = TRY(CborMap::read(in_, "unprotected header"));
    if (header.find(kHeaderAlgorithm)) {
      return refuse("cose.malformed", std::string(what_) + ": an algorithm that is not protected");
    }
    if (header.find(kHeaderCritical)) {
      return refuse("cose.critical", std::string(what_) + ": critical headers outside protection");
    }
    return done();
  }

  CborReader in_;
  std::string_view what_;
  std::vector<Reason>& reasons_;
  const char* code_ = "cose.malformed";
};

void append_bytes(ByteVector& out, CborType type, Bytes bytes) {
  append_cbor_head(out, type, bytes.size());
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

std::optional<CoseSign1> parse_cose_sign1(Bytes bytes, std::string_view what, CoseTag tag,
                                          std::vector<Reason>& reasons) {
  return Parser(bytes, what, reasons).run(tag);
}

bool verify_cose_sign1(const CoseSign1& token, const DeviceKey& key) {
  if (key.type() != token.key_type) return false;
  // Sig_structure: context, protected header, external data (none), payload.
  ByteVector message;
  append_cbor_head(message, CborType::kArray, 4);
  append_bytes(message, CborType::kText, as_bytes("Signature1"));
  append_bytes(message, CborType::kBytes, token.protected_header);
  append_bytes(message, CborType::kBytes, {});
  append_bytes(message, CborType::kBytes, token.payload);
  return key.verify_ecdsa(token.hash, message, token.signature).ok();
}

}  // namespace sealpack::attest
