// SPDX-License-Identifier: Apache-2.0
#include "attest/files/foreign_evidence.h"

#include "attest/evidence/event_log_padding.h"
#include "attest/files/azure_import.h"
#include "attest/files/evidence_file.h"
#include "attest/files/text_encodings.h"
#include "attest/files/tpm_import.h"
#include "formats/models/json_reader.h"

namespace sealpack::attest {
namespace {

Result<Evidence> parse_quote_json(Bytes text) {
  models::JsonReader in(text, "JSON evidence");
  ByteVector quote;
  ByteVector event_log;
  TRY(in.begin_object("evidence"));
  while (const auto key = TRY(in.next_key())) {
    const bool is_log = *key == "cc_eventlog";
    if (*key != "quote" && !is_log) {
      return in.malformed("member " + printable(*key) + " in no form of evidence known here");
    }
    if (TRY(in.peek()) == models::JsonReader::Kind::kNull && is_log) {
      TRY(in.null(*key));
      continue;
    }
    (is_log ? event_log : quote) = TRY(decode_base64(TRY(in.string(*key))).within(*key));
  }
  TRY(in.finish());
  Evidence evidence = TRY(parse_evidence_file(quote, "quote"));
  if (!event_log.empty()) TRY(set_item(evidence, "event-log", without_padding(event_log)));
  return evidence;
}

}  // namespace

Result<Evidence> parse_foreign_json(Bytes text) {
  models::JsonReader in(text, "JSON evidence");
  bool tpm_key = false;
  bool quote_text = false;
  TRY(in.begin_object("evidence"));
  while (const auto key = TRY(in.next_key())) {
    tpm_key = tpm_key || *key == "ak_public";
    quote_text =
        quote_text || (*key == "quote" && TRY(in.peek()) == models::JsonReader::Kind::kString);
    TRY(in.skip_value());
  }
  TRY(in.finish());
  if (tpm_key) return parse_trustee_tpm(text);
  return quote_text ? parse_quote_json(text) : parse_trustee_azure(text);
}

}  // namespace sealpack::attest
