// SPDX-License-Identifier: Apache-2.0
// Decisions of a service become durable: nonces spent, instances counted, entries logged, all or
// nothing.
#include <algorithm>
#include <map>
#include <set>

#include "formats/base/utc_text.h"
#include "keymgmt/broker/clock_guard.h"
#include "keymgmt/broker/store/sql_store.h"

namespace sealpack::broker::internal {
namespace {

// The instances of one transaction. What it grants counts at once.
class Instances {
 public:
  explicit Instances(Database& database) : database_(database) {}

  // Why the lease cannot be had; nothing where it was written. An instance that does not run, be it
  // that its lease lapsed or that it was never heard of, counts as a new one.
  Result<std::optional<Reason>> claim(const LeaseClaim& claim) {
    const Lease& lease = claim.lease;
    const auto known = TRY(find(lease.instance));
    const bool anothers =
        known && (known->authority != lease.authority || known->product != lease.product ||
                  known->device != lease.device);
    if (anothers) {
      return std::optional(Reason{"broker.lease-unknown",
                                  "the lease to prolong is one of another product or device"});
    }
    const bool runs = known && lease.since < known->until;
    const auto refused = TRY(runs ? refuse_running(claim) : refuse_new(claim));
    if (refused) return refused;
    TRY(known ? prolong(lease, known->until) : insert(lease));
    return std::optional<Reason>();
  }

 private:
  using Product = std::pair<Digest, std::string>;

  Result<std::optional<Lease>> find(const loader::Instance& instance) {
    const auto rows = TRY(database_.query(
        "SELECT instance, authority, product, release_digest, device, since, ends, renewals"
        " FROM leases WHERE instance = $1",
        {bytes_value(instance)}));
    if (rows.empty()) return std::optional<Lease>();
    return std::optional(TRY(read_lease(rows.front())));
  }

  Status insert(const Lease& lease) {
    TRY(database_.run(
        "INSERT INTO leases (instance, authority, product, release_digest, device,"
        " since, ends, renewals) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
        {bytes_value(lease.instance), bytes_value(lease.authority.bytes),
         bytes_value(as_bytes(lease.product)), bytes_value(lease.release.bytes), lease.device,
         TRY(number_value(lease.since, "time")), TRY(number_value(lease.until, "time"))}));
    return done();
  }
  Status prolong(const Lease& lease, std::uint64_t until) {
    TRY(
        database_.run("UPDATE leases SET ends = $1, renewals = renewals + 1, release_digest = $2"
                      " WHERE instance = $3",
                      {TRY(number_value(std::max(lease.until, until), "time")),
                       bytes_value(lease.release.bytes), bytes_value(lease.instance)}));
    return done();
  }

  // The licence may have become smaller since the instance was let in.
  Result<std::optional<Reason>> refuse_running(const LeaseClaim& claim) {
    if (claim.max_instances == 0 || TRY(running_at(claim.lease)) <= claim.max_instances) {
      return std::optional<Reason>();
    }
    return std::optional(
        Reason{"broker.licence-instances", "more than the " + std::to_string(claim.max_instances) +
                                               " instances of the licence are running"});
  }

  // Counts the new instance unless there is no room for it.
  Result<std::optional<Reason>> refuse_new(const LeaseClaim& claim) {
    if (claim.max_instances == 0) return std::optional<Reason>();
    const Lease& lease = claim.lease;
    if (lease.since < claim.not_before) {
      return std::optional(
          Reason{"broker.licence-restored",
                 "leases may have been lost with the store: no new instance before " +
                     utc_text(claim.not_before)});
    }
    std::uint64_t& running = TRY(running_at(lease));
    if (running >= claim.max_instances) {
      return std::optional(Reason{
          "broker.licence-instances",
          "all " + std::to_string(claim.max_instances) + " instances of the licence are running"});
    }
    ++running;
    return std::optional<Reason>();
  }

  Result<std::reference_wrapper<std::uint64_t>> running_at(const Lease& lease) {
    const auto [found, added] = running_.try_emplace({lease.authority, lease.product}, 0);
    if (added) {
      // At the time of the first decision of the transaction; the others are seconds later at most,
      // and what lapses in between counts as running.
      const Row row = TRY(database_.query_one(
          "SELECT COUNT(*) FROM leases WHERE authority = $1 AND product = $2 AND ends > $3",
          {bytes_value(lease.authority.bytes), bytes_value(as_bytes(lease.product)),
           TRY(number_value(lease.since, "time"))}));
      found->second = TRY(Columns(row).number());
    }
    return std::ref(found->second);
  }

  Database& database_;
  std::map<Product, std::uint64_t> running_;
};

// Why nothing at all is decided about a challenge; nothing where this is the first to spend it.
Result<std::vector<std::optional<Reason>>> spend_nonces(Database& database, const HeadRow& head,
                                                        std::span<const Decision> decisions) {
  std::vector<std::optional<Reason>> refused;
  std::vector<Row> rows;
  for (const Decision& decision : decisions) {
    auto reason = check_clock(decision.entry.time, head.last_time);
    if (!reason && decision.expires <= head.forgotten) {
      reason = Reason{"broker.nonce-expired",
                      "challenges that ended by " + utc_text(head.forgotten) + " are forgotten"};
    }
    if (!reason) rows.push_back({decision.nonce, TRY(number_value(decision.expires, "time"))});
    refused.push_back(std::move(reason));
  }
  const auto changed = TRY(database.run_each(
      "INSERT INTO nonces (nonce, ends) VALUES ($1, $2) ON CONFLICT DO NOTHING", rows));
  auto next = changed.begin();
  for (auto& reason : refused) {
    if (reason || *next++ == 1) continue;
    reason = Reason{"broker.nonce-used", "the challenge was answered before"};
  }
  return refused;
}

Status keep_claims(Database& database, std::span<const Decision> decisions, KnownClaims& known) {
  std::vector<Row> rows;
  std::set<Digest> added;
  for (const Decision& decision : decisions) {
    const Digest& digest = decision.entry.claims;
    if (decision.claims.empty() || known.contains(digest.bytes)) continue;
    if (!added.insert(digest).second) continue;
    rows.push_back({bytes_value(decision.entry.claims.bytes), decision.claims});
  }
  TRY(database.run_each(
      "INSERT INTO claims (digest, claims) VALUES ($1, $2) ON CONFLICT DO NOTHING", rows));
  return done();
}

void turn_into_refusal(LogEntry& entry, const Reason& reason) {
  entry.kind = EntryKind::kRefusal;
  entry.codes = {reason.code};
  entry.floor = 0;
  entry.lease_until = 0;
  entry.instance.reset();
}

}  // namespace

Result<Committed> commit_decisions(Database& database, const StateVersion& version,
                                   std::span<const Decision> decisions, KnownClaims& known_claims) {
  HeadRow head = TRY(read_head(database));
  Committed committed;
  if (head.version() != version) {
    committed.stale = true;
    return committed;
  }
  if (!head.reconciled) {
    return Error(ErrorCode::kRefused, "the store was restored and is not reconciled");
  }
  auto refused = TRY(spend_nonces(database, head, decisions));
  TRY(keep_claims(database, decisions, known_claims));
  Instances instances(database);
  LogAppender log(head);
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    const Decision& decision = decisions[i];
    Outcome outcome;
    if (refused[i]) {
      outcome.reason = *std::move(refused[i]);
      committed.outcomes.push_back(std::move(outcome));
      continue;
    }
    head.note_time(decision.entry.time);
    LogEntry entry = decision.entry;
    outcome.kind = Outcome::Kind::kAccepted;
    if (decision.lease) {
      const auto reason = TRY(instances.claim(*decision.lease));
      if (reason) {
        turn_into_refusal(entry, *reason);
        outcome.kind = Outcome::Kind::kRefused;
        outcome.reason = *reason;
      }
    }
    if (decision.logged) outcome.index = TRY(log.add(std::move(entry)));
    committed.outcomes.push_back(std::move(outcome));
  }
  TRY(log.write(database));
  return committed;
}

}  // namespace sealpack::broker::internal
