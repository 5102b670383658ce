// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/collect/collect_tpm.h"

#include <chrono>
#include <thread>

#include "attest/evidence/collect/attribute.h"
#include "keymgmt/tpm/public_area.h"

namespace sealpack::attest {
namespace {

// The item "tpm-pcrs".
ByteVector pcr_item(const std::vector<tpm::PcrValue>& values) {
  ByteVector out;
  for (const tpm::PcrValue& value : values) {
    out.push_back(tpm::kAlgSha256 >> 8U);
    out.push_back(tpm::kAlgSha256 & 0xffU);
    out.push_back(static_cast<std::uint8_t>(value.index));
    out.insert(out.end(), value.value.bytes.begin(), value.value.bytes.end());
  }
  return out;
}

Status check_request(const CollectTpmRequest& request) {
  if (request.nonce.empty() || request.nonce.size() > 64) {
    return Error(ErrorCode::kUsage,
                 "a quote is over 1 to 64 bytes, not " + std::to_string(request.nonce.size()));
  }
  if (request.pcrs == 0)
    return Error(ErrorCode::kUsage, "a quote of no PCR proves nothing")
        .with_hint("--pcrs 0,1,7 says which");
  return done();
}

Result<std::unique_ptr<tpm::Tpm>> open_tpm(const CollectTpmRequest& request) {
  return tpm::Tpm::open(
      {request.tcti, tpm::EndorsementKind::kP256, std::nullopt, request.password});
}

void add_quote(tpm::Quote quote, Evidence& evidence) {
  evidence.items.push_back({"tpm-quote", std::move(quote.quoted)});
  evidence.items.push_back({"tpm-signature", std::move(quote.signature)});
  evidence.items.push_back({"tpm-pcrs", pcr_item(quote.values)});
}

Status add_log(const CollectTpmRequest& request, Evidence& evidence) {
  if (request.event_log.empty()) return done();
  ByteVector log = TRY(read_attribute(request.event_log, kMaxEvidenceSize));
  if (log.empty()) {
    return Error(ErrorCode::kUnsupported,
                 printable(request.event_log.string()) + ": the firmware measured nothing");
  }
  evidence.items.push_back({"event-log", std::move(log)});
  return done();
}

// ---- Azure

constexpr std::uint32_t kReportIndex = 0x01400001;
constexpr std::uint32_t kUserDataIndex = 0x01400002;
constexpr std::uint32_t kAttestationKey = 0x81000003;
constexpr std::size_t kUserDataSize = 64;
// The HCL report as far as it is looked at here: its head, the hardware report and the type of that
// (attest/verify/tpm/hcl_report.h reads it for good).
constexpr std::size_t kHardwareReportAt = 32;
constexpr std::size_t kHardwareReportSize = 1184;
constexpr std::size_t kTypeAt = kHardwareReportAt + kHardwareReportSize + 8;
constexpr std::size_t kTdReportSize = 1024;
constexpr std::uint8_t kTypeSnp = 2;
constexpr std::uint8_t kTypeTdx = 4;

Result<ByteVector> read_report(tpm::Tpm& device) {
  auto report = TRY(device.read_nv(kReportIndex));
  if (report && report->size() > kTypeAt + 4 && as_text(Bytes(*report).first(4)) == "HCLA") {
    return *std::move(report);
  }
  return Error(ErrorCode::kUnsupported, "the TPM has no report of Azure's firmware (0x01400001)")
      .with_hint("only virtual TPMs of Azure's confidential VMs have");
}

// Whether the firmware's report has these user data: as hex among its variable data.
bool tells(const ByteVector& report, const ByteVector& user_data) {
  std::string hex = to_hex(user_data);
  std::string upper = hex;
  for (char& letter : upper) {
    if (letter >= 'a' && letter <= 'f') letter = static_cast<char>(letter - 'a' + 'A');
  }
  const std::string_view text = as_text(report);
  return text.find(hex) != std::string_view::npos || text.find(upper) != std::string_view::npos;
}

// The firmware sees that its user data changed and asks the processor for a new report, which takes
// some seconds.
Result<ByteVector> renewed_report(tpm::Tpm& device, const ByteVector& user_data,
                                  std::chrono::milliseconds pause) {
  TRY(device.write_nv(kUserDataIndex, user_data));
  constexpr int kAttempts = 10;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt != 0) std::this_thread::sleep_for(pause);
    ByteVector report = TRY(read_report(device));
    if (tells(report, user_data)) return report;
  }
  return Error(ErrorCode::kTryAgain, "Azure's firmware made no report of the user data");
}

Result<std::string> tee_of(const ByteVector& report) {
  const Bytes type = Bytes(report).subspan(kTypeAt, 4);
  if (type[1] == 0 && type[2] == 0 && type[3] == 0) {
    if (type[0] == kTypeSnp) return std::string("azure-sev-snp");
    if (type[0] == kTypeTdx) return std::string("azure-tdx");
  }
  return Error(ErrorCode::kUnsupported,
               "the report of Azure's firmware is of the kind " + to_hex(type));
}

}  // namespace

Result<Evidence> collect_tpm(const CollectTpmRequest& request) {
  TRY(check_request(request));
  const auto device = TRY(open_tpm(request));
  const tpm::PublicArea key = TRY(device->attestation_key());
  Evidence evidence{"tpm", {}};
  add_quote(TRY(device->quote(request.pcrs, request.nonce)), evidence);
  evidence.items.push_back({"ak-public", tpm::serialize_public(key)});
  TRY(add_log(request, evidence));
  return evidence;
}

Result<Evidence> collect_azure(const CollectAzureRequest& request) {
  TRY(check_request(request.quote));
  if (!request.user_data.empty() && request.user_data.size() != kUserDataSize) {
    return Error(ErrorCode::kUsage,
                 "user data have 64 bytes, not " + std::to_string(request.user_data.size()));
  }
  const auto device = TRY(open_tpm(request.quote));
  ByteVector report =
      TRY(request.user_data.empty() ? read_report(*device)
                                    : renewed_report(*device, request.user_data, request.pause));
  Evidence evidence{TRY(tee_of(report)), {}};
  const bool trust_domain = evidence.tee == "azure-tdx";
  if (trust_domain == request.td_quote.empty()) {
    return Error(ErrorCode::kUnsupported,
                 trust_domain ? "the report is of a trust domain, and its TD quote is not given"
                              : "the report is of SEV-SNP, which has no TD quote")
        .with_hint("docs/attestation/azure.md says how Azure's service makes one of the TDREPORT");
  }
  if (trust_domain) evidence.items.push_back({"quote", request.td_quote});
  evidence.items.push_back({"hcl-report", std::move(report)});
  add_quote(
      TRY(device->quote_by_kept_key(kAttestationKey, request.quote.pcrs, request.quote.nonce)),
      evidence);
  TRY(add_log(request.quote, evidence));
  return evidence;
}

Result<ByteVector> azure_td_report(const std::string& tcti) {
  CollectTpmRequest request;
  request.tcti = tcti;
  const auto device = TRY(open_tpm(request));
  const ByteVector report = TRY(read_report(*device));
  if (TRY(tee_of(report)) != "azure-tdx") {
    return Error(ErrorCode::kUnsupported,
                 "the report of Azure's firmware is not of a trust domain");
  }
  return to_vector(Bytes(report).subspan(kHardwareReportAt, kTdReportSize));
}

}  // namespace sealpack::attest
