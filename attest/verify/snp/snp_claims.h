// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to attest/verify/snp.

#include "attest/policy/claims.h"
#include "attest/verify/snp/endorsement_key.h"

namespace sealpack::attest::snp {

// What was proven beside the report itself.
struct Proven {
  Tcb reported;
  Tcb current;
  Tcb committed;
  Tcb launch;
  bool revocation_checked = false;
};

// All that a proven report says. docs/attestation/sev-snp.md lists the claims.
Claims claims_of(const Report& report, const EndorsementKey& key, const Proven& proven);

}  // namespace sealpack::attest::snp
