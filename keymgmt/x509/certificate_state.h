// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/x509: certificates and lists as OpenSSL holds them.

#include <openssl/x509.h>

#include "keymgmt/crypto/openssl_handles.h"
#include "keymgmt/x509/certificate.h"

namespace sealpack::x509 {

using crypto::internal::FreeWith;
using X509Ptr = std::unique_ptr<X509, FreeWith<X509_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, FreeWith<X509_CRL_free>>;

struct Certificate::State {
  X509Ptr x509;
  ByteVector der;
  ByteVector spki;
  Digest key_digest;
  Digest digest;
};

struct CertificateAccess {
  // OpenSSL's functions that only read take pointers to non-const.
  static X509* x509(const Certificate& certificate) { return certificate.state_->x509.get(); }
  static Certificate make(X509Ptr x509, ByteVector der);
};

// DER of a name.
ByteVector encoded_name(const X509_NAME* name);

// nullopt for a time that is not well-formed or before 1970.
std::optional<std::uint64_t> unix_seconds(const ASN1_TIME* time);

}  // namespace sealpack::x509
