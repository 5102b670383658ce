// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/claim_names.h"

#include <algorithm>
#include <array>

#include "attest/policy/gpu_claim_names.h"

namespace sealpack::policy {

namespace {

constexpr bool kMandatory = true;
constexpr bool kOptional = false;
constexpr bool kBadNews = true;
constexpr bool kNeverIgnored = true;
constexpr bool kNeverEmpty = true;

constexpr std::array<std::size_t, 1> k3{3};
constexpr std::array<std::size_t, 1> k6{6};
constexpr std::array<std::size_t, 1> k8{8};
constexpr std::array<std::size_t, 1> k16{16};
constexpr std::array<std::size_t, 1> k32{32};
constexpr std::array<std::size_t, 1> k33{33};
constexpr std::array<std::size_t, 1> k48{48};
constexpr std::array<std::size_t, 1> k64{64};
constexpr std::array<std::size_t, 3> kHashes{32, 48, 64};
// TPM2B_NAME of an object: the hash algorithm (2 bytes), then SHA-256, SHA-384 or SHA-512.
constexpr std::array<std::size_t, 3> kTpmNames{34, 50, 66};

constexpr std::array<std::string_view, 3> kSnpProducts{"Genoa", "Milan", "Turin"};
constexpr std::array<std::string_view, 2> kSnpSigningKeys{"vcek", "vlek"};
constexpr std::array<std::string_view, 9> kIntelTcb{"ConfigurationAndSWHardeningNeeded",
                                                    "ConfigurationNeeded",
                                                    "OutOfDate",
                                                    "OutOfDateConfigurationNeeded",
                                                    "Revoked",
                                                    "SWHardeningNeeded",
                                                    "TDRelaunchAdvised",
                                                    "TDRelaunchAdvisedConfigurationNeeded",
                                                    "UpToDate"};
// The names of the PSA and CCA lifecycle states (high byte of the claim).
constexpr std::array<std::string_view, 7> kLifecycles{
    "assembly-and-test",     "decommissioned", "non-rot-debug", "provisioning",
    "recoverable-rot-debug", "secured",        "unknown"};
constexpr std::array<std::string_view, 3> kCcaHashes{"sha-256", "sha-384", "sha-512"};
constexpr std::array<std::string_view, 2> kEventLogs{"none", "replayed"};

// TDX tee_tcb_svn: 256 times the major version of the module (byte 1) plus its security version
// (byte 0). TPM pcr_selection: the bitmap of PCRs in the SHA-256 bank, PCR 0 in the lowest bit of
// the first byte; pcr_digest is SHA-256 over them; pcrN_event: each digest that the replayed log
// extends into PCR N but for the constants of the TCG specification.
// nitro debug: PCR 0 to 2 are all zero; age: seconds between the document and the time of judging.
// PSA and CCA measurements: one a software component.
constexpr ClaimName kCca[] = {
    {"hash_algorithm", ClaimKind::kText, kOptional, {}, kCcaHashes},
    {"platform_config", ClaimKind::kText, kOptional},
    {"platform_implementation_id", ClaimKind::kBytes, kMandatory, k32},
    {"platform_instance_id", ClaimKind::kBytes, kOptional, k33},
    {"platform_key", ClaimKind::kBytes, kOptional, k32},
    {"platform_lifecycle", ClaimKind::kText, kMandatory, {}, kLifecycles},
    {"platform_measurement", ClaimKind::kBytesSet, kMandatory, kHashes},
    {"platform_profile", ClaimKind::kText, kOptional},
    {"platform_signer_id",
     ClaimKind::kBytesSet,
     kOptional,
     kHashes,
     {},
     false,
     false,
     false,
     kNeverEmpty},
    {"rem0", ClaimKind::kBytes, kMandatory, kHashes},
    {"rem1", ClaimKind::kBytes, kMandatory, kHashes},
    {"rem2", ClaimKind::kBytes, kMandatory, kHashes},
    {"rem3", ClaimKind::kBytes, kMandatory, kHashes},
    {"rim", ClaimKind::kBytes, kMandatory, kHashes},
    {"rpv", ClaimKind::kBytes, kMandatory, k64},
};

constexpr ClaimName kNitro[] = {
    {"age", ClaimKind::kNumber, kOptional},
    {"debug", ClaimKind::kFlag, kMandatory},
    {"module_id", ClaimKind::kText, kOptional},
    {"pcr0", ClaimKind::kBytes, kMandatory, k48, {}, true},
    {"pcr1", ClaimKind::kBytes, kMandatory, k48, {}, true},
    {"pcr10", ClaimKind::kBytes, kOptional, k48},
    {"pcr11", ClaimKind::kBytes, kOptional, k48},
    {"pcr12", ClaimKind::kBytes, kOptional, k48},
    {"pcr13", ClaimKind::kBytes, kOptional, k48},
    {"pcr14", ClaimKind::kBytes, kOptional, k48},
    {"pcr15", ClaimKind::kBytes, kOptional, k48},
    {"pcr16", ClaimKind::kBytes, kOptional, k48},
    {"pcr17", ClaimKind::kBytes, kOptional, k48},
    {"pcr18", ClaimKind::kBytes, kOptional, k48},
    {"pcr19", ClaimKind::kBytes, kOptional, k48},
    {"pcr2", ClaimKind::kBytes, kMandatory, k48, {}, true},
    {"pcr20", ClaimKind::kBytes, kOptional, k48},
    {"pcr21", ClaimKind::kBytes, kOptional, k48},
    {"pcr22", ClaimKind::kBytes, kOptional, k48},
    {"pcr23", ClaimKind::kBytes, kOptional, k48},
    {"pcr24", ClaimKind::kBytes, kOptional, k48},
    {"pcr25", ClaimKind::kBytes, kOptional, k48},
    {"pcr26", ClaimKind::kBytes, kOptional, k48},
    {"pcr27", ClaimKind::kBytes, kOptional, k48},
    {"pcr28", ClaimKind::kBytes, kOptional, k48},
    {"pcr29", ClaimKind::kBytes, kOptional, k48},
    {"pcr3", ClaimKind::kBytes, kOptional, k48},
    {"pcr30", ClaimKind::kBytes, kOptional, k48},
    {"pcr31", ClaimKind::kBytes, kOptional, k48},
    {"pcr4", ClaimKind::kBytes, kOptional, k48},
    {"pcr5", ClaimKind::kBytes, kOptional, k48},
    {"pcr6", ClaimKind::kBytes, kOptional, k48},
    {"pcr7", ClaimKind::kBytes, kOptional, k48},
    {"pcr8", ClaimKind::kBytes, kOptional, k48},
    {"pcr9", ClaimKind::kBytes, kOptional, k48},
    {"public_key", ClaimKind::kText, kOptional},
    {"user_data", ClaimKind::kText, kOptional},
};

constexpr ClaimName kPsa[] = {
    {"attestation_key", ClaimKind::kBytes, kOptional, k32},
    {"certification_reference", ClaimKind::kText, kOptional},
    {"client_id", ClaimKind::kText, kMandatory},
    {"implementation_id", ClaimKind::kBytes, kMandatory, k32},
    {"instance_id", ClaimKind::kBytes, kOptional, k33},
    {"measurement", ClaimKind::kBytesSet, kMandatory, kHashes},
    {"profile", ClaimKind::kText, kOptional},
    {"security_lifecycle", ClaimKind::kText, kMandatory, {}, kLifecycles},
    {"signer_id", ClaimKind::kBytesSet, kOptional, kHashes, {}, false, false, false, kNeverEmpty},
};

// A level that one product alone has, and each of its reports.
constexpr ClaimName of_product(ClaimName claim, std::string_view product) {
  claim.mandatory_where = {"product", product};
  return claim;
}

constexpr ClaimName kSevSnp[] = {
    {"abi_version", ClaimKind::kNumber, kOptional},
    {"aes_256_xts_required", ClaimKind::kFlag, kOptional},
    {"alias_check_complete", ClaimKind::kFlag, kOptional},
    {"author_key", ClaimKind::kFlag, kOptional},
    {"author_key_digest", ClaimKind::kBytes, kOptional, k48},
    {"chip_id", ClaimKind::kBytes, kOptional, k64},
    {"chip_id_masked", ClaimKind::kFlag, kOptional, {}, {}, false, kBadNews},
    {"ciphertext_hiding", ClaimKind::kFlag, kOptional},
    {"ciphertext_hiding_required", ClaimKind::kFlag, kOptional},
    {"committed_tcb_bootloader", ClaimKind::kNumber, kOptional},
    {"committed_tcb_fmc", ClaimKind::kNumber, kOptional},
    {"committed_tcb_microcode", ClaimKind::kNumber, kOptional},
    {"committed_tcb_snp", ClaimKind::kNumber, kOptional},
    {"committed_tcb_tee", ClaimKind::kNumber, kOptional},
    {"csp_id", ClaimKind::kText, kOptional},
    {"cxl_allowed", ClaimKind::kFlag, kOptional},
    {"debug", ClaimKind::kFlag, kMandatory},
    {"ecc_enabled", ClaimKind::kFlag, kOptional},
    {"family_id", ClaimKind::kBytes, kOptional, k16},
    {"guest_svn", ClaimKind::kNumber, kOptional},
    {"host_data", ClaimKind::kBytes, kMandatory, k32},
    {"id_key_digest", ClaimKind::kBytes, kOptional, k48},
    {"image_id", ClaimKind::kBytes, kOptional, k16},
    {"iommu_write_safe", ClaimKind::kFlag, kOptional},
    {"launch_mitigations", ClaimKind::kBits, kOptional, k8},
    {"launch_tcb_bootloader", ClaimKind::kNumber, kOptional},
    {"launch_tcb_fmc", ClaimKind::kNumber, kOptional},
    {"launch_tcb_microcode", ClaimKind::kNumber, kOptional},
    {"launch_tcb_snp", ClaimKind::kNumber, kOptional},
    {"launch_tcb_tee", ClaimKind::kNumber, kOptional},
    {"measurement", ClaimKind::kBytes, kMandatory, k48},
    {"migrate_ma", ClaimKind::kFlag, kMandatory},
    {"mitigations", ClaimKind::kBits, kOptional, k8},
    {"page_swap_disabled", ClaimKind::kFlag, kOptional},
    {"product", ClaimKind::kText, kMandatory, {}, kSnpProducts},
    {"provisional", ClaimKind::kFlag, kOptional, {}, {}, false, kBadNews},
    {"rapl_disabled", ClaimKind::kFlag, kOptional},
    {"rapl_disabled_required", ClaimKind::kFlag, kOptional},
    {"report_id", ClaimKind::kBytes, kOptional, k32},
    {"report_id_ma", ClaimKind::kBytes, kOptional, k32},
    {"report_version", ClaimKind::kNumber, kOptional},
    {"revocation_unchecked", ClaimKind::kFlag, kOptional, {}, {}, false, kBadNews},
    {"signing_key", ClaimKind::kText, kOptional, {}, kSnpSigningKeys},
    {"single_socket", ClaimKind::kFlag, kOptional},
    {"smt_allowed", ClaimKind::kFlag, kOptional},
    {"smt_enabled", ClaimKind::kFlag, kOptional},
    {"snp_firmware_version", ClaimKind::kNumber, kOptional},
    {"tcb_bootloader", ClaimKind::kNumber, kMandatory},
    of_product({"tcb_fmc", ClaimKind::kNumber}, "Turin"),
    {"tcb_microcode", ClaimKind::kNumber, kMandatory},
    {"tcb_snp", ClaimKind::kNumber, kMandatory},
    {"tcb_tee", ClaimKind::kNumber, kMandatory},
    {"tio_enabled", ClaimKind::kFlag, kOptional},
    {"tsme_enabled", ClaimKind::kFlag, kOptional},
    {"vmpl", ClaimKind::kNumber, kMandatory},
};

constexpr ClaimName kSgx[] = {
    {"advisories", ClaimKind::kTextSet, kOptional, {}, {}, false, kBadNews},
    {"attributes", ClaimKind::kBits, kOptional, k16},
    {"config_id", ClaimKind::kBytes, kOptional, k64},
    {"config_svn", ClaimKind::kNumber, kOptional},
    {"debug", ClaimKind::kFlag, kMandatory},
    {"fmspc", ClaimKind::kBytes, kOptional, k6},
    {"isv_ext_prod_id", ClaimKind::kBytes, kOptional, k16},
    {"isv_family_id", ClaimKind::kBytes, kOptional, k16},
    {"isv_prod_id", ClaimKind::kNumber, kMandatory},
    {"isv_svn", ClaimKind::kNumber, kMandatory},
    {"mrenclave", ClaimKind::kBytes, kMandatory, k32},
    {"mrsigner", ClaimKind::kBytes, kMandatory, k32},
    {"platform_instance_id", ClaimKind::kBytes, kOptional, k16},
    {"ppid", ClaimKind::kBytes, kOptional, k16},
    {"provision_key", ClaimKind::kFlag, kOptional},
    {"smt_enabled", ClaimKind::kFlag, kOptional},
    {"tcb_date", ClaimKind::kNumber, kOptional},
    {"tcb_evaluation", ClaimKind::kNumber, kOptional},
    {"tcb_status", ClaimKind::kText, kMandatory, {}, kIntelTcb},
};

constexpr ClaimName kSimulated[] = {
    {"measurement", ClaimKind::kBytes, kMandatory, k32},
    {"root", ClaimKind::kBytes, kMandatory, k32, {}, false, false, kNeverIgnored},
};

constexpr ClaimName kTdxQuote[] = {
    {"advisories", ClaimKind::kTextSet, kOptional, {}, {}, false, kBadNews},
    {"debug", ClaimKind::kFlag, kMandatory},
    {"fmspc", ClaimKind::kBytes, kOptional, k6},
    {"migratable", ClaimKind::kFlag, kMandatory},
    {"mr_servicetd", ClaimKind::kBytesSet, kOptional, k48, {}, false, false, false, kNeverEmpty},
    {"mrconfigid", ClaimKind::kBytes, kMandatory, k48},
    {"mrowner", ClaimKind::kBytes, kOptional, k48},
    {"mrownerconfig", ClaimKind::kBytes, kOptional, k48},
    {"mrseam", ClaimKind::kBytes, kOptional, k48},
    {"mrsignerseam", ClaimKind::kBytes, kOptional, k48},
    {"mrtd", ClaimKind::kBytes, kMandatory, k48},
    {"perfmon", ClaimKind::kFlag, kOptional},
    {"platform_instance_id", ClaimKind::kBytes, kOptional, k16},
    {"ppid", ClaimKind::kBytes, kOptional, k16},
    {"rtmr0", ClaimKind::kBytes, kMandatory, k48},
    {"rtmr1", ClaimKind::kBytes, kMandatory, k48},
    {"rtmr2", ClaimKind::kBytes, kMandatory, k48},
    {"rtmr3", ClaimKind::kBytes, kMandatory, k48},
    {"sept_ve_disable", ClaimKind::kFlag, kMandatory},
    {"service_td", ClaimKind::kFlag, kOptional, {}, {}, false, kBadNews},
    {"smt_enabled", ClaimKind::kFlag, kOptional},
    {"tcb_date", ClaimKind::kNumber, kOptional},
    {"tcb_evaluation", ClaimKind::kNumber, kOptional},
    {"tcb_status", ClaimKind::kText, kMandatory, {}, kIntelTcb},
    {"td_attributes", ClaimKind::kBits, kOptional, k8},
    {"tee_tcb_svn", ClaimKind::kNumber, kMandatory},
    {"xfam", ClaimKind::kBits, kOptional, k8},
};

// What the log says that is replayed to the RTMRs.
constexpr ClaimName kTdxLog[] = {
    {"event_log", ClaimKind::kText, kOptional, {}, kEventLogs},
    {"secure_boot", ClaimKind::kFlag, kOptional},
};

// Of several PCRs the digest alone does not say which they are: others can be given their values.
constexpr ClaimName behind(ClaimName claim, std::string_view digest) {
  claim.not_ignored_with = digest;
  return claim;
}

// What a quote of a TPM says, be it the machine's or a virtual one.
constexpr ClaimName kTpmQuote[] = {
    {"clock", ClaimKind::kNumber, kOptional},
    {"clock_safe", ClaimKind::kFlag, kOptional},
    {"event_log", ClaimKind::kText, kOptional, {}, kEventLogs},
    {"firmware_version", ClaimKind::kNumber, kOptional},
    {"pcr0", ClaimKind::kBytes, kOptional, k32},
    {"pcr1", ClaimKind::kBytes, kOptional, k32},
    {"pcr10", ClaimKind::kBytes, kOptional, k32},
    {"pcr11", ClaimKind::kBytes, kOptional, k32},
    {"pcr11_event", ClaimKind::kBytesSet, kOptional, k32, {}, false, false, false, kNeverEmpty},
    {"pcr12", ClaimKind::kBytes, kOptional, k32},
    {"pcr12_event", ClaimKind::kBytesSet, kOptional, k32, {}, false, false, false, kNeverEmpty},
    {"pcr13", ClaimKind::kBytes, kOptional, k32},
    {"pcr13_event", ClaimKind::kBytesSet, kOptional, k32, {}, false, false, false, kNeverEmpty},
    {"pcr14", ClaimKind::kBytes, kOptional, k32},
    {"pcr14_event", ClaimKind::kBytesSet, kOptional, k32, {}, false, false, false, kNeverEmpty},
    {"pcr15", ClaimKind::kBytes, kOptional, k32},
    {"pcr16", ClaimKind::kBytes, kOptional, k32},
    {"pcr17", ClaimKind::kBytes, kOptional, k32},
    {"pcr18", ClaimKind::kBytes, kOptional, k32},
    {"pcr19", ClaimKind::kBytes, kOptional, k32},
    {"pcr2", ClaimKind::kBytes, kOptional, k32},
    {"pcr20", ClaimKind::kBytes, kOptional, k32},
    {"pcr21", ClaimKind::kBytes, kOptional, k32},
    {"pcr22", ClaimKind::kBytes, kOptional, k32},
    {"pcr23", ClaimKind::kBytes, kOptional, k32},
    {"pcr3", ClaimKind::kBytes, kOptional, k32},
    {"pcr4", ClaimKind::kBytes, kOptional, k32},
    {"pcr4_event", ClaimKind::kBytesSet, kOptional, k32, {}, false, false, false, kNeverEmpty},
    {"pcr5", ClaimKind::kBytes, kOptional, k32},
    {"pcr6", ClaimKind::kBytes, kOptional, k32},
    {"pcr7", ClaimKind::kBytes, kOptional, k32},
    {"pcr8", ClaimKind::kBytes, kOptional, k32},
    {"pcr8_event", ClaimKind::kBytesSet, kOptional, k32, {}, false, false, false, kNeverEmpty},
    {"pcr9", ClaimKind::kBytes, kOptional, k32},
    {"pcr9_event", ClaimKind::kBytesSet, kOptional, k32, {}, false, false, false, kNeverEmpty},
    {"pcr_digest", ClaimKind::kBytes, kMandatory, k32},
    behind({"pcr_selection", ClaimKind::kBits, kMandatory, k3}, "pcr_digest"),
    {"reset_count", ClaimKind::kNumber, kOptional},
    {"restart_count", ClaimKind::kNumber, kOptional},
    {"secure_boot", ClaimKind::kFlag, kOptional},
};

constexpr ClaimName kTpmDevice[] = {
    {"ak_name", ClaimKind::kBytes, kOptional, kTpmNames},
    {"ak_purpose_unstated", ClaimKind::kFlag, kOptional, {}, {}, false, kBadNews},
    {"ek_name", ClaimKind::kBytes, kMandatory, kTpmNames},
};

template <typename A, typename B>
constexpr auto merged(const A& a, const B& b) {
  std::array<ClaimName, std::size(A{}) + std::size(B{})> out;
  std::merge(std::begin(a), std::end(a), std::begin(b), std::end(b), out.begin(),
             [](const ClaimName& x, const ClaimName& y) { return x.name < y.name; });
  return out;
}

// The same rows, but those of `names` optional.
template <std::size_t N, std::size_t M>
constexpr std::array<ClaimName, N> relaxed(const ClaimName (&rows)[N],
                                           const std::string_view (&names)[M]) {
  std::array<ClaimName, N> out;
  std::copy(std::begin(rows), std::end(rows), out.begin());
  for (ClaimName& row : out) {
    for (const std::string_view name : names) {
      if (row.name == name) row.mandatory = false;
    }
  }
  return out;
}

// The same rows, but that of `name` never ignored, unless `or_stated` is accepted by its values.
template <std::size_t N>
constexpr std::array<ClaimName, N> demanding(std::array<ClaimName, N> rows, std::string_view name,
                                             std::string_view or_stated) {
  for (ClaimName& row : rows) {
    if (row.name != name) continue;
    row.never_ignored = kNeverIgnored;
    row.or_stated = or_stated;
  }
  return rows;
}

constexpr auto kTdx = merged(kTdxQuote, merged(kTdxLog, internal::kGpuBeside));
constexpr auto kTpm = merged(kTpmDevice, kTpmQuote);

// Azure's guests prove their virtual TPM by the report of the processor, and quote with it. What
// the processor measured is Azure's firmware; the guest's own boot is in the PCRs. Fields of the
// report that Azure leaves at zero, and the VMPL, which must be 0, need no rule. That the firmware
// is Azure's needs one: in any guest of any machine other firmware can name a TPM of its own
// making, and quote whatever it likes.
constexpr ClaimName kAzureHcl[] = {
    {"hcl_console_enabled", ClaimKind::kFlag, kMandatory},
    {"hcl_filtered_vpci_devices_allowed", ClaimKind::kFlag, kOptional},
    {"hcl_interactive_console_enabled", ClaimKind::kFlag, kOptional},
    {"hcl_root_cert_thumbprint", ClaimKind::kText, kOptional},
    {"hcl_secure_boot", ClaimKind::kFlag, kMandatory},
    {"hcl_tpm_enabled", ClaimKind::kFlag, kOptional},
    {"hcl_tpm_persisted", ClaimKind::kFlag, kOptional},
    {"hcl_user_data", ClaimKind::kBytes, kOptional, k64},
    {"hcl_vm_unique_id", ClaimKind::kText, kOptional},
};
constexpr std::string_view kNotOnAzureSevSnp[] = {"host_data", "vmpl"};
constexpr std::string_view kNotOnAzureTdx[] = {"mrconfigid", "rtmr0", "rtmr1", "rtmr2", "rtmr3"};
constexpr auto kAzureSevSnp =
    merged(demanding(relaxed(kSevSnp, kNotOnAzureSevSnp), "measurement", "id_key_digest"),
           merged(kAzureHcl, merged(internal::kGpuBeside, kTpmQuote)));
constexpr auto kAzureTdx = merged(demanding(relaxed(kTdxQuote, kNotOnAzureTdx), "mrtd", {}),
                                  merged(kAzureHcl, merged(internal::kGpuBeside, kTpmQuote)));
constexpr auto kSevSnpAndGpu = merged(kSevSnp, internal::kGpuBeside);

constexpr TeeClaims kTees[] = {
    {"azure-sev-snp", kAzureSevSnp},
    {"azure-tdx", kAzureTdx},
    {"cca", kCca},
    {"nitro", kNitro},
    {"nvidia-gpu", internal::kGpuAlone},
    {"psa", kPsa},
    {"sev-snp", kSevSnpAndGpu},
    {"sgx", kSgx},
    {"simulated", kSimulated},
    {"tdx", kTdx},
    {"tpm", kTpm},
};

}  // namespace

std::span<const TeeClaims> all_tee_claims() {
  return kTees;
}

const TeeClaims* find_tee(std::string_view tee) {
  for (const TeeClaims& entry : kTees) {
    if (entry.tee == tee) return &entry;
  }
  return nullptr;
}

const ClaimName* find_claim(const TeeClaims& tee, std::string_view claim) {
  for (const ClaimName& entry : tee.claims) {
    if (entry.name == claim) return &entry;
  }
  return nullptr;
}

}  // namespace sealpack::policy
