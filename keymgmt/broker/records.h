// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/bundle/content.h"
#include "formats/bundle/head.h"
#include "keymgmt/broker/log_entry.h"
#include "keymgmt/crypto/secret_bytes.h"
#include "runtime-loader/core/counter_store.h"
#include "runtime-loader/core/grant.h"
#include "unpacker/core/trust.h"

// What a broker is told by its operator, and what it remembers of it. Times are Unix seconds.
namespace sealpack::broker {

// Whose bundles are taken: by what trust `broker add` verified them. A release is served as long as
// the trust it came by is there: under another one of the same name it has to be added again.
struct Vendor {
  std::string name;  // 1 to 64 bytes of a-z, 0-9, '-'
  unpacker::Trust trust;
};
// Of name and trust, as they are stored. kUsage for a name that is none.
Result<Digest> trust_digest(const Vendor& vendor);

// A release that may be given out: the proof is Vendor's trust, at the time it was added.
struct RegisteredRelease {
  std::string vendor;
  Digest authority;
  Digest content;
  Digest release;  // SHA-256 of the payload
  bundle::Uuid uuid{};
  std::string product;
  std::uint64_t counter = 0;
  Digest trust;                 // trust_digest of the vendor by whose trust it was verified
  std::vector<Digest> signers;  // whose signatures counted
  // The release's envelope, and of its slots those that the broker's recipient keys open.
  bundle::Head head;
  std::uint64_t added = 0;
};

// The lowest release of a product that is still given out; grants carry it to the loader.
struct ProductFloor {
  Digest authority;
  std::string product;
  loader::Floor floor;
};

enum class RevokedKind : std::uint8_t {
  kDevice = 1,       // value of a claim that names a device: chip_id, ek_name, instance_id …
  kContent = 2,      // a bundle, all its releases
  kRelease = 3,      // one release
  kMeasurement = 4,  // value of any claim that measures: measurement, mrtd, pcr4, vbios …
  kSigner = 5,       // a vendor's signing key: what it signed is no longer given out
};
const char* to_string(RevokedKind kind);  // "device"
struct Revocation {
  RevokedKind kind{};
  ByteVector value;  // digests have 32 bytes
  std::string because;
  std::uint64_t since = 0;
};

// How often and where a product may run. Without one a product is not limited.
struct Licence {
  Digest authority;
  std::string product;
  std::uint64_t max_instances = 0;  // leases that run at a time; 0: not limited
  std::uint64_t not_before = 0;     // 0: always
  std::uint64_t not_after = 0;      // 0: never ends
  std::uint64_t lease_seconds = 0;  // of each lease; 0: no leases; limits of instances need them
  std::vector<ByteVector> devices;  // as for RevokedKind::kDevice, ascending; empty: any
};

// The broker's own rules for a product, on top of what its release says. TOML as in POLICY.md.
struct ProductPolicy {
  Digest authority;
  std::string product;
  std::string text;
};

// An attestation key of a TPM, believed since it was enrolled (credential activation).
struct TpmDevice {
  Digest attestation_key;  // of its SPKI
  ByteVector ak_name;      // contents of its TPM2B_NAME, which fixes its attributes
  ByteVector ek_name;      // and of the endorsement key's
  std::string name;        // for people
};

enum class KeyUse : std::uint8_t {
  kRecipient = 1,  // bundles have slots for it
  kGrants = 2,     // signs grants; TEEs pin it
  kLog = 3,        // signs checkpoints
};
const char* to_string(KeyUse use);  // "recipient"
// A key of the broker's own. Rotation adds one and ends another: what an old one signed stays
// verifiable.
struct BrokerKey {
  KeyUse use{};
  ByteVector spki;
  std::uint64_t not_before = 0;
  std::uint64_t not_after = 0;  // 0: in use
  Digest digest() const;
};

// An instance that runs.
struct Lease {
  loader::Instance instance{};
  Digest authority;
  std::string product;
  Digest release;
  ByteVector device;  // empty where the evidence names none
  std::uint64_t since = 0;
  std::uint64_t until = 0;
  std::uint64_t renewals = 0;
};

// Which state of which store: one that was restored or replaced is another, whatever its generation
// is. EpochId is random, so it names the log and the epoch as well.
struct StateVersion {
  EpochId epoch_id{};
  std::uint64_t generation = 0;
  bool operator==(const StateVersion&) const = default;
};

// All that decides, at one moment.
struct State {
  StateVersion version() const { return {epoch_id, generation}; }
  std::uint64_t generation = 0;  // grows with every change
  std::uint64_t epoch = 0;       // grows with every restore
  EpochId epoch_id{};            // tells restores of one backup apart
  Digest log_id;                 // random, names the log
  std::uint64_t last_time = 0;   // the latest that was logged and believed
  // The change that confirmed the clock (ConfirmClock), by its generation; 0: none did.
  std::uint64_t clock_confirmed = 0;
  // After a restore: whether the operator reconciled it. Until then nothing is released.
  bool reconciled = true;
  // Leases that a restore may have lost: until restored_at + Licence::lease_seconds no new instance
  // counts as free. 0: none are missing.
  std::uint64_t restored_at = 0;
  std::shared_ptr<const crypto::SecretBytes> challenge_key;

  std::vector<Vendor> vendors;              // ascending by name
  std::vector<RegisteredRelease> releases;  // ascending by authority, product, counter
  std::vector<ProductFloor> floors;
  std::vector<Revocation> revocations;
  std::vector<Licence> licences;
  std::vector<ProductPolicy> policies;
  std::vector<TpmDevice> tpm_devices;
  std::vector<BrokerKey> keys;
};

}  // namespace sealpack::broker
