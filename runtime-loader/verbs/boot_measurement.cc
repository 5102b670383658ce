// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/boot_measurement.h"

#include "attest/verify/cose/cca_token.h"
#include "attest/verify/cose/claim_set.h"
#include "attest/verify/cose/cose_sign1.h"
#include "attest/verify/cose/nitro_document.h"
#include "attest/verify/dcap/quote.h"
#include "attest/verify/snp/report.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::loader {
namespace {

void append(ByteVector& out, Bytes field) {
  out.insert(out.end(), field.begin(), field.end());
}

Error malformed(const std::vector<Reason>& reasons, const std::string& otherwise) {
  return Error(ErrorCode::kMalformed, reasons.empty() ? otherwise : reasons.front().text);
}

Result<ByteVector> snp_fields(Bytes bytes) {
  std::vector<Reason> reasons;
  const auto report = attest::snp::parse_report(bytes, reasons);
  if (!report) return malformed(reasons, "no report");
  return to_vector(report->measurement);
}

Result<ByteVector> tdx_fields(Bytes bytes) {
  const attest::dcap::Quote quote = TRY(attest::dcap::parse_quote(bytes));
  if (!quote.td) return Error(ErrorCode::kMalformed, "the quote is not about a trust domain");
  ByteVector fields = to_vector(quote.td->mr_td);
  for (const auto& rtmr : quote.td->rtmr) append(fields, rtmr);
  return fields;
}

Result<ByteVector> nitro_fields(Bytes bytes) {
  constexpr std::uint64_t kImagePcrs = 3;  // no document is parsed without them
  std::vector<Reason> reasons;
  const auto token =
      attest::parse_cose_sign1(bytes, "nitro document", attest::CoseTag::kOptional, reasons);
  if (!token) return malformed(reasons, "no document");
  const attest::NitroDocument document = TRY(attest::parse_nitro_document(token->payload));
  ByteVector fields;
  for (std::uint64_t pcr = 0; pcr < kImagePcrs; ++pcr) {
    append(fields, document.pcrs.at(pcr));
  }
  return fields;
}

Result<ByteVector> cca_fields(Bytes bytes) {
  constexpr std::int64_t kInitialMeasurement = 44238;  // RMM specification, realm token
  constexpr std::int64_t kExtensibleMeasurements = 44239;
  constexpr std::size_t kExtensibleCount = 4;
  const attest::CcaToken parts = TRY(attest::parse_cca_token(bytes));
  std::vector<Reason> reasons;
  const auto token =
      attest::parse_cose_sign1(parts.realm, "realm token", attest::CoseTag::kOptional, reasons);
  if (!token) return malformed(reasons, "no realm token");
  attest::ClaimSet claims(TRY(attest::CborMap::parse(token->payload, "realm token")), "cca.realm",
                          reasons);
  const auto initial = claims.hash(kInitialMeasurement, "initial-measurement");
  const std::vector<Bytes> extensible =
      claims.hashes(kExtensibleMeasurements, "extensible-measurements", kExtensibleCount);
  if (!initial || !reasons.empty()) return malformed(reasons, "no measurements");
  ByteVector fields = to_vector(*initial);
  for (const Bytes value : extensible) append(fields, value);
  return fields;
}

}  // namespace

Result<Digest> boot_measurement(const attest::Evidence& evidence) {
  struct Reader {
    std::string_view tee;
    std::string_view kind;
    Result<ByteVector> (*fields)(Bytes);
  };
  static constexpr Reader kReaders[] = {{"cca", "token", cca_fields},
                                        {"nitro", "document", nitro_fields},
                                        {"sev-snp", "report", snp_fields},
                                        {"tdx", "quote", tdx_fields}};
  for (const Reader& reader : kReaders) {
    if (reader.tee != evidence.tee) continue;
    const ByteVector* item = evidence.find(reader.kind);
    if (item == nullptr) {
      return Error(ErrorCode::kMalformed,
                   evidence.tee + " evidence without a " + std::string(reader.kind));
    }
    return crypto::sha256(TRY(reader.fields(*item).within("what this machine booted")));
  }
  return Error(ErrorCode::kUnsupported,
               "nothing in " + printable(evidence.tee) + " evidence says what a machine booted");
}

}  // namespace sealpack::loader
