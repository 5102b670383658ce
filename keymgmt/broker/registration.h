// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/broker/store.h"
#include "keymgmt/crypto/key_wrap.h"
#include "unpacker/core/bundle.h"

namespace sealpack::broker {

// Verifies a bundle by a vendor's trust and makes of it what a store registers. `slots`: slots for
// the broker in grant files of the bundle's uuid and content (`sealpack grant`), besides those of
// its head. kRefused where the release demands no attestation (a broker would give it to anybody)
// and where none of `recipients` opens a slot of class attested; what UnverifiedBundle::verify
// says.
Result<RegisteredRelease> register_bundle(
    std::shared_ptr<const BlockSource> source, const Vendor& vendor, const unpacker::Clock& clock,
    std::span<const bundle::Grant> slots,
    std::span<const std::unique_ptr<crypto::Decryptor>> recipients);

}  // namespace sealpack::broker
