// SPDX-License-Identifier: Apache-2.0
// What TPMs sign, and the logs beside it.
#include "attest/verbs/evidence_fields.h"
#include "attest/verify/tpm/event_log.h"
#include "attest/verify/tpm/hcl_report.h"
#include "attest/verify/tpm/pcr_values.h"
#include "attest/verify/tpm/tpm_attest.h"
#include "attest/verify/tpm/tpm_public.h"

namespace sealpack::attest {

Status read_tpm_quote(Bytes bytes, FieldList& out) {
  const TpmQuote quote = TRY(parse_tpm_quote(bytes));
  out.bytes("qualified_signer", quote.qualified_signer);
  out.bytes("extra_data", quote.extra_data);
  out.number("clock", quote.clock);
  out.text("clock_safe", quote.clock_safe ? "true" : "false");
  out.number("reset_count", quote.reset_count);
  out.number("restart_count", quote.restart_count);
  out.bits("firmware_version", quote.firmware_version);
  for (const PcrSelection& selection : quote.selections) {
    std::string list;
    for (unsigned i = 0; i < kPcrCount; ++i) {
      if ((selection.pcrs >> i & 1U) != 0) list += (list.empty() ? "" : ",") + std::to_string(i);
    }
    out.text("selection", "bank " + std::to_string(selection.bank) + ": " + list);
  }
  out.bytes("pcr_digest", quote.pcr_digest);
  return done();
}

Status read_tpm_pcrs(Bytes bytes, FieldList& out) {
  for (const PcrValue& value : TRY(parse_pcr_values(bytes))) {
    out.bytes("pcr" + std::to_string(value.index) + " " + crypto::to_string(value.bank),
              value.digest);
  }
  return done();
}

Status read_tpm_public(Bytes bytes, FieldList& out) {
  const TpmPublic key = TRY(parse_tpm_public(bytes));
  out.bits("attributes", key.attributes);
  out.bytes("name", key.name);
  out.bytes("key", key.key.spki());
  return done();
}

Status read_event_log(Bytes bytes, bool ccel, FieldList& out) {
  const EventLog log = TRY(parse_event_log(bytes, ccel ? EventLogKind::kCcel : EventLogKind::kTpm));
  std::size_t number = 0;
  for (const LoggedEvent& event : log.events) {
    FieldList type;
    type.bits("", event.type);
    const bool extended = event.type != kEvNoAction;
    std::string text = (!extended ? "note of "
                        : ccel    ? "register "
                                  : "PCR ") +
                       std::to_string(event.index) + ", type " + type.take().front().value;
    for (const EventDigest& digest : event.digests) text += ", " + to_hex(digest.digest);
    out.text("event " + std::to_string(++number), text);  // as reasons count them
  }
  return done();
}

Status read_hcl_report(Bytes bytes, FieldList& out) {
  const HclReport report = TRY(parse_hcl_report(bytes));
  out.number("report_type", report.report_type);
  out.number("hash_type", report.hash_type);
  out.text("variable_data", printable(as_text(report.variable_data)));
  if (report.report_type == static_cast<std::uint32_t>(HclReportType::kSevSnp)) {
    return read_snp_report(report.hardware_report, out);
  }
  out.bytes("hardware_report", report.hardware_report);
  return done();
}

}  // namespace sealpack::attest
