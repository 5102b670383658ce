// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/x509/revocation_list.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <mutex>

#include "keymgmt/x509/certificate_state.h"
#include "keymgmt/x509/signature_algorithm.h"

namespace sealpack::x509 {

using crypto::internal::QuietErrors;

struct RevocationList::State {
  CrlPtr crl;
  ByteVector issuer_name;
  std::uint64_t this_update = 0;
  std::optional<std::uint64_t> next_update;
  mutable std::mutex mutex;
  mutable std::map<Digest, bool> signed_by;  // keys, as far as they were asked about
};

namespace {

Error malformed(const std::string& why) {
  return Error(ErrorCode::kMalformed, "revocation list: " + why);
}

// Delta lists, lists of parts and of others' certificates say so in a critical extension.
bool has_unknown_critical_extension(const X509_CRL* crl) {
  for (int i = 0; i < X509_CRL_get_ext_count(crl); ++i) {
    X509_EXTENSION* extension = X509_CRL_get_ext(crl, i);
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (nid == NID_crl_number || nid == NID_authority_key_identifier) continue;
    if (X509_EXTENSION_get_critical(extension) != 0) return true;
  }
  return false;
}

// The header of the next element, and what its contents and all behind them are, of one with
// definite length.
struct Element {
  int tag = 0;
  Bytes whole;
  Bytes contents;
  Bytes behind;
};
std::optional<Element> next_element(Bytes bytes) {
  constexpr int kConstructed = 0x20;
  const unsigned char* cursor = bytes.data();
  long size = 0;
  Element element;
  int kind = 0;
  const int form =
      ASN1_get_object(&cursor, &size, &element.tag, &kind, static_cast<long>(bytes.size()));
  // 0x80 is an error; the lowest bit is an indefinite length.
  if ((form & ~kConstructed) != 0 || kind != V_ASN1_UNIVERSAL) return std::nullopt;
  const auto header = static_cast<std::size_t>(cursor - bytes.data());
  element.whole = bytes.first(header + static_cast<std::size_t>(size));
  element.contents = element.whole.subspan(header);
  element.behind = bytes.subspan(element.whole.size());
  return element;
}

// As of certificates, about the outermost layer, which nobody signs: whose a list in lengths that
// are not DER's is would not be found.
bool is_written_the_same(X509_CRL* crl, Bytes der) {
  unsigned char* again = nullptr;
  const int size = i2d_X509_CRL(crl, &again);
  if (size < 0) return false;
  const Bytes written(again, static_cast<std::size_t>(size));
  const bool same = std::equal(written.begin(), written.end(), der.begin(), der.end());
  OPENSSL_free(again);
  return same;
}

bool may_sign_lists(X509* issuer) {
  return (X509_get_extension_flags(issuer) & EXFLAG_KUSAGE) == 0 ||
         (X509_get_key_usage(issuer) & KU_CRL_SIGN) != 0;
}

bool is_signed_by(X509_CRL* crl, X509* issuer) {
  const QuietErrors quiet;
  const X509_ALGOR* algorithm = nullptr;
  X509_CRL_get0_signature(crl, nullptr, &algorithm);
  return is_strong(algorithm) && !has_unknown_critical_extension(crl) &&
         X509_CRL_verify(crl, X509_get0_pubkey(issuer)) == 1;
}

}  // namespace

// CertificateList ::= SEQUENCE { tbsCertList SEQUENCE { version INTEGER OPTIONAL,
//   signature SEQUENCE, issuer SEQUENCE, … }, … }
std::optional<ByteVector> RevocationList::issuer_of(Bytes der) {
  const QuietErrors quiet;
  const auto list = next_element(der);
  if (!list || list->tag != V_ASN1_SEQUENCE) return std::nullopt;
  const auto signed_part = next_element(list->contents);
  if (!signed_part || signed_part->tag != V_ASN1_SEQUENCE) return std::nullopt;
  auto field = next_element(signed_part->contents);
  if (field && field->tag == V_ASN1_INTEGER) field = next_element(field->behind);
  if (!field || field->tag != V_ASN1_SEQUENCE) return std::nullopt;
  const auto issuer = next_element(field->behind);
  if (!issuer || issuer->tag != V_ASN1_SEQUENCE) return std::nullopt;
  return to_vector(issuer->whole);
}

Result<RevocationList> RevocationList::parse_der(Bytes der) {
  const QuietErrors quiet;
  if (der.size() > kMaxListSize) {
    return Error(ErrorCode::kLimit, "revocation list: " + format_size(der.size()) + ", at most " +
                                        format_size(kMaxListSize) + " are read");
  }
  const unsigned char* cursor = der.data();
  CrlPtr crl(d2i_X509_CRL(nullptr, &cursor, static_cast<long>(der.size())));
  if (!crl) return malformed("not DER of an X.509 revocation list");
  if (cursor != der.data() + der.size()) return malformed("bytes follow it");
  const auto this_update = unix_seconds(X509_CRL_get0_lastUpdate(crl.get()));
  const ASN1_TIME* next = X509_CRL_get0_nextUpdate(crl.get());
  const auto next_update = unix_seconds(next);
  if (!this_update || (next != nullptr && !next_update)) return malformed("its times are none");
  auto state = std::make_shared<State>();
  state->issuer_name = encoded_name(X509_CRL_get_issuer(crl.get()));
  if (!is_written_the_same(crl.get(), der) || issuer_of(der) != state->issuer_name) {
    return malformed("not in DER's one encoding");
  }
  state->this_update = *this_update;
  state->next_update = next_update;
  state->crl = std::move(crl);
  return RevocationList(std::move(state));
}

ByteVector RevocationList::issuer_name() const {
  return state_->issuer_name;
}
std::uint64_t RevocationList::this_update() const {
  return state_->this_update;
}
std::optional<std::uint64_t> RevocationList::next_update() const {
  return state_->next_update;
}
bool RevocationList::is_current(std::uint64_t now) const {
  return state_->next_update && state_->this_update <= now && now < *state_->next_update;
}

bool RevocationList::is_by(const Certificate& issuer) const {
  X509* x509 = CertificateAccess::x509(issuer);
  if (state_->issuer_name != issuer.subject_name() || !may_sign_lists(x509)) return false;
  const std::lock_guard lock(state_->mutex);
  const auto [found, is_new] = state_->signed_by.try_emplace(issuer.key_digest());
  if (is_new) found->second = is_signed_by(state_->crl.get(), x509);
  return found->second;
}

bool RevocationList::names(const Certificate& certificate) const {
  X509_REVOKED* entry = nullptr;
  return X509_CRL_get0_by_cert(state_->crl.get(), &entry, CertificateAccess::x509(certificate)) !=
         0;
}

Result<RevocationList> ReadLists::parse(Bytes der) {
  if (const auto known = lists_.find(der.data()); known != lists_.end()) return known->second;
  RevocationList list = TRY(RevocationList::parse_der(der));
  lists_.emplace(der.data(), list);
  return list;
}

}  // namespace sealpack::x509
