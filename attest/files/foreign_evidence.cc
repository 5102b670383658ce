// SPDX-License-Identifier: Apache-2.0
#include "attest/files/foreign_evidence.h"

#include <set>

#include "attest/files/azure_import.h"
#include "attest/files/evidence_file.h"
#include "attest/files/nvattest_import.h"
#include "attest/files/text_encodings.h"
#include "attest/files/tpm_import.h"
#include "formats/models/json_reader.h"

namespace sealpack::attest {
namespace {

Result<ByteVector> decode_either(std::string_view text) {
  auto hex = decode_hex_text(text);
  return hex.ok() ? std::move(hex) : decode_base64(text);
}

Result<Evidence> parse_quote_json(Bytes text) {
  models::JsonReader in(text, "JSON evidence");
  ByteVector quote;
  ByteVector event_log;
  std::set<std::string> seen;
  TRY(in.begin_object("evidence"));
  while (const auto key = TRY(in.next_key())) {
    if (!seen.insert(*key).second) return in.malformed("member " + printable(*key) + " twice");
    const bool is_log = *key == "cc_eventlog";
    if (*key != "quote" && !is_log) {
      return in.malformed("member " + printable(*key) + " in no form of evidence known here");
    }
    if (TRY(in.peek()) == models::JsonReader::Kind::kNull && is_log) {
      TRY(in.null(*key));
      continue;
    }
    const std::string written = TRY(in.string(*key));
    if (is_log) {
      event_log = TRY(decode_base64(written).within(*key));
    } else {
      quote = TRY(decode_either(written).within(*key));
    }
  }
  TRY(in.finish());
  Evidence evidence = TRY(parse_evidence_file(quote, "quote"));
  if (!event_log.empty()) TRY(set_item(evidence, "event-log", event_log));
  return evidence;
}

}  // namespace

Result<Evidence> parse_foreign_json(Bytes text) {
  models::JsonReader in(text, "JSON evidence");
  if (TRY(in.peek()) == models::JsonReader::Kind::kArray) return parse_nvattest(text);
  bool tpm_key = false;
  bool quote_text = false;
  bool hcl_report = false;
  bool gpus = false;
  TRY(in.begin_object("evidence"));
  while (const auto key = TRY(in.next_key())) {
    gpus = gpus || *key == "evidences";
    tpm_key = tpm_key || *key == "ak_public";
    hcl_report = hcl_report || *key == "hcl_report" || *key == "report";
    quote_text =
        quote_text || (*key == "quote" && TRY(in.peek()) == models::JsonReader::Kind::kString);
    TRY(in.skip_value());
  }
  TRY(in.finish());
  if (gpus) return parse_nvattest(text);
  if (tpm_key) return parse_trustee_tpm(text);
  if (quote_text) return parse_quote_json(text);
  if (hcl_report) return parse_trustee_azure(text);
  return Error(ErrorCode::kMalformed, "JSON that is no form of evidence known here")
      .with_hint("docs/ATTESTATION.md lists the forms of evidence that are read");
}

}  // namespace sealpack::attest
