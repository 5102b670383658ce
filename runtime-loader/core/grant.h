// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/signature.h"
#include "runtime-loader/core/counter_store.h"

// How a content key comes to a TEE from somebody who holds it (docs/LOADER-FORMATS.md §2): the TEE
// makes a key for this one exchange, a broker (or, for a simulated TEE, the host) seals the content
// key to it, bound to everything both sides know of the exchange.
namespace sealpack::loader {

inline constexpr std::uint64_t kMaxKeyRequestSize = 256U << 10U;
inline constexpr std::uint64_t kMaxKeyGrantSize = 16U << 10U;
inline constexpr std::uint64_t kMaxEvidenceSize = 128U << 10U;

// What the broker gave to start the exchange. A host that holds the key itself makes one up.
struct Challenge {
  ByteVector nonce;  // 16 to 64 bytes
  ByteVector id;     // at most 256 bytes, opaque
  bool operator==(const Challenge&) const = default;
};

// Names a running copy of a bundle for which a broker granted a lease; the broker chooses it.
using Instance = std::array<std::uint8_t, 16>;

// One exchange, as both sides know it.
struct GrantTerms {
  Challenge challenge;
  Digest broker;  // digest of the broker's key; zero without one
  Digest authority;
  Digest content;
  Digest release;
  std::string tee;        // "simulated", "sev-snp", … as in a release's policy
  ByteVector public_key;  // SPKI of the TEE's key for this exchange: X25519
  std::string role;       // of the bundle in the session
  // The lease that the request prolongs: one that this TEE was granted. A measured loader names no
  // other, and what it names is in its evidence; that is why a host cannot run two copies on one.
  std::optional<Instance> renews = {};
  bool operator==(const GrantTerms&) const = default;
};
// T: HPKE info of the grant, and what the evidence is over (report_data_for).
ByteVector grant_transcript(const GrantTerms& terms);

// What a TEE of that type binds in its evidence to stand for `statement` (a transcript, or the
// endorsement of a key): all of the field that its evidence has for that, nothing cut, nothing
// padded. SHA-384 for Nitro, SHA-256 for TPM quotes (tpm, azure-*), SHA-512 for all others.
ByteVector report_data_for(std::string_view tee, Bytes statement);

struct KeyRequest {
  GrantTerms terms;
  ByteVector evidence;  // empty where the backend has none
  bool operator==(const KeyRequest&) const = default;
};
ByteVector serialize_key_request(const KeyRequest& request);
Result<KeyRequest> parse_key_request(Bytes bytes);

// What a grant says besides the key. Bound to the sealed key and, if signed, by the signature.
struct GrantFacts {
  std::uint64_t unix_seconds = 0;   // when it was made; 0: not stated
  std::optional<Floor> floor = {};  // for the bundle's authority and product
  // Until when the key may be used, Unix seconds by the broker's clock; 0: no end. A lease has an
  // instance, and only a lease.
  std::uint64_t lease_until = 0;
  std::optional<Instance> instance = {};
  bool operator==(const GrantFacts&) const = default;
};

struct KeyGrant {
  ByteVector payload;    // as it was signed
  ByteVector signature;  // empty: unsigned
  bool operator==(const KeyGrant&) const = default;
};
ByteVector serialize_key_grant(const KeyGrant& grant);
Result<KeyGrant> parse_key_grant(Bytes bytes);

// The granting side: seals `key` for the request. `broker` signs; nullptr leaves it unsigned.
Result<KeyGrant> make_key_grant(const KeyRequest& request, const crypto::ContentKey& key,
                                const GrantFacts& facts, const crypto::Signer* broker);

// What a grant says, unproven: for a host that plans when to ask for another.
Result<GrantFacts> claimed_facts(const KeyGrant& grant);

// The TEE's side. `broker`: the pinned key, whose signature is then required.
struct GrantedKey {
  crypto::ContentKey key;
  GrantFacts facts;
};
// kNotAuthentic for a signature; kKeyUnavailable when the grant was made for another exchange,
// never why; kMalformed.
Result<GrantedKey> open_key_grant(const KeyGrant& grant, const GrantTerms& terms,
                                  const crypto::Decryptor& exchange_key,
                                  const std::optional<crypto::VerifyingKey>& broker);

}  // namespace sealpack::loader
