// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "attest/verify/chain_cache.h"
#include "attest/verify/cose/cose_sign1.h"

namespace sealpack::attest {

// The SPKI digest of the key among `public_keys` (DER) that made the signature and that `trusted`
// names; a key that comes with the token is never one. `instance_id` is what the token says, not
// proven: where it is made of one of the keys, that one alone is tried, else kMaxUnnamedKeys are.
// Adds "FAMILY.key" where none of those supplied is trusted, "FAMILY.signature" where none of them
// signed, "FAMILY.unnamed-key" where there are more to try.
inline constexpr std::size_t kMaxUnnamedKeys = 1024;
std::optional<Digest> signed_by_enrolled_key(const CoseSign1& token, Bytes instance_id,
                                             const std::vector<ByteVector>& public_keys,
                                             const std::vector<Digest>& trusted,
                                             const std::string& family, ChainCache* cache,
                                             std::vector<Reason>& reasons);

// What `parse` makes of `encoded`, or what it made of the same bytes before: decoding a point takes
// as long as verifying a signature.
using ParseKey = Result<crypto::DeviceKey> (*)(Bytes encoded);
Result<crypto::DeviceKey> remembered_key(Bytes encoded, ParseKey parse, ChainCache* cache);

}  // namespace sealpack::attest
