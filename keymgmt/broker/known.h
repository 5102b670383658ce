// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/broker/store.h"

namespace sealpack::broker {

// Whether the broker ever met what a revocation names: a bundle, release or signer among those that
// are registered or trusted, a device or measurement in evidence that was proven here, in a policy
// or in a licence. What it never met may be revoked all the same, as a precaution; or it is a
// mistake in writing, and the operator wants to hear of it.
Result<bool> is_known(Store& store, RevokedKind kind, Bytes value);

// Whether the broker ever met a device: its TPM is enrolled, or its evidence was proven here.
Result<bool> has_met(Store& store, Bytes device);

}  // namespace sealpack::broker
