// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/store/record_bytes.h"
#include "keymgmt/broker/store/sql_store.h"

namespace sealpack::broker::internal {
namespace {

Result<RegisteredRelease> read_release(const Row& row) {
  Columns in(row);
  RegisteredRelease out;
  out.release = TRY(in.digest());
  out.vendor = TRY(in.text());
  out.authority = TRY(in.digest());
  out.content = TRY(in.digest());
  out.uuid = TRY(in.array<sizeof(bundle::Uuid)>());
  out.product = as_text(TRY(in.bytes()));
  out.counter = TRY(in.number());
  out.trust = TRY(in.digest());
  out.signers = TRY(parse_digests(TRY(in.bytes())));
  out.head = TRY(bundle::parse_head(TRY(in.bytes())));
  out.added = TRY(in.number());
  return out;
}

Result<ProductFloor> read_floor(const Row& row) {
  Columns in(row);
  ProductFloor out;
  out.authority = TRY(in.digest());
  out.product = as_text(TRY(in.bytes()));
  out.floor.counter = TRY(in.number());
  const ByteVector release = TRY(in.bytes());
  if (release.empty()) return out;
  out.floor.release = TRY(Columns(Row{release}).digest());
  return out;
}

Result<Revocation> read_revocation(const Row& row) {
  Columns in(row);
  Revocation out;
  const std::uint64_t kind = TRY(in.number());
  if (kind < 1 || kind > static_cast<std::uint64_t>(RevokedKind::kSigner)) {
    return Error(ErrorCode::kMalformed, "the store revokes what this version does not know");
  }
  out.kind = static_cast<RevokedKind>(kind);
  out.value = TRY(in.bytes());
  out.because = TRY(in.text());
  out.since = TRY(in.number());
  return out;
}

Result<Licence> read_licence(const Row& row) {
  Columns in(row);
  Licence out;
  out.authority = TRY(in.digest());
  out.product = as_text(TRY(in.bytes()));
  out.max_instances = TRY(in.number());
  out.not_before = TRY(in.number());
  out.not_after = TRY(in.number());
  out.lease_seconds = TRY(in.number());
  out.devices = TRY(parse_list(TRY(in.bytes())));
  return out;
}

Result<ProductPolicy> read_policy(const Row& row) {
  Columns in(row);
  ProductPolicy out;
  out.authority = TRY(in.digest());
  out.product = as_text(TRY(in.bytes()));
  out.text = TRY(in.text());
  return out;
}

Result<TpmDevice> read_tpm(const Row& row) {
  Columns in(row);
  TpmDevice out;
  out.attestation_key = TRY(in.digest());
  out.ak_name = TRY(in.bytes());
  out.ek_name = TRY(in.bytes());
  out.name = TRY(in.text());
  return out;
}

Result<BrokerKey> read_key(const Row& row) {
  Columns in(row);
  BrokerKey out;
  const Digest digest = TRY(in.digest());
  const std::uint64_t use = TRY(in.number());
  if (use < 1 || use > static_cast<std::uint64_t>(KeyUse::kLog)) {
    return Error(ErrorCode::kMalformed, "the store has a key for what this version does not know");
  }
  out.use = static_cast<KeyUse>(use);
  out.spki = TRY(in.bytes());
  out.not_before = TRY(in.number());
  out.not_after = TRY(in.number());
  if (out.digest() != digest) {
    return Error(ErrorCode::kMalformed, "the store has a key under the digest of another");
  }
  return out;
}

Result<Vendor> read_vendor(const Row& row) {
  Columns in(row);
  const std::string name = TRY(in.text());
  return parse_vendor(name, TRY(in.bytes()));
}

template <typename Record>
Status read_all(Database& database, const char* sql, Result<Record> (*read)(const Row&),
                std::vector<Record>& out) {
  return database.for_each(sql, {}, [&](const Row& row) -> Status {
    out.push_back(TRY(read(row)));
    return done();
  });
}

}  // namespace

Result<Lease> read_lease(const Row& row) {
  Columns in(row);
  Lease out;
  out.instance = TRY(in.array<sizeof(loader::Instance)>());
  out.authority = TRY(in.digest());
  out.product = as_text(TRY(in.bytes()));
  out.release = TRY(in.digest());
  out.device = TRY(in.bytes());
  out.since = TRY(in.number());
  out.until = TRY(in.number());
  out.renewals = TRY(in.number());
  return out;
}

Result<State> read_state(Database& database) {
  const HeadRow head = TRY(read_head(database));
  State state;
  state.generation = head.generation;
  state.epoch = head.epoch;
  state.epoch_id = head.epoch_id;
  state.last_time = head.last_time;
  state.clock_confirmed = head.clock_confirmed;
  state.log_id = head.log_id;
  state.reconciled = head.reconciled;
  state.restored_at = head.restored_at;
  Row secret = TRY(database.query_one("SELECT secret FROM challenge_key WHERE id = 1"));
  ByteVector* bytes = std::get_if<ByteVector>(&secret.front());
  if (bytes == nullptr || bytes->size() != kChallengeKeySize) {
    return Error(ErrorCode::kMalformed, "the store has no challenge key");
  }
  state.challenge_key =
      std::make_shared<const crypto::SecretBytes>(crypto::SecretBytes::copy_of(*bytes));
  crypto::wipe(*bytes);
  TRY(read_all(database, "SELECT name, trust FROM vendors ORDER BY name", read_vendor,
               state.vendors));
  TRY(read_all(
      database,
      "SELECT release_digest, vendor, authority, content_digest, uuid, product, counter,"
      " trust, signers, bundle_head, added FROM releases ORDER BY authority, product, counter",
      read_release, state.releases));
  TRY(read_all(database,
               "SELECT authority, product, counter, release_digest FROM floors"
               " ORDER BY authority, product",
               read_floor, state.floors));
  TRY(read_all(database, "SELECT kind, value, because, since FROM revocations ORDER BY kind, value",
               read_revocation, state.revocations));
  TRY(read_all(database,
               "SELECT authority, product, max_instances, not_before, not_after, lease_seconds,"
               " devices FROM licences ORDER BY authority, product",
               read_licence, state.licences));
  TRY(read_all(database,
               "SELECT authority, product, policy FROM policies ORDER BY authority, product",
               read_policy, state.policies));
  TRY(read_all(
      database,
      "SELECT attestation_key, ak_name, ek_name, name FROM tpm_devices ORDER BY attestation_key",
      read_tpm, state.tpm_devices));
  TRY(read_all(database,
               "SELECT digest, used_for, spki, not_before, not_after FROM broker_keys"
               " ORDER BY not_before, digest",
               read_key, state.keys));
  return state;
}

}  // namespace sealpack::broker::internal
