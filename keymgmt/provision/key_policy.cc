// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/provision/key_policy.h"

#include "formats/bundle/labels.h"
#include "keymgmt/crypto/kdf.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::provision {
namespace {

using tpm::PolicyDigest;

constexpr std::string_view kInnerLabel = "sealpack/v1/tpm-inner-key";
constexpr std::string_view kProofLabel = "sealpack/v1/tpm-enrolment-proof";
constexpr std::size_t kEpochSize = 7;  // of the counter's 8 bytes, big-endian

ByteVector epoch_operand(std::uint64_t epoch) {
  ByteVector out;
  for (unsigned shift = 56; shift > 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(epoch >> shift));
  }
  return out;
}

ByteVector value_operand(std::uint64_t value) {
  ByteVector out = epoch_operand(value);
  out.push_back(static_cast<std::uint8_t>(value));
  return out;
}

ByteVector number_operand(std::uint32_t number) {
  return {static_cast<std::uint8_t>(number + kNumberBase)};
}

PolicyDigest::Command command_of(tpm::ObjectKind kind) {
  return kind == tpm::ObjectKind::kSealed ? PolicyDigest::Command::kUnseal
                                          : PolicyDigest::Command::kEcdhZGen;
}

std::vector<tpm::PolicyRun::NvStep> own_steps(const KeyTerms& terms) {
  std::vector<tpm::PolicyRun::NvStep> steps;
  steps.push_back(
      {terms.policy_index, epoch_operand(terms.epoch), 0, PolicyDigest::Compare::kEqual});
  if (terms.minimum != 0) {
    steps.push_back({terms.policy_index, number_operand(terms.minimum), kEpochSize,
                     PolicyDigest::Compare::kNotBelow});
  }
  steps.push_back(
      {terms.floor_index, value_operand(terms.floor_value), 0, PolicyDigest::Compare::kNotBelow});
  return steps;
}

}  // namespace

std::uint64_t epoch_of(std::uint64_t counter) {
  return counter & ~std::uint64_t{0xff};
}

KeyTerms terms_of(const tpm::KeyBlob& key) {
  const tpm::KeyBlob::Binding& binding = *key.binding;
  return {binding.grantor,      {binding.authority, binding.product},
          binding.policy_index, binding.epoch,
          binding.minimum,      key.object.kind,
          binding.cap_pcr,      binding.floor_index,
          binding.floor_value};
}

Result<Digest> key_policy(const KeyTerms& terms) {
  const tpm::PublicArea key = TRY(tpm::external_signing_key(terms.grantor));
  PolicyDigest policy;
  policy.authorize(tpm::name_of(key), policy_reference(terms.scope, terms.cap_pcr));
  for (const tpm::PolicyRun::NvStep& step : own_steps(terms)) {
    policy.nv(tpm::name_of(tpm::CounterIndex{step.index}), step.operand, step.offset, step.compare);
  }
  return policy.command(command_of(terms.kind)).value();
}

Digest approved_policy(std::uint32_t policy_index, std::uint32_t number, tpm::PcrMask pcrs,
                       const std::vector<Digest>& values) {
  crypto::Sha256 hash;
  for (const Digest& value : values) hash.update(value.bytes);
  return PolicyDigest()
      .pcr(pcrs, hash.finish())
      .nv(tpm::name_of(tpm::CounterIndex{policy_index}), number_operand(number), kEpochSize,
          PolicyDigest::Compare::kNotAbove)
      .value();
}

tpm::PolicyRun policy_run(const BootPolicy& policy, const BootPolicy::Environment& environment,
                          const KeyTerms& terms) {
  tpm::PolicyRun run;
  run.pcrs = environment.pcrs;
  run.approved_nv = tpm::PolicyRun::NvStep{policy.policy_index, number_operand(policy.number),
                                           kEpochSize, PolicyDigest::Compare::kNotAbove};
  run.approved =
      approved_policy(policy.policy_index, policy.number, environment.pcrs, environment.values);
  run.key = terms.grantor;
  run.reference = policy_reference(policy.scope, policy.cap_pcr);
  run.signature = environment.approval;
  run.own_nv = own_steps(terms);
  run.command = command_of(terms.kind);
  return run;
}

crypto::SecretBytes inner_key(const crypto::SecretBytes& secret) {
  Digest derived = crypto::hmac_sha256(secret.reveal(), as_bytes(kInnerLabel));
  auto out = crypto::SecretBytes::copy_of(Bytes(derived.bytes).first(tpm::kInnerKeySize));
  crypto::wipe(derived.bytes);
  return out;
}

Digest enrolment_proof(const crypto::SecretBytes& secret, const tpm::Name& device,
                       const tpm::Name& attestation) {
  return crypto::hmac_sha256(
      secret.reveal(),
      bundle::LengthPrefixed().add(kProofLabel).add(Bytes(device)).add(Bytes(attestation)).bytes());
}

}  // namespace sealpack::provision
