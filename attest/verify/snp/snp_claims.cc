// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/snp/snp_claims.h"

#include <algorithm>

namespace sealpack::attest::snp {
namespace {

void add_tcb(Claims& claims, const std::string& prefix, Product product, const Tcb& tcb) {
  claims.add_number(prefix + "bootloader", tcb.bootloader);
  claims.add_number(prefix + "tee", tcb.tee);
  claims.add_number(prefix + "snp", tcb.snp);
  claims.add_number(prefix + "microcode", tcb.microcode);
  if (product == Product::kTurin) claims.add_number(prefix + "fmc", tcb.fmc);
}

void add_guest_policy(Claims& claims, const Report& report) {
  claims.add_number("abi_version", report.policy & 0xFFFFU);
  claims.add_flag("smt_allowed", report.policy_bit(16));
  claims.add_flag("migrate_ma", report.policy_bit(18));
  claims.add_flag("debug", report.policy_bit(19));
  claims.add_flag("single_socket", report.policy_bit(20));
  claims.add_flag("cxl_allowed", report.policy_bit(21));
  claims.add_flag("aes_256_xts_required", report.policy_bit(22));
  claims.add_flag("rapl_disabled_required", report.policy_bit(23));
  claims.add_flag("ciphertext_hiding_required", report.policy_bit(24));
  claims.add_flag("page_swap_disabled", report.policy_bit(25));
}

void add_platform(Claims& claims, const Report& report) {
  claims.add_flag("smt_enabled", report.platform_bit(0));
  claims.add_flag("tsme_enabled", report.platform_bit(1));
  claims.add_flag("ecc_enabled", report.platform_bit(2));
  claims.add_flag("rapl_disabled", report.platform_bit(3));
  claims.add_flag("ciphertext_hiding", report.platform_bit(4));
  claims.add_flag("alias_check_complete", report.platform_bit(5));
  claims.add_flag("iommu_write_safe", report.platform_bit(6));
  claims.add_flag("tio_enabled", report.platform_bit(7));
  const FirmwareVersion& version = report.current_version;
  claims.add_number("snp_firmware_version", std::uint64_t{version.major} << 16U |
                                                std::uint64_t{version.minor} << 8U | version.build);
}

// Bit vectors, most significant byte first, as their hex is read.
void add_mitigations(Claims& claims, std::string_view name,
                     const std::optional<std::array<std::uint8_t, 8>>& vector) {
  if (!vector) return;
  std::array<std::uint8_t, 8> bytes = *vector;
  std::reverse(bytes.begin(), bytes.end());
  claims.add_bytes(name, bytes);
}

void add_guest(Claims& claims, const Report& report) {
  claims.add_number("guest_svn", report.guest_svn);
  claims.add_number("vmpl", report.vmpl);
  claims.add_bytes("measurement", report.measurement);
  claims.add_bytes("host_data", report.host_data);
  claims.add_bytes("family_id", report.family_id);
  claims.add_bytes("image_id", report.image_id);
  claims.add_bytes("id_key_digest", report.id_key_digest);
  claims.add_flag("author_key", report.author_key);
  claims.add_bytes("author_key_digest", report.author_key_digest);
  claims.add_bytes("report_id", report.report_id);
  claims.add_bytes("report_id_ma", report.report_id_ma);
  claims.add_number("report_version", report.version);
}

}  // namespace

Claims claims_of(const Report& report, const EndorsementKey& key, const Proven& proven) {
  Claims claims{"sev-snp", {}, to_vector(report.report_data)};
  add_guest(claims, report);
  add_guest_policy(claims, report);
  add_platform(claims, report);
  add_tcb(claims, "tcb_", key.product, proven.reported);
  add_tcb(claims, "committed_tcb_", key.product, proven.committed);
  add_tcb(claims, "launch_tcb_", key.product, proven.launch);
  add_mitigations(claims, "launch_mitigations", report.launch_mitigations);
  add_mitigations(claims, "mitigations", report.current_mitigations);
  claims.add_text("product", to_string(key.product));
  claims.add_text("signing_key", report.signing_key == SigningKey::kVcek ? "vcek" : "vlek");
  // The key's certificate names the chip also where the report does not.
  std::array<std::uint8_t, 64> chip = report.chip_id;
  if (report.signing_key == SigningKey::kVcek) {
    chip.fill(0);
    std::copy(key.hardware_id.begin(), key.hardware_id.end(), chip.begin());
  }
  claims.add_bytes("chip_id", chip);
  if (report.signing_key == SigningKey::kVlek) claims.add_text("csp_id", key.csp_id);
  // Made only where they hold: a policy that does not know them refuses.
  if (report.signing_key == SigningKey::kVcek && report.is_chip_id_masked()) {
    claims.add_flag("chip_id_masked", true);
  }
  if (proven.committed != proven.current || report.committed_version != report.current_version) {
    claims.add_flag("provisional", true);
  }
  if (!proven.revocation_checked) claims.add_flag("revocation_unchecked", true);
  claims.sort();
  return claims;
}

}  // namespace sealpack::attest::snp
