// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/cose/enrolled_keys.h"

#include <algorithm>

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

std::size_t point_size(crypto::DeviceKey::Type type) {
  switch (type) {
    case crypto::DeviceKey::Type::kEcdsaP256:
      return 65;
    case crypto::DeviceKey::Type::kEcdsaP384:
      return 97;
    case crypto::DeviceKey::Type::kEcdsaP521:
      return 133;
    case crypto::DeviceKey::Type::kRsa:
      break;
  }
  die("a token that is signed with RSA");
}

// 01, then SHA-256 of the uncompressed point, which stands at the end of a key's SPKI. So most
// devices make their id (PSA Certified Attestation API, TF-M); RFC 9783 and the RMM specification
// ask for one that is unique, and for no more.
bool is_made_of(Bytes instance_id, Bytes spki, crypto::DeviceKey::Type type) {
  const std::size_t size = point_size(type);
  if (instance_id.size() != 1 + Digest::kSize || instance_id[0] != 1 || spki.size() < size) {
    return false;
  }
  const Digest digest = crypto::sha256(spki.last(size));
  return std::equal(digest.bytes.begin(), digest.bytes.end(), instance_id.begin() + 1);
}

struct Enrolled {
  Bytes spki;
  Digest digest;
};

// Those that are supplied and trusted; one, where the token says that it is by that.
std::vector<Enrolled> keys_to_try(const CoseSign1& token, Bytes instance_id,
                                  const std::vector<ByteVector>& public_keys,
                                  const std::vector<Digest>& trusted) {
  std::vector<Enrolled> keys;
  for (const ByteVector& der : public_keys) {
    const Digest digest = crypto::sha256(der);
    if (std::find(trusted.begin(), trusted.end(), digest) == trusted.end()) continue;
    if (is_made_of(instance_id, der, token.key_type)) return {{der, digest}};
    keys.push_back({der, digest});
  }
  return keys;
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
  std::size_t enrolled = 0;
  std::size_t tried = 0;
  for (const Enrolled& one : keys_to_try(token, instance_id, public_keys, trusted)) {
    if (tried == kMaxUnnamedKeys) {
      reasons.push_back({family + ".unnamed-key",
                         "the instance id is made of none of the enrolled keys, and the signature "
                         "is by none of the first " +
                             std::to_string(tried) + "; no more are tried"});
      return std::nullopt;
    }
    const auto key = remembered_key(one.spki, crypto::DeviceKey::from_spki, cache);
    // One key has one encoding, and so one digest.
    if (!key.ok() ||
        !std::equal(one.spki.begin(), one.spki.end(), key->spki().begin(), key->spki().end()))
      continue;
    ++enrolled;
    if (key->type() != token.key_type) continue;
    ++tried;
    if (verify_cose_sign1(token, *key)) return one.digest;
  }
  if (enrolled == 0) {
    reasons.push_back({family + ".key", "none of the " + std::to_string(public_keys.size()) +
                                            " public keys that were supplied is enrolled"});
  } else {
    reasons.push_back({family + ".signature", "the signature is by none of the " +
                                                  std::to_string(enrolled) +
                                                  " enrolled keys that the token may be by"});
  }
  return std::nullopt;
}

}  // namespace sealpack::attest
