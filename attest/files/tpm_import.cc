// SPDX-License-Identifier: Apache-2.0
#include "attest/files/tpm_import.h"

#include <map>
#include <set>

#include "attest/files/quote_json.h"
#include "attest/verify/tpm/pcr_values.h"
#include "attest/verify/tpm/tpm_algorithms.h"
#include "formats/base/byte_reader.h"

namespace sealpack::attest {
namespace {

constexpr std::string_view kWhat = "go-tpm-tools attestation";
constexpr std::size_t kMaxQuotes = 8;
constexpr std::size_t kMaxCertificates = 8;

// One field of a protobuf message as any writer may order and repeat them.
struct WireField {
  std::uint64_t number = 0;
  bool is_bytes = false;
  std::uint64_t value = 0;
  Bytes bytes;
};

Result<WireField> read_field(ByteReader& in) {
  constexpr std::uint64_t kVarint = 0;
  constexpr std::uint64_t kLengthDelimited = 2;
  const std::uint64_t tag = TRY(in.varint("tag"));
  WireField field;
  field.number = tag >> 3U;
  switch (tag & 7U) {
    case kVarint:
      field.value = TRY(in.varint("value"));
      return field;
    case kLengthDelimited:
      field.is_bytes = true;
      field.bytes = TRY(in.bytes(TRY(in.varint("size")), "field"));
      return field;
    default:
      return in.malformed("field " + std::to_string(field.number) + " of another wire type");
  }
}

// PCRs {1 hash, 2 map<uint32, bytes>}: what one bank held.
struct Bank {
  std::uint64_t hash = 0;
  std::map<std::uint64_t, Bytes> pcrs;
};

Status read_pcr(Bytes message, Bank& bank) {
  ByteReader in(message, kWhat);
  std::uint64_t index = 0;
  Bytes value;
  while (in.remaining() != 0) {
    const WireField field = TRY(read_field(in));
    if (field.number == 1 && !field.is_bytes) {
      index = field.value;
    } else if (field.number == 2 && field.is_bytes) {
      value = field.bytes;
    } else {
      return in.malformed("field " + std::to_string(field.number) + " of a PCR");
    }
  }
  if (index >= kPcrCount) return in.malformed("PCR " + std::to_string(index) + ", there are 24");
  if (!bank.pcrs.emplace(index, value).second) {
    return in.malformed("PCR " + std::to_string(index) + " twice");
  }
  return done();
}

Result<Bank> read_bank(Bytes message) {
  ByteReader in(message, kWhat);
  Bank bank;
  while (in.remaining() != 0) {
    const WireField field = TRY(read_field(in));
    if (field.number == 1 && !field.is_bytes) {
      bank.hash = field.value;
    } else if (field.number == 2 && field.is_bytes) {
      TRY(read_pcr(field.bytes, bank));
    } else {
      return in.malformed("field " + std::to_string(field.number) + " of PCRs");
    }
  }
  return bank;
}

// Quote {1 TPMS_ATTEST, 2 TPMT_SIGNATURE, 3 PCRs}.
struct BankQuote {
  Bytes attest;
  Bytes signature;
  Bank bank;
};

Result<BankQuote> read_quote(Bytes message) {
  ByteReader in(message, kWhat);
  BankQuote quote;
  std::set<std::uint64_t> seen;
  while (in.remaining() != 0) {
    const WireField field = TRY(read_field(in));
    const bool known = field.is_bytes && field.number >= 1 && field.number <= 3;
    if (!known || !seen.insert(field.number).second) {
      return in.malformed("field " + std::to_string(field.number) + " of a quote");
    }
    if (field.number == 1) quote.attest = field.bytes;
    if (field.number == 2) quote.signature = field.bytes;
    if (field.number == 3) quote.bank = TRY(read_bank(field.bytes));
  }
  return quote;
}

struct Message {
  Bytes ak_public;
  std::vector<BankQuote> quotes;
  Bytes event_log;
  Bytes ak_certificate;
  std::vector<Bytes> intermediates;
};

Status take_field(const WireField& field, const ByteReader& in, Message& message) {
  switch (field.number) {
    case 1:
      message.ak_public = field.bytes;
      return done();
    case 2:
      if (message.quotes.size() == kMaxQuotes) return in.malformed("more than 8 quotes");
      message.quotes.push_back(TRY(read_quote(field.bytes)));
      return done();
    case 3:
      message.event_log = field.bytes;
      return done();
    case 6:
      message.ak_certificate = field.bytes;
      return done();
    case 7:
      if (message.intermediates.size() == kMaxCertificates) {
        return in.malformed("more than 8 certificates");
      }
      message.intermediates.push_back(field.bytes);
      return done();
    case 4:  // instance info: who asked, not proven by the TPM
    case 5:  // canonical event log
    case 8:  // a TEE's own report
    case 9:
      return done();
    default:
      return in.malformed("unknown field " + std::to_string(field.number));
  }
}

Result<Message> read_message(Bytes bytes) {
  ByteReader in(bytes, kWhat);
  Message message;
  std::set<std::uint64_t> seen;
  while (in.remaining() != 0) {
    const WireField field = TRY(read_field(in));
    const bool repeated = field.number == 2 || field.number == 7;
    if (!field.is_bytes || (!seen.insert(field.number).second && !repeated)) {
      return in.malformed("field " + std::to_string(field.number) + " twice, or no bytes");
    }
    TRY(take_field(field, in, message));
  }
  return message;
}

Result<ByteVector> pcr_item(const Bank& bank, crypto::HashAlgorithm hash, Bytes attest) {
  const TpmQuote quote = TRY(parse_tpm_quote(attest));
  std::uint32_t selected = 0;
  for (const PcrSelection& selection : quote.selections) {
    if (selection.bank == tpm_id(hash)) selected = selection.pcrs;
  }
  std::vector<PcrValue> values;
  for (const auto& [index, value] : bank.pcrs) {
    if (value.size() != crypto::hash_size(hash)) {
      return Error(ErrorCode::kMalformed, "PCR " + std::to_string(index) + " of " +
                                              std::to_string(value.size()) + " bytes in the bank " +
                                              crypto::to_string(hash));
    }
    // Values that were read but not quoted prove nothing.
    if (((selected >> index) & 1U) == 0) continue;
    values.push_back({hash, static_cast<std::uint8_t>(index), to_vector(value)});
  }
  return serialize_pcr_values(values);
}

void add_item(Evidence& evidence, std::string_view kind, Bytes bytes) {
  if (!bytes.empty()) evidence.items.push_back({std::string(kind), to_vector(bytes)});
}

}  // namespace

Result<Evidence> parse_trustee_tpm(Bytes json) {
  models::JsonReader in(json, "Trustee's TPM evidence");
  ByteVector ak_public;
  QuoteJson quote;
  std::set<std::string> seen;
  TRY(in.begin_object("evidence"));
  while (const auto key = TRY(in.next_key())) {
    if (!seen.insert(*key).second) return in.malformed("member " + printable(*key) + " twice");
    if (*key == "ak_public") {
      ak_public = TRY(read_json_bytes(in, JsonBytes::kBase64, "ak_public"));
    } else if (*key == "tpm_quote") {
      quote = TRY(read_quote_json(in, JsonBytes::kBase64));
    } else {
      return in.malformed("member " + printable(*key) + " in no TPM evidence known here");
    }
  }
  TRY(in.finish());
  if (seen.size() != 2) return in.malformed("TPM evidence without ak_public or tpm_quote");
  Evidence evidence;
  evidence.tee = "tpm";
  add_item(evidence, "tpm-quote", quote.message);
  add_item(evidence, "tpm-signature", quote.signature);
  add_item(evidence, "tpm-pcrs", TRY(quoted_pcrs(quote)));
  add_item(evidence, "ak-public", ak_public);
  return evidence;
}

Result<GoTpmAttestation> parse_go_tpm_attestation(Bytes bytes, crypto::HashAlgorithm bank) {
  const Message message = TRY(read_message(bytes));
  const BankQuote* chosen = nullptr;
  for (const BankQuote& quote : message.quotes) {
    if (quote.bank.hash != tpm_id(bank)) continue;
    if (chosen != nullptr) {
      return Error(ErrorCode::kMalformed,
                   std::string(kWhat) + ": two quotes of the bank " + crypto::to_string(bank));
    }
    chosen = &quote;
  }
  if (chosen == nullptr) {
    return Error(ErrorCode::kUnsupported,
                 std::string(kWhat) + ": no quote of the bank " + crypto::to_string(bank));
  }
  GoTpmAttestation out;
  out.evidence.tee = "tpm";
  add_item(out.evidence, "tpm-quote", chosen->attest);
  add_item(out.evidence, "tpm-signature", chosen->signature);
  add_item(out.evidence, "tpm-pcrs", TRY(pcr_item(chosen->bank, bank, chosen->attest)));
  add_item(out.evidence, "ak-public", message.ak_public);
  add_item(out.evidence, "event-log", message.event_log);
  if (!message.ak_certificate.empty())
    out.certificates.push_back(to_vector(message.ak_certificate));
  for (const Bytes one : message.intermediates) out.certificates.push_back(to_vector(one));
  return out;
}

}  // namespace sealpack::attest
