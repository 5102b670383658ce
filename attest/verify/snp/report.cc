// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/snp/report.h"

#include <algorithm>
#include <cstdio>

namespace sealpack::attest::snp {
namespace {

constexpr std::uint32_t kOldestVersion = 2;
constexpr std::uint32_t kVersionWithCpuid = 3;
constexpr std::uint32_t kVersionWithMitigations = 5;
constexpr std::uint32_t kNewestVersion = 5;
constexpr std::uint32_t kLargestVersion = 255;
constexpr std::uint32_t kEcdsaP384Sha384 = 1;
constexpr unsigned kPolicyMustBeOne = 17;
constexpr unsigned kPolicyFirstReserved = 26;
constexpr unsigned kSignerFirstReserved = 5;
constexpr std::uint64_t kMaskChipKey = 2;
constexpr std::size_t kSignatureFieldSize = 72;
constexpr std::size_t kScalarSize = 48;

std::string hex_offset(std::size_t offset) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%03zX", offset);
  return text.data();
}

// The report by offset, as its specification writes it. The size was checked.
class Fields {
 public:
  Fields(Bytes bytes, std::vector<Reason>& reasons) : bytes_(bytes), reasons_(reasons) {}

  std::uint8_t u8(std::size_t offset) const { return bytes_[offset]; }
  std::uint32_t u32(std::size_t offset) const {
    return static_cast<std::uint32_t>(number(offset, 4));
  }
  std::uint64_t u64(std::size_t offset) const { return number(offset, 8); }
  template <std::size_t N>
  std::array<std::uint8_t, N> array(std::size_t offset) const {
    std::array<std::uint8_t, N> out;
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), N, out.begin());
    return out;
  }
  FirmwareVersion firmware(std::size_t offset) const {
    return {u8(offset + 2), u8(offset + 1), u8(offset)};
  }
  void require_zero(std::size_t from, std::size_t until, const char* code = "snp.reserved") {
    const Bytes range = bytes_.subspan(from, until - from);
    if (std::all_of(range.begin(), range.end(), [](std::uint8_t byte) { return byte == 0; })) {
      return;
    }
    add(code, "bytes " + hex_offset(from) + " to " + hex_offset(until - 1) + " must be zero");
  }
  void add(const char* code, std::string text) {
    reasons_.push_back({code, "SNP report: " + std::move(text)});
  }

 private:
  std::uint64_t number(std::size_t offset, std::size_t size) const {
    std::uint64_t value = 0;
    for (std::size_t i = size; i > 0; --i) value = value << 8U | bytes_[offset + i - 1];
    return value;
  }
  Bytes bytes_;
  std::vector<Reason>& reasons_;
};

void check_policy_bits(Fields& in, std::uint64_t policy) {
  if ((policy >> kPolicyMustBeOne & 1U) == 0)
    in.add("snp.reserved", "bit 17 of POLICY must be one");
  if (policy >> kPolicyFirstReserved != 0) {
    in.add("snp.reserved", "bits 26 to 63 of POLICY must be zero");
  }
}

bool read_signer(Fields& in, Report& report) {
  const std::uint32_t signer = in.u32(0x048);
  report.author_key = (signer & 1U) != 0;
  if (signer >> kSignerFirstReserved != 0) {
    in.add("snp.reserved", "bits 5 to 31 of SIGNER_INFO must be zero");
  }
  const std::uint32_t key = signer >> 2U & 7U;
  if (key > 1) {
    in.add("snp.signing-key", key == 7
                                  ? "signed by no key"
                                  : "signed by a key of the reserved kind " + std::to_string(key));
    return false;
  }
  report.signing_key = key == 1 ? SigningKey::kVlek : SigningKey::kVcek;
  if (report.signing_key == SigningKey::kVcek && (signer & kMaskChipKey) != 0) {
    in.add("snp.signing-key", "the platform masks its chip key and signs with it all the same");
  }
  return true;
}

void read_version_dependent(Fields& in, Report& report) {
  if (report.version >= kVersionWithCpuid) {
    report.cpuid = Cpuid{in.u8(0x188), in.u8(0x189), in.u8(0x18A)};
    in.require_zero(0x18B, 0x1A0);
  } else {
    in.require_zero(0x188, 0x1A0);
  }
  if (report.version >= kVersionWithMitigations) {
    report.launch_mitigations = in.array<8>(0x1F8);
    report.current_mitigations = in.array<8>(0x200);
    in.require_zero(0x208, 0x2A0);
  } else {
    in.require_zero(0x1F8, 0x2A0);
  }
}

// R and S, little-endian, 72 bytes each of which the curve needs 48.
void read_signature(Fields& in, Report& report) {
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t at = kSignedSize + i * kSignatureFieldSize;
    in.require_zero(at + kScalarSize, at + kSignatureFieldSize, "snp.signature");
    for (std::size_t j = 0; j < kScalarSize; ++j) {
      report.signature[i * kScalarSize + j] = in.u8(at + kScalarSize - 1 - j);
    }
  }
  in.require_zero(kSignedSize + 2 * kSignatureFieldSize, kReportSize);
}

}  // namespace

bool Report::is_chip_id_masked() const {
  return std::all_of(chip_id.begin(), chip_id.end(), [](std::uint8_t byte) { return byte == 0; });
}

std::optional<Report> parse_report(Bytes bytes, std::vector<Reason>& reasons) {
  if (bytes.size() != kReportSize) {
    reasons.push_back({"snp.size", "SNP report of " + std::to_string(bytes.size()) +
                                       " bytes, it has " + std::to_string(kReportSize)});
    return std::nullopt;
  }
  Fields in(bytes, reasons);
  Report report;
  report.version = in.u32(0x000);
  // AMD counts by ones; beyond this, and before the first, it is no number of a version.
  if (report.version < kOldestVersion || report.version > kLargestVersion) {
    in.add("snp.malformed", "version " + std::to_string(report.version) + ", which no report has");
    return std::nullopt;
  }
  if (report.version > kNewestVersion) {
    in.add("snp.version", "version " + std::to_string(report.version) + ", 2 to 5 are known");
    return std::nullopt;  // nothing else has a known place
  }
  report.guest_svn = in.u32(0x004);
  report.policy = in.u64(0x008);
  check_policy_bits(in, report.policy);
  report.family_id = in.array<16>(0x010);
  report.image_id = in.array<16>(0x020);
  report.vmpl = in.u32(0x030);
  if (in.u32(0x034) != kEcdsaP384Sha384) {
    in.add("snp.algorithm", "signature algorithm " + std::to_string(in.u32(0x034)) +
                                ", only 1 (ECDSA P-384 with SHA-384) is known");
  }
  report.current_tcb = in.array<8>(0x038);
  report.platform_info = in.u64(0x040);
  if (!read_signer(in, report)) return std::nullopt;
  in.require_zero(0x04C, 0x050);
  report.report_data = in.array<64>(0x050);
  report.measurement = in.array<48>(0x090);
  report.host_data = in.array<32>(0x0C0);
  report.id_key_digest = in.array<48>(0x0E0);
  report.author_key_digest = in.array<48>(0x110);
  report.report_id = in.array<32>(0x140);
  report.report_id_ma = in.array<32>(0x160);
  report.reported_tcb = in.array<8>(0x180);
  report.chip_id = in.array<64>(0x1A0);
  report.committed_tcb = in.array<8>(0x1E0);
  report.current_version = in.firmware(0x1E8);
  in.require_zero(0x1EB, 0x1EC);
  report.committed_version = in.firmware(0x1EC);
  in.require_zero(0x1EF, 0x1F0);
  report.launch_tcb = in.array<8>(0x1F0);
  read_version_dependent(in, report);
  read_signature(in, report);
  return report;
}

}  // namespace sealpack::attest::snp
