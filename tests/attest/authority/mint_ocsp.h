// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/attest/authority/mint.h"

namespace sealpack::testing {

enum class MintOcspStatus { kGood, kOnHold, kRevoked, kUnknown };

// One answer about one certificate, as a responder gives it.
struct MintOcsp {
  MintOcspStatus status = MintOcspStatus::kGood;
  std::uint64_t this_update = 1700000000;
  std::optional<std::uint64_t> next_update = 2000000000;
  std::optional<std::uint64_t> produced_at = {};                   // `this_update` if not stated
  crypto::HashAlgorithm id_hash = crypto::HashAlgorithm::kSha384;  // SHA-256 or SHA-384
  crypto::HashAlgorithm hash = crypto::HashAlgorithm::kSha384;     // of the signature
  bool named_by_key = true;        // the responder; by its name otherwise
  bool with_certificate = true;    // of the responder
  std::optional<bool> nonce = {};  // an extension of the response, critical or not
  bool unknown_extension = false;  // critical
  std::size_t copies = 1;          // of the answer
};

// DER of a response about `certificate` by `issuer`, signed by the key of `responder`; all are DER.
ByteVector mint_ocsp(const MintOcsp& what, Bytes certificate, Bytes issuer, Bytes responder,
                     const MintKey& responder_key);

// Value of extKeyUsage: id-kp-OCSPSigning, or id-kp-serverAuth.
MintExtension ocsp_signing();
MintExtension server_authentication();

// A response that is a refusal of the responder: "try later".
ByteVector mint_ocsp_refusal();

}  // namespace sealpack::testing
