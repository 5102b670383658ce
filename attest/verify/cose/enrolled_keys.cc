// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/cose/enrolled_keys.h"

#include <algorithm>

#include "keymgmt/crypto/sha256.h"

namespace sealpack::attest {

std::optional<Digest> signed_by_enrolled_key(const CoseSign1& token,
                                             const std::vector<ByteVector>& public_keys,
                                             const std::vector<Digest>& trusted,
                                             const std::string& family,
                                             std::vector<Reason>& reasons) {
  std::size_t tried = 0;
  for (const ByteVector& der : public_keys) {
    const Digest digest = crypto::sha256(der);
    if (std::find(trusted.begin(), trusted.end(), digest) == trusted.end()) continue;
    const auto key = crypto::DeviceKey::from_spki(der);
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
