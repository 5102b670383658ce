// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/ccel.h"

#include <algorithm>

#include "attest/verify/tpm/event_claims.h"

namespace sealpack::attest {
namespace {

constexpr std::uint32_t kRtmr0 = 1;  // as a CCEL counts

bool replays(const EventLog& log, const Claims& claims, std::vector<Reason>& reasons) {
  const std::size_t before = reasons.size();
  std::array<Bytes, 4> rtmrs;
  for (std::size_t i = 0; i < rtmrs.size(); ++i) {
    const Claim* claim = claims.find("rtmr" + std::to_string(i));
    if (claim != nullptr) rtmrs[i] = claim->value;
  }
  check_events(log, crypto::HashAlgorithm::kSha384, reasons);
  check_rtmr_replay(log, rtmrs, reasons);
  return reasons.size() == before;
}

}  // namespace

void check_ccel(const Evidence& evidence, Verdict& verdict) {
  if (!verdict.claims) return;
  const ByteVector* bytes = evidence.find("event-log");
  if (bytes == nullptr) {
    verdict.claims->add_text("event_log", "none");
    verdict.claims->sort();
    return;
  }
  const auto log = parse_event_log(*bytes, EventLogKind::kCcel);
  if (!log.ok()) verdict.reasons.push_back({"eventlog.malformed", log.error().message()});
  if (!log.ok() || !replays(*log, *verdict.claims, verdict.reasons)) {
    verdict.claims.reset();
    return;
  }
  // Notes alone lead nowhere, where registers that nothing extended are.
  const bool told = std::any_of(log->events.begin(), log->events.end(),
                                [](const LoggedEvent& event) { return event.type != kEvNoAction; });
  verdict.claims->add_text("event_log", told ? "replayed" : "none");
  const auto on = measured_secure_boot(*log, crypto::HashAlgorithm::kSha384, kRtmr0);
  if (on) verdict.claims->add_flag("secure_boot", *on);
  verdict.claims->sort();
}

}  // namespace sealpack::attest
