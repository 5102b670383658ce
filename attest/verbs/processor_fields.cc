// SPDX-License-Identifier: Apache-2.0
// Reports of AMD's and Intel's processors.
#include "attest/verbs/evidence_fields.h"
#include "attest/verify/dcap/quote.h"
#include "attest/verify/snp/certificate_table.h"
#include "attest/verify/snp/report.h"

namespace sealpack::attest {
namespace {

std::string version_text(const snp::FirmwareVersion& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.build);
}

void add_enclave(const dcap::SgxReport& report, const std::string& before, FieldList& out) {
  out.bytes(before + "cpu_svn", report.cpu_svn);
  out.bytes(before + "misc_select", report.misc_select);
  out.bytes(before + "attributes", report.attributes);
  out.text(before + "debug", report.debug() ? "true" : "false");
  out.bytes(before + "mrenclave", report.mrenclave);
  out.bytes(before + "mrsigner", report.mrsigner);
  out.number(before + "isv_prod_id", report.isv_prod_id);
  out.number(before + "isv_svn", report.isv_svn);
  out.number(before + "config_svn", report.config_svn);
  out.bytes(before + "config_id", report.config_id);
  out.bytes(before + "isv_family_id", report.isv_family_id);
  out.bytes(before + "isv_ext_prod_id", report.isv_ext_prod_id);
  out.bytes(before + "report_data", report.report_data);
}

void add_domain(const dcap::TdReport& report, FieldList& out) {
  out.bytes("tee_tcb_svn", report.tee_tcb_svn);
  out.bytes("mrseam", report.mr_seam);
  out.bytes("mrsignerseam", report.mr_signer_seam);
  out.bytes("seam_attributes", report.seam_attributes);
  out.bytes("td_attributes", report.td_attributes);
  out.bytes("xfam", report.xfam);
  out.bytes("mrtd", report.mr_td);
  out.bytes("mrconfigid", report.mr_config_id);
  out.bytes("mrowner", report.mr_owner);
  out.bytes("mrownerconfig", report.mr_owner_config);
  for (std::size_t i = 0; i < report.rtmr.size(); ++i) {
    out.bytes("rtmr" + std::to_string(i), report.rtmr[i]);
  }
  out.bytes("report_data", report.report_data);
  if (!report.added) return;
  out.bytes("tee_tcb_svn2", report.added->tee_tcb_svn2);
  out.bytes("mr_servicetd", report.added->mr_service_td);
  if (!report.extension) return;
  out.number("vm_id", report.extension->vm_id);
  out.bytes("td_id", report.extension->td_id);
  out.bytes("device_info", report.extension->device_info);
  out.bytes("initial_service_td", report.extension->initial_service_td);
  out.bytes("initial_service_td_attributes", report.extension->initial_service_td_attributes);
  out.bytes("initial_cpu_svn", report.extension->initial_cpu_svn);
  out.bytes("initial_tee_tcb_svn", report.extension->initial_tee_tcb_svn);
  out.bytes("initial_fmspc", report.extension->initial_fmspc);
  out.bytes("current_service_td", report.extension->current_service_td);
  out.bytes("current_service_td_attributes", report.extension->current_service_td_attributes);
}

}  // namespace

Status read_snp_report(Bytes bytes, FieldList& out) {
  std::vector<Reason> reasons;
  const auto report = snp::parse_report(bytes, reasons);
  if (!report) {
    return Error(ErrorCode::kMalformed, reasons.empty() ? "no report" : reasons.front().text);
  }
  out.number("version", report->version);
  out.number("guest_svn", report->guest_svn);
  out.bits("policy", report->policy);
  constexpr unsigned kDebugBit = 19;
  out.text("debug", report->policy_bit(kDebugBit) ? "true" : "false");
  out.number("vmpl", report->vmpl);
  out.bytes("family_id", report->family_id);
  out.bytes("image_id", report->image_id);
  out.bits("platform_info", report->platform_info);
  out.text("signing_key", report->signing_key == snp::SigningKey::kVcek ? "VCEK" : "VLEK");
  out.bytes("report_data", report->report_data);
  out.bytes("measurement", report->measurement);
  out.bytes("host_data", report->host_data);
  out.bytes("id_key_digest", report->id_key_digest);
  out.bytes("author_key_digest", report->author_key_digest);
  out.bytes("report_id", report->report_id);
  out.bytes("report_id_ma", report->report_id_ma);
  if (report->cpuid) {
    out.text("cpuid", "family " + std::to_string(report->cpuid->family) + ", model " +
                          std::to_string(report->cpuid->model) + ", stepping " +
                          std::to_string(report->cpuid->stepping));
  }
  out.bytes("chip_id", report->chip_id);
  out.bytes("current_tcb", report->current_tcb);
  out.bytes("reported_tcb", report->reported_tcb);
  out.bytes("committed_tcb", report->committed_tcb);
  out.bytes("launch_tcb", report->launch_tcb);
  out.text("current_version", version_text(report->current_version));
  out.text("committed_version", version_text(report->committed_version));
  if (report->launch_mitigations) out.bytes("launch_mitigations", *report->launch_mitigations);
  if (report->current_mitigations) out.bytes("mitigations", *report->current_mitigations);
  out.bytes("signature", report->signature);
  for (const Reason& reason : reasons) out.text("wrong: " + reason.code, reason.text);
  return done();
}

Status read_snp_certificates(Bytes bytes, FieldList& out) {
  const snp::CertificateTable table = TRY(snp::parse_certificate_table(bytes));
  for (const ByteVector& certificate : table.certificates) {
    TRY(read_certificates(certificate, out));
  }
  out.number("revocation lists", table.revocation_lists.size());
  return done();
}

Status read_dcap_quote(Bytes bytes, FieldList& out) {
  const dcap::Quote quote = TRY(dcap::parse_quote(bytes));
  out.number("version", quote.version);
  out.text("tee", dcap::to_string(quote.tee));
  out.bytes("qe_vendor_id", quote.qe_vendor_id);
  if (quote.sgx) add_enclave(*quote.sgx, "", out);
  if (quote.td) add_domain(*quote.td, out);
  out.bytes("signature", quote.signature);
  out.bytes("attestation_key", quote.attestation_key);
  add_enclave(quote.qe_report, "quoting enclave: ", out);
  out.bytes("qe_signature", quote.qe_signature);
  out.bytes("qe_authentication_data", quote.qe_authentication_data);
  out.number("certification_type", quote.certification_type);
  constexpr std::uint16_t kCertificateChain = 5;
  if (quote.certification_type == kCertificateChain) {
    const Status chain = read_certificates(quote.certification_data, out);
    if (chain.ok()) return done();
  }
  out.bytes("certification_data", quote.certification_data);
  return done();
}

}  // namespace sealpack::attest
