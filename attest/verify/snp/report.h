// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "formats/base/bytes.h"
#include "formats/base/reason.h"

namespace sealpack::attest::snp {

// ATTESTATION_REPORT of AMD SEV-SNP, versions 2 to 5 ("SEV Secure Nested Paging Firmware ABI
// Specification", 56860, MSG_REPORT_RSP).
inline constexpr std::size_t kReportSize = 1184;
inline constexpr std::size_t kSignedSize = 0x2A0;

enum class SigningKey { kVcek, kVlek };

// The hypervisor asked for the report, not the guest.
inline constexpr std::uint32_t kGreatestVmpl = 3;

struct Cpuid {
  std::uint8_t family = 0;
  std::uint8_t model = 0;
  std::uint8_t stepping = 0;
};

struct FirmwareVersion {
  std::uint8_t major = 0;
  std::uint8_t minor = 0;
  std::uint8_t build = 0;
  auto operator<=>(const FirmwareVersion&) const = default;
};

struct Report {
  std::uint32_t version = 0;
  std::uint32_t guest_svn = 0;
  std::uint64_t policy = 0;
  std::array<std::uint8_t, 16> family_id{};
  std::array<std::uint8_t, 16> image_id{};
  std::uint32_t vmpl = 0;
  std::uint64_t platform_info = 0;
  bool author_key = false;
  SigningKey signing_key = SigningKey::kVcek;
  std::array<std::uint8_t, 64> report_data{};
  std::array<std::uint8_t, 48> measurement{};
  std::array<std::uint8_t, 32> host_data{};
  std::array<std::uint8_t, 48> id_key_digest{};
  std::array<std::uint8_t, 48> author_key_digest{};
  std::array<std::uint8_t, 32> report_id{};
  std::array<std::uint8_t, 32> report_id_ma{};
  std::optional<Cpuid> cpuid;  // from version 3
  std::array<std::uint8_t, 64> chip_id{};
  // Their layout depends on the product.
  std::array<std::uint8_t, 8> current_tcb{};
  std::array<std::uint8_t, 8> reported_tcb{};
  std::array<std::uint8_t, 8> committed_tcb{};
  std::array<std::uint8_t, 8> launch_tcb{};
  FirmwareVersion current_version;
  FirmwareVersion committed_version;
  std::optional<std::array<std::uint8_t, 8>> launch_mitigations;  // from version 5
  std::optional<std::array<std::uint8_t, 8>> current_mitigations;
  std::array<std::uint8_t, 96> signature{};  // r || s, big-endian

  bool policy_bit(unsigned bit) const { return (policy >> bit & 1U) != 0; }
  bool platform_bit(unsigned bit) const { return (platform_info >> bit & 1U) != 0; }
  bool is_chip_id_masked() const;
};

// Reads a report of exactly its size and adds what is wrong with it: snp.size, snp.malformed,
// snp.version (newer than those known), snp.signing-key, snp.algorithm, snp.reserved (bits and
// bytes that are not as specified), snp.signature (where it is not encoded as specified). nullopt
// for the first four, after which nothing more can be said.
std::optional<Report> parse_report(Bytes bytes, std::vector<Reason>& reasons);

}  // namespace sealpack::attest::snp
