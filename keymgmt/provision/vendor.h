// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "formats/base/reason.h"
#include "keymgmt/provision/messages.h"
#include "keymgmt/x509/certificate.h"

// The vendor's side of provisioning: no TPM is needed.
namespace sealpack::provision {

// Why a device is taken for one that holds a genuine TPM.
struct DeviceTrust {
  // Certificate authorities of TPM makers, as SPKI digests, with the certificates between.
  std::vector<Digest> roots;
  std::vector<x509::Certificate> pool;
  std::vector<ByteVector> revocation_lists;
  std::uint64_t now = 0;
  // Or endorsement keys that somebody read from the machine itself.
  std::vector<tpm::Name> known;
};
// Reasons "provision.…" and "chain.…"; empty when the endorsement key is one of a TPM that the
// vendor trusts, and its counters are where the request says.
std::vector<Reason> judge_device(const EnrolRequest& request, const DeviceTrust& trust);

// "provision.counter": the attestation key of the request does not state these values. Were it not
// a key of that TPM, no answer to the request would be of use there.
std::vector<Reason> judge_counters(const EnrolRequest& request);
struct Enrolment {
  SignedStatement answer;
  EnrolRecord record;
};
struct EnrolTerms {
  Scope scope;
  const crypto::PrivateKey& key;  // of role device: P-256 or X25519
  const crypto::Signer& grantor;  // P-256: TPMs verify no other
  std::vector<FloorTable::Entry> floors;
  std::uint32_t minimum = 0;  // lowest number of a boot policy that is ever to serve
  std::uint32_t cap_pcr = 15;
};
// After judge_device.
Result<Enrolment> answer_request(const EnrolRequest& request, const EnrolTerms& terms);

// kNotAuthentic unless the proof is that of the recorded device: then its attestation key is in the
// same TPM as its endorsement key.
Status check_proof(const EnrolRecord& record, const EnrolProof& proof);

// kNotAuthentic unless the request is by the device of that record and proof, with the attestation
// key that they show to be in its TPM.
Status check_enrolled(const EnrolRequest& request, const EnrolRecord& record,
                      const EnrolProof& proof);

// The machines of a boot policy before it is signed; `values` has no cap PCR, which is added.
struct BootEnvironment {
  std::vector<tpm::PcrValue> values;  // ascending by PCR
};
struct BootTerms {
  Scope scope;
  std::uint32_t number = 1;
  std::uint32_t policy_index = Counters{}.policy_index;
  std::uint32_t cap_pcr = 15;
  std::vector<BootEnvironment> environments;
};
Result<SignedStatement> sign_boot_policy(const BootTerms& terms, const crypto::Signer& grantor);

// New floors for one device, in place of those it has, higher or lower: valid once, for the value
// that its floor counter had when it asked. After judge_counters, and check_enrolled unless the
// answer to the request carries them.
Result<SignedStatement> sign_floors(const EnrolRequest& request,
                                    std::vector<FloorTable::Entry> entries,
                                    const crypto::Signer& grantor);

}  // namespace sealpack::provision
