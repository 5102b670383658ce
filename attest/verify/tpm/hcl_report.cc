// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/hcl_report.h"

#include <algorithm>

#include "formats/base/byte_reader.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::attest {
namespace {

constexpr std::string_view kSignature = "HCLA";
constexpr std::size_t kHardwareReportSize = 1184;
constexpr std::uint32_t kDataHeadSize = 20;
constexpr std::uint32_t kCapabilitiesSize = 4;  // of request data from version 2 on
constexpr std::uint32_t kSha256Type = 1;
constexpr std::size_t kReportDataSize = 64;

// IGVM_ATTEST_REQUEST_HEADER: not measured, so nothing of it is believed.
Status parse_head(ByteReader& in) {
  if (as_text(TRY(in.bytes(kSignature.size(), "signature"))) != kSignature) {
    return in.malformed("lacks the signature HCLA");
  }
  const std::uint32_t version = TRY(in.u32("version"));
  if (version == 0 || version > 2) {
    return Error(ErrorCode::kUnsupported, "HCL report of version " + std::to_string(version));
  }
  TRY(in.u32("report size"));
  TRY(in.u32("request type"));
  TRY(in.u32("status"));
  return in.skip(12, "reserved");
}

bool is_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](auto byte) { return byte == 0; });
}

// The firmware writes them once, and sends them with every quote.
class VariableDataMemory : public ChainCache::Memory {
 public:
  Result<HclVariableData> parse(Bytes json) {
    if (json.size() > kMaxRemembered) return parse_hcl_variable_data(json);
    const Digest digest = crypto::sha256(json);
    if (auto known = data_.find(digest)) return *std::move(known);
    HclVariableData data = TRY(parse_hcl_variable_data(json));
    data_.put(digest, data);
    return data;
  }

 private:
  static constexpr std::size_t kCapacity = 1024;
  static constexpr std::size_t kMaxRemembered = 8192;  // anybody can send larger ones
  Recent<HclVariableData> data_{kCapacity};
};

}  // namespace

Result<HclReport> parse_hcl_report(Bytes bytes) {
  ByteReader in(bytes, "HCL report");
  TRY(parse_head(in));
  HclReport report;
  report.hardware_report = TRY(in.bytes(kHardwareReportSize, "hardware report"));
  const std::uint32_t data_size = TRY(in.u32("data size"));
  const std::uint32_t data_version = TRY(in.u32("data version"));
  report.report_type = TRY(in.u32("report type"));
  report.hash_type = TRY(in.u32("hash type"));
  const std::uint32_t variable_size = TRY(in.u32("size of the variable data"));
  if (data_version == 0 || data_version > 3) {
    return Error(ErrorCode::kUnsupported,
                 "HCL report with data of version " + std::to_string(data_version));
  }
  const std::uint32_t between = data_version == 1 ? 0 : kCapabilitiesSize;
  if (data_size != std::uint64_t{kDataHeadSize} + between + variable_size) {
    return in.malformed("data of " + std::to_string(data_size) + " bytes around " +
                        std::to_string(variable_size) + " bytes of variable data");
  }
  TRY(in.skip(between, "capabilities"));
  report.variable_data = TRY(in.bytes(variable_size, "variable data"));
  // The NV index is larger than what lies in it.
  if (!is_zero(TRY(in.bytes(in.remaining(), "rest")))) {
    return in.malformed("bytes behind the variable data");
  }
  return report;
}

void check_hcl_binding(const HclReport& report, Bytes report_data, std::vector<Reason>& reasons) {
  if (report.hash_type != kSha256Type) {
    reasons.push_back({"azure.hash-type", "the variable data are bound by the hash of type " +
                                              std::to_string(report.hash_type) +
                                              ", known is 1 (SHA-256)"});
    return;
  }
  ByteVector expected(kReportDataSize);
  const Digest digest = crypto::sha256(report.variable_data);
  std::copy(digest.bytes.begin(), digest.bytes.end(), expected.begin());
  if (!std::equal(expected.begin(), expected.end(), report_data.begin(), report_data.end())) {
    reasons.push_back(
        {"azure.binding", "the processor's report is bound to " + to_hex(report_data) +
                              ", the variable data have the SHA-256 " + to_hex(digest.bytes)});
  }
}

std::optional<HclItem> parse_hcl_item(Bytes bytes, HclReportType type, ChainCache* cache,
                                      std::vector<Reason>& reasons) {
  const auto report = parse_hcl_report(bytes);
  if (!report.ok()) {
    reasons.push_back({"azure.report", report.error().message()});
    return std::nullopt;
  }
  if (report->report_type != static_cast<std::uint32_t>(type)) {
    reasons.push_back({"azure.report-type", "the HCL report has a hardware report of type " +
                                                std::to_string(report->report_type) +
                                                ", asked for is " +
                                                std::to_string(static_cast<std::uint32_t>(type))});
    return std::nullopt;
  }
  const Bytes json = report->variable_data;
  auto data = cache != nullptr ? cache->memory<VariableDataMemory>().parse(json)
                               : parse_hcl_variable_data(json);
  if (!data.ok()) {
    reasons.push_back({"azure.var-data", data.error().message()});
    return std::nullopt;
  }
  return HclItem{*report, *std::move(data)};
}

}  // namespace sealpack::attest
