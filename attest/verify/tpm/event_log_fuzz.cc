// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/event_claims.h"

// Whatever is read can be replayed and asked.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  for (const auto kind : {attest::EventLogKind::kTpm, attest::EventLogKind::kCcel}) {
    const auto log = attest::parse_event_log(Bytes(data, size), kind);
    if (!log.ok()) continue;
    std::vector<Reason> reasons;
    for (const auto hash : {crypto::HashAlgorithm::kSha1, crypto::HashAlgorithm::kSha256,
                            crypto::HashAlgorithm::kSha384, crypto::HashAlgorithm::kSha512}) {
      attest::check_events(log.value(), hash, reasons);
      const auto registers = attest::replay(log.value(), hash);
      if (!registers.ok()) continue;
      for (const auto& [index, value] : registers.value()) {
        if (index >= attest::kPcrCount || value.size() != crypto::hash_size(hash)) __builtin_trap();
      }
      (void)attest::measured_secure_boot(log.value(), hash, 7);
    }
    attest::Claims claims;
    attest::add_event_claims(log.value(), {{crypto::HashAlgorithm::kSha256, 4, ByteVector(32)}},
                             claims);
  }
  return 0;
}
