// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/tpm_attest.h"

#include <algorithm>

#include "attest/verify/tpm/tpm_reader.h"
#include "keymgmt/tpm/registry.h"

namespace sealpack::attest {
namespace {

constexpr std::string_view kWhat = "TPMS_ATTEST";
constexpr std::uint32_t kMaxBanks = 16;  // TPML_PCR_SELECTION
constexpr std::uint16_t kMaxName = 2 + 64;
constexpr std::uint16_t kMaxExtraData = 2 + 64;
constexpr std::uint16_t kMaxDigest = 64;

Result<TpmAttestHead> parse_head(TpmReader& in) {
  TpmAttestHead head;
  head.magic = TRY(in.u32("magic"));
  head.type = TRY(in.u16("type"));
  return head;
}

Result<PcrSelection> parse_selection(TpmReader& in) {
  PcrSelection selection;
  selection.bank = TRY(in.u16("bank of a PCR selection"));
  const std::uint8_t size = TRY(in.u8("size of a PCR selection"));
  if (size == 0 || size > 4) {
    return in.malformed("PCR selection of " + std::to_string(size) + " bytes, 1 to 4 are possible");
  }
  const Bytes bitmap = TRY(in.bytes(size, "PCR selection"));
  for (std::size_t i = 0; i < bitmap.size(); ++i) {
    selection.pcrs |= static_cast<std::uint32_t>(bitmap[i]) << (8U * i);
  }
  if ((selection.pcrs >> kPcrCount) != 0) return in.malformed("selects PCRs beyond 23");
  return selection;
}

Result<std::vector<PcrSelection>> parse_selections(TpmReader& in) {
  const std::uint32_t count = TRY(in.u32("count of PCR selections"));
  if (count > kMaxBanks) {
    return in.malformed(std::to_string(count) + " PCR selections, at most 16 are possible");
  }
  std::vector<PcrSelection> selections;
  for (std::uint32_t i = 0; i < count; ++i) {
    const PcrSelection next = TRY(parse_selection(in));
    const bool known = std::any_of(selections.begin(), selections.end(),
                                   [&](const auto& one) { return one.bank == next.bank; });
    if (known) return in.malformed("selects from the bank " + std::to_string(next.bank) + " twice");
    selections.push_back(next);
  }
  return selections;
}

}  // namespace

Result<TpmAttestHead> parse_tpm_attest_head(Bytes attest) {
  TpmReader in(attest, kWhat);
  return parse_head(in);
}

Result<TpmQuote> parse_tpm_quote(Bytes attest) {
  TpmReader in(attest, kWhat);
  const TpmAttestHead head = TRY(parse_head(in));
  if (head.magic != tpm::kGeneratedValue) return in.malformed("lacks the magic of what a TPM made");
  if (head.type != tpm::kAttestQuote) {
    return Error(ErrorCode::kUnsupported,
                 "TPMS_ATTEST of type " + std::to_string(head.type) + ", which is no quote");
  }
  TpmQuote quote;
  quote.qualified_signer = TRY(in.sized(kMaxName, "qualifiedSigner"));
  quote.extra_data = TRY(in.sized(kMaxExtraData, "extraData"));
  quote.clock = TRY(in.u64("clock"));
  quote.reset_count = TRY(in.u32("resetCount"));
  quote.restart_count = TRY(in.u32("restartCount"));
  const std::uint8_t safe = TRY(in.u8("safe"));
  if (safe > 1) return in.malformed("safe is " + std::to_string(safe) + ", not 0 or 1");
  quote.clock_safe = safe == 1;
  quote.firmware_version = TRY(in.u64("firmwareVersion"));
  quote.selections = TRY(parse_selections(in));
  quote.pcr_digest = TRY(in.sized(kMaxDigest, "pcrDigest"));
  TRY(in.finish());
  return quote;
}

}  // namespace sealpack::attest
