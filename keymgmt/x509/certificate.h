// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/base/bytes.h"

// X.509 as manufacturers of TEEs use it (RFC 5280), over OpenSSL.
namespace sealpack::x509 {

// A parsed certificate; nothing about it is proven. Copies share it, threads may.
class Certificate {
 public:
  // kMalformed for other encodings than DER and for anything behind it, for malformed or repeated
  // extensions, more than 64 KiB.
  static Result<Certificate> parse_der(Bytes der);
  // All PEM blocks CERTIFICATE of a text, 1 to 16, in canonical base64; NULs at its end are allowed
  // (DCAP), other text is not.
  static Result<std::vector<Certificate>> parse_pem(Bytes text);

  Bytes der() const;
  const ByteVector& spki() const;
  const Digest& key_digest() const;  // SHA-256 of the SPKI
  const Digest& digest() const;      // SHA-256 of the DER
  std::string subject_common_name() const;
  std::string issuer_common_name() const;
  ByteVector subject_name() const;  // DER, for comparing
  ByteVector issuer_name() const;
  // Magnitude, big-endian, without leading zeros; 0 is one zero byte. Some makers' are negative,
  // which shows nowhere but in revocation.
  ByteVector serial() const;
  std::uint64_t not_before() const;  // Unix seconds
  std::uint64_t not_after() const;
  bool may_sign() const;      // keyUsage, where it is there, has digitalSignature
  bool is_authority() const;  // basicConstraints CA and, where keyUsage is there, keyCertSign
  // Whether extendedKeyUsage has this purpose (dotted OID); nullopt where it is absent.
  std::optional<bool> names_purpose(std::string_view purpose) const;
  // Value of an extension by dotted OID: the bytes inside its OCTET STRING. nullopt if absent.
  std::optional<ByteVector> extension(std::string_view oid) const;
  bool operator==(const Certificate& other) const;

 private:
  friend struct CertificateAccess;
  struct State;
  explicit Certificate(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace sealpack::x509
