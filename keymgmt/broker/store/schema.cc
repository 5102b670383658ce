// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/store/schema.h"

namespace sealpack::broker::internal {
namespace {

// Types are PostgreSQL's; SQLite keeps what it is given. Products have at most 512 bytes, so that
// they fit an index.
constexpr Table kTables[] = {
    {"sealpack_broker", "CREATE TABLE sealpack_broker (version BIGINT PRIMARY KEY)",
     "SELECT version FROM sealpack_broker ORDER BY version",
     "INSERT INTO sealpack_broker (version) VALUES ($1)", true},
    // frontier: hashes of the complete subtrees of the log. forgotten: nonces of challenges that
    // ended up to then are gone.
    {"head",
     "CREATE TABLE head (id BIGINT PRIMARY KEY CHECK (id = 1), generation BIGINT NOT NULL,"
     " epoch BIGINT NOT NULL, size BIGINT NOT NULL, frontier BYTEA NOT NULL,"
     " forgotten BIGINT NOT NULL, reconciled BIGINT NOT NULL, restored_at BIGINT NOT NULL,"
     " log_id BYTEA NOT NULL, epoch_id BYTEA NOT NULL, last_time BIGINT NOT NULL,"
     " clock_confirmed BIGINT NOT NULL)",
     "SELECT id, generation, epoch, size, frontier, forgotten, reconciled, restored_at, log_id,"
     " epoch_id, last_time, clock_confirmed FROM head ORDER BY id",
     "INSERT INTO head (id, generation, epoch, size, frontier, forgotten, reconciled, restored_at,"
     " log_id, epoch_id, last_time, clock_confirmed)"
     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
     true},
    {"challenge_key",
     "CREATE TABLE challenge_key (id BIGINT PRIMARY KEY CHECK (id = 1), secret BYTEA NOT NULL)",
     "SELECT id, secret FROM challenge_key ORDER BY id",
     "INSERT INTO challenge_key (id, secret) VALUES ($1, $2)", false},
    {"vendors", "CREATE TABLE vendors (name TEXT PRIMARY KEY, trust BYTEA NOT NULL)",
     "SELECT name, trust FROM vendors ORDER BY name",
     "INSERT INTO vendors (name, trust) VALUES ($1, $2)", true},
    {"releases",
     "CREATE TABLE releases (release_digest BYTEA PRIMARY KEY, vendor TEXT NOT NULL,"
     " authority BYTEA NOT NULL, content_digest BYTEA NOT NULL, uuid BYTEA NOT NULL,"
     " product BYTEA NOT NULL, counter BIGINT NOT NULL, trust BYTEA NOT NULL,"
     " signers BYTEA NOT NULL, bundle_head BYTEA NOT NULL, added BIGINT NOT NULL,"
     " UNIQUE (authority, product, counter))",
     "SELECT release_digest, vendor, authority, content_digest, uuid, product, counter, trust,"
     " signers, bundle_head, added FROM releases ORDER BY authority, product, counter",
     "INSERT INTO releases (release_digest, vendor, authority, content_digest, uuid, product,"
     " counter, trust, signers, bundle_head, added)"
     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
     true},
    // release_digest: empty where any release of that counter is accepted.
    {"floors",
     "CREATE TABLE floors (authority BYTEA NOT NULL, product BYTEA NOT NULL,"
     " counter BIGINT NOT NULL, release_digest BYTEA NOT NULL, PRIMARY KEY (authority, product))",
     "SELECT authority, product, counter, release_digest FROM floors ORDER BY authority, product",
     "INSERT INTO floors (authority, product, counter, release_digest) VALUES ($1, $2, $3, $4)",
     true},
    {"revocations",
     "CREATE TABLE revocations (kind BIGINT NOT NULL, value BYTEA NOT NULL, because TEXT NOT NULL,"
     " since BIGINT NOT NULL, PRIMARY KEY (kind, value))",
     "SELECT kind, value, because, since FROM revocations ORDER BY kind, value",
     "INSERT INTO revocations (kind, value, because, since) VALUES ($1, $2, $3, $4)", true},
    {"licences",
     "CREATE TABLE licences (authority BYTEA NOT NULL, product BYTEA NOT NULL,"
     " max_instances BIGINT NOT NULL, not_before BIGINT NOT NULL, not_after BIGINT NOT NULL,"
     " lease_seconds BIGINT NOT NULL, devices BYTEA NOT NULL, PRIMARY KEY (authority, product))",
     "SELECT authority, product, max_instances, not_before, not_after, lease_seconds, devices"
     " FROM licences ORDER BY authority, product",
     "INSERT INTO licences (authority, product, max_instances, not_before, not_after,"
     " lease_seconds, devices) VALUES ($1, $2, $3, $4, $5, $6, $7)",
     true},
    {"policies",
     "CREATE TABLE policies (authority BYTEA NOT NULL, product BYTEA NOT NULL,"
     " policy TEXT NOT NULL, PRIMARY KEY (authority, product))",
     "SELECT authority, product, policy FROM policies ORDER BY authority, product",
     "INSERT INTO policies (authority, product, policy) VALUES ($1, $2, $3)", true},
    {"tpm_devices",
     "CREATE TABLE tpm_devices (attestation_key BYTEA PRIMARY KEY, ak_name BYTEA NOT NULL,"
     " ek_name BYTEA NOT NULL, name TEXT NOT NULL)",
     "SELECT attestation_key, ak_name, ek_name, name FROM tpm_devices ORDER BY attestation_key",
     "INSERT INTO tpm_devices (attestation_key, ak_name, ek_name, name) VALUES ($1, $2, $3, $4)",
     true},
    {"broker_keys",
     "CREATE TABLE broker_keys (digest BYTEA PRIMARY KEY, used_for BIGINT NOT NULL,"
     " spki BYTEA NOT NULL, not_before BIGINT NOT NULL, not_after BIGINT NOT NULL)",
     "SELECT digest, used_for, spki, not_before, not_after FROM broker_keys ORDER BY digest",
     "INSERT INTO broker_keys (digest, used_for, spki, not_before, not_after)"
     " VALUES ($1, $2, $3, $4, $5)",
     true},
    {"leases",
     "CREATE TABLE leases (instance BYTEA PRIMARY KEY, authority BYTEA NOT NULL,"
     " product BYTEA NOT NULL, release_digest BYTEA NOT NULL, device BYTEA NOT NULL,"
     " since BIGINT NOT NULL, ends BIGINT NOT NULL, renewals BIGINT NOT NULL)",
     "SELECT instance, authority, product, release_digest, device, since, ends, renewals"
     " FROM leases ORDER BY instance",
     "INSERT INTO leases (instance, authority, product, release_digest, device, since, ends,"
     " renewals) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
     true},
    // By their end, though they are random: those of a moment lie together, and a nonce has one
    // end, since the MAC of its challenge is over both.
    {"nonces",
     "CREATE TABLE nonces (nonce BYTEA NOT NULL, ends BIGINT NOT NULL, PRIMARY KEY (ends, nonce))",
     "SELECT nonce, ends FROM nonces ORDER BY ends, nonce",
     "INSERT INTO nonces (nonce, ends) VALUES ($1, $2)", false},
    {"entries", "CREATE TABLE entries (number BIGINT PRIMARY KEY, entry BYTEA NOT NULL)",
     "SELECT number, entry FROM entries ORDER BY number",
     "INSERT INTO entries (number, entry) VALUES ($1, $2)", true},
    // Hashes of the complete subtrees of 256^level leaves, from level 1 on.
    {"nodes",
     "CREATE TABLE nodes (level BIGINT NOT NULL, number BIGINT NOT NULL, hash BYTEA NOT NULL,"
     " PRIMARY KEY (level, number))",
     "SELECT level, number, hash FROM nodes ORDER BY level, number",
     "INSERT INTO nodes (level, number, hash) VALUES ($1, $2, $3)", true},
    {"claims", "CREATE TABLE claims (digest BYTEA PRIMARY KEY, claims BYTEA NOT NULL)",
     "SELECT digest, claims FROM claims ORDER BY digest",
     "INSERT INTO claims (digest, claims) VALUES ($1, $2)", true},
};

constexpr const char* kIndexes[] = {
    "CREATE INDEX leases_of_product ON leases (authority, product, ends)",
};

}  // namespace

std::span<const Table> tables() {
  return kTables;
}

Status create_tables(Database& database) {
  for (const Table& table : kTables) TRY(database.run(table.definition));
  for (const char* index : kIndexes) TRY(database.run(index));
  return done();
}

Status check_schema(Database& database) {
  const std::uint64_t version =
      TRY(Columns(TRY(database.query_one("SELECT version FROM sealpack_broker"))).number());
  if (version == kSchema) return done();
  return Error(ErrorCode::kUnsupported, "the store has version " + std::to_string(version) +
                                            ", this sealpack reads version " +
                                            std::to_string(kSchema))
      .with_hint("it needs a newer sealpack");
}

}  // namespace sealpack::broker::internal
