// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/provision/messages.h"
#include "keymgmt/tpm/key_blob.h"
#include "keymgmt/tpm/tpm.h"

// The device's side of provisioning, and the use of what was provisioned.
namespace sealpack::provision {

// kKeep leaves the policy counter as it is; kNew takes it to the next epoch, which ends the life of
// every key that is bound to this one. Counters that are not there are defined.
enum class Epoch { kKeep, kNew };
Result<EnrolRequest> make_request(tpm::Tpm& tpm, tpm::EndorsementKind kind, const Counters& indices,
                                  Epoch epoch);
// Whether a key may be bound to the epoch that the policy counter is in: no policy was confirmed.
bool begins_epoch(const Counters& counters);

struct Installed {
  tpm::KeyBlob key;
  EnrolProof proof;
  SignedStatement floors;
};
// Takes an answer into the TPM. kNotAuthentic unless it is by `grantor`; kRefused for another
// device, for another epoch, and for keys with another policy or other attributes than an answer
// has; kKeyUnavailable when the TPM does not take it.
Result<Installed> install_answer(tpm::Tpm& tpm, tpm::EndorsementKind kind,
                                 const SignedStatement& answer,
                                 const crypto::VerifyingKey& grantor);

// Of a key that was provisioned; kUsage for others.
Result<crypto::VerifyingKey> grantor_of(const tpm::KeyBlob& key);

// A policy that the key's grantor signed for it. kNotAuthentic; kRefused for another scope or
// index.
Result<BootPolicy> verify_boot_policy(const tpm::KeyBlob& key, const SignedStatement& statement);
// kRefused when a later one was confirmed.
Status check_number(tpm::Tpm& tpm, const tpm::KeyBlob& key, const BootPolicy& policy);

// The environment of the policy that this machine is in: index into environments. kRefused, naming
// the PCRs that differ. `capped`: whatever the cap PCR is.
Result<std::size_t> find_environment(tpm::Tpm& tpm, const BootPolicy& policy, bool capped);

// Raises the TPM's floor to this policy, so that earlier ones are refused for ever. kRefused unless
// the machine booted by it.
Status confirm_policy(tpm::Tpm& tpm, const tpm::KeyBlob& key, const BootPolicy& policy);
// Ends the epoch: no key that is bound to it opens again, on this machine or by this file.
Status revoke_keys(tpm::Tpm& tpm, const tpm::KeyBlob& key);

// What the cap PCR is extended with.
Digest cap_value();

// A provisioned key in the machine that may use it. Made before anything else is believed, capped
// when everything is opened; destruction caps it too. For one thread at a time.
class DeviceKey {
 public:
  // The first of the policies that the machine is in. kNotAuthentic for another TPM; kRefused.
  static Result<std::unique_ptr<DeviceKey>> open(std::shared_ptr<tpm::Tpm> tpm,
                                                 const tpm::KeyBlob& key,
                                                 const std::vector<BootPolicy>& policies);
  ~DeviceKey();
  DeviceKey(const DeviceKey&) = delete;
  DeviceKey& operator=(const DeviceKey&) = delete;

  const crypto::Decryptor& decryptor() const { return *decryptor_; }
  const BootPolicy& policy() const { return policy_; }
  // Authenticates what this device alone may write: the floors of bundles. Known to nobody who
  // could not use the key.
  const crypto::SecretBytes& floor_key() const { return floor_key_; }

  // Extends the cap PCR: until the next boot nobody gets to use the key. kIo, kNotAuthentic when
  // the PCR did not change.
  Status cap();

 private:
  DeviceKey(std::shared_ptr<tpm::Tpm> tpm, BootPolicy policy);
  Status cap_now();

  std::shared_ptr<tpm::Tpm> tpm_;
  BootPolicy policy_;
  std::unique_ptr<crypto::Decryptor> decryptor_;
  crypto::SecretBytes floor_key_{0};
  bool capped_ = false;
};

}  // namespace sealpack::provision
