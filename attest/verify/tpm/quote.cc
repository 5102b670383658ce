// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/quote.h"

#include <algorithm>

#include "attest/verify/binding.h"
#include "attest/verify/items.h"
#include "attest/verify/tpm/event_claims.h"
#include "attest/verify/tpm/tpm_algorithms.h"

namespace sealpack::attest {
namespace {

using crypto::HashAlgorithm;

constexpr std::uint8_t kFirmwarePcrs = 8;
constexpr std::uint32_t kSecureBootPcr = 7;

void refuse(std::vector<Reason>& reasons, const char* code, std::string text) {
  reasons.push_back({code, std::move(text)});
}

std::optional<TpmQuote> parse_quote_item(Bytes attest, std::vector<Reason>& reasons) {
  const auto head = parse_tpm_attest_head(attest);
  if (!head.ok()) {
    refuse(reasons, "tpm.quote", head.error().message());
    return std::nullopt;
  }
  if (head->magic != tpm::kGeneratedValue) {
    refuse(reasons, "tpm.magic",
           "the signed bytes begin with " + std::to_string(head->magic) +
               ", not with the value that a TPM puts before what it states itself");
    return std::nullopt;
  }
  if (head->type != tpm::kAttestQuote) {
    refuse(reasons, "tpm.type",
           "an attestation of type " + std::to_string(head->type) + ", which is no quote");
    return std::nullopt;
  }
  auto quote = parse_tpm_quote(attest);
  if (!quote.ok()) {
    refuse(reasons, "tpm.quote", quote.error().message());
    return std::nullopt;
  }
  return *std::move(quote);
}

template <typename T>
std::optional<T> value_or_reason(Result<T> result, const char* code, std::vector<Reason>& reasons) {
  if (result.ok()) return *std::move(result);
  refuse(reasons, code, result.error().message());
  return std::nullopt;
}

std::string shown(const std::vector<PcrSelection>& selections) {
  std::string out;
  for (const PcrSelection& selection : selections) {
    const auto hash = tpm_hash(selection.bank);
    out += out.empty() ? "" : ", then ";
    out += hash ? crypto::to_string(*hash) : "bank " + std::to_string(selection.bank);
    out += ":";
    const char* separator = "";
    for (unsigned i = 0; i < kPcrCount; ++i) {
      if (((selection.pcrs >> i) & 1U) == 0) continue;
      out += separator + std::to_string(i);
      separator = ",";
    }
  }
  return out.empty() ? "none" : out;
}

// Banks of which nothing is selected add nothing to the digest.
std::vector<PcrSelection> without_empty(const std::vector<PcrSelection>& selections) {
  std::vector<PcrSelection> out;
  std::copy_if(selections.begin(), selections.end(), std::back_inserter(out),
               [](const PcrSelection& selection) { return selection.pcrs != 0; });
  return out;
}

// The values must be those that the quote covers, all of them and no other: values that are merely
// near a quote are anybody's (CVE-2024-29039).
void check_values(const QuoteItems& items, std::vector<Reason>& reasons) {
  const std::vector<PcrSelection> quoted = without_empty(items.quote.selections);
  const std::vector<PcrSelection> supplied = selections_of(items.values);
  if (quoted != supplied) {
    refuse(
        reasons, "tpm.pcr-selection",
        "the quote covers the PCRs " + shown(quoted) + ", values are given for " + shown(supplied));
    return;
  }
  // With the hash of the signature, whatever the banks are (Part 3, 18.4).
  const ByteVector digest = crypto::hash(items.signature.scheme.hash, joined_digests(items.values));
  if (!std::equal(digest.begin(), digest.end(), items.quote.pcr_digest.begin(),
                  items.quote.pcr_digest.end())) {
    refuse(reasons, "tpm.pcr-digest",
           "the given values have the digest " + to_hex(digest) + ", quoted is " +
               to_hex(items.quote.pcr_digest));
  }
  const bool any = std::any_of(items.values.begin(), items.values.end(), [](const auto& value) {
    return value.bank == HashAlgorithm::kSha256;
  });
  if (!any) {
    refuse(reasons, "tpm.pcr-bank", "nothing of the SHA-256 bank is quoted, only " + shown(quoted));
  }
}

// Firmware that measures closes each of its PCRs. One that is still at zero measured nothing, and
// whoever runs now can extend it to any value he likes ("TPM Carte Blanche").
void check_firmware_measured(const std::vector<PcrValue>& values, std::vector<Reason>& reasons) {
  for (const PcrValue& value : values) {
    if (value.index >= kFirmwarePcrs) continue;
    const bool zero =
        std::all_of(value.digest.begin(), value.digest.end(), [](auto byte) { return byte == 0; });
    if (!zero) continue;
    refuse(reasons, "tpm.carte-blanche",
           "PCR " + std::to_string(value.index) + " of the bank " + crypto::to_string(value.bank) +
               " is all zeros: no firmware measured into it, anything can still be put there");
  }
}

void check_log(const QuoteItems& items, std::vector<Reason>& reasons) {
  if (!items.log) return;
  check_events(*items.log, HashAlgorithm::kSha256, reasons);
  for (const PcrSelection& selection : selections_of(items.values)) {
    const auto bank = tpm_hash(selection.bank);
    if (bank) check_pcr_replay(*items.log, *bank, items.values, reasons);
  }
}

// Whether the log, which leads to what is quoted, leads anywhere there.
bool tells_something(const EventLog& log, const std::vector<PcrValue>& values) {
  return std::any_of(values.begin(), values.end(), [&](const PcrValue& value) {
    return value.bank == HashAlgorithm::kSha256 && log.extends(value.index);
  });
}

void add_log_claims(const QuoteItems& items, Claims& claims) {
  const bool replayed = items.log && tells_something(*items.log, items.values);
  claims.add_text("event_log", replayed ? "replayed" : "none");
  if (!replayed) return;
  add_event_claims(*items.log, items.values, claims);
  const bool quoted =
      std::any_of(items.values.begin(), items.values.end(), [](const PcrValue& value) {
        return value.bank == HashAlgorithm::kSha256 && value.index == kSecureBootPcr;
      });
  if (!quoted) return;
  const auto on = measured_secure_boot(*items.log, HashAlgorithm::kSha256, kSecureBootPcr);
  if (on) claims.add_flag("secure_boot", *on);
}

// Policies know numbers below 2^63; a claim that is not made satisfies no rule.
void add_number(Claims& claims, std::string_view name, std::uint64_t value) {
  if ((value >> 63U) == 0) claims.add_number(name, value);
}

}  // namespace

std::optional<QuoteItems> parse_quote_items(const Evidence& evidence,
                                            std::vector<Reason>& reasons) {
  const ByteVector* attest = require_item(evidence, "tpm-quote", reasons);
  const ByteVector* signature = require_item(evidence, "tpm-signature", reasons);
  const ByteVector* values = require_item(evidence, "tpm-pcrs", reasons);
  if (attest == nullptr || signature == nullptr || values == nullptr) return std::nullopt;
  auto quote = parse_quote_item(*attest, reasons);
  auto parsed_signature =
      value_or_reason(parse_tpm_signature(*signature), "tpm.signature-format", reasons);
  auto parsed_values = value_or_reason(parse_pcr_values(*values), "tpm.pcrs", reasons);
  std::optional<EventLog> log;
  const ByteVector* log_bytes = evidence.find("event-log");
  if (log_bytes != nullptr) {
    log = value_or_reason(parse_event_log(*log_bytes, EventLogKind::kTpm), "eventlog.malformed",
                          reasons);
  }
  if (!quote || !parsed_signature || !parsed_values || (log_bytes != nullptr && !log)) {
    return std::nullopt;
  }
  return QuoteItems{*attest, *std::move(quote), *std::move(parsed_signature),
                    *std::move(parsed_values), std::move(log)};
}

void check_quote(const QuoteItems& items, const crypto::DeviceKey& key, const VerifyInput& input,
                 std::vector<Reason>& reasons) {
  if (!verify_tpm_signature(items.signature, key, items.attest).ok()) {
    refuse(reasons, "tpm.signature",
           "the quote is not signed by the attestation key (" + to_string(items.signature.scheme) +
               ")");
  }
  check_binding(input.report_data, items.quote.extra_data, "tpm.report-data", "extraData", reasons);
  check_values(items, reasons);
  check_firmware_measured(items.values, reasons);
  check_log(items, reasons);
}

void add_quote_claims(const QuoteItems& items, Claims& claims) {
  std::uint32_t selection = 0;
  ByteVector joined;
  for (const PcrValue& value : items.values) {
    if (value.bank != HashAlgorithm::kSha256) continue;
    claims.add_bytes("pcr" + std::to_string(value.index), value.digest);
    joined.insert(joined.end(), value.digest.begin(), value.digest.end());
    selection |= 1U << value.index;
  }
  const std::uint8_t bitmap[] = {static_cast<std::uint8_t>(selection & 0xffU),
                                 static_cast<std::uint8_t>((selection >> 8U) & 0xffU),
                                 static_cast<std::uint8_t>((selection >> 16U) & 0xffU)};
  claims.add_bytes("pcr_selection", bitmap);
  claims.add_bytes("pcr_digest", crypto::hash(HashAlgorithm::kSha256, joined));
  add_number(claims, "firmware_version", items.quote.firmware_version);
  add_number(claims, "clock", items.quote.clock);
  claims.add_number("reset_count", items.quote.reset_count);
  claims.add_number("restart_count", items.quote.restart_count);
  claims.add_flag("clock_safe", items.quote.clock_safe);
  claims.report_data = to_vector(items.quote.extra_data);
  add_log_claims(items, claims);
}

}  // namespace sealpack::attest
