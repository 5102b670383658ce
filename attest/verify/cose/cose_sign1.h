// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "formats/base/reason.h"
#include "keymgmt/crypto/device_signature.h"

namespace sealpack::attest {

// COSE_Sign1 (RFC 9052 section 4.2) as tokens use it: ECDSA, payload inside. Views into the input;
// nothing is proven before verify_cose_sign1.
struct CoseSign1 {
  crypto::HashAlgorithm hash = crypto::HashAlgorithm::kSha256;
  crypto::DeviceKey::Type key_type = crypto::DeviceKey::Type::kEcdsaP256;
  Bytes protected_header;  // as it is signed
  Bytes payload;
  Bytes signature;  // r || s
};

// Whether the tag 18 that says "COSE_Sign1" may be left out.
enum class CoseTag { kRequired, kOptional };

// Adds why not and gives nothing for: other bytes, or no algorithm or one outside the protected
// header ("cose.malformed"), a Mac0 ("cose.mac0": whoever verifies one could have made it), another
// algorithm than ES256, ES384 and ES512 ("cose.algorithm"), critical headers ("cose.critical": none
// is understood), a payload that is elsewhere ("cose.detached"). `what` names the token in
// messages.
std::optional<CoseSign1> parse_cose_sign1(Bytes bytes, std::string_view what, CoseTag tag,
                                          std::vector<Reason>& reasons);

// Whether the signature is by `key`, over the protected header and payload as they came. The
// algorithm decides the curve: a key on another one proves nothing.
bool verify_cose_sign1(const CoseSign1& token, const crypto::DeviceKey& key);

}  // namespace sealpack::attest
