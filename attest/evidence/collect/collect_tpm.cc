// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/collect/collect_tpm.h"

#include "attest/evidence/collect/attribute.h"
#include "keymgmt/tpm/public_area.h"
#include "keymgmt/tpm/tpm.h"

namespace sealpack::attest {
namespace {

constexpr std::uint8_t kSha256[] = {0x00, 0x0b};  // TPM_ALG_SHA256

// The item "tpm-pcrs".
ByteVector pcr_item(const std::vector<tpm::PcrValue>& values) {
  ByteVector out;
  for (const tpm::PcrValue& value : values) {
    out.insert(out.end(), std::begin(kSha256), std::end(kSha256));
    out.push_back(static_cast<std::uint8_t>(value.index));
    out.insert(out.end(), value.value.bytes.begin(), value.value.bytes.end());
  }
  return out;
}

}  // namespace

Result<Evidence> collect_tpm(const CollectTpmRequest& request) {
  if (request.nonce.empty() || request.nonce.size() > 64) {
    return Error(ErrorCode::kUsage,
                 "a quote is over 1 to 64 bytes, not " + std::to_string(request.nonce.size()));
  }
  if (request.pcrs == 0) return Error(ErrorCode::kUsage, "a quote of no PCR proves nothing");
  tpm::TpmOptions options;
  options.tcti = request.tcti;
  const auto device = TRY(tpm::Tpm::open(options));
  const tpm::PublicArea key = TRY(device->attestation_key());
  tpm::Quote quote = TRY(device->quote(request.pcrs, request.nonce));
  Evidence evidence{"tpm", {}};
  evidence.items.push_back({"tpm-quote", std::move(quote.quoted)});
  evidence.items.push_back({"tpm-signature", std::move(quote.signature)});
  evidence.items.push_back({"tpm-pcrs", pcr_item(quote.values)});
  evidence.items.push_back({"ak-public", tpm::serialize_public(key)});
  if (!request.event_log.empty()) {
    evidence.items.push_back(
        {"event-log", TRY(read_attribute(request.event_log, kMaxEvidenceSize))});
  }
  return evidence;
}

}  // namespace sealpack::attest
