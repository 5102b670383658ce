// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <variant>

#include "formats/base/reason.h"
#include "keymgmt/broker/log_entry.h"
#include "keymgmt/broker/records.h"

// What a broker remembers: releases, revocations, licences and leases, spent nonces, the log.
// SQLite in one file, or PostgreSQL for several replicas. Every change is one transaction that is
// on the disk when the call returns, together with its entry in the log.
namespace sealpack::broker {

// --- What an operator changes -------------------------------------------------------------------

struct PutVendor {
  Vendor vendor;
};
struct RemoveVendor {
  std::string name;
};
// kRefused for a counter below or equal to what is registered or below the floor (the same release
// again replaces its slots), for a revoked content, release or signer, and when its vendor is not
// there, or trusted by other keys than it was verified by.
struct AddRelease {
  RegisteredRelease release;
};
// Never lowers. kRefused.
struct RaiseFloor {
  ProductFloor floor;
};
struct Revoke {
  Revocation revocation;
};
struct EndRevocation {
  RevokedKind kind{};
  ByteVector value;
};
struct PutLicence {
  Licence licence;
};
struct RemoveLicence {
  Digest authority;
  std::string product;
};
// An empty text removes it.
struct PutPolicy {
  ProductPolicy policy;
};
struct EnrolTpm {
  TpmDevice device;
};
struct RemoveTpm {
  Digest attestation_key;
};
// A new key, valid from its not_before.
struct AddKey {
  BrokerKey key;
};
// From `not_after` on it is not used. kRefused for a key that ends before: no end is put off.
struct EndKey {
  Digest key;
  std::uint64_t not_after = 0;
};
// An instance that is known to run no longer.
struct EndLease {
  loader::Instance instance{};
};
// After a restore: what was said since the backup was made.
struct Reconcile {
  std::vector<Revocation> revocations;
  std::vector<ProductFloor> floors;
  std::vector<loader::Instance> ended;
  // The operator's word that no lease was granted since the backup but for those that ended.
  bool no_lease_is_missing = false;
  // And that of a product without a floor above nothing newer was registered since. kRefused where
  // neither is said: a release that was followed by others would be given out again.
  bool floors_unchanged = false;
  std::vector<BrokerKey> keys;     // that it does not list
  std::vector<EndKey> ended_keys;  // of those that it lists then
};
// The operator's word that the clock is right now, whatever the log says. Challenges of before are
// void; where leases were forgotten that may still run, new instances wait as after a restore, and
// no longer than from now on where a restore was made in what is the future now.
struct ConfirmClock {};
using Change = std::variant<PutVendor, RemoveVendor, AddRelease, RaiseFloor, Revoke, EndRevocation,
                            PutLicence, RemoveLicence, PutPolicy, EnrolTpm, RemoveTpm, AddKey,
                            EndKey, EndLease, Reconcile, ConfirmClock>;

// --- What a service writes ----------------------------------------------------------------------

// An instance that a grant starts; or prolongs, where it runs.
struct LeaseClaim {
  Lease lease;
  std::uint64_t max_instances = 0;  // 0: not limited
  // No new instance before this time: leases may be missing after a restore.
  std::uint64_t not_before = 0;
};

// What was decided about one challenge that was answered; its nonce is spent whatever it was.
struct Decision {
  ByteVector nonce;
  bool logged = true;         // false: of a refusal nothing but the nonce is kept
  std::uint64_t expires = 0;  // of the challenge
  LogEntry entry;
  std::optional<LeaseClaim> lease;
  ByteVector claims;  // serialized; kept under LogEntry::claims. Empty: none were proven
};

struct Outcome {
  // kAccepted: as decided. kRefused: logged as a refusal for `reason`, whatever was decided.
  // kNotLogged: nothing was written, for `reason`: the nonce was spent, or the clock is wrong.
  enum class Kind { kAccepted, kRefused, kNotLogged };
  Kind kind = Kind::kNotLogged;
  std::uint64_t index = 0;  // of the log entry; 0: there is none
  Reason reason;
};
struct Committed {
  // The state is not `version` any more: nothing was written; decide again.
  bool stale = false;
  std::vector<Outcome> outcomes;  // of each decision
};

// --- The log ------------------------------------------------------------------------------------

struct LogHead {
  std::uint64_t size = 0;
  Digest root;
};

// Whether a restore believes the clock: where it lies before what the backup logged, leases that
// were lost would count as over too early, so it is refused; kConfirmed is the operator's word that
// it is right all the same (the backup has times in the future), as by ConfirmClock.
enum class RestoreClock { kChecked, kConfirmed };

// For several threads and, where the database allows, several processes.
class Store {
 public:
  // "sqlite:PATH" (or a path) or a PostgreSQL connection URI ("postgresql://…").
  // create: a new one, of mode 0600; kRefused where one is already. open: kIo; kMalformed for a
  // store of another program; kUnsupported for one of a newer version; kRefused for a file that
  // others may read.
  static Result<std::shared_ptr<Store>> create(const std::string& uri, std::uint64_t now);
  static Result<std::shared_ptr<Store>> open(const std::string& uri);
  virtual ~Store() = default;

  virtual Result<StateVersion> version() = 0;
  virtual Result<std::shared_ptr<const State>> state() = 0;
  // All of them or none, in this order, each with its log entry; index of the last one's.
  virtual Result<std::uint64_t> apply_all(std::span<const Change> changes, std::uint64_t now) = 0;
  Result<std::uint64_t> apply(const Change& change, std::uint64_t now) {
    return apply_all({&change, 1}, now);
  }
  // Those that run at `now`, by product; all when `now` is 0.
  virtual Result<std::vector<Lease>> leases(std::uint64_t now) = 0;

  // All decisions in one transaction. An error: nothing was written, as far as is known. kRefused
  // where the store is not reconciled.
  virtual Result<Committed> commit(const StateVersion& version,
                                   std::span<const Decision> decisions) = 0;
  // Forgets what ended before `before`: leases, and nonces of challenges, of which none that ended
  // before is ever taken again. Some at a time; true while there is more.
  virtual Result<bool> forget(std::uint64_t before) = 0;

  virtual Result<LogHead> log_head() = 0;
  // Serialized entries from `first` on; fewer where the log ends.
  virtual Result<std::vector<ByteVector>> log_entries(std::uint64_t first, std::size_t count) = 0;
  // Hashes of complete subtrees of 256^level leaves (MerkleTree in merkle.h).
  virtual Result<std::vector<Digest>> log_nodes(unsigned level, std::uint64_t first,
                                                std::size_t count) = 0;
  // The claims behind an entry; kRefused where there are none.
  virtual Result<ByteVector> claims(const Digest& digest) = 0;
  // Whether any environment ever proved a claim of this value.
  virtual Result<bool> has_claimed(Bytes value) = 0;

  // A consistent copy in a new file of mode 0600, while the store serves: the same file whatever
  // the database. It has no challenge key. kIo where the file is there.
  virtual Status backup(const std::filesystem::path& file) = 0;
  // A new store out of a backup: of the next epoch, with a random id of its own, not reconciled,
  // with a new challenge key. kRefused where there is a store, and for a clock that is behind.
  static Result<std::shared_ptr<Store>> restore(const std::filesystem::path& file,
                                                const std::string& uri, std::uint64_t now,
                                                RestoreClock clock = RestoreClock::kChecked);
};

}  // namespace sealpack::broker
