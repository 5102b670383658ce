// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/certified_key.h"

#include <algorithm>

#include "keymgmt/crypto/hash.h"

namespace sealpack::attest::dcap {
namespace {

constexpr std::uint16_t kPckChain = 5;
constexpr std::string_view kPckName = "Intel SGX PCK Certificate";
constexpr std::array<std::string_view, 2> kPckIssuers{"Intel SGX PCK Platform CA",
                                                      "Intel SGX PCK Processor CA"};
// Intel's quoting enclaves.
constexpr Array<16> kIntelQe{0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                             0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

using crypto::HashAlgorithm;

std::string name_of(std::uint16_t certification_type) {
  switch (certification_type) {
    case 1:
      return "the PPID";
    case 2:
      return "the PPID encrypted with RSA-2048";
    case 3:
      return "the PPID encrypted with RSA-3072";
    case 4:
      return "the PCK certificate without its chain";
    case 7:
      return "a platform manifest";
    default:
      return "data that is not known";
  }
}

// Behind the last PEM block line ends, then NULs, as platforms have them: one text per chain.
bool ends_as_text(Bytes pem) {
  while (!pem.empty() && pem.back() == 0) pem = pem.first(pem.size() - 1);
  while (!pem.empty() && (pem.back() == '\n' || pem.back() == '\r')) {
    pem = pem.first(pem.size() - 1);
  }
  return !pem.empty() && pem.back() == '-';
}

std::optional<std::vector<x509::Certificate>> read_chain(const Quote& quote,
                                                         std::vector<Reason>& reasons) {
  if (quote.certification_type != kPckChain) {
    reasons.push_back(
        {"dcap.certification-data",
         "the quote carries certification data of type " +
             std::to_string(quote.certification_type) + " (" + name_of(quote.certification_type) +
             "); the chain of the platform's PCK certificate, type 5, is missing: its quote "
             "provider must be set up with one"});
    return std::nullopt;
  }
  if (!ends_as_text(quote.certification_data)) {
    reasons.push_back({"dcap.certification-data", "bytes follow the PCK chain"});
    return std::nullopt;
  }
  auto chain = x509::Certificate::parse_pem(quote.certification_data);
  if (!chain.ok()) {
    reasons.push_back({"dcap.certification-data", "PCK chain: " + chain.error().message()});
    return std::nullopt;
  }
  return std::move(*chain);
}

// Names are exact: Intel's authorities issue certificates of other uses too.
void check_pck_names(const x509::Certificate& pck, std::vector<Reason>& reasons) {
  if (pck.subject_common_name() != kPckName) {
    reasons.push_back({"dcap.pck-certificate", "the certificate of the quote is for " +
                                                   printable(pck.subject_common_name()) + ", not " +
                                                   printable(kPckName)});
  }
  if (pck.is_authority()) {
    reasons.push_back({"dcap.pck-certificate", "the PCK certificate is one of an authority"});
  }
  const std::string issuer = pck.issuer_common_name();
  if (std::find(kPckIssuers.begin(), kPckIssuers.end(), issuer) == kPckIssuers.end()) {
    reasons.push_back({"dcap.pck-certificate", "the PCK certificate is issued by " +
                                                   printable(issuer) + ", which issues none"});
  }
}

std::optional<PckExtension> read_extension(const x509::Certificate& pck,
                                           std::vector<Reason>& reasons) {
  const auto value = pck.extension(PckExtension::kOid);
  if (!value) {
    reasons.push_back({"dcap.pck-extension", "the PCK certificate has no SGX extension"});
    return std::nullopt;
  }
  auto extension = parse_pck_extension(*value);
  if (!extension.ok()) {
    reasons.push_back({"dcap.pck-extension", extension.error().message()});
    return std::nullopt;
  }
  return *extension;
}

void verify_qe_report(const Quote& quote, const x509::Certificate& pck,
                      std::vector<Reason>& reasons) {
  const auto key = crypto::DeviceKey::from_spki(pck.spki());
  if (!key.ok() || key->type() != crypto::DeviceKey::Type::kEcdsaP256) {
    reasons.push_back({"dcap.pck-certificate", "the key of the PCK is not one of ECDSA P-256"});
    return;
  }
  if (!key->verify_ecdsa(HashAlgorithm::kSha256, quote.qe_report_bytes, quote.qe_signature).ok()) {
    reasons.push_back(
        {"dcap.qe-report-signature", "the PCK did not sign the report of the quoting enclave"});
  }
}

// The QE's report names the key: SHA-256 of key and authentication data, then zeros.
void check_binding(const Quote& quote, std::vector<Reason>& reasons) {
  ByteVector named = to_vector(quote.attestation_key);
  named.insert(named.end(), quote.qe_authentication_data.begin(),
               quote.qe_authentication_data.end());
  ByteVector expected = crypto::hash(HashAlgorithm::kSha256, named);
  expected.resize(quote.qe_report.report_data.size());
  const Array<64>& found = quote.qe_report.report_data;
  if (!std::equal(found.begin(), found.end(), expected.begin(), expected.end())) {
    reasons.push_back({"dcap.attestation-key",
                       "the report of the quoting enclave names another attestation key"});
  }
}

void check_qe(const Quote& quote, std::vector<Reason>& reasons) {
  if (quote.qe_vendor_id != kIntelQe) {
    reasons.push_back({"dcap.qe-vendor", "the quoting enclave is by vendor " +
                                             to_hex(quote.qe_vendor_id) + ", not by Intel"});
  }
  if (quote.qe_report.debug()) {
    reasons.push_back({"dcap.qe-debug", "the quoting enclave is a debug enclave"});
  }
  if (!quote.qe_report.reserved_is_zero) {
    reasons.push_back(
        {"dcap.qe-reserved", "reserved bytes of the quoting enclave's report are not zero"});
  }
}

}  // namespace

std::optional<CertifiedKey> verify_certification(const Quote& quote, std::vector<Reason>& reasons) {
  const std::size_t before = reasons.size();
  auto chain = read_chain(quote, reasons);
  std::optional<PckExtension> extension;
  if (chain) {
    check_pck_names(chain->front(), reasons);
    extension = read_extension(chain->front(), reasons);
    verify_qe_report(quote, chain->front(), reasons);
  }
  check_binding(quote, reasons);
  check_qe(quote, reasons);
  auto key = crypto::DeviceKey::from_point(quote.attestation_key);
  if (!key.ok()) {
    reasons.push_back({"dcap.attestation-key", "the attestation key is not a point on P-256"});
  }
  if (reasons.size() != before) return std::nullopt;
  return CertifiedKey{std::move(*key), std::move(*chain), *extension};
}

}  // namespace sealpack::attest::dcap
