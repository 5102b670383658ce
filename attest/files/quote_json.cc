// SPDX-License-Identifier: Apache-2.0
#include "attest/files/quote_json.h"

#include <set>

#include "attest/files/text_encodings.h"
#include "attest/verify/tpm/pcr_values.h"
#include "attest/verify/tpm/tpm_algorithms.h"

namespace sealpack::attest {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} << 10U;

Result<std::vector<ByteVector>> read_pcrs(models::JsonReader& in) {
  std::vector<ByteVector> pcrs;
  TRY(in.begin_array("pcrs"));
  while (TRY(in.next_element())) {
    if (pcrs.size() == kPcrCount) return in.malformed("more than 24 PCRs");
    pcrs.push_back(TRY(read_json_bytes(in, JsonBytes::kHex, "PCR")));
    if (pcrs.back().size() != Digest::kSize) return in.malformed("a PCR that is no SHA-256");
  }
  return pcrs;
}

}  // namespace

Result<ByteVector> read_json_bytes(models::JsonReader& in, JsonBytes text, std::string_view field) {
  if (TRY(in.peek()) == models::JsonReader::Kind::kString) {
    const std::string written = TRY(in.string(field));
    const std::string context(field);
    return text == JsonBytes::kHex ? from_hex(written).within(context)
                                   : decode_base64(written).within(context);
  }
  ByteVector bytes;
  TRY(in.begin_array(field));
  while (TRY(in.next_element())) {
    const std::uint64_t value = TRY(in.integer(field));
    if (value > 0xff) return in.malformed(std::to_string(value) + " is no byte");
    if (bytes.size() == kMaxBytes) return in.malformed("more than 64 KiB");
    bytes.push_back(static_cast<std::uint8_t>(value));
  }
  return bytes;
}

Result<QuoteJson> read_quote_json(models::JsonReader& in, JsonBytes text) {
  QuoteJson quote;
  std::set<std::string> seen;
  TRY(in.begin_object("quote"));
  while (const auto key = TRY(in.next_key())) {
    if (!seen.insert(*key).second) return in.malformed("member " + printable(*key) + " twice");
    if (*key == "message") {
      quote.message = TRY(read_json_bytes(in, text, "message"));
    } else if (*key == "signature") {
      quote.signature = TRY(read_json_bytes(in, text, "signature"));
    } else if (*key == "pcrs") {
      quote.pcrs = TRY(read_pcrs(in));
    } else {
      return in.malformed("member " + printable(*key) + " in no quote known here");
    }
  }
  if (seen.size() != 3) return in.malformed("a quote without message, signature or pcrs");
  return quote;
}

Result<ByteVector> quoted_pcrs(const QuoteJson& quote) {
  const TpmQuote parsed = TRY(parse_tpm_quote(quote.message));
  std::uint32_t selected = 0;
  std::size_t count = 0;
  for (const PcrSelection& selection : parsed.selections) {
    if (selection.pcrs == 0) continue;
    if (selection.bank != tpm::kAlgSha256) {
      return Error(
          ErrorCode::kUnsupported,
          "a quote of the bank " + std::to_string(selection.bank) + " with values of SHA-256");
    }
    selected = selection.pcrs;
  }
  for (unsigned i = 0; i < kPcrCount; ++i) count += (selected >> i) & 1U;
  const bool all = quote.pcrs.size() == kPcrCount;
  if (!all && quote.pcrs.size() != count) {
    return Error(ErrorCode::kMalformed, std::to_string(quote.pcrs.size()) +
                                            " PCRs beside a quote of " + std::to_string(count));
  }
  std::vector<PcrValue> values;
  for (std::uint8_t i = 0; i < kPcrCount; ++i) {
    if (((selected >> i) & 1U) == 0) continue;
    const std::size_t at = all ? i : values.size();
    values.push_back({crypto::HashAlgorithm::kSha256, i, quote.pcrs[at]});
  }
  return serialize_pcr_values(values);
}

}  // namespace sealpack::attest
