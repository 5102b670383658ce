// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/authority/mint.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "keymgmt/crypto/hash_algorithm.h"
#include "keymgmt/crypto/openssl_handles.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/attest/authority/mint_state.h"

namespace sealpack::testing {

using crypto::internal::BignumPtr;
using crypto::internal::DigestContextPtr;
using crypto::internal::FreeWith;
using crypto::internal::PkeyPtr;
using crypto::internal::require;

namespace {

using X509Ptr = std::unique_ptr<X509, FreeWith<X509_free>>;
using ListPtr = std::unique_ptr<X509_CRL, FreeWith<X509_CRL_free>>;
using NamePtr = std::unique_ptr<X509_NAME, FreeWith<X509_NAME_free>>;
using IntegerPtr = std::unique_ptr<ASN1_INTEGER, FreeWith<ASN1_INTEGER_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>>;
using OctetsPtr = std::unique_ptr<ASN1_OCTET_STRING, FreeWith<ASN1_OCTET_STRING_free>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, FreeWith<ASN1_OBJECT_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;
using EcdsaPtr = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;
using UsagePtr = std::unique_ptr<ASN1_BIT_STRING, FreeWith<ASN1_BIT_STRING_free>>;
using BasicPtr = std::unique_ptr<BASIC_CONSTRAINTS, FreeWith<BASIC_CONSTRAINTS_free>>;

void require_one(int result) {
  require(result == 1, "the test authority could not mint");
}

template <typename Object, typename Encode>
ByteVector encoded(const Object* object, Encode encode) {
  unsigned char* bytes = nullptr;
  const int size = encode(object, &bytes);
  require(size > 0, "the test authority could not encode");
  ByteVector result(bytes, bytes + size);
  OPENSSL_free(bytes);
  return result;
}

bool is_rsa(MintKeyType type) {
  return type == MintKeyType::kRsa2048 || type == MintKeyType::kRsa4096;
}

std::size_t order_size(MintKeyType type) {
  require(type == MintKeyType::kP256 || type == MintKeyType::kP384, "the key is on no curve");
  return type == MintKeyType::kP256 ? 32 : 48;
}

// A context that signs with `key`; a hash of its own for Ed25519 is none.
DigestContextPtr signer(const MintKey& key, crypto::HashAlgorithm hash, bool pss,
                        std::optional<crypto::HashAlgorithm> mask_hash = {}) {
  DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  const EVP_MD* algorithm =
      key.type() == MintKeyType::kEd25519 ? nullptr : crypto::internal::evp_of(hash);
  require_one(
      EVP_DigestSignInit(context.get(), &parameters, algorithm, nullptr, key.state->key.get()));
  if (pss) {
    require(is_rsa(key.type()), "PSS is for RSA");
    require_one(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING));
    require_one(EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST));
    if (mask_hash) {
      require_one(EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, crypto::internal::evp_of(*mask_hash)));
    }
  }
  return context;
}

ByteVector signature_of(const MintKey& key, crypto::HashAlgorithm hash, bool pss, Bytes message) {
  const DigestContextPtr context = signer(key, hash, pss);
  std::size_t size = 0;
  require_one(EVP_DigestSign(context.get(), nullptr, &size, message.data(), message.size()));
  ByteVector signature(size);
  require_one(
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()));
  signature.resize(size);
  return signature;
}

ByteVector fixed_size(const BIGNUM* number, std::size_t size) {
  ByteVector out(size);
  require(BN_bn2binpad(number, out.data(), static_cast<int>(size)) == static_cast<int>(size),
          "the number does not fit");
  return out;
}

NamePtr name_of(const MintCertificate& what) {
  NamePtr name(X509_NAME_new());
  const auto add = [&](const char* field, const std::string& text) {
    if (text.empty()) return;
    require_one(X509_NAME_add_entry_by_txt(name.get(), field, MBSTRING_UTF8, as_bytes(text).data(),
                                           static_cast<int>(text.size()), -1, 0));
  };
  add("O", what.organization);
  add("CN", what.subject);
  return name;
}

IntegerPtr integer(std::uint64_t value) {
  IntegerPtr result(ASN1_INTEGER_new());
  require_one(ASN1_INTEGER_set_uint64(result.get(), value));
  return result;
}

IntegerPtr serial_of(const MintCertificate& what) {
  if (what.long_serial.empty()) return integer(what.serial);
  const std::unique_ptr<BIGNUM, FreeWith<BN_free>> number(
      BN_bin2bn(what.long_serial.data(), static_cast<int>(what.long_serial.size()), nullptr));
  return IntegerPtr(BN_to_ASN1_INTEGER(number.get(), nullptr));
}

TimePtr time_of(std::uint64_t seconds) {
  TimePtr result(ASN1_TIME_set(nullptr, static_cast<std::time_t>(seconds)));
  require(result != nullptr, "not a time of certificates");
  return result;
}

ExtensionPtr extension_of(const MintExtension& what) {
  const ObjectPtr oid(OBJ_txt2obj(what.oid.c_str(), 1));
  require(oid != nullptr, "not a dotted OID");
  const OctetsPtr octets(ASN1_OCTET_STRING_new());
  require_one(
      ASN1_OCTET_STRING_set(octets.get(), what.value.data(), static_cast<int>(what.value.size())));
  return ExtensionPtr(
      X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), what.critical ? 1 : 0, octets.get()));
}

void add_basic_constraints(X509* x509, const MintCertificate& what) {
  const BasicPtr basic(BASIC_CONSTRAINTS_new());
  basic->ca = what.authority ? 0xFF : 0;
  if (what.path_length) {
    basic->pathlen = integer(static_cast<std::uint64_t>(*what.path_length)).release();
  }
  require_one(X509_add1_ext_i2d(x509, NID_basic_constraints, basic.get(), 1, 0));
}

void add_authority_usage(X509* x509, bool may_sign) {
  constexpr int kDigitalSignature = 0;
  constexpr int kKeyCertSign = 5;
  constexpr int kCrlSign = 6;
  const UsagePtr usage(ASN1_BIT_STRING_new());
  if (may_sign) require_one(ASN1_BIT_STRING_set_bit(usage.get(), kDigitalSignature, 1));
  require_one(ASN1_BIT_STRING_set_bit(usage.get(), kKeyCertSign, 1));
  require_one(ASN1_BIT_STRING_set_bit(usage.get(), kCrlSign, 1));
  require_one(X509_add1_ext_i2d(x509, NID_key_usage, usage.get(), 1, 0));
}

}  // namespace

MintKey MintKey::generate(MintKeyType type) {
  EVP_PKEY* key = nullptr;
  switch (type) {
    case MintKeyType::kP256:
      key = EVP_EC_gen("P-256");
      break;
    case MintKeyType::kP384:
      key = EVP_EC_gen("P-384");
      break;
    case MintKeyType::kRsa2048:
      key = EVP_RSA_gen(2048);
      break;
    case MintKeyType::kRsa4096:
      key = EVP_RSA_gen(4096);
      break;
    case MintKeyType::kEd25519:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
      break;
  }
  require(key != nullptr, "the test authority could not make a key");
  MintKey result;
  result.state = std::make_shared<const State>(State{type, PkeyPtr(key)});
  return result;
}

MintKeyType MintKey::type() const {
  return state->type;
}

ByteVector MintKey::spki() const {
  return encoded(state->key.get(), i2d_PUBKEY);
}

Digest MintKey::digest() const {
  return crypto::sha256(spki());
}

ByteVector MintKey::point() const {
  ByteVector out(1 + 2 * order_size(type()));
  std::size_t size = 0;
  require_one(
      EVP_PKEY_get_octet_string_param(state->key.get(), "pub", out.data(), out.size(), &size));
  require(size == out.size() && out[0] == 4, "the point is not uncompressed");
  out.erase(out.begin());
  return out;
}

ByteVector MintKey::modulus() const {
  require(is_rsa(type()), "only RSA has a modulus");
  BIGNUM* number = nullptr;
  require_one(EVP_PKEY_get_bn_param(state->key.get(), "n", &number));
  const BignumPtr owner(number);
  return fixed_size(number, type() == MintKeyType::kRsa2048 ? 256 : 512);
}

ByteVector MintKey::sign(crypto::HashAlgorithm hash, Bytes message) const {
  const ByteVector signature = signature_of(*this, hash, false, message);
  if (type() != MintKeyType::kP256 && type() != MintKeyType::kP384) return signature;
  const unsigned char* cursor = signature.data();
  const EcdsaPtr pair(d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(signature.size())));
  require(pair != nullptr, "OpenSSL's ECDSA signature is not DER");
  ByteVector out = fixed_size(ECDSA_SIG_get0_r(pair.get()), order_size(type()));
  const ByteVector s = fixed_size(ECDSA_SIG_get0_s(pair.get()), order_size(type()));
  out.insert(out.end(), s.begin(), s.end());
  return out;
}

ByteVector MintKey::sign_pss(crypto::HashAlgorithm hash, Bytes message) const {
  return signature_of(*this, hash, true, message);
}

ByteVector mint(const MintCertificate& what, const MintKey& key, const MintCertificate* issuer,
                const MintKey& issuer_key) {
  const X509Ptr x509(X509_new());
  require_one(X509_set_version(x509.get(), X509_VERSION_3));
  require_one(X509_set_serialNumber(x509.get(), serial_of(what).get()));
  require_one(X509_set_subject_name(x509.get(), name_of(what).get()));
  require_one(X509_set_issuer_name(x509.get(), name_of(issuer == nullptr ? what : *issuer).get()));
  require_one(X509_set1_notBefore(x509.get(), time_of(what.not_before).get()));
  require_one(X509_set1_notAfter(x509.get(), time_of(what.not_after).get()));
  require_one(X509_set_pubkey(x509.get(), key.state->key.get()));
  if (!what.without_basic_constraints) add_basic_constraints(x509.get(), what);
  if (what.authority) add_authority_usage(x509.get(), what.may_sign);
  for (const MintExtension& extension : what.extensions) {
    require_one(X509_add_ext(x509.get(), extension_of(extension).get(), -1));
  }
  const DigestContextPtr context = signer(issuer_key, what.hash, what.pss, what.mask_hash);
  require(X509_sign_ctx(x509.get(), context.get()) > 0, "the certificate could not be signed");
  return encoded(x509.get(), i2d_X509);
}

ByteVector mint_list(const MintList& what, const MintCertificate& issuer,
                     const MintKey& issuer_key) {
  const ListPtr list(X509_CRL_new());
  require_one(X509_CRL_set_version(list.get(), X509_CRL_VERSION_2));
  require_one(X509_CRL_set_issuer_name(list.get(), name_of(issuer).get()));
  require_one(X509_CRL_set1_lastUpdate(list.get(), time_of(what.this_update).get()));
  if (what.next_update) {
    require_one(X509_CRL_set1_nextUpdate(list.get(), time_of(*what.next_update).get()));
  }
  require_one(X509_CRL_add1_ext_i2d(list.get(), NID_crl_number, integer(what.number).get(),
                                    what.critical_number ? 1 : 0, 0));
  for (const MintExtension& extension : what.extensions) {
    require_one(X509_CRL_add_ext(list.get(), extension_of(extension).get(), -1));
  }
  for (const std::uint64_t serial : what.revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    require_one(X509_REVOKED_set_serialNumber(entry, integer(serial).get()));
    require_one(X509_REVOKED_set_revocationDate(entry, time_of(what.this_update).get()));
    require_one(X509_CRL_add0_revoked(list.get(), entry));
  }
  require_one(X509_CRL_sort(list.get()));
  const DigestContextPtr context = signer(issuer_key, what.hash, what.pss);
  require(X509_CRL_sign_ctx(list.get(), context.get()) > 0, "the list could not be signed");
  return encoded(list.get(), i2d_X509_CRL);
}

ByteVector pem_of(Bytes der) {
  constexpr std::size_t kLine = 64;
  std::string base64((der.size() + 2) / 3 * 4 + 1, '\0');
  base64.resize(static_cast<std::size_t>(EVP_EncodeBlock(
      reinterpret_cast<unsigned char*>(base64.data()), der.data(), static_cast<int>(der.size()))));
  std::string text = "-----BEGIN CERTIFICATE-----\n";
  for (std::size_t at = 0; at < base64.size(); at += kLine) text += base64.substr(at, kLine) + "\n";
  text += "-----END CERTIFICATE-----\n";
  return to_vector(as_bytes(text));
}

}  // namespace sealpack::testing
