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
  bool operator==(const GrantTerms&) const = default;
};
// T: HPKE info of the grant; its SHA-512 (or what the TEE has room for) is the evidence's report
// data.
ByteVector grant_transcript(const GrantTerms& terms);

struct KeyRequest {
  GrantTerms terms;
  ByteVector evidence;  // empty where the backend has none
  bool operator==(const KeyRequest&) const = default;
};
ByteVector serialize_key_request(const KeyRequest& request);
Result<KeyRequest> parse_key_request(Bytes bytes);

// What a grant says besides the key. Bound to the sealed key and, if signed, by the signature.
struct GrantFacts {
  std::uint64_t unix_seconds = 0;  // when it was made; 0: not stated
  std::optional<Floor> floor;      // for the bundle's authority and product
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
