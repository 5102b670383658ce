// SPDX-License-Identifier: Apache-2.0
// What an operator changes. Each function checks the change against what is there, makes it, and
// says in words what it was: the words go into the log.
#include <algorithm>

#include "formats/base/utc_text.h"
#include "formats/bundle/encode.h"
#include "keymgmt/broker/store/change_check.h"
#include "keymgmt/broker/store/change_words.h"
#include "keymgmt/broker/store/record_bytes.h"
#include "keymgmt/broker/store/sql_store.h"
#include "keymgmt/crypto/sha256.h"
#include "runtime-loader/core/names.h"

namespace sealpack::broker::internal {
namespace {

Row product_row(const Digest& authority, const std::string& product) {
  return {bytes_value(authority.bytes), bytes_value(as_bytes(product))};
}

// Makes a change with what it has to know.
class Changer {
 public:
  Changer(Database& database, HeadRow& head, std::uint64_t now)
      : database_(database), head_(head), now_(now) {}

  Result<std::string> operator()(const PutVendor& change) {
    const ByteVector trust = TRY(serialize_vendor(change.vendor));
    TRY(
        database_.run("INSERT INTO vendors (name, trust) VALUES ($1, $2)"
                      " ON CONFLICT (name) DO UPDATE SET trust = excluded.trust",
                      {change.vendor.name, trust}));
    return "put vendor " + change.vendor.name + " trust " + to_hex(crypto::sha256(trust).bytes);
  }

  Result<std::string> operator()(const RemoveVendor& change) {
    TRY(must_exist(TRY(database_.run("DELETE FROM vendors WHERE name = $1", {change.name})),
                   "vendor " + printable(change.name)));
    return "remove vendor " + change.name;
  }

  Result<std::string> operator()(const AddRelease& change) {
    const RegisteredRelease& release = change.release;
    TRY(check_product(release.product));
    TRY(check_vendor(release));
    TRY(check_not_revoked(release));
    TRY(check_counter(release));
    TRY(database_.run(
        "INSERT INTO releases (release_digest, vendor, authority, content_digest, uuid, product,"
        " counter, trust, signers, bundle_head, added)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        " ON CONFLICT (release_digest) DO UPDATE SET vendor = excluded.vendor,"
        " trust = excluded.trust, signers = excluded.signers, bundle_head = excluded.bundle_head, "
        "added = excluded.added",
        {bytes_value(release.release.bytes), release.vendor, bytes_value(release.authority.bytes),
         bytes_value(release.content.bytes), bytes_value(release.uuid),
         bytes_value(as_bytes(release.product)), TRY(number_value(release.counter, "counter")),
         bytes_value(release.trust.bytes), serialize_digests(release.signers),
         bundle::serialize_head(release.head), TRY(number_value(release.added, "time"))}));
    return "add release " + to_hex(release.release.bytes) + " of " + printable(release.product) +
           " counter " + std::to_string(release.counter);
  }

  Result<std::string> operator()(const RaiseFloor& change) {
    TRY(raise_floor(change.floor));
    return words_of(change);
  }

  Result<std::string> operator()(const Revoke& change) {
    TRY(revoke(change.revocation));
    return words_of(change);
  }

  Result<std::string> operator()(const EndRevocation& change) {
    const std::string what = std::string(to_string(change.kind)) + " " + to_hex(change.value);
    TRY(must_exist(TRY(database_.run("DELETE FROM revocations WHERE kind = $1 AND value = $2",
                                     {static_cast<std::int64_t>(change.kind), change.value})),
                   "revocation of " + what));
    return "end revocation of " + what;
  }

  Result<std::string> operator()(const PutLicence& change) {
    const Licence& licence = change.licence;
    TRY(check_licence(licence));
    Row row = product_row(licence.authority, licence.product);
    row.insert(row.end(), {TRY(number_value(licence.max_instances, "number of instances")),
                           TRY(number_value(licence.not_before, "time")),
                           TRY(number_value(licence.not_after, "time")),
                           TRY(number_value(licence.lease_seconds, "duration")),
                           serialize_list(licence.devices)});
    TRY(database_.run(
        "INSERT INTO licences (authority, product, max_instances, not_before, not_after,"
        " lease_seconds, devices) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        " ON CONFLICT (authority, product) DO UPDATE SET max_instances = excluded.max_instances,"
        " not_before = excluded.not_before, not_after = excluded.not_after,"
        " lease_seconds = excluded.lease_seconds, devices = excluded.devices",
        row));
    return words_of(change);
  }

  Result<std::string> operator()(const RemoveLicence& change) {
    TRY(must_exist(TRY(database_.run("DELETE FROM licences WHERE authority = $1 AND product = $2",
                                     product_row(change.authority, change.product))),
                   "licence of " + printable(change.product)));
    return "remove licence of " + printable(change.product);
  }

  Result<std::string> operator()(const PutPolicy& change) {
    const ProductPolicy& policy = change.policy;
    TRY(check_product(policy.product));
    TRY(check_text(policy.text, kMaxPolicySize, "the policy"));
    Row row = product_row(policy.authority, policy.product);
    if (policy.text.empty()) {
      TRY(must_exist(
          TRY(database_.run("DELETE FROM policies WHERE authority = $1 AND product = $2", row)),
          "policy for " + printable(policy.product)));
      return "remove policy of " + printable(policy.product);
    }
    row.emplace_back(policy.text);
    TRY(
        database_.run("INSERT INTO policies (authority, product, policy) VALUES ($1, $2, $3)"
                      " ON CONFLICT (authority, product) DO UPDATE SET policy = excluded.policy",
                      row));
    return "put policy of " + printable(policy.product) + " " +
           to_hex(crypto::sha256(as_bytes(policy.text)).bytes);
  }

  Result<std::string> operator()(const EnrolTpm& change) {
    const TpmDevice& device = change.device;
    TRY(check_text(device.name, kMaxNameSize, "the name of the device"));
    for (const ByteVector* name : {&device.ak_name, &device.ek_name}) {
      if (!name->empty() && name->size() <= kMaxDeviceSize) continue;
      return Error(ErrorCode::kUsage, "an enrolled TPM has the names of both its keys");
    }
    TRY(database_.run(
        "INSERT INTO tpm_devices (attestation_key, ak_name, ek_name, name)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT (attestation_key) DO UPDATE SET"
        " ak_name = excluded.ak_name, ek_name = excluded.ek_name, name = excluded.name",
        {bytes_value(device.attestation_key.bytes), device.ak_name, device.ek_name, device.name}));
    return "enrol tpm " + to_hex(device.attestation_key.bytes) + " of " + to_hex(device.ek_name);
  }

  Result<std::string> operator()(const RemoveTpm& change) {
    const std::string key = to_hex(change.attestation_key.bytes);
    TRY(must_exist(TRY(database_.run("DELETE FROM tpm_devices WHERE attestation_key = $1",
                                     {bytes_value(change.attestation_key.bytes)})),
                   "enrolled attestation key " + key));
    return "remove tpm " + key;
  }

  Result<std::string> operator()(const AddKey& change) {
    TRY(add_key(change.key));
    return words_of(change);
  }

  Result<std::string> operator()(const EndKey& change) {
    TRY(end_key(change));
    return words_of(change);
  }

  Result<std::string> operator()(const EndLease& change) {
    TRY(must_exist(TRY(end_lease(change.instance)), "running instance " + to_hex(change.instance)));
    return "end lease " + to_hex(change.instance);
  }

  Result<std::string> operator()(const Reconcile& change) {
    if (head_.reconciled) {
      return Error(ErrorCode::kRefused, "the store was not restored, or is reconciled already");
    }
    for (const Revocation& revocation : change.revocations) TRY(revoke(revocation));
    for (const ProductFloor& floor : change.floors) TRY(restore_floor(floor));
    TRY(check_floors_said(change));
    for (const loader::Instance& instance : change.ended) TRY(end_lease(instance));
    for (const BrokerKey& key : change.keys) TRY(add_key(key));
    for (const EndKey& end : change.ended_keys) TRY(end_key(end));
    head_.reconciled = true;
    if (change.no_lease_is_missing) head_.restored_at = 0;
    return words_of(change);
  }

  Result<std::string> operator()(const ConfirmClock&) {
    const std::string before = utc_text(head_.last_time);
    // Challenges made by a wrong clock may live for years, and what was forgotten of them is gone.
    TRY(database_.run("DELETE FROM challenge_key"));
    TRY(insert_challenge_key(database_));
    // A restore, too, that was made in the future was made by now.
    if (head_.forgotten > now_ || head_.restored_at > now_) head_.restored_at = now_;
    head_.forgotten = 0;
    head_.last_time = now_;
    head_.clock_confirmed = head_.generation + 1;
    return "confirm clock: it is " + utc_text(now_) + ", the log had reached " + before;
  }

 private:
  static Status must_exist(std::uint64_t count, const std::string& what) {
    if (count != 0) return done();
    return Error(ErrorCode::kRefused, "there is no " + what);
  }

  Result<std::uint64_t> count(const char* sql, const Row& parameters) {
    return Columns(TRY(database_.query_one(sql, parameters))).number();
  }

  Result<bool> is_revoked(RevokedKind kind, Bytes value) {
    return TRY(count("SELECT COUNT(*) FROM revocations WHERE kind = $1 AND value = $2",
                     {static_cast<std::int64_t>(kind), to_vector(value)})) != 0;
  }

  Status check_vendor(const RegisteredRelease& release) {
    const auto rows =
        TRY(database_.query("SELECT trust FROM vendors WHERE name = $1", {release.vendor}));
    TRY(must_exist(rows.size(), "vendor " + printable(release.vendor)));
    if (crypto::sha256(TRY(Columns(rows.front()).bytes())) == release.trust) return done();
    return Error(ErrorCode::kRefused, "the release was verified by another trust than that of " +
                                          printable(release.vendor));
  }

  Status check_not_revoked(const RegisteredRelease& release) {
    if (TRY(is_revoked(RevokedKind::kContent, release.content.bytes))) {
      return Error(ErrorCode::kRefused, "the content is revoked");
    }
    if (TRY(is_revoked(RevokedKind::kRelease, release.release.bytes))) {
      return Error(ErrorCode::kRefused, "the release is revoked");
    }
    for (const Digest& signer : release.signers) {
      if (!TRY(is_revoked(RevokedKind::kSigner, signer.bytes))) continue;
      return Error(ErrorCode::kRefused,
                   "a signer of the release is revoked, " + to_hex(signer.bytes));
    }
    return done();
  }

  Status check_counter(const RegisteredRelease& release) {
    const Row product = product_row(release.authority, release.product);
    TRY(loader::check_floor(TRY(floor_of(product)), release.counter, release.release));
    const auto rows = TRY(database_.query(
        "SELECT counter, release_digest FROM releases WHERE authority = $1 AND product = $2"
        " ORDER BY counter DESC LIMIT 1",
        product));
    if (rows.empty()) return done();
    Columns in(rows.front());
    const std::uint64_t highest = TRY(in.number());
    const Digest registered = TRY(in.digest());
    if (release.counter < highest) {
      return Error(ErrorCode::kRefused, "counter " + std::to_string(release.counter) +
                                            " is below " + std::to_string(highest) +
                                            ", which is registered: an older release");
    }
    if (release.counter == highest && registered != release.release) {
      return Error(ErrorCode::kRefused, "another release with counter " + std::to_string(highest) +
                                            " is registered, " + to_hex(registered.bytes));
    }
    return done();
  }

  Result<loader::Floor> floor_of(const Row& product) {
    const auto rows = TRY(database_.query(
        "SELECT counter, release_digest FROM floors WHERE authority = $1 AND product = $2",
        product));
    loader::Floor floor;
    if (rows.empty()) return floor;
    Columns in(rows.front());
    floor.counter = TRY(in.number());
    const ByteVector release = TRY(in.bytes());
    if (!release.empty()) floor.release = TRY(Columns(Row{release}).digest());
    return floor;
  }

  Status raise_floor(const ProductFloor& raised) {
    TRY(check_product(raised.product));
    Row row = product_row(raised.authority, raised.product);
    const loader::Floor floor = TRY(floor_of(row));
    const loader::Floor& wanted = raised.floor;
    const bool other =
        wanted.counter == floor.counter && floor.release && wanted.release != floor.release;
    if (wanted.counter == 0 || wanted.counter < floor.counter || other) {
      return Error(ErrorCode::kRefused, "the floor of " + printable(raised.product) + " is " +
                                            std::to_string(floor.counter) +
                                            " and is never lowered");
    }
    row.push_back(TRY(number_value(wanted.counter, "counter")));
    row.push_back(wanted.release ? bytes_value(wanted.release->bytes) : Value(ByteVector()));
    TRY(
        database_.run("INSERT INTO floors (authority, product, counter, release_digest)"
                      " VALUES ($1, $2, $3, $4) ON CONFLICT (authority, product) DO UPDATE"
                      " SET counter = excluded.counter, release_digest = excluded.release_digest",
                      row));
    return done();
  }
  // As high as it is already is no rise, and no news either.
  Status restore_floor(const ProductFloor& said) {
    TRY(check_product(said.product));
    const loader::Floor known = TRY(floor_of(product_row(said.authority, said.product)));
    return said.floor.counter != 0 && said.floor.counter == known.counter ? done()
                                                                          : raise_floor(said);
  }

  // Of every product that is given out, the operator has to say where it was.
  Status check_floors_said(const Reconcile& change) {
    if (change.floors_unchanged) return done();
    std::string unsaid;
    TRY(database_.for_each(
        "SELECT authority, product, MAX(counter) FROM releases GROUP BY authority, product"
        " ORDER BY product, authority",
        {}, [&](const Row& row) -> Status {
          Columns in(row);
          const Digest authority = TRY(in.digest());
          const ByteVector product = TRY(in.bytes());
          const auto& floors = change.floors;
          const bool said =
              std::any_of(floors.begin(), floors.end(), [&](const ProductFloor& floor) {
                return floor.authority == authority && floor.product == as_text(product);
              });
          if (said) return done();
          unsaid += (unsaid.empty() ? "" : ", ") + printable(as_text(product)) + " (counter " +
                    std::to_string(TRY(in.number())) + " is registered)";
          return done();
        }));
    if (unsaid.empty()) return done();
    return Error(ErrorCode::kRefused,
                 "nobody said which releases were registered since the backup: of " + unsaid);
  }

  Status revoke(const Revocation& revocation) {
    TRY(check_revocation(revocation));
    TRY(database_.run(
        "INSERT INTO revocations (kind, value, because, since)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT (kind, value) DO NOTHING",
        {static_cast<std::int64_t>(revocation.kind), revocation.value, revocation.because,
         TRY(number_value(revocation.since == 0 ? now_ : revocation.since, "time"))}));
    return done();
  }

  Status add_key(const BrokerKey& key) {
    const Digest digest = key.digest();
    if (TRY(count("SELECT COUNT(*) FROM broker_keys WHERE digest = $1",
                  {bytes_value(digest.bytes)})) != 0) {
      return Error(ErrorCode::kRefused, "the key is listed already, " + to_hex(digest.bytes));
    }
    TRY(database_.run(
        "INSERT INTO broker_keys (digest, used_for, spki, not_before, not_after)"
        " VALUES ($1, $2, $3, $4, $5)",
        {bytes_value(digest.bytes), static_cast<std::int64_t>(key.use), key.spki,
         TRY(number_value(key.not_before, "time")), TRY(number_value(key.not_after, "time"))}));
    return done();
  }

  Status end_key(const EndKey& end) {
    const std::string key = "key " + to_hex(end.key.bytes);
    if (end.not_after == 0) return Error(ErrorCode::kUsage, "a key ends at a time");
    const auto rows = TRY(database_.query("SELECT not_after FROM broker_keys WHERE digest = $1",
                                          {bytes_value(end.key.bytes)}));
    TRY(must_exist(rows.size(), key));
    const std::uint64_t known = TRY(Columns(rows.front()).number());
    if (known != 0 && known < end.not_after) {
      return Error(ErrorCode::kRefused, key + " ends at " + utc_text(known) + ", before " +
                                            utc_text(end.not_after) + ": no end is put off");
    }
    TRY(database_.run("UPDATE broker_keys SET not_after = $1 WHERE digest = $2",
                      {TRY(number_value(end.not_after, "time")), bytes_value(end.key.bytes)}));
    return done();
  }

  Result<std::uint64_t> end_lease(const loader::Instance& instance) {
    return database_.run("UPDATE leases SET ends = $1 WHERE instance = $2 AND ends > $1",
                         {TRY(number_value(now_, "time")), bytes_value(instance)});
  }

  Database& database_;
  HeadRow& head_;
  std::uint64_t now_;
};

}  // namespace

Result<std::string> make_change(Database& database, const Change& change, HeadRow& head,
                                std::uint64_t now) {
  return std::visit(Changer(database, head, now), change);
}

}  // namespace sealpack::broker::internal
