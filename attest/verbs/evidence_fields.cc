// SPDX-License-Identifier: Apache-2.0
#include "attest/verbs/evidence_fields.h"

#include "attest/evidence/gpu_items.h"
#include "attest/evidence/simulated.h"
#include "attest/verify/nvidia/spdm.h"
#include "formats/base/utc_text.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/x509/certificate.h"

namespace sealpack::attest {
namespace {

Status read_simulated(Bytes bytes, FieldList& out) {
  const SimulatedReport report = TRY(parse_simulated_report(bytes));
  out.bytes("measurement", report.measurement.bytes);
  out.bytes("report_data", report.report_data);
  out.bytes("root", crypto::sha256(report.root_spki).bytes);
  out.bytes("signature", report.signature);
  return done();
}

Status read_item(const Evidence& evidence, const EvidenceItem& item, FieldList& out) {
  const bool simulated = evidence.tee == "simulated";
  const bool snp = evidence.tee == "sev-snp" || evidence.tee == "azure-sev-snp";
  std::string kind = item.kind;
  // Of each GPU as of the first.
  if (is_gpu_kind(kind)) kind = gpu_kind(1, kind.substr(kind.find('-') + 1));
  if (kind == "report") {
    return simulated ? read_simulated(item.bytes, out) : read_snp_report(item.bytes, out);
  }
  if (kind == "certificates" && snp) return read_snp_certificates(item.bytes, out);
  if (kind == "certificates" || kind == "gpu-certificates" || kind == "ek-certificate") {
    return read_certificates(item.bytes, out);
  }
  if (kind == "quote") return read_dcap_quote(item.bytes, out);
  if (kind == "document" || kind == "token") return read_cbor(item.bytes, out);
  if (kind == "hcl-report") return read_hcl_report(item.bytes, out);
  if (kind == "tpm-quote") return read_tpm_quote(item.bytes, out);
  if (kind == "tpm-pcrs") return read_tpm_pcrs(item.bytes, out);
  if (kind == "ak-public") return read_tpm_public(item.bytes, out);
  if (kind == "event-log") return read_event_log(item.bytes, evidence.tee == "tdx", out);
  if (kind == "gpu-request") return read_gpu_request(item.bytes, out);
  if (kind == "gpu-report") return read_gpu_report(item.bytes, out);
  out.bytes("bytes", item.bytes);
  return done();
}

Result<std::vector<x509::Certificate>> parse_certificates(Bytes bytes) {
  if (as_text(bytes).find("-----BEGIN ") != std::string_view::npos) {
    return x509::Certificate::parse_pem(bytes);
  }
  return std::vector{TRY(x509::Certificate::parse_der(bytes))};
}

}  // namespace

void FieldList::bits(const std::string& name, std::uint64_t value) {
  ByteVector bytes(8);
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(value >> (56 - 8 * i));
  const std::string hex = to_hex(bytes);
  const std::size_t first = std::min(hex.find_first_not_of('0'), hex.size() - 1);
  text(name, "0x" + hex.substr(first));
}

Status read_certificates(Bytes bytes, FieldList& out) {
  std::size_t index = 0;
  for (const x509::Certificate& one : TRY(parse_certificates(bytes))) {
    const std::string name = "certificate " + std::to_string(index++) + ": ";
    out.text(name + "subject", printable(one.subject_common_name()));
    out.text(name + "issuer", printable(one.issuer_common_name()));
    out.text(name + "valid", utc_text(one.not_before()) + " to " + utc_text(one.not_after()));
    out.bytes(name + "key", one.key_digest().bytes);
  }
  return done();
}

Status read_gpu_request(Bytes bytes, FieldList& out) {
  out.bytes("nonce", TRY(parse_spdm_request(bytes)));
  return done();
}

Status read_gpu_report(Bytes bytes, FieldList& out) {
  const SpdmReport report = TRY(parse_spdm_report(bytes));
  for (const SpdmMeasurement& one : report.measurements) {
    // As claims and manifests count; SPDM begins at 1.
    const unsigned number = one.index - 1U;
    out.text((number < 10 ? "measurement0" : "measurement") + std::to_string(number),
             "type " + std::to_string(one.type) + ", " + to_hex(one.value));
  }
  for (const OpaqueField& field : report.opaque) {
    out.bytes("opaque field " + std::to_string(field.id), field.value);
  }
  out.bytes("signature", report.signature);
  return done();
}

std::vector<DescribedItem> describe(const Evidence& evidence) {
  std::vector<DescribedItem> items;
  for (const EvidenceItem& item : evidence.items) {
    FieldList fields;
    const Status status = read_item(evidence, item, fields);
    items.push_back({item.kind, item.bytes.size(), crypto::sha256(item.bytes), fields.take(),
                     status.ok() ? "" : status.error().message()});
  }
  return items;
}

}  // namespace sealpack::attest
