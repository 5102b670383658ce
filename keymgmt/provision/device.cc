// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/provision/device.h"

#include <algorithm>

#include "keymgmt/crypto/sha256.h"
#include "keymgmt/provision/key_policy.h"

namespace sealpack::provision {
namespace {

constexpr std::uint64_t kEpochLength = 256;

// The value of the counter, which is defined where it is not there.
Result<std::uint64_t> counter_value(tpm::Tpm& tpm, std::uint32_t index) {
  const auto there = TRY(tpm.read_counter(index));
  if (there) return *there;
  TRY(tpm.define_counter(index));
  const auto made = TRY(tpm.read_counter(index));
  if (!made) return Error(ErrorCode::kIo, "TPM: a counter vanished as it was made");
  return *made;
}

Result<std::uint64_t> advance(tpm::Tpm& tpm, std::uint32_t index, std::uint64_t from,
                              std::uint64_t to) {
  for (std::uint64_t value = from; value < to; ++value) TRY(tpm.increment_counter(index));
  const auto reached = TRY(tpm.read_counter(index));
  if (reached && *reached == to) return to;
  return Error(ErrorCode::kTryAgain, "somebody else increments the TPM's counter");
}

Result<std::uint64_t> current(tpm::Tpm& tpm, std::uint32_t index) {
  const auto value = TRY(tpm.read_counter(index));
  if (value) return *value;
  return Error(ErrorCode::kRefused, "the TPM has lost the counter that the key is bound to")
      .with_hint("enrol the device again");
}

Error other_epoch() {
  return Error(ErrorCode::kRefused,
               "the TPM's policy counter is in another epoch: the key was "
               "revoked, or the device was enrolled again")
      .with_hint("answer the newest enrolment request of this device");
}

KeyTerms terms_of(const EnrolAnswer& answer, Bytes grantor) {
  return {to_vector(grantor),
          answer.scope,
          answer.counters.policy_index,
          epoch_of(answer.counters.policy_value),
          answer.minimum,
          answer.key.object.kind,
          answer.cap_pcr,
          answer.counters.floor_index,
          answer.counters.floor_value};
}

// What a vendor makes and nothing else: no password opens it, and nobody takes it to another TPM.
Status check_object(const tpm::PublicArea& object, const KeyTerms& terms) {
  const bool known =
      object.kind == tpm::ObjectKind::kSealed || object.kind == tpm::ObjectKind::kAgreeP256;
  if (!known || object.attributes != tpm::duplicate_attributes(object.kind)) {
    return Error(ErrorCode::kRefused, "the wrapped key has other attributes than it must have");
  }
  const Digest policy = TRY(key_policy(terms));
  if (object.policy == to_vector(policy.bytes)) return done();
  return Error(ErrorCode::kRefused, "the wrapped key has another policy than its terms say");
}

Status check_recipient(const EnrolAnswer& answer) {
  const auto recipient = TRY(crypto::EncryptionKey::from_spki(answer.recipient));
  if (recipient.algorithm() == crypto::EncryptionAlgorithm::kP256 &&
      answer.key.object.kind == tpm::ObjectKind::kAgreeP256 &&
      TRY(answer.key.object.spki()) == answer.recipient) {
    return done();
  }
  if (recipient.algorithm() == crypto::EncryptionAlgorithm::kX25519 &&
      answer.key.object.kind == tpm::ObjectKind::kSealed) {
    return done();
  }
  return Error(ErrorCode::kRefused, "the wrapped key is not that of the recipient");
}

std::string differing(const std::vector<tpm::PcrValue>& values,
                      const BootPolicy::Environment& environment, std::uint32_t ignored) {
  std::string out;
  std::size_t at = 0;
  for (const tpm::PcrValue& pcr : values) {
    if ((environment.pcrs >> pcr.index & 1U) == 0) continue;
    const Digest& wanted = environment.values[at++];
    if (pcr.value == wanted || pcr.index == ignored) continue;
    out += (out.empty() ? "PCR " : ", PCR ") + std::to_string(pcr.index) + " is " +
           to_hex(pcr.value.bytes) + ", not " + to_hex(wanted.bytes);
  }
  return out;
}

}  // namespace

bool begins_epoch(const Counters& counters) {
  return counters.policy_value - epoch_of(counters.policy_value) <= kNumberBase;
}

Result<EnrolRequest> make_request(tpm::Tpm& tpm, tpm::EndorsementKind kind, const Counters& indices,
                                  Epoch epoch) {
  EnrolRequest out;
  out.kind = kind;
  out.endorsement = tpm.endorsement_key();
  out.endorsement_certificate = TRY(tpm.endorsement_certificate()).value_or(ByteVector());
  out.attestation = TRY(tpm.attestation_key());
  out.counters = indices;
  const bool defined = TRY(tpm.read_counter(indices.policy_index)).has_value();
  out.counters.policy_value = TRY(counter_value(tpm, indices.policy_index));
  out.counters.floor_value = TRY(counter_value(tpm, indices.floor_index));
  // Nothing is bound to a counter that is new.
  if (epoch == Epoch::kNew || (!defined && !begins_epoch(out.counters))) {
    out.counters.policy_value = TRY(advance(tpm, indices.policy_index, out.counters.policy_value,
                                            epoch_of(out.counters.policy_value) + kEpochLength));
  }
  // It only fills a gap up to a root, as files of the authority's do: what makers left there that
  // cannot be read is as if it were not there.
  if (auto chain = tpm.endorsement_chain(); chain.ok()) out.chain = *std::move(chain);
  out.policy_proof = TRY(tpm.prove_counter(indices.policy_index));
  out.floor_proof = TRY(tpm.prove_counter(indices.floor_index));
  out.manufacturer = tpm.manufacturer();
  out.firmware = tpm.firmware_version();
  return out;
}

Result<Installed> install_answer(tpm::Tpm& tpm, tpm::EndorsementKind kind,
                                 const SignedStatement& statement,
                                 const crypto::VerifyingKey& grantor) {
  const EnrolAnswer answer =
      TRY(parse_answer(TRY(verify_statement(kAnswerType, statement, grantor))));
  if (answer.device != tpm::name_of(tpm.endorsement_key())) {
    return Error(ErrorCode::kRefused, "the answer is for another device: " + to_hex(answer.device) +
                                          ", this one is " +
                                          to_hex(tpm::name_of(tpm.endorsement_key())));
  }
  const KeyTerms terms = terms_of(answer, grantor.spki());
  TRY(check_object(answer.key.object, terms));
  TRY(check_recipient(answer));
  std::uint64_t counter = TRY(current(tpm, terms.policy_index));
  if (epoch_of(counter) != terms.epoch) return other_epoch();
  const FloorTable floors =
      TRY(parse_floors(TRY(verify_statement(kFloorType, answer.floors, grantor))));
  if (floors.device != answer.device || floors.index != answer.counters.floor_index ||
      floors.epoch != terms.epoch || floors.attestation != answer.attestation) {
    return Error(ErrorCode::kRefused, "the answer brings the floors of another device");
  }
  const crypto::SecretBytes secret = TRY(tpm.activate_credential(answer.credential));
  Installed out;
  out.key.kind = kind;
  out.key.device = answer.device;
  out.key.role = "device";
  out.key.object = answer.key.object;
  out.key.private_part = TRY(tpm.import(answer.key, inner_key(secret)));
  TRY(tpm.load(out.key.object, out.key.private_part));
  out.key.binding = tpm::KeyBlob::Binding{terms.grantor,
                                          terms.scope.authority,
                                          terms.scope.product,
                                          terms.policy_index,
                                          answer.counters.floor_index,
                                          terms.epoch,
                                          terms.minimum,
                                          answer.recipient,
                                          terms.cap_pcr,
                                          terms.floor_value};
  if (terms.minimum != 0) {
    const std::uint64_t floor = terms.epoch + kNumberBase + terms.minimum;
    if (counter < floor) TRY(advance(tpm, terms.policy_index, counter, floor));
  }
  out.proof = {answer.device, answer.attestation,
               enrolment_proof(secret, answer.device, answer.attestation)};
  out.floors = answer.floors;
  return out;
}

Result<crypto::VerifyingKey> grantor_of(const tpm::KeyBlob& key) {
  if (!key.binding) return Error(ErrorCode::kUsage, "the key was not provisioned by a vendor");
  return crypto::VerifyingKey::from_spki(key.binding->grantor);
}

Result<BootPolicy> verify_boot_policy(const tpm::KeyBlob& key, const SignedStatement& statement) {
  const crypto::VerifyingKey grantor = TRY(grantor_of(key));
  BootPolicy policy =
      TRY(parse_boot_policy(TRY(verify_statement(kBootPolicyType, statement, grantor))));
  if (policy.scope != Scope{key.binding->authority, key.binding->product}) {
    return Error(ErrorCode::kRefused, "the boot policy is for product " +
                                          printable(policy.scope.product) + ", the key for " +
                                          printable(key.binding->product));
  }
  if (policy.cap_pcr != key.binding->cap_pcr) {
    return Error(ErrorCode::kRefused, "the boot policy caps PCR " + std::to_string(policy.cap_pcr) +
                                          ", the key PCR " + std::to_string(key.binding->cap_pcr))
        .with_hint("`provision answer` and `provision policy` take the same --cap");
  }
  if (policy.policy_index != key.binding->policy_index) {
    return Error(ErrorCode::kRefused, "the boot policy is for another NV index than the key");
  }
  return policy;
}

Status check_number(tpm::Tpm& tpm, const tpm::KeyBlob& key, const BootPolicy& policy) {
  const std::uint64_t counter = TRY(current(tpm, key.binding->policy_index));
  if (epoch_of(counter) != key.binding->epoch) return other_epoch();
  const auto floor = static_cast<std::uint32_t>(counter & 0xffU);
  if (policy.number + kNumberBase >= floor) return done();
  return Error(ErrorCode::kRefused,
               "boot policy " + std::to_string(policy.number) + " is older than number " +
                   std::to_string(floor - kNumberBase) + ", which was confirmed");
}

Result<std::size_t> find_environment(tpm::Tpm& tpm, const BootPolicy& policy, bool capped) {
  tpm::PcrMask all = 0;
  for (const auto& environment : policy.environments) all |= environment.pcrs;
  const std::vector<tpm::PcrValue> values = TRY(tpm.read_pcrs(all));
  std::string first;
  for (std::size_t i = 0; i < policy.environments.size(); ++i) {
    const std::string differences =
        differing(values, policy.environments[i], capped ? policy.cap_pcr : tpm::kPcrCount);
    if (differences.empty()) return i;
    if (i == 0) first = differences;
  }
  Error refusal(ErrorCode::kRefused, "the machine did not boot as boot policy " +
                                         std::to_string(policy.number) + " says: " + first);
  const std::string cap = "PCR " + std::to_string(policy.cap_pcr) + " is ";
  if (!first.starts_with(cap)) return refusal;
  return std::move(refusal).with_hint(cap +
                                      "extended when the key was used: reboot to use it again");
}

Status confirm_policy(tpm::Tpm& tpm, const tpm::KeyBlob& key, const BootPolicy& policy) {
  TRY(check_number(tpm, key, policy));
  TRY(find_environment(tpm, policy, true));
  const std::uint64_t counter = TRY(current(tpm, key.binding->policy_index));
  const std::uint64_t floor = key.binding->epoch + kNumberBase + policy.number;
  if (counter < floor) TRY(advance(tpm, key.binding->policy_index, counter, floor));
  return done();
}

Status revoke_keys(tpm::Tpm& tpm, const tpm::KeyBlob& key) {
  TRY(grantor_of(key));
  const std::uint64_t counter = TRY(current(tpm, key.binding->policy_index));
  if (epoch_of(counter) != key.binding->epoch) return done();
  TRY(advance(tpm, key.binding->policy_index, counter, key.binding->epoch + kEpochLength));
  return done();
}

}  // namespace sealpack::provision
