// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/verify.h"

namespace sealpack::attest {

// Adds what a file holds to `out`, told by its content and never by its name:
//   certificates, revocation lists, public keys   DER, PEM (several of each), hex of DER
//   public keys                                   JSON Web Key, or a set of them
//   Intel's TCB info and enclave identities       as its service has them; dcap-qvl's collateral
//   OCSP responses                                DER, hex of it
//   a message of endorsements (endorsements.h)
// Nothing is proven. `name` stands for the file in messages. kMalformed for anything else.
Status add_endorsement_file(Bytes content, const std::string& name, Endorsements& out);

}  // namespace sealpack::attest
