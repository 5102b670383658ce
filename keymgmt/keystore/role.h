// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace sealpack::keystore {

// What a key is for. Written into .pub files and trust.toml; a key never serves two roles.
enum class Role {
  kAuthority,      // root: may release a product
  kPublisher,      // signs releases on the authority's behalf
  kReviewer,       // countersigns releases
  kGrantor,        // countersigns grants and floor resets
  kGrantSigner,    // a broker's: signs grants; TEEs pin it
  kLog,            // a broker's: signs checkpoints of its release log
  kSimulatedRoot,  // signs SIMULATED evidence
  kRecipient,      // opens bundles wherever its key is (direct slot)
  kEscrow,         // the vendor's own way back in (direct slot, named in the release)
  kBroker,         // opens bundles for those who prove their environment (attested slot)
  kDevice,         // sealed to a TPM or TEE (attested slot)
};
const char* to_string(Role role);
std::optional<Role> parse_role(std::string_view name);
bool signs(Role role);  // recipient, escrow, broker and device unwrap, the others sign

}  // namespace sealpack::keystore
