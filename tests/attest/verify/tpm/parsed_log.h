// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "attest/verify/tpm/event_log.h"
#include "tests/attest/verify/tpm/minted_tpm.h"

namespace sealpack::testing {

inline attest::EventLog parsed(const MintedLog& log,
                               attest::EventLogKind kind = attest::EventLogKind::kTpm) {
  auto result = parse_event_log(log.bytes(), kind);
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message());
  return result.ok() ? *std::move(result) : attest::EventLog();
}

// What speaks against the log, and against its leading to the values.
inline std::vector<Reason> replayed(const attest::EventLog& log,
                                    const std::vector<attest::PcrValue>& values,
                                    crypto::HashAlgorithm bank = crypto::HashAlgorithm::kSha256) {
  std::vector<Reason> reasons;
  check_events(log, bank, reasons);
  check_pcr_replay(log, bank, values, reasons);
  return reasons;
}

}  // namespace sealpack::testing
