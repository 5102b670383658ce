// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/simulated.h"

#include "attest/evidence/evidence.h"
#include "formats/bundle/labels.h"
#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"

namespace sealpack::attest {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kMaxKeySize = 256;
constexpr std::uint64_t kMaxSignatureSize = 256;

}  // namespace

ByteVector simulated_transcript(const SimulatedReport& report) {
  return bundle::LengthPrefixed()
      .add(kSimulatedLabel)
      .add(Bytes(report.measurement.bytes))
      .add(Bytes(report.report_data))
      .add(Bytes(report.root_spki))
      .bytes();
}

ByteVector serialize_simulated_report(const SimulatedReport& report) {
  return bundle::MessageWriter()
      .u64(1, kVersion)
      .digest(2, report.measurement)
      .bytes(3, report.report_data)
      .bytes(4, report.root_spki)
      .bytes(5, report.signature)
      .take();
}

Result<SimulatedReport> parse_simulated_report(Bytes bytes) {
  bundle::MessageReader in(bytes, "simulated report");
  const std::uint32_t version = TRY(in.u32(1, "version"));
  if (version != kVersion) {
    return Error(ErrorCode::kUnsupported, "simulated report of version " + std::to_string(version) +
                                              ", this version knows " + std::to_string(kVersion));
  }
  SimulatedReport report;
  report.measurement = TRY(in.digest(2, "measurement"));
  report.report_data = to_vector(TRY(in.bytes(3, "report data", kMaxSimulatedReportData)));
  if (report.report_data.empty()) return in.malformed("no report data");
  report.root_spki = to_vector(TRY(in.bytes(4, "root", kMaxKeySize)));
  report.signature = to_vector(TRY(in.bytes(5, "signature", kMaxSignatureSize)));
  TRY(in.finish());
  return report;
}

Result<ByteVector> make_simulated_evidence(const Digest& measurement, Bytes report_data,
                                           const crypto::Signer& root) {
  if (report_data.empty() || report_data.size() > kMaxSimulatedReportData) {
    return Error(ErrorCode::kUsage, "simulated report data of " +
                                        std::to_string(report_data.size()) +
                                        " bytes, 1 to 64 are allowed");
  }
  SimulatedReport report{
      measurement, to_vector(report_data), to_vector(root.public_key().spki()), {}};
  report.signature = TRY(root.sign(simulated_transcript(report)));
  return serialize_evidence({"simulated", {{"report", serialize_simulated_report(report)}}});
}

}  // namespace sealpack::attest
