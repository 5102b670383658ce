// SPDX-License-Identifier: Apache-2.0
// Where AMD's KDS and Intel's PCS keep what proves a report, and NVIDIA's responder what it says.
#include "attest/fetch/fetch.h"
#include "attest/fetch/plan_gpu.h"
#include "attest/verify/dcap/pck_certificate.h"
#include "attest/verify/dcap/quote.h"
#include "attest/verify/snp/product.h"
#include "attest/verify/snp/report.h"
#include "attest/verify/tpm/hcl_report.h"
#include "keymgmt/x509/certificate.h"

namespace sealpack::attest {
namespace {

constexpr const char* kAmd = "https://kdsintf.amd.com";
constexpr const char* kIntel = "https://api.trustedservices.intel.com";
constexpr const char* kIntelRoot = "https://certificates.trustedservices.intel.com";
constexpr std::size_t kTurinIdSize = 8;
using Items = std::vector<FetchItem>;

std::string without_slash(std::string url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url;
}

std::string host(const FetchOptions& options, const char* manufacturer) {
  return without_slash(options.base_url.empty() ? manufacturer : options.base_url);
}

// Where Intel's documents are. A PCCS has its own place for the list of the root
// (https://cc-enabling.trustedservices.intel.com/intel-sgx-tdx-pccs/).
struct IntelService {
  std::string base;
  std::string root_list;
};

IntelService intel_service(const FetchOptions& options) {
  constexpr std::string_view kApi = "/sgx/certification/v4";  // as sgx_default_qcnl.conf ends
  if (options.pccs.empty()) {
    return {host(options, kIntel), host(options, kIntelRoot) + "/IntelSGXRootCA.der"};
  }
  std::string base = without_slash(options.pccs);
  if (base.ends_with(kApi)) base.resize(base.size() - kApi.size());
  return {base, base + std::string(kApi) + "/rootcacrl"};
}

Result<snp::Product> product_of(const snp::Report& report, const FetchOptions& options) {
  if (report.cpuid) {
    const auto product = snp::product_of_cpuid(report.cpuid->family, report.cpuid->model);
    if (product) return *product;
    return Error(ErrorCode::kUnsupported, "the report is of a processor that is not known");
  }
  const auto named = snp::product_of_name(options.product);
  if (named) return *named;
  return Error(ErrorCode::kUsage, "the report does not say which processor it is of")
      .with_hint("--product Milan or --product Genoa");
}

// https://www.amd.com/system/files/TechDocs/57230.pdf: VCEK and KDS interface.
Result<Items> plan_snp(Bytes bytes, const FetchOptions& options) {
  std::vector<Reason> reasons;
  const auto report = snp::parse_report(bytes, reasons);
  if (!report) return Error(ErrorCode::kMalformed, "no SEV-SNP report");
  const snp::Product product = TRY(product_of(*report, options));
  const bool vlek = report->signing_key == snp::SigningKey::kVlek;
  const std::string base = host(options, kAmd) + (vlek ? "/vlek/v1/" : "/vcek/v1/") +
                           std::string(snp::to_string(product));
  Items items = {{"cert_chain.pem", base + "/cert_chain", ""}, {"revoked.crl", base + "/crl", ""}};
  if (vlek) return items;  // the host has the VLEK, and gives it beside the report
  const auto tcb = snp::parse_tcb(product, report->reported_tcb);
  if (!tcb)
    return Error(ErrorCode::kMalformed, "the report's TCB version is none of its processor");
  if (report->is_chip_id_masked()) {
    return Error(ErrorCode::kUsage, "the report hides its chip, so its key cannot be asked for")
        .with_hint("the host can give the certificates beside the report");
  }
  const bool turin = product == snp::Product::kTurin;
  const Bytes chip = Bytes(report->chip_id).first(turin ? kTurinIdSize : report->chip_id.size());
  const auto level = [](const char* name, std::uint8_t value) {
    return std::string(name) + "SPL=" + std::to_string(value);
  };
  const std::string query = (turin ? level("fmc", tcb->fmc) + "&" : "") +
                            level("bl", tcb->bootloader) + "&" + level("tee", tcb->tee) + "&" +
                            level("snp", tcb->snp) + "&" + level("ucode", tcb->microcode);
  items.insert(items.begin(), {"vcek.der", base + "/" + to_hex(chip) + "?" + query, ""});
  return items;
}

// Intel's PCS, version 4.
Result<Items> plan_dcap(Bytes bytes, const FetchOptions& options) {
  const dcap::Quote quote = TRY(dcap::parse_quote(bytes));
  constexpr std::uint16_t kCertificateChain = 5;
  if (quote.certification_type != kCertificateChain) {
    return Error(ErrorCode::kUnsupported,
                 "the quote does not bring the certificate of its platform")
        .with_hint(
            "set the quote provider of its machine up with a PCCS (docs/attestation/sgx.md)");
  }
  const auto chain = TRY(x509::Certificate::parse_pem(quote.certification_data));
  const auto extension = chain.front().extension(dcap::PckExtension::kOid);
  if (!extension) return Error(ErrorCode::kMalformed, "the certificate names no platform");
  const dcap::PckExtension platform = TRY(dcap::parse_pck_extension(*extension));
  const std::string issuer = chain.front().issuer_common_name();
  const bool by_platform = issuer.find("Platform") != issuer.npos;
  const IntelService intel = intel_service(options);
  const std::string& base = intel.base;
  const std::string tee = quote.tee == dcap::Tee::kTdx ? "/tdx" : "/sgx";
  const std::string identity_chain = "sgx-enclave-identity-issuer-chain";
  return Items{
      {"tcb_info.json", base + tee + "/certification/v4/tcb?fmspc=" + to_hex(platform.fmspc),
       "tcb-info-issuer-chain"},
      {"qe_identity.json", base + tee + "/certification/v4/qe/identity", identity_chain},
      {"pck.crl",
       base + "/sgx/certification/v4/pckcrl?ca=" + (by_platform ? "platform" : "processor") +
           "&encoding=der",
       "sgx-pck-crl-issuer-chain"},
      {"root.crl", intel.root_list, ""}};
}

Result<const ByteVector*> item_of(const Evidence& evidence, const char* kind) {
  const ByteVector* bytes = evidence.find(kind);
  if (bytes == nullptr) {
    return Error(ErrorCode::kMalformed,
                 "evidence of " + evidence.tee + " without its " + std::string(kind));
  }
  return bytes;
}

}  // namespace

namespace {

Result<Items> plan_tee(const Evidence& evidence, const FetchOptions& options) {
  if (evidence.tee == "sev-snp") return plan_snp(*TRY(item_of(evidence, "report")), options);
  if (evidence.tee == "azure-sev-snp") {
    const HclReport hcl = TRY(parse_hcl_report(*TRY(item_of(evidence, "hcl-report"))));
    return plan_snp(hcl.hardware_report, options);
  }
  const std::string& tee = evidence.tee;
  if (tee == "sgx" || tee == "tdx" || tee == "azure-tdx") {
    return plan_dcap(*TRY(item_of(evidence, "quote")), options);
  }
  return Error(ErrorCode::kUsage, "nothing is fetched for evidence of " + printable(tee))
      .with_hint(
          "Nitro brings its certificates along; PSA, CCA and TPM keys are enrolled; AMD, Intel and "
          "NVIDIA publish what proves a report");
}

}  // namespace

Result<std::vector<FetchItem>> plan_fetch(const Evidence& evidence, const FetchOptions& options) {
  if (evidence.tee == "nvidia-gpu") {
    TRY(item_of(evidence, "gpu-certificates"));
    return plan_gpus(evidence, options);
  }
  Items items = TRY(plan_tee(evidence, options));
  for (FetchItem& item : TRY(plan_gpus(evidence, options))) items.push_back(std::move(item));
  return items;
}

}  // namespace sealpack::attest
