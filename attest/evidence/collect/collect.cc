// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/collect/collect.h"

#include <unistd.h>

#include "attest/evidence/collect/attribute.h"
#include "attest/evidence/collect/nitro_device.h"
#include "attest/evidence/collect/tsm_report.h"
#include "attest/evidence/event_log_padding.h"

namespace sealpack::attest {
namespace {

constexpr std::size_t kReportDataSize = 64;
constexpr const char* kGramine = "/dev/attestation";
constexpr const char* kEventLog = "/sys/firmware/acpi/tables/data/CCEL";

Status check_size(const CollectRequest& request) {
  const std::size_t size = request.report_data.size();
  const bool nitro = request.tee == "nitro";
  if (nitro ? size >= 1 && size <= kReportDataSize : size == kReportDataSize) return done();
  return Error(ErrorCode::kUsage, "report data of " + request.tee + " evidence have " +
                                      (nitro ? "1 to 64" : "64") + " bytes, not " +
                                      std::to_string(size))
      .with_hint("hash a statement to that size; nothing is padded or cut here");
}

// Gramine's pseudo files (Documentation/attestation.rst): what is to be reported goes in, a quote
// comes out. One process writes and reads alone: Gramine's files are its own.
Result<Evidence> collect_sgx(const CollectRequest& request) {
  const bool recorded = !request.source.empty();
  const std::filesystem::path folder = recorded ? request.source : kGramine;
  if (!recorded && ::access(kGramine, F_OK) != 0) {
    return Error(ErrorCode::kUnsupported, std::string("this machine has no ") + kGramine)
        .with_hint("Gramine gives it with sgx.remote_attestation = \"dcap\"");
  }
  const auto type = read_attribute(folder / "attestation_type", 64);
  if (type.ok() && line_of(*type) != "dcap") {
    return Error(ErrorCode::kUnsupported,
                 "Gramine's attestation is " + printable(line_of(*type)) + ", and not 'dcap'");
  }
  const std::filesystem::path question = folder / "user_report_data";
  if (recorded) {
    TRY(check_recorded(question, request.report_data));
  } else {
    TRY(write_attribute(question, request.report_data));
  }
  ByteVector quote = TRY(read_attribute(folder / "quote", kMaxEvidenceSize));
  if (quote.empty()) return Error(ErrorCode::kIo, "Gramine gave an empty quote");
  return Evidence{"sgx", {{"quote", std::move(quote)}}};
}

Result<Evidence> collect_nitro(const CollectRequest& request) {
  const ByteVector question = nsm_attestation_request(request.report_data);
  ByteVector answer;
  if (request.source.empty()) {
    answer = TRY(ask_nsm(question));
  } else {
    TRY(check_recorded(request.source / "request", question));
    answer = TRY(read_attribute(request.source / "response", kMaxEvidenceSize));
  }
  ByteVector document = TRY(parse_nsm_response(answer));
  return Evidence{"nitro", {{"document", std::move(document)}}};
}

Result<Evidence> collect_from_tsm(const CollectRequest& request) {
  if (!request.source.empty()) {
    const auto entry = make_recorded_entry(request.source);
    return collect_tsm(*entry, request.tee, request.report_data);
  }
  const auto entry = TRY(make_kernel_entry());
  return collect_tsm(*entry, request.tee, request.report_data);
}

Result<Evidence> collect_tdx(const CollectRequest& request) {
  Evidence evidence = TRY(collect_from_tsm(request));
  if (!request.with_event_log) return evidence;
  const std::filesystem::path log =
      request.source.empty() ? std::filesystem::path(kEventLog) : request.source / "event_log";
  const ByteVector padded = TRY(read_attribute(log, kMaxPaddedLog));
  evidence.items.push_back({"event-log", to_vector(without_padding(padded))});
  return evidence;
}

}  // namespace

Result<Evidence> collect(const CollectRequest& request) {
  struct Collector {
    std::string_view tee;
    Result<Evidence> (*collect)(const CollectRequest&);
  };
  static constexpr Collector kCollectors[] = {{"cca", collect_from_tsm},
                                              {"nitro", collect_nitro},
                                              {"sev-snp", collect_from_tsm},
                                              {"sgx", collect_sgx},
                                              {"tdx", collect_tdx}};
  for (const Collector& collector : kCollectors) {
    if (collector.tee != request.tee) continue;
    TRY(check_size(request));
    std::error_code error;
    if (!request.source.empty() && !std::filesystem::is_directory(request.source, error)) {
      return Error(ErrorCode::kIo, printable(request.source.string()) +
                                       " is no folder in which evidence was recorded");
    }
    if (request.with_event_log && request.tee != "tdx") {
      return Error(ErrorCode::kUsage, request.tee + " evidence has no event log");
    }
    return collector.collect(request).within("collecting " + request.tee + " evidence");
  }
  return Error(ErrorCode::kUsage,
               "evidence of " + printable(request.tee) + " is not collected here")
      .with_hint(
          "azure-sev-snp, azure-tdx, cca, nitro, nvidia-gpu, sev-snp, sgx, tdx, tpm; SIMULATED "
          "evidence is made by the TEE alone");
}

}  // namespace sealpack::attest
