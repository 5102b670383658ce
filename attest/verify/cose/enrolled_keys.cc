// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/cose/enrolled_keys.h"

#include <algorithm>
#include <set>

#include "keymgmt/crypto/sha256.h"

namespace sealpack::attest {
namespace {

// By encoding and by how it is read: the same bytes may be different keys in different forms.
class KeyMemory : public ChainCache::Memory {
 public:
  Result<crypto::DeviceKey> key_of(Bytes encoded, ParseKey parse) {
    const Digest digest = crypto::sha256(encoded);
    if (auto known = keys_.find(digest); known && known->parse == parse) return known->key;
    crypto::DeviceKey key = TRY(parse(encoded));
    keys_.put(digest, {key, parse});
    return key;
  }

 private:
  static constexpr std::size_t kCapacity = 4096;
  struct Known {
    crypto::DeviceKey key;
    ParseKey parse;
  };
  Recent<Known> keys_{kCapacity};
};

// Of a key in its one encoding (RFC 5480), at whose end the uncompressed point stands.
struct Sizes {
  std::size_t spki;
  std::size_t point;
};
Sizes sizes_of(crypto::DeviceKey::Type type) {
  switch (type) {
    case crypto::DeviceKey::Type::kEcdsaP256:
      return {91, 65};
    case crypto::DeviceKey::Type::kEcdsaP384:
      return {120, 97};
    case crypto::DeviceKey::Type::kEcdsaP521:
      return {158, 133};
    case crypto::DeviceKey::Type::kRsa:
      break;
  }
  die("a token that is signed with RSA");
}

// 01, then SHA-256 of the uncompressed point. So most devices make their id (PSA Certified
// Attestation API, TF-M); RFC 9783 and the RMM specification ask for one that is unique, and for no
// more.
bool is_made_of(Bytes instance_id, Bytes point) {
  if (instance_id.size() != 1 + Digest::kSize || instance_id[0] != 1) return false;
  const Digest digest = crypto::sha256(point);
  return std::equal(digest.bytes.begin(), digest.bytes.end(), instance_id.begin() + 1);
}

struct Enrolled {
  struct Key {
    Bytes spki;
    Digest digest;
  };
  std::size_t count = 0;  // supplied and trusted
  // Those for the token's algorithm; one, where the token says that it is by that.
  std::vector<Key> to_try;
};

// Reads none of them: of thousands that takes longer than one signature of each.
Enrolled enrolled_keys(const CoseSign1& token, Bytes instance_id,
                       const std::vector<ByteVector>& public_keys,
                       const std::vector<Digest>& trusted) {
  const std::set<Digest> among(trusted.begin(), trusted.end());
  const Sizes sizes = sizes_of(token.key_type);
  Enrolled enrolled;
  for (const ByteVector& der : public_keys) {
    const Digest digest = crypto::sha256(der);
    if (!among.contains(digest)) continue;
    ++enrolled.count;
    if (der.size() != sizes.spki) continue;
    if (is_made_of(instance_id, Bytes(der).last(sizes.point))) return {1, {{der, digest}}};
    enrolled.to_try.push_back({der, digest});
  }
  return enrolled;
}

}  // namespace

Result<crypto::DeviceKey> remembered_key(Bytes encoded, ParseKey parse, ChainCache* cache) {
  return cache != nullptr ? cache->memory<KeyMemory>().key_of(encoded, parse) : parse(encoded);
}

std::optional<Digest> signed_by_enrolled_key(const CoseSign1& token, Bytes instance_id,
                                             const std::vector<ByteVector>& public_keys,
                                             const std::vector<Digest>& trusted,
                                             const std::string& family, ChainCache* cache,
                                             std::vector<Reason>& reasons) {
  const Enrolled enrolled = enrolled_keys(token, instance_id, public_keys, trusted);
  std::size_t tried = 0;
  for (const auto& [spki, digest] : enrolled.to_try) {
    if (tried++ == kMaxUnnamedKeys) {
      reasons.push_back({family + ".unnamed-key",
                         "the instance id is made of none of the enrolled keys, and the signature "
                         "is by none of the first " +
                             std::to_string(kMaxUnnamedKeys) + "; no more are tried"});
      return std::nullopt;
    }
    const auto key = remembered_key(spki, crypto::DeviceKey::from_spki, cache);
    // One key has one encoding, and so one digest.
    const bool is_one =
        key.ok() && key->type() == token.key_type &&
        std::equal(spki.begin(), spki.end(), key->spki().begin(), key->spki().end());
    if (is_one && verify_cose_sign1(token, *key)) return digest;
  }
  if (enrolled.count == 0) {
    reasons.push_back({family + ".key", "none of the " + std::to_string(public_keys.size()) +
                                            " public keys that were supplied is enrolled"});
  } else {
    reasons.push_back({family + ".signature", "the signature is by none of the " +
                                                  std::to_string(enrolled.count) +
                                                  " enrolled keys that the token may be by"});
  }
  return std::nullopt;
}

}  // namespace sealpack::attest
