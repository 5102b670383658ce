// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "keymgmt/x509/certificate.h"
#include "keymgmt/x509/revocation_list.h"

namespace sealpack::x509 {

inline constexpr std::size_t kMaxOcspResponseSize = 65536;
inline constexpr std::size_t kMaxOcspAnswers = 64;      // in one response
inline constexpr std::size_t kMaxOcspCertificates = 8;  // likewise

enum class OcspStatus { kGood, kOnHold, kRevoked, kUnknown };

// What a response says of one certificate.
struct OcspAnswer {
  OcspStatus status = OcspStatus::kUnknown;
  std::uint64_t this_update = 0;             // Unix seconds
  std::optional<std::uint64_t> next_update;  // answers without one never count
  bool is_current(std::uint64_t now) const {
    return next_update && this_update <= now && now < *next_update;
  }
};

// When who signed a response could: the validity of each certificate that shows it. The issuer's
// own, which its chain judges, is any time.
struct OcspResponder {
  struct Period {
    std::uint64_t from = 0;
    std::uint64_t until = std::numeric_limits<std::uint64_t>::max();  // still in it
  };
  std::vector<Period> periods;
  bool is_valid(std::uint64_t at) const;
};

// A parsed OCSP response (RFC 6960); nothing about it is proven. Copies share it, threads may.
class OcspResponse {
 public:
  // kMalformed for other encodings than DER's one and for anything behind it, for a refusal of the
  // responder, for times that are none and more answers or certificates than above; kUnsupported
  // for another type than id-pkix-ocsp-basic and for critical extensions but a nonce (each
  // response here is as good for whoever did not ask for it); kLimit for more than 64 KiB.
  static Result<OcspResponse> parse_der(Bytes der);

  const Digest& digest() const;       // SHA-256 of the DER
  std::uint64_t produced_at() const;  // Unix seconds
  // Of the certificates it is about, as Certificate::serial.
  const std::vector<ByteVector>& serials() const;
  // Answers about this certificate of this issuer; who gives them is not looked at.
  std::vector<OcspAnswer> answers_about(const Certificate& certificate,
                                        const Certificate& issuer) const;

  // The issuer itself may give answers about what it issued (if its key may sign), and whoever has
  // a certificate by it, in the response, for id-kp-OCSPSigning: its key may sign, no critical
  // extension that is not understood, named by none of the issuer's lists among `lists`. When it is
  // valid is for the caller. kNotAuthentic unless one of them is named as responder and signed,
  // with a strong algorithm; no key is used that the issuer did not certify. Whether a responder's
  // certificate was revoked is not asked of another responder (RFC 6960 section 4.2.2.2.1 leaves
  // that to the issuer, who limits its life).
  Result<OcspResponder> verify_responder(const Certificate& issuer,
                                         std::span<const RevocationList> lists) const;

  // Times at which what it proves may change: beginning and end of answers and certificates.
  std::vector<std::uint64_t> boundaries() const;

 private:
  struct State;
  explicit OcspResponse(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

// DER of a request about one certificate, with SHA-384 and without a nonce: its answer is for
// whoever verifies later.
ByteVector make_ocsp_request(const Certificate& certificate, const Certificate& issuer);

}  // namespace sealpack::x509
