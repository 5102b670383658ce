// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/x509/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "formats/base/base64.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/x509/certificate_state.h"

namespace sealpack::x509 {
namespace {

constexpr std::size_t kMaxCertificateSize = 65536;
constexpr std::size_t kMaxPemBlocks = 16;
constexpr int kMaxExtensions = 64;
constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----";

using crypto::internal::QuietErrors;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, FreeWith<ASN1_OBJECT_free>>;

// Bytes of what `encode` (an i2d function) makes of `object`.
template <typename Object, typename Encode>
ByteVector encoded(const Object* object, Encode encode) {
  unsigned char* bytes = nullptr;
  const int size = encode(object, &bytes);
  if (size <= 0) return {};
  ByteVector result(bytes, bytes + size);
  OPENSSL_free(bytes);
  return result;
}

std::string common_name(const X509_NAME* name) {
  const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  // Two common names would be two answers.
  if (index < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, index) >= 0) return {};
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
  if (size < 0) return {};
  std::string result(text, text + size);
  OPENSSL_free(text);
  return result;
}

Error malformed(const std::string& why) {
  return Error(ErrorCode::kMalformed, "certificate: " + why);
}

bool is_space(std::uint8_t byte) {
  return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

Result<ByteVector> decode_base64(std::string_view text) {
  std::string packed;
  for (const char c : text) {
    if (!is_space(static_cast<std::uint8_t>(c))) packed += c;
  }
  if (packed.empty()) return malformed("PEM block is not base64");
  return from_base64(packed).within("certificate: PEM block");
}

bool has_repeated_extension(const X509* x509) {
  const int count = X509_get_ext_count(x509);
  for (int i = 0; i < count; ++i) {
    const ASN1_OBJECT* object = X509_EXTENSION_get_object(X509_get_ext(x509, i));
    if (X509_get_ext_by_OBJ(x509, object, i) >= 0) return true;
  }
  return false;
}

// OpenSSL reads more encodings than DER's one; what the signature covers is kept as it came, so
// that this is about the outermost layer.
bool is_written_the_same(const X509* x509, Bytes der) {
  const ByteVector again = encoded(x509, i2d_X509);
  return std::equal(again.begin(), again.end(), der.begin(), der.end());
}

}  // namespace

ByteVector encoded_name(const X509_NAME* name) {
  return encoded(name, i2d_X509_NAME);
}

std::optional<std::uint64_t> unix_seconds(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  const std::time_t seconds = ::timegm(&parts);
  if (seconds < 0) return std::nullopt;
  return static_cast<std::uint64_t>(seconds);
}

Certificate CertificateAccess::make(X509Ptr x509, ByteVector der) {
  auto state = std::make_shared<Certificate::State>();
  state->spki = encoded(X509_get_X509_PUBKEY(x509.get()), i2d_X509_PUBKEY);
  state->key_digest = crypto::sha256(state->spki);
  state->digest = crypto::sha256(der);
  state->x509 = std::move(x509);
  state->der = std::move(der);
  return Certificate(std::move(state));
}

Result<Certificate> Certificate::parse_der(Bytes der) {
  const QuietErrors quiet;
  if (der.size() > kMaxCertificateSize) return malformed("larger than 64 KiB");
  const unsigned char* cursor = der.data();
  X509Ptr x509(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  if (!x509) return malformed("not DER of an X.509 certificate");
  if (cursor != der.data() + der.size()) return malformed("bytes follow it");
  if (!is_written_the_same(x509.get(), der)) return malformed("not in DER's one encoding");
  if (X509_get_ext_count(x509.get()) > kMaxExtensions) return malformed("more than 64 extensions");
  // Reads all extensions now; afterwards they are only looked up.
  if ((X509_get_extension_flags(x509.get()) & EXFLAG_INVALID) != 0 ||
      has_repeated_extension(x509.get())) {
    return malformed("an extension is malformed or there twice");
  }
  if (!unix_seconds(X509_get0_notBefore(x509.get())) ||
      !unix_seconds(X509_get0_notAfter(x509.get()))) {
    return malformed("its validity is not two times");
  }
  if (X509_get0_pubkey(x509.get()) == nullptr) return malformed("its public key is not understood");
  return CertificateAccess::make(std::move(x509), to_vector(der));
}

Result<std::vector<Certificate>> Certificate::parse_pem(Bytes text) {
  while (!text.empty() && text.back() == 0) text = text.first(text.size() - 1);
  std::string_view rest = as_text(text);
  std::vector<Certificate> certificates;
  while (true) {
    while (!rest.empty() && is_space(static_cast<std::uint8_t>(rest.front())))
      rest.remove_prefix(1);
    if (rest.empty()) break;
    if (certificates.size() == kMaxPemBlocks) return malformed("more than 16 PEM blocks");
    const std::size_t end = rest.find(kEnd);
    if (!rest.starts_with(kBegin) || end == std::string_view::npos) {
      return malformed("text is not PEM blocks alone");
    }
    const std::string_view body = rest.substr(kBegin.size(), end - kBegin.size());
    if (body.size() > 2 * kMaxCertificateSize) return malformed("larger than 64 KiB");
    certificates.push_back(TRY(parse_der(TRY(decode_base64(body)))));
    rest.remove_prefix(end + kEnd.size());
  }
  if (certificates.empty()) return malformed("no PEM block");
  return certificates;
}

Bytes Certificate::der() const {
  return state_->der;
}
const ByteVector& Certificate::spki() const {
  return state_->spki;
}
const Digest& Certificate::key_digest() const {
  return state_->key_digest;
}
const Digest& Certificate::digest() const {
  return state_->digest;
}
std::string Certificate::subject_common_name() const {
  return common_name(X509_get_subject_name(state_->x509.get()));
}
std::string Certificate::issuer_common_name() const {
  return common_name(X509_get_issuer_name(state_->x509.get()));
}
ByteVector Certificate::subject_name() const {
  return encoded_name(X509_get_subject_name(state_->x509.get()));
}
ByteVector Certificate::issuer_name() const {
  return encoded_name(X509_get_issuer_name(state_->x509.get()));
}

ByteVector Certificate::serial() const {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(state_->x509.get());
  const int size = ASN1_STRING_length(serial);
  const unsigned char* data = ASN1_STRING_get0_data(serial);
  if (size <= 0) return {0};
  return {data, data + size};
}

std::uint64_t Certificate::not_before() const {
  return *unix_seconds(X509_get0_notBefore(state_->x509.get()));
}
std::uint64_t Certificate::not_after() const {
  return *unix_seconds(X509_get0_notAfter(state_->x509.get()));
}

bool Certificate::may_sign() const {
  X509* x509 = state_->x509.get();
  return (X509_get_extension_flags(x509) & EXFLAG_KUSAGE) == 0 ||
         (X509_get_key_usage(x509) & KU_DIGITAL_SIGNATURE) != 0;
}

bool Certificate::is_authority() const {
  X509* x509 = state_->x509.get();
  const std::uint32_t flags = X509_get_extension_flags(x509);
  if ((flags & EXFLAG_CA) == 0) return false;
  return (flags & EXFLAG_KUSAGE) == 0 || (X509_get_key_usage(x509) & KU_KEY_CERT_SIGN) != 0;
}

std::optional<bool> Certificate::names_purpose(std::string_view purpose) const {
  using Purposes = std::unique_ptr<EXTENDED_KEY_USAGE, FreeWith<EXTENDED_KEY_USAGE_free>>;
  const crypto::internal::QuietErrors quiet;
  int there = -1;
  const Purposes purposes(static_cast<EXTENDED_KEY_USAGE*>(
      X509_get_ext_d2i(state_->x509.get(), NID_ext_key_usage, &there, nullptr)));
  if (there == -1) return std::nullopt;
  const ObjectPtr wanted(OBJ_txt2obj(std::string(purpose).c_str(), 1));
  for (int i = 0; purposes && i < sk_ASN1_OBJECT_num(purposes.get()); ++i) {
    if (OBJ_cmp(sk_ASN1_OBJECT_value(purposes.get(), i), wanted.get()) == 0) return true;
  }
  return false;
}

std::optional<ByteVector> Certificate::extension(std::string_view oid) const {
  X509* x509 = state_->x509.get();
  const crypto::internal::QuietErrors quiet;
  const ObjectPtr object(OBJ_txt2obj(std::string(oid).c_str(), 1));
  if (!object) return std::nullopt;
  const int index = X509_get_ext_by_OBJ(x509, object.get(), -1);
  if (index < 0 || X509_get_ext_by_OBJ(x509, object.get(), index) >= 0) return std::nullopt;
  const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(X509_get_ext(x509, index));
  const unsigned char* data = ASN1_STRING_get0_data(value);
  return ByteVector(data, data + ASN1_STRING_length(value));
}

bool Certificate::operator==(const Certificate& other) const {
  return state_->der == other.state_->der;
}

}  // namespace sealpack::x509
