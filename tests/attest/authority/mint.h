// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/base/bytes.h"
#include "keymgmt/crypto/hash.h"

// A certificate authority for tests: mints what manufacturers of TEEs do, with roots that nobody
// trusts. Everything that is refused in a test differs from something accepted in one edit.
namespace sealpack::testing {

enum class MintKeyType { kP256, kP384, kRsa2048, kRsa4096, kEd25519 };

// A private key of the test authority.
class MintKey {
 public:
  static MintKey generate(MintKeyType type);
  MintKeyType type() const;
  ByteVector spki() const;
  Digest digest() const;       // SHA-256 of the SPKI
  ByteVector point() const;    // X || Y of a curve
  ByteVector modulus() const;  // of RSA
  // ECDSA: r || s, big-endian, fixed size. RSA: PKCS#1 v1.5. Ed25519: 64 bytes.
  ByteVector sign(crypto::HashAlgorithm hash, Bytes message) const;
  ByteVector sign_pss(crypto::HashAlgorithm hash, Bytes message) const;  // salt: size of the hash

  struct State;
  std::shared_ptr<const State> state;
};

struct MintExtension {
  std::string oid;  // dotted
  bool critical = false;
  ByteVector value;  // inside the OCTET STRING
};

struct MintCertificate {
  std::string subject = {};               // common name
  std::string organization = {};          // left out when empty
  std::uint64_t serial = 1;               // 0 too
  std::uint64_t not_before = 1700000000;  // 2023-11-14
  std::uint64_t not_after = 2000000000;   // 2033-05-18
  bool authority = false;                 // basicConstraints CA, keyUsage keyCertSign and cRLSign
  bool may_sign = false;                  // of an authority: digitalSignature too
  std::optional<int> path_length = {};
  bool without_basic_constraints = false;
  std::vector<MintExtension> extensions = {};
  crypto::HashAlgorithm hash = crypto::HashAlgorithm::kSha384;
  bool pss = false;  // of an RSA issuer
  // Of the mask function of PSS; that of the message where it is not stated.
  std::optional<crypto::HashAlgorithm> mask_hash = {};
  ByteVector long_serial = {};  // big-endian, in place of `serial` where it is not empty
};

// DER of a certificate for `key` (public part), signed by `issuer_key` under the name in `issuer`
// (its MintCertificate); self-signed when issuer is nullptr.
ByteVector mint(const MintCertificate& what, const MintKey& key, const MintCertificate* issuer,
                const MintKey& issuer_key);

struct MintList {
  std::vector<std::uint64_t> revoked = {};  // serials
  std::uint64_t this_update = 1700000000;
  std::optional<std::uint64_t> next_update = 2000000000;
  std::uint64_t number = 1;
  crypto::HashAlgorithm hash = crypto::HashAlgorithm::kSha384;
  bool pss = false;
  bool critical_number = false;
  std::vector<MintExtension> extensions = {};
};
ByteVector mint_list(const MintList& what, const MintCertificate& issuer,
                     const MintKey& issuer_key);

ByteVector pem_of(Bytes der);  // "-----BEGIN CERTIFICATE-----" …

}  // namespace sealpack::testing
