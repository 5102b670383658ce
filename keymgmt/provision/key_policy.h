// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/provision/messages.h"
#include "keymgmt/tpm/key_blob.h"

// Internal to keymgmt/provision: the policies of keys, as vendors compute and TPMs execute them.
namespace sealpack::provision {

// What a key is bound to besides what its grantor approves.
struct KeyTerms {
  ByteVector grantor;  // SPKI
  Scope scope;
  std::uint32_t policy_index = 0;
  std::uint64_t epoch = 0;  // of the policy counter
  std::uint32_t minimum = 0;
  tpm::ObjectKind kind{};
  std::uint32_t cap_pcr = 15;
  std::uint32_t floor_index = 0;
  std::uint64_t floor_value = 0;
};
KeyTerms terms_of(const tpm::KeyBlob& key);  // that a vendor provisioned
// Whatever `grantor` approves for this scope and cap PCR, while the policy counter is in this epoch
// and has reached the minimum, for the one command that uses the key. The counter of floors is
// named by what it cannot but satisfy: who uses the key cannot pass another index off as that
// counter.
Result<Digest> key_policy(const KeyTerms& terms);

// What the grantor approves: these PCRs, while no later policy was confirmed.
Digest approved_policy(std::uint32_t policy_index, std::uint32_t number, tpm::PcrMask pcrs,
                       const std::vector<Digest>& values);

// The steps for Tpm::unseal and Tpm::agree.
tpm::PolicyRun policy_run(const BootPolicy& policy, const BootPolicy::Environment& environment,
                          const KeyTerms& terms);

// Keys that both sides derive from the secret of a credential.
crypto::SecretBytes inner_key(const crypto::SecretBytes& secret);
Digest enrolment_proof(const crypto::SecretBytes& secret, const tpm::Name& device,
                       const tpm::Name& attestation);

std::uint64_t epoch_of(std::uint64_t counter);

}  // namespace sealpack::provision
