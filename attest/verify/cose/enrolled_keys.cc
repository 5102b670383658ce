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

}  // namespace

Result<crypto::DeviceKey> remembered_key(Bytes encoded, ParseKey parse, ChainCache* cache) {
  return cache != nullptr ? cache->memory<KeyMemory>().key_of(encoded, parse) : parse(encoded);
}

std::optional<Digest> signed_by_enrolled_key(const CoseSign1& token,
                                             const std::vector<ByteVector>& public_keys,
                                             const std::vector<Digest>& trusted,
                                             const std::string& family, ChainCache* cache,
                                             std::vector<Reason>& reasons) {
  std::size_t tried = 0;
  for (const ByteVector& der : public_keys) {
    const Digest digest = crypto::sha256(der);
    if (std::find(trusted.begin(), trusted.end(), digest) == trusted.end()) continue;
    const auto key = remembered_key(der, crypto::DeviceKey::from_spki, cache);
    // One key has one encoding, and so one digest.
    if (!key.ok() || key->spki() != der) continue;
    ++tried;
    if (verify_cose_sign1(token, *key)) return digest;
  }
  if (tried == 0) {
    reasons.push_back({family + ".key", "none of the " + std::to_string(public_keys.size()) +
                                            " public keys that were supplied is enrolled"});
  } else {
    reasons.push_back({family + ".signature", "the signature is by none of the " +
                                                  std::to_string(tried) + " enrolled keys"});
  }
  return std::nullopt;
}

}  // namespace sealpack::attest
