// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/authority/mint_ocsp.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "keymgmt/crypto/hash_algorithm.h"
#include "tests/attest/authority/mint_state.h"

namespace sealpack::testing {

using crypto::internal::FreeWith;
using crypto::internal::require;

namespace {

using X509Ptr = std::unique_ptr<X509, FreeWith<X509_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, FreeWith<OCSP_BASICRESP_free>>;
using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, FreeWith<OCSP_RESPONSE_free>>;
using IdPtr = std::unique_ptr<OCSP_CERTID, FreeWith<OCSP_CERTID_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>>;

X509Ptr parsed(Bytes der) {
  const unsigned char* cursor = der.data();
  X509Ptr x509(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  require(x509 != nullptr, "not a certificate");
  return x509;
}

TimePtr time_of(std::uint64_t seconds) {
  TimePtr time(ASN1_GENERALIZEDTIME_set(nullptr, static_cast<std::time_t>(seconds)));
  require(time != nullptr, "not a time");
  return time;
}

ByteVector encoded(const OCSP_RESPONSE* response) {
  unsigned char* bytes = nullptr;
  const int size = i2d_OCSP_RESPONSE(response, &bytes);
  require(size > 0, "the response could not be written");
  ByteVector out(bytes, bytes + size);
  OPENSSL_free(bytes);
  return out;
}

void add_answer(const MintOcsp& what, OCSP_CERTID* id, OCSP_BASICRESP* basic) {
  int status = V_OCSP_CERTSTATUS_REVOKED;
  int reason = OCSP_REVOKED_STATUS_KEYCOMPROMISE;
  if (what.status == MintOcspStatus::kGood) status = V_OCSP_CERTSTATUS_GOOD;
  if (what.status == MintOcspStatus::kUnknown) status = V_OCSP_CERTSTATUS_UNKNOWN;
  if (what.status == MintOcspStatus::kOnHold) reason = OCSP_REVOKED_STATUS_CERTIFICATEHOLD;
  const TimePtr begin = time_of(what.this_update);
  const TimePtr end = what.next_update ? time_of(*what.next_update) : nullptr;
  require(OCSP_basic_add1_status(basic, id, status, reason, begin.get(), begin.get(), end.get()) !=
              nullptr,
          "the answer could not be added");
}

void add_extensions(const MintOcsp& what, OCSP_BASICRESP* basic) {
  const auto add = [&](const char* oid, bool critical) {
    const std::unique_ptr<ASN1_OBJECT, FreeWith<ASN1_OBJECT_free>> object(OBJ_txt2obj(oid, 1));
    const std::unique_ptr<ASN1_OCTET_STRING, FreeWith<ASN1_OCTET_STRING_free>> octets(
        ASN1_OCTET_STRING_new());
    const ByteVector value{0x04, 0x02, 1, 2};
    require(ASN1_OCTET_STRING_set(octets.get(), value.data(), 4) == 1, "no octets");
    const std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(
        X509_EXTENSION_create_by_OBJ(nullptr, object.get(), critical ? 1 : 0, octets.get()));
    require(OCSP_BASICRESP_add_ext(basic, extension.get(), -1) == 1, "no extension");
  };
  if (what.nonce) add("1.3.6.1.5.5.7.48.1.2", *what.nonce);
  if (what.unknown_extension) add("1.3.6.1.4.1.55555.1", true);
}

MintExtension key_usage(std::uint8_t purpose) {
  return {"2.5.29.37", true, {0x30, 0x0A, 0x06, 0x08, 0x2B, 6, 1, 5, 5, 7, 3, purpose}};
}

}  // namespace

MintExtension ocsp_signing() {
  return key_usage(9);
}
MintExtension server_authentication() {
  return key_usage(1);
}

ByteVector mint_ocsp(const MintOcsp& what, Bytes certificate, Bytes issuer, Bytes responder,
                     const MintKey& responder_key) {
  const X509Ptr subject = parsed(certificate);
  const X509Ptr by = parsed(issuer);
  const X509Ptr signer = parsed(responder);
  const IdPtr id(OCSP_cert_to_id(crypto::internal::evp_of(what.id_hash), subject.get(), by.get()));
  const BasicPtr basic(OCSP_BASICRESP_new());
  for (std::size_t i = 0; i < what.copies; ++i) add_answer(what, id.get(), basic.get());
  add_extensions(what, basic.get());
  // There is no function that sets it.
  require(ASN1_GENERALIZEDTIME_set(
              const_cast<ASN1_GENERALIZEDTIME*>(OCSP_resp_get0_produced_at(basic.get())),
              static_cast<std::time_t>(what.produced_at.value_or(what.this_update))) != nullptr,
          "not a time");
  const unsigned long flags = (what.named_by_key ? OCSP_RESPID_KEY : 0UL) |
                              (what.with_certificate ? 0UL : OCSP_NOCERTS) | OCSP_NOTIME;
  const std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  require(EVP_DigestSignInit(context.get(), nullptr, crypto::internal::evp_of(what.hash), nullptr,
                             responder_key.state->key.get()) == 1,
          "no key to sign with");
  require(OCSP_basic_sign_ctx(basic.get(), signer.get(), context.get(), nullptr, flags) == 1,
          "the response could not be signed");
  const ResponsePtr response(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
  return encoded(response.get());
}

ByteVector mint_ocsp_refusal() {
  const ResponsePtr response(OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, nullptr));
  return encoded(response.get());
}

}  // namespace sealpack::testing
