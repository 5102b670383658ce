// SPDX-License-Identifier: Apache-2.0
// What an operator changes. Each function checks the change against what is there, makes it, and
// says in words what it was: the words go into the log.
#include <algorithm>

#include "formats/bundle/encode.h"
#include "keymgmt/broker/store/record_bytes.h"
#include "keymgmt/broker/store/sql_store.h"
#include "keymgmt/crypto/sha256.h"
#include "runtime-loader/core/names.h"

namespace sealpack::broker::internal {
namespace {

constexpr std::size_t kMaxReasonSize = 1024;
constexpr std::size_t kMaxNameSize = 256;
constexpr std::size_t kMaxPolicySize = 256U << 10U;
constexpr std::size_t kMaxDevices = 65536;

Status check_text(std::string_view text, std::size_t limit, const char* what) {
  if (text.size() <= limit && is_utf8(text) && text.find('\0') == std::string_view::npos) {
    return done();
  }
  return Error(ErrorCode::kUsage,
               std::string(what) + " is no text of at most " + std::to_string(limit) + " bytes");
}

Status check_product(const std::string& product) {
  if (!product.empty() && product.size() <= kMaxProductSize) return done();
  return Error(ErrorCode::kLimit, "a product name of " + std::to_string(product.size()) +
                                      " bytes; a broker takes 1 to " +
                                      std::to_string(kMaxProductSize));
}

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
    TRY(must_exist(TRY(count("SELECT COUNT(*) FROM vendors WHERE name = $1", {release.vendor})),
                   "vendor " + printable(release.vendor)));
    TRY(check_not_revoked(release));
    TRY(check_counter(release));
    TRY(database_.run(
        "INSERT INTO releases (release_digest, vendor, authority, content_digest, uuid, product,"
        " counter, signers, bundle_head, added) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT (release_digest) DO UPDATE SET vendor = excluded.vendor,"
        " signers = excluded.signers, bundle_head = excluded.bundle_head, added = excluded.added",
        {bytes_value(release.release.bytes), release.vendor, bytes_value(release.authority.bytes),
         bytes_value(release.content.bytes), bytes_value(release.uuid),
         bytes_value(as_bytes(release.product)), TRY(number_value(release.counter, "counter")),
         serialize_digests(release.signers), bundle::serialize_head(release.head),
         TRY(number_value(release.added, "time"))}));
    return "add release " + to_hex(release.release.bytes) + " of " + printable(release.product) +
           " counter " + std::to_string(release.counter);
  }

  Result<std::string> operator()(const RaiseFloor& change) {
    TRY(raise_floor(change.floor));
    return floor_text(change.floor);
  }

  Result<std::string> operator()(const Revoke& change) {
    TRY(revoke(change.revocation));
    return revocation_text(change.revocation);
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
    return "put licence of " + printable(licence.product) + " instances " +
           std::to_string(licence.max_instances) + " from " + std::to_string(licence.not_before) +
           " to " + std::to_string(licence.not_after) + " lease " +
           std::to_string(licence.lease_seconds) + " devices " +
           std::to_string(licence.devices.size());
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
    const BrokerKey& key = change.key;
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
    return std::string("add key for ") + to_string(key.use) + " " + to_hex(digest.bytes);
  }

  Result<std::string> operator()(const EndKey& change) {
    const std::string key = to_hex(change.key.bytes);
    if (change.not_after == 0) return Error(ErrorCode::kUsage, "a key ends at a time");
    TRY(must_exist(TRY(database_.run("UPDATE broker_keys SET not_after = $1 WHERE digest = $2",
                                     {TRY(number_value(change.not_after, "time")),
                                      bytes_value(change.key.bytes)})),
                   "key " + key));
    return "end key " + key + " at " + std::to_string(change.not_after);
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
    for (const ProductFloor& floor : change.floors) TRY(raise_floor(floor));
    for (const loader::Instance& instance : change.ended) TRY(end_lease(instance));
    head_.reconciled = true;
    if (change.no_lease_is_missing) head_.restored_at = 0;
    return "reconcile: " + std::to_string(change.revocations.size()) + " revocations, " +
           std::to_string(change.floors.size()) + " floors, " +
           std::to_string(change.ended.size()) + " ended leases, " +
           (change.no_lease_is_missing ? "no lease is missing" : "leases may be missing");
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
  static std::string floor_text(const ProductFloor& floor) {
    return "raise floor of " + printable(floor.product) + " to " +
           std::to_string(floor.floor.counter);
  }

  Status revoke(const Revocation& revocation) {
    TRY(check_text(revocation.because, kMaxReasonSize, "the reason"));
    const bool digest =
        revocation.kind != RevokedKind::kDevice && revocation.kind != RevokedKind::kMeasurement;
    const std::size_t size = revocation.value.size();
    if (size == 0 || size > kMaxDeviceSize || (digest && size != Digest::kSize)) {
      return Error(ErrorCode::kUsage, std::string("a ") + to_string(revocation.kind) + " of " +
                                          std::to_string(size) + " bytes");
    }
    TRY(database_.run(
        "INSERT INTO revocations (kind, value, because, since)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT (kind, value) DO NOTHING",
        {static_cast<std::int64_t>(revocation.kind), revocation.value, revocation.because,
         TRY(number_value(revocation.since == 0 ? now_ : revocation.since, "time"))}));
    return done();
  }
  static std::string revocation_text(const Revocation& revocation) {
    return std::string("revoke ") + to_string(revocation.kind) + " " + to_hex(revocation.value) +
           (revocation.because.empty() ? "" : ": " + printable(revocation.because));
  }

  static Status check_licence(const Licence& licence) {
    TRY(check_product(licence.product));
    if (licence.max_instances != 0 && licence.lease_seconds == 0) {
      return Error(ErrorCode::kUsage,
                   "instances are counted by their leases: a licence with a "
                   "number of instances has a lease time");
    }
    if (licence.not_after != 0 && licence.not_after < licence.not_before) {
      return Error(ErrorCode::kUsage, "the licence ends before it begins");
    }
    const auto& devices = licence.devices;
    const bool sized = std::all_of(devices.begin(), devices.end(), [](const ByteVector& one) {
      return !one.empty() && one.size() <= kMaxDeviceSize;
    });
    const bool ascending =
        std::adjacent_find(devices.begin(), devices.end(), std::greater_equal<>()) == devices.end();
    if (devices.size() > kMaxDevices || !sized || !ascending) {
      return Error(ErrorCode::kUsage, "the devices of a licence are ascending and distinct");
    }
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
