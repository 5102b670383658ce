// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/x509/ocsp_response.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <map>

#include "keymgmt/crypto/sha256.h"
#include "keymgmt/x509/certificate_state.h"
#include "keymgmt/x509/signature_algorithm.h"

namespace sealpack::x509 {

using crypto::internal::QuietErrors;
using crypto::internal::require;

namespace {

using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, FreeWith<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, FreeWith<OCSP_BASICRESP_free>>;
using RequestPtr = std::unique_ptr<OCSP_REQUEST, FreeWith<OCSP_REQUEST_free>>;
using CertIdPtr = std::unique_ptr<OCSP_CERTID, FreeWith<OCSP_CERTID_free>>;

Error malformed(const std::string& why) {
  return Error(ErrorCode::kMalformed, "OCSP response: " + why);
}

Bytes contents(const ASN1_OCTET_STRING* octets) {
  return {ASN1_STRING_get0_data(octets), static_cast<std::size_t>(ASN1_STRING_length(octets))};
}

// OpenSSL's functions that only read take pointers to non-const.
template <typename Object, typename Count, typename Get>
bool has_unknown_critical(Object* object, Count count, Get get) {
  for (int i = 0; i < count(object); ++i) {
    X509_EXTENSION* extension = get(object, i);
    if (X509_EXTENSION_get_critical(extension) == 0) continue;
    if (OBJ_obj2nid(X509_EXTENSION_get_object(extension)) != NID_id_pkix_OCSP_Nonce) return true;
  }
  return false;
}

ByteVector magnitude(const ASN1_INTEGER* serial) {
  const Bytes bytes = contents(serial);
  return bytes.empty() ? ByteVector{0} : to_vector(bytes);
}

// An answer with the identifier it is about.
struct Single {
  const OCSP_CERTID* id = nullptr;
  OcspAnswer answer;
};

Result<Single> read_single(OCSP_SINGLERESP* single) {
  if (has_unknown_critical(single, OCSP_SINGLERESP_get_ext_count, OCSP_SINGLERESP_get_ext)) {
    return Error(ErrorCode::kUnsupported, "OCSP response: an answer has a critical extension");
  }
  int reason = -1;
  ASN1_GENERALIZEDTIME* this_update = nullptr;
  ASN1_GENERALIZEDTIME* next_update = nullptr;
  const int status = OCSP_single_get0_status(single, &reason, nullptr, &this_update, &next_update);
  Single out;
  out.id = OCSP_SINGLERESP_get0_id(single);
  switch (status) {
    case V_OCSP_CERTSTATUS_GOOD:
      out.answer.status = OcspStatus::kGood;
      break;
    case V_OCSP_CERTSTATUS_REVOKED:
      out.answer.status = reason == OCSP_REVOKED_STATUS_CERTIFICATEHOLD ? OcspStatus::kOnHold
                                                                        : OcspStatus::kRevoked;
      break;
    case V_OCSP_CERTSTATUS_UNKNOWN:
      break;
    default:
      return malformed("a status that is none");
  }
  const auto begin = unix_seconds(this_update);
  const auto end = unix_seconds(next_update);
  if (!begin || (next_update != nullptr && !end)) return malformed("its times are none");
  out.answer.this_update = *begin;
  out.answer.next_update = end;
  return out;
}

Result<BasicPtr> read_basic(Bytes der) {
  const unsigned char* cursor = der.data();
  const ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &cursor, static_cast<long>(der.size())));
  if (!response) return malformed("not DER of an OCSP response");
  if (cursor != der.data() + der.size()) return malformed("bytes follow it");
  const int status = OCSP_response_status(response.get());
  if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return malformed("the responder answers '" + std::string(OCSP_response_status_str(status)) +
                     "'");
  }
  BasicPtr basic(OCSP_response_get1_basic(response.get()));
  if (!basic) return Error(ErrorCode::kUnsupported, "OCSP response: not of the basic type");
  return basic;
}

// One text means one response: what is verified below is encoded again from what was read.
bool is_written_the_same(OCSP_BASICRESP* basic, Bytes der) {
  const ResponsePtr again(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic));
  unsigned char* bytes = nullptr;
  const int size = i2d_OCSP_RESPONSE(again.get(), &bytes);
  if (size <= 0) return false;
  const bool same = std::equal(bytes, bytes + size, der.begin(), der.end());
  OPENSSL_free(bytes);
  return same;
}

bool is_responder(const OCSP_BASICRESP* basic, X509* x509) {
  const ASN1_OCTET_STRING* key = nullptr;
  const X509_NAME* name = nullptr;
  if (OCSP_resp_get0_id(basic, &key, &name) != 1) return false;
  if (name != nullptr) return X509_NAME_cmp(name, X509_get_subject_name(x509)) == 0;
  // RFC 6960: SHA-1 of the key tells which; that it signed tells whether.
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_pubkey_digest(x509, EVP_sha1(), digest.data(), &size) != 1) return false;
  const Bytes expected = contents(key);
  return std::equal(expected.begin(), expected.end(), digest.begin(), digest.begin() + size);
}

bool is_signed_by(const OCSP_BASICRESP* basic, X509* x509) {
  const X509_ALGOR* algorithm = OCSP_resp_get0_tbs_sigalg(basic);
  EVP_PKEY* key = X509_get0_pubkey(x509);
  return is_strong(algorithm) && is_affordable(key) &&
         ASN1_item_verify(ASN1_ITEM_rptr(OCSP_RESPDATA), algorithm, OCSP_resp_get0_signature(basic),
                          OCSP_resp_get0_respdata(basic), key) == 1;
}

bool has_unknown_critical_extension(const X509* x509) {
  static constexpr std::array kKnown{NID_basic_constraints, NID_key_usage, NID_ext_key_usage,
                                     NID_subject_alt_name, NID_id_pkix_OCSP_noCheck};
  for (int i = 0; i < X509_get_ext_count(x509); ++i) {
    X509_EXTENSION* extension = X509_get_ext(x509, i);
    if (X509_EXTENSION_get_critical(extension) == 0) continue;
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (std::find(kKnown.begin(), kKnown.end(), nid) == kKnown.end()) return true;
  }
  return false;
}

// A certificate by the issuer that says its key gives such answers. What costs little comes first.
bool is_delegated(const Certificate& responder, const Certificate& issuer) {
  X509* x509 = CertificateAccess::x509(responder);
  if (responder.issuer_name() != issuer.subject_name()) return false;
  const std::uint32_t flags = X509_get_extension_flags(x509);
  if ((flags & EXFLAG_XKUSAGE) == 0 || (X509_get_extended_key_usage(x509) & XKU_OCSP_SIGN) == 0 ||
      !responder.may_sign()) {
    return false;
  }
  if (has_unknown_critical_extension(x509)) return false;
  const X509_ALGOR* algorithm = nullptr;
  X509_get0_signature(nullptr, &algorithm, x509);
  return is_strong(algorithm) &&
         X509_verify(x509, X509_get0_pubkey(CertificateAccess::x509(issuer))) == 1;
}

}  // namespace

bool OcspResponder::is_valid(std::uint64_t at) const {
  return std::any_of(periods.begin(), periods.end(),
                     [&](const Period& period) { return period.from <= at && at <= period.until; });
}

struct OcspResponse::State {
  BasicPtr basic;
  std::uint64_t produced_at = 0;
  Digest digest;
  std::vector<Single> singles;
  std::vector<ByteVector> serials;
  std::vector<Certificate> certificates;
};

Result<OcspResponse> OcspResponse::parse_der(Bytes der) {
  const QuietErrors quiet;
  if (der.size() > kMaxOcspResponseSize) {
    return Error(ErrorCode::kLimit, "OCSP response: " + format_size(der.size()) + ", at most " +
                                        format_size(kMaxOcspResponseSize) + " are read");
  }
  auto state = std::make_shared<State>();
  state->basic = TRY(read_basic(der));
  OCSP_BASICRESP* basic = state->basic.get();
  if (!is_written_the_same(basic, der)) return malformed("not in DER's one encoding");
  if (has_unknown_critical(basic, OCSP_BASICRESP_get_ext_count, OCSP_BASICRESP_get_ext)) {
    return Error(ErrorCode::kUnsupported, "OCSP response: it has a critical extension");
  }
  const auto produced_at = unix_seconds(OCSP_resp_get0_produced_at(basic));
  if (!produced_at) return malformed("its times are none");
  state->produced_at = *produced_at;
  const int count = OCSP_resp_count(basic);
  if (count < 1 || static_cast<std::size_t>(count) > kMaxOcspAnswers) {
    return malformed(std::to_string(count) + " answers, 1 to 64 are read");
  }
  for (int i = 0; i < count; ++i) {
    state->singles.push_back(TRY(read_single(OCSP_resp_get0(basic, i))));
    ASN1_INTEGER* serial = nullptr;
    OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial,
                      const_cast<OCSP_CERTID*>(state->singles.back().id));
    state->serials.push_back(magnitude(serial));
  }
  const STACK_OF(X509)* certificates = OCSP_resp_get0_certs(basic);
  if (sk_X509_num(certificates) > static_cast<int>(kMaxOcspCertificates)) {
    return malformed("more than 8 certificates");
  }
  for (int i = 0; i < sk_X509_num(certificates); ++i) {
    unsigned char* bytes = nullptr;
    const int size = i2d_X509(sk_X509_value(certificates, i), &bytes);
    if (size <= 0) return malformed("a certificate that cannot be written");
    const ByteVector copy(bytes, bytes + size);
    OPENSSL_free(bytes);
    state->certificates.push_back(TRY(Certificate::parse_der(copy).within("OCSP response")));
  }
  state->digest = crypto::sha256(der);
  return OcspResponse(std::move(state));
}

const Digest& OcspResponse::digest() const {
  return state_->digest;
}
std::uint64_t OcspResponse::produced_at() const {
  return state_->produced_at;
}
const std::vector<ByteVector>& OcspResponse::serials() const {
  return state_->serials;
}

std::vector<OcspAnswer> OcspResponse::answers_about(const Certificate& certificate,
                                                    const Certificate& issuer) const {
  const QuietErrors quiet;
  X509* subject = CertificateAccess::x509(certificate);
  X509* by = CertificateAccess::x509(issuer);
  const ByteVector serial = certificate.serial();
  std::map<int, CertIdPtr> ids;  // hashed once, however many answers there are
  std::vector<OcspAnswer> answers;
  for (std::size_t i = 0; i < state_->singles.size(); ++i) {
    const Single& single = state_->singles[i];
    if (state_->serials[i] != serial) continue;
    ASN1_OBJECT* hash = nullptr;
    OCSP_id_get0_info(nullptr, &hash, nullptr, nullptr, const_cast<OCSP_CERTID*>(single.id));
    const EVP_MD* algorithm = EVP_get_digestbyobj(hash);
    if (algorithm == nullptr) continue;
    CertIdPtr& id = ids[EVP_MD_get_type(algorithm)];
    if (!id) id.reset(OCSP_cert_to_id(algorithm, subject, by));
    if (id && OCSP_id_cmp(id.get(), single.id) == 0) answers.push_back(single.answer);
  }
  return answers;
}

Result<OcspResponder> OcspResponse::verify_responder(const Certificate& issuer,
                                                     std::span<const RevocationList> lists) const {
  const QuietErrors quiet;
  const OCSP_BASICRESP* basic = state_->basic.get();
  const auto is_named = [&](const Certificate& certificate) {
    return is_responder(basic, CertificateAccess::x509(certificate));
  };
  const auto signed_by = [&](const Certificate& certificate) {
    return is_signed_by(basic, CertificateAccess::x509(certificate));
  };
  if (issuer.may_sign() && is_named(issuer) && signed_by(issuer)) return OcspResponder{{{}}};
  const auto is_revoked = [&](const Certificate& responder) {
    return std::any_of(lists.begin(), lists.end(), [&](const RevocationList& list) {
      return list.is_by(issuer) && list.names(responder);
    });
  };
  OcspResponder found;
  for (const Certificate& responder : state_->certificates) {
    // A key that the sender chose must not cost anything: is_delegated comes before signed_by.
    if (is_named(responder) && is_delegated(responder, issuer) && !is_revoked(responder) &&
        signed_by(responder)) {
      found.periods.push_back({responder.not_before(), responder.not_after()});
    }
  }
  if (!found.periods.empty()) return found;
  return Error(ErrorCode::kNotAuthentic, "OCSP response: not signed by " +
                                             printable(issuer.subject_common_name()) +
                                             " or by a responder that it appointed");
}

std::vector<std::uint64_t> OcspResponse::boundaries() const {
  std::vector<std::uint64_t> times;
  for (const Single& single : state_->singles) {
    times.push_back(single.answer.this_update);
    if (single.answer.next_update) times.push_back(*single.answer.next_update);
  }
  for (const Certificate& certificate : state_->certificates) {
    times.push_back(certificate.not_before());
    times.push_back(certificate.not_after() + 1);  // valid at notAfter itself
  }
  return times;
}

ByteVector make_ocsp_request(const Certificate& certificate, const Certificate& issuer) {
  const RequestPtr request(OCSP_REQUEST_new());
  CertIdPtr id(OCSP_cert_to_id(EVP_sha384(), CertificateAccess::x509(certificate),
                               CertificateAccess::x509(issuer)));
  require(request && id && OCSP_request_add0_id(request.get(), id.get()) != nullptr,
          "OpenSSL could not write an OCSP request");
  (void)id.release();  // the request owns it
  unsigned char* bytes = nullptr;
  const int size = i2d_OCSP_REQUEST(request.get(), &bytes);
  require(size > 0, "OpenSSL could not write an OCSP request");
  ByteVector der(bytes, bytes + size);
  OPENSSL_free(bytes);
  return der;
}

}  // namespace sealpack::x509
