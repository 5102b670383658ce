// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/tpm/event_log.h"
#include "attest/verify/tpm/tpm_algorithms.h"

namespace sealpack::attest {
namespace {

using crypto::HashAlgorithm;

constexpr std::uint32_t kFirmwarePcrs = 8;
constexpr std::uint8_t kSeparator[] = {0, 0, 0, 0};
constexpr std::uint8_t kOtherSeparator[] = {0xff, 0xff, 0xff, 0xff};
constexpr std::uint8_t kErrorSeparator[] = {1, 0, 0, 0};

// Firmware Profile 1.06, 10.4.4, tables 29 and 30, and what SeaBIOS measures in their place.
constexpr std::string_view kActions[] = {
    "Calling EFI Application from Boot Option",
    "Returning from EFI Application from Boot Option",
    "Exit Boot Services Invocation",
    "Exit Boot Services Failed",
    "Exit Boot Services Returned with Success",
    "Exit Boot Services Returned with Failure",
    "Calling INT 19h",
    "Returned INT 19h",
    "Returned via INT 18h",
};

bool is_digest_of(HashAlgorithm hash, Bytes digest, Bytes data) {
  const ByteVector expected = crypto::hash(hash, data);
  return std::equal(expected.begin(), expected.end(), digest.begin(), digest.end());
}

// Types whose digest is defined to be that of their data. Others measure something that the data
// only describe, or differ from maker to maker; nothing is concluded from those.
bool measures_its_data(std::uint32_t type) {
  return type == kEvSeparator || type == kEvEfiVariableDriverConfig || type == kEvEfiAction;
}

// By digest alone, whatever the type says, but where BootOrder is measured: that of the entries 1
// and 0 is the same four bytes.
bool may_report_error(EventLogKind kind, const LoggedEvent& event) {
  const bool has_boot_order = kind == EventLogKind::kCcel || event.index == 1;
  if (has_boot_order) return event.type == kEvSeparator;
  return event.index < kFirmwarePcrs;
}

std::string place_of(const EventLog& log, std::size_t i) {
  return "event " + std::to_string(i + 1) + " of the log, for " +
         (log.kind == EventLogKind::kTpm ? "PCR " + std::to_string(log.events[i].index)
                                         : "RTMR" + std::to_string(log.events[i].index - 1));
}

bool is_closed(const EventLog& log, std::uint32_t index, HashAlgorithm hash) {
  return std::any_of(log.events.begin(), log.events.end(), [&](const LoggedEvent& event) {
    return event.index == index && event.type != kEvNoAction &&
           is_separator(hash, *event.digest(hash));
  });
}

void check_pcr(const EventLog& log, const std::map<std::uint32_t, ByteVector>& replayed,
               const PcrValue& value, std::vector<Reason>& reasons) {
  const bool firmware = value.index < kFirmwarePcrs;
  const auto found = replayed.find(value.index);
  if (found == replayed.end() && !firmware) return;
  const std::string pcr =
      "PCR " + std::to_string(value.index) + " of the bank " + crypto::to_string(value.bank);
  if (found == replayed.end()) {
    reasons.push_back({"eventlog.pcr", "the event log says nothing about " + pcr});
    return;
  }
  if (found->second != value.digest) {
    reasons.push_back({"eventlog.pcr", "the event log leads " + pcr + " to " +
                                           to_hex(found->second) + ", quoted is " +
                                           to_hex(value.digest)});
    return;
  }
  if (firmware && !is_closed(log, value.index, value.bank)) {
    reasons.push_back({"eventlog.separator",
                       pcr + " was not closed by a separator before the operating system ran"});
  }
}

}  // namespace

bool is_separator(HashAlgorithm hash, Bytes digest) {
  return is_digest_of(hash, digest, kSeparator) || is_digest_of(hash, digest, kOtherSeparator);
}

bool is_specified_constant(HashAlgorithm hash, Bytes digest) {
  return is_separator(hash, digest) ||
         std::any_of(std::begin(kActions), std::end(kActions), [&](std::string_view action) {
           return is_digest_of(hash, digest, as_bytes(action));
         });
}

Result<std::map<std::uint32_t, ByteVector>> replay(const EventLog& log, HashAlgorithm hash) {
  const std::uint16_t id = tpm_id(hash);
  if (std::find(log.algorithms.begin(), log.algorithms.end(), id) == log.algorithms.end()) {
    return Error(ErrorCode::kUnsupported,
                 std::string("the event log has no digests of ") + crypto::to_string(hash));
  }
  std::map<std::uint32_t, ByteVector> registers;
  for (const LoggedEvent& event : log.events) {
    if (event.type == kEvNoAction) continue;
    const auto [at, fresh] = registers.try_emplace(event.index, crypto::hash_size(hash));
    if (fresh && event.index == 0) at->second.back() = log.startup_locality;
    ByteVector joined = at->second;
    const Bytes digest = *event.digest(hash);
    joined.insert(joined.end(), digest.begin(), digest.end());
    at->second = crypto::hash(hash, joined);
  }
  return registers;
}

void check_events(const EventLog& log, HashAlgorithm hash, std::vector<Reason>& reasons) {
  for (std::size_t i = 0; i < log.events.size(); ++i) {
    const LoggedEvent& event = log.events[i];
    const auto digest = event.digest(hash);
    if (event.type == kEvNoAction || !digest) continue;
    if (measures_its_data(event.type) && !is_digest_of(hash, *digest, event.data)) {
      reasons.push_back({"eventlog.event-digest", place_of(log, i) + ", is of a type that measures "
                                                                     "its data, and has not its "
                                                                     "digest"});
    }
    if (may_report_error(log.kind, event) && is_digest_of(hash, *digest, kErrorSeparator)) {
      reasons.push_back(
          {"eventlog.separator", place_of(log, i) + ", is a separator that reports an error"});
    }
  }
}

void check_pcr_replay(const EventLog& log, HashAlgorithm bank, const std::vector<PcrValue>& values,
                      std::vector<Reason>& reasons) {
  const auto replayed = replay(log, bank);
  if (!replayed.ok()) {
    reasons.push_back({"eventlog.bank", replayed.error().message()});
    return;
  }
  for (const PcrValue& value : values) {
    if (value.bank == bank) check_pcr(log, *replayed, value, reasons);
  }
}

void check_rtmr_replay(const EventLog& log, const std::array<Bytes, 4>& rtmrs,
                       std::vector<Reason>& reasons) {
  const auto replayed = replay(log, HashAlgorithm::kSha384);
  if (!replayed.ok()) {
    reasons.push_back({"eventlog.bank", replayed.error().message()});
    return;
  }
  for (std::uint32_t i = 0; i < rtmrs.size(); ++i) {
    if (i == 3 && !log.extends(4)) continue;  // the running system's own
    const auto found = replayed->find(i + 1);
    const ByteVector expected = found == replayed->end() ? ByteVector(48) : found->second;
    if (std::equal(expected.begin(), expected.end(), rtmrs[i].begin(), rtmrs[i].end())) continue;
    reasons.push_back({"eventlog.rtmr", "the event log leads RTMR" + std::to_string(i) + " to " +
                                            to_hex(expected) + ", the quote has " +
                                            to_hex(rtmrs[i])});
  }
}

}  // namespace sealpack::attest
