// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "keymgmt/broker/checkpoint.h"
#include "keymgmt/broker/store.h"

// The release log of a store: checkpoints, proofs, verification.
namespace sealpack::broker {

// Name of the log in checkpoints: "sealpack-log/LOG-ID/EPOCH/EPOCH-ID", one for each epoch of each
// restore, since that goes back to what the backup knew, and anybody may go on from there.
std::string log_origin(const State& state);

// Signs the log as it is now. A store keeps none: one beside the log proves nothing about it.
Result<Checkpoint> make_checkpoint(Store& store, const crypto::Signer& signer);

// kUsage for a size that the log does not have.
Status check_log_size(Store& store, std::uint64_t size);
Result<std::vector<Digest>> inclusion_proof(Store& store, std::uint64_t index, std::uint64_t size);
Result<std::vector<Digest>> consistency_proof(Store& store, std::uint64_t old_size,
                                              std::uint64_t new_size);

// Gives the serialized entries from `first` on, at most `count`, in order, of a log that may grow
// meanwhile: none beyond those that it had at the beginning. Ends with the first error of `visit`;
// kNotAuthentic where the store has fewer entries than its head says.
Status for_each_entry(Store& store, std::uint64_t first, std::uint64_t count,
                      const std::function<Status(std::uint64_t index, Bytes entry)>& visit);

struct VerifiedLog {
  LogHead head;
  std::uint64_t epoch = 0;
  std::uint64_t grants = 0;
  std::uint64_t refusals = 0;
  std::uint64_t changes = 0;
};
// Recomputes the whole tree: every entry parses, the stored head and nodes are its, no challenge
// was answered twice, and each of `checkpoints` (kept elsewhere, texts as make_checkpoint gave
// them) is signed by one of `keys`, or where there are none by a log key of the store, and is a
// state the log was in.
// kNotAuthentic names the entry or checkpoint; a checkpoint of an earlier epoch beyond what a
// restore brought back is kNotAuthentic with the number of lost entries, one of another restore of
// the same backup says so.
Result<VerifiedLog> verify_log(Store& store, std::span<const std::string> checkpoints,
                               std::span<const crypto::VerifyingKey> keys);

}  // namespace sealpack::broker
