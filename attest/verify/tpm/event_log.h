// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "attest/verify/tpm/pcr_values.h"
#include "formats/base/reason.h"

// Logs of what was measured: claims about digests, worth what their replay to registers proves that
// something else vouches for.
namespace sealpack::attest {

// A TPM's log (TCG PC Client Platform Firmware Profile) counts PCRs from 0. A CCEL (Intel TDX
// Virtual Firmware Design Guide) counts MRTD as 0 and RTMR0 to RTMR3 as 1 to 4.
enum class EventLogKind { kTpm, kCcel };

struct EventDigest {
  std::uint16_t algorithm = 0;  // TPM_ALG_ID
  Bytes digest;
};

// TCG_PCR_EVENT2. Views into the input. Of all this a replay proves the digests and their order
// alone: not the type, and of the data only what a digest is found to be of.
struct LoggedEvent {
  std::uint32_t index = 0;  // of a register; of EV_NO_ACTION, which extends none, any number
  std::uint32_t type = 0;
  std::vector<EventDigest> digests;  // one for each of EventLog::algorithms
  Bytes data;

  // nullopt for an algorithm that the log has not.
  std::optional<Bytes> digest(crypto::HashAlgorithm hash) const;
};

struct EventLog {
  EventLogKind kind = EventLogKind::kTpm;
  std::vector<std::uint16_t> algorithms;
  std::vector<LoggedEvent> events;    // without the first, which describes the log
  std::uint8_t startup_locality = 0;  // what PCR 0 started with: 0, 3 or 4

  bool extends(std::uint32_t index) const;
};

inline constexpr std::uint32_t kEvNoAction = 3;
inline constexpr std::uint32_t kEvSeparator = 4;
inline constexpr std::uint32_t kEvEfiVariableDriverConfig = 0x80000001;
inline constexpr std::uint32_t kEvEfiBootServicesApplication = 0x80000003;
inline constexpr std::uint32_t kEvEfiAction = 0x80000007;

// A crypto-agile log. kMalformed; kUnsupported for logs of SHA-1 alone, from before TPM 2.0, and
// for a type of event that the specifications do not have. A CCEL may be padded with 0xff or zeros,
// the rest of the memory it lay in.
Result<EventLog> parse_event_log(Bytes bytes, EventLogKind kind);

// What each register that the log mentions holds after it. kUnsupported if the log has no such
// digests.
Result<std::map<std::uint32_t, ByteVector>> replay(const EventLog& log, crypto::HashAlgorithm hash);

// Whether events are what their types promise: those that measure their own data have its digest,
// and no firmware reports an error by its separator. Codes "eventlog.…".
void check_events(const EventLog& log, crypto::HashAlgorithm hash, std::vector<Reason>& reasons);

// Whether the log tells what the values of a bank came from: every PCR of the firmware among them,
// 0 to 7, is reproduced and was closed by a separator; others where the log mentions them. Reasons
// "eventlog.bank", "eventlog.pcr" and "eventlog.separator".
void check_pcr_replay(const EventLog& log, crypto::HashAlgorithm bank,
                      const std::vector<PcrValue>& values, std::vector<Reason>& reasons);

// The same for a trust domain: RTMR0 to RTMR2, RTMR3 where the log mentions it. Reason
// "eventlog.rtmr".
void check_rtmr_replay(const EventLog& log, const std::array<Bytes, 4>& rtmrs,
                       std::vector<Reason>& reasons);

// Whether a digest is that of a constant which the specification has firmware measure: separators
// and the names of its own steps.
bool is_specified_constant(crypto::HashAlgorithm hash, Bytes digest);
// A separator that closes the firmware's part, whatever its type says: the type is not measured.
bool is_separator(crypto::HashAlgorithm hash, Bytes digest);

}  // namespace sealpack::attest
