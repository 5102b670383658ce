// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/pcr_values.h"

#include <algorithm>

#include "attest/verify/tpm/tpm_algorithms.h"
#include "attest/verify/tpm/tpm_reader.h"

namespace sealpack::attest {
namespace {

Result<PcrValue> parse_value(TpmReader& in) {
  PcrValue value;
  const std::uint16_t bank = TRY(in.u16("bank"));
  const auto hash = tpm_hash(bank);
  if (!hash) {
    return Error(ErrorCode::kUnsupported, "PCR values of the bank " + std::to_string(bank));
  }
  value.bank = *hash;
  value.index = TRY(in.u8("index"));
  if (value.index >= kPcrCount) {
    return in.malformed("PCR " + std::to_string(value.index) + ", there are 24");
  }
  value.digest = to_vector(TRY(in.bytes(crypto::hash_size(*hash), "digest")));
  return value;
}

bool bank_is_behind(const std::vector<PcrValue>& values, crypto::HashAlgorithm bank) {
  return std::any_of(values.begin(), values.end(),
                     [&](const PcrValue& value) { return value.bank == bank; });
}

}  // namespace

Result<std::vector<PcrValue>> parse_pcr_values(Bytes bytes) {
  TpmReader in(bytes, "PCR values");
  std::vector<PcrValue> values;
  while (in.remaining() != 0) {
    PcrValue value = TRY(parse_value(in));
    const bool same_bank = !values.empty() && values.back().bank == value.bank;
    if (same_bank ? values.back().index >= value.index : bank_is_behind(values, value.bank)) {
      return in.malformed("PCR values out of order or twice");
    }
    values.push_back(std::move(value));
  }
  return values;
}

ByteVector serialize_pcr_values(const std::vector<PcrValue>& values) {
  ByteVector out;
  for (const PcrValue& value : values) {
    const std::uint16_t bank = tpm_id(value.bank);
    out.push_back(static_cast<std::uint8_t>(bank >> 8U));
    out.push_back(static_cast<std::uint8_t>(bank & 0xffU));
    out.push_back(value.index);
    out.insert(out.end(), value.digest.begin(), value.digest.end());
  }
  return out;
}

std::vector<PcrSelection> selections_of(const std::vector<PcrValue>& values) {
  std::vector<PcrSelection> selections;
  for (const PcrValue& value : values) {
    const std::uint16_t bank = tpm_id(value.bank);
    if (selections.empty() || selections.back().bank != bank) selections.push_back({bank, 0});
    selections.back().pcrs |= 1U << value.index;
  }
  return selections;
}

ByteVector joined_digests(const std::vector<PcrValue>& values) {
  ByteVector joined;
  for (const PcrValue& value : values) {
    joined.insert(joined.end(), value.digest.begin(), value.digest.end());
  }
  return joined;
}

}  // namespace sealpack::attest
