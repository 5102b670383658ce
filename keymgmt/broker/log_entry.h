// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/base/bytes.h"
#include "runtime-loader/core/grant.h"

namespace sealpack::broker {

enum class EntryKind : std::uint8_t {
  kGrant = 1,
  kRefusal = 2,
  kChange = 3,  // by the operator
  kOpened = 4,  // an epoch: the store was made or restored
};
const char* to_string(EntryKind kind);  // "grant"

// Random, of one epoch of one store: two stores that were restored from one backup have others.
using EpochId = std::array<std::uint8_t, 16>;

// One line of the release log: what was asked, what was decided and why, nothing secret. Its
// serialization is a leaf of the tree (docs/PROTOCOL.md).
struct LogEntry {
  EntryKind kind = EntryKind::kRefusal;
  std::uint64_t time = 0;
  std::uint64_t epoch = 0;

  // kGrant and kRefusal
  std::uint32_t transport = 0;  // broker::Transport
  Digest nonce;                 // SHA-256 of the challenge's
  Digest authority;
  Digest content;
  Digest release;
  std::string tee;
  std::string role;
  Digest exchange_key;             // digest of the TEE's public key for this exchange
  Digest evidence;                 // SHA-256 of it
  Digest claims;                   // SHA-256 of the claims proven, zero where there are none
  ByteVector device;               // which device, where the evidence names one
  std::vector<std::string> codes;  // of all reasons of a refusal
  std::uint64_t floor = 0;         // kGrant
  std::uint64_t lease_until = 0;
  std::optional<loader::Instance> instance;

  // kChange, kOpened: "revoke device 9f2c…", in words that do not change.
  std::string what;
  std::optional<EpochId> epoch_id;  // kOpened
  bool operator==(const LogEntry&) const = default;
};

inline constexpr std::uint64_t kMaxLogEntrySize = 64U << 10U;
ByteVector serialize(const LogEntry& entry);
Result<LogEntry> parse_log_entry(Bytes bytes);

}  // namespace sealpack::broker
