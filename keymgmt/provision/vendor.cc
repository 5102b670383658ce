// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/provision/vendor.h"

#include <algorithm>

#include "keymgmt/crypto/sha256.h"
#include "keymgmt/provision/key_policy.h"
#include "keymgmt/x509/chain.h"

namespace sealpack::provision {
namespace {

// subjectAltName names the TPM's maker and model and is critical, for the subject is empty; what it
// says is not needed here (EK Credential Profile, section 3.2.9).
constexpr std::string_view kJudgedHere[] = {"2.5.29.17"};

// Makers certify other keys of their TPMs as well. A certificate that says what for must say that
// it is for an endorsement key (tcg-kp-EKCertificate); older ones say nothing.
bool may_endorse(const x509::Certificate& certificate) {
  return certificate.names_purpose("2.23.133.8.1").value_or(true);
}

std::vector<Reason> judge_certificate(const EnrolRequest& request, const DeviceTrust& trust) {
  std::vector<Reason> reasons;
  const auto leaf = x509::Certificate::parse_der(request.endorsement_certificate);
  if (!leaf.ok()) {
    reasons.push_back({"provision.ek-certificate", leaf.error().message()});
    return reasons;
  }
  const auto key = request.endorsement.spki();
  if (!key.ok() || leaf->spki() != *key) {
    reasons.push_back({"provision.ek-certificate",
                       "the certificate is for another key than the endorsement key"});
  }
  if (!may_endorse(*leaf)) {
    reasons.push_back(
        {"provision.ek-certificate", "the certificate is for another use than an endorsement key"});
  }
  // The TPM's own certificates of its maker only fill the gap up to a root that is given.
  std::vector<x509::Certificate> pool = trust.pool;
  for (const ByteVector& der : request.chain) {
    auto certificate = x509::Certificate::parse_der(der);
    if (certificate.ok()) pool.push_back(*std::move(certificate));
  }
  x509::ChainRules rules;
  rules.now = trust.now;
  rules.roots = trust.roots;
  rules.revocation = x509::Revocation::kNone;
  rules.revocation_lists = trust.revocation_lists;
  rules.judged_by_caller = kJudgedHere;
  (void)x509::verify_chain(*leaf, pool, rules, reasons);
  return reasons;
}

std::vector<Reason> judge_endorsement(const EnrolRequest& request, const DeviceTrust& trust) {
  const tpm::Name name = tpm::name_of(request.endorsement);
  if (std::find(trust.known.begin(), trust.known.end(), name) != trust.known.end()) return {};
  if (request.endorsement_certificate.empty()) {
    return {{"provision.unknown-tpm", "the TPM has no certificate for its endorsement key " +
                                          to_hex(name) + ", and nobody vouches for that key"}};
  }
  if (trust.roots.empty()) {
    return {{"provision.unknown-tpm",
             "no certificate authority of TPM makers is given, and nobody vouches for the "
             "endorsement key " +
                 to_hex(name)}};
  }
  return judge_certificate(request, trust);
}

void sort(std::vector<FloorTable::Entry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.scope.authority, a.scope.product) <
           std::tie(b.scope.authority, b.scope.product);
  });
}

}  // namespace

std::vector<Reason> judge_counters(const EnrolRequest& request) {
  struct Counter {
    const char* name;
    std::uint32_t index;
    std::uint64_t value;
    const tpm::CounterProof& proof;
  };
  std::vector<Reason> reasons;
  const Counters& said = request.counters;
  for (const Counter& counter :
       {Counter{"policy", said.policy_index, said.policy_value, request.policy_proof},
        Counter{"floor", said.floor_index, said.floor_value, request.floor_proof}}) {
    const auto value = tpm::verify_counter_proof(request.attestation, counter.index, counter.proof);
    if (!value.ok()) {
      reasons.push_back({"provision.counter", value.error().message()});
    } else if (*value != counter.value) {
      reasons.push_back({"provision.counter", std::string("the ") + counter.name +
                                                  " counter is proven to be at " +
                                                  std::to_string(*value) + ", the request says " +
                                                  std::to_string(counter.value)});
    }
  }
  return reasons;
}

std::vector<Reason> judge_device(const EnrolRequest& request, const DeviceTrust& trust) {
  std::vector<Reason> reasons = judge_counters(request);
  std::vector<Reason> of_key = judge_endorsement(request, trust);
  reasons.insert(reasons.end(), of_key.begin(), of_key.end());
  return reasons;
}

Result<SignedStatement> sign_floors(const EnrolRequest& request,
                                    std::vector<FloorTable::Entry> entries,
                                    const crypto::Signer& grantor) {
  FloorTable table;
  table.device = tpm::name_of(request.endorsement);
  table.index = request.counters.floor_index;
  // Taking it into use is what brings the counter there.
  table.value = request.counters.floor_value + 1;
  table.attestation = tpm::name_of(request.attestation);
  table.epoch = epoch_of(request.counters.policy_value);
  sort(entries);
  table.entries = std::move(entries);
  ByteVector payload = serialize_floors(table);
  TRY(parse_floors(payload));  // judged as the device will
  return sign_statement(kFloorType, std::move(payload), grantor);
}

Result<Enrolment> answer_request(const EnrolRequest& request, const EnrolTerms& terms) {
  const std::uint64_t epoch = epoch_of(request.counters.policy_value);
  if (request.counters.policy_value - epoch > kNumberBase) {
    return Error(ErrorCode::kRefused,
                 "the device's policy counter stands in the middle of an epoch")
        .with_hint("run `sealpack provision re-enrol` on it, and answer that request");
  }
  const tpm::Name device = tpm::name_of(request.endorsement);
  const tpm::Name attestation = tpm::name_of(request.attestation);
  const bool sealed = terms.key.type() == crypto::KeyType::kX25519;
  const Digest policy = TRY(key_policy(
      {to_vector(terms.grantor.public_key().spki()), terms.scope, request.counters.policy_index,
       epoch, terms.minimum, sealed ? tpm::ObjectKind::kSealed : tpm::ObjectKind::kAgreeP256,
       terms.cap_pcr, request.counters.floor_index, request.counters.floor_value}));
  const auto secret = crypto::SecretBytes::random(Digest::kSize);
  EnrolAnswer answer;
  answer.device = device;
  answer.attestation = attestation;
  answer.credential = TRY(tpm::make_credential(request.endorsement, attestation, secret));
  answer.key = TRY(tpm::make_duplicate(request.endorsement, terms.key, policy, inner_key(secret)));
  answer.recipient = to_vector(terms.key.spki());
  answer.scope = terms.scope;
  answer.counters = request.counters;
  answer.minimum = terms.minimum;
  answer.cap_pcr = terms.cap_pcr;
  answer.floors = TRY(sign_floors(request, terms.floors, terms.grantor));
  ByteVector payload = serialize(answer);
  TRY(parse_answer(payload));
  return Enrolment{TRY(sign_statement(kAnswerType, std::move(payload), terms.grantor)),
                   EnrolRecord{device, request.attestation, crypto::sha256(answer.recipient),
                               terms.scope, enrolment_proof(secret, device, attestation)}};
}

Status check_proof(const EnrolRecord& record, const EnrolProof& proof) {
  if (proof.device != record.device || proof.attestation != tpm::name_of(record.attestation)) {
    return Error(ErrorCode::kNotAuthentic, "the proof is by another device than the record");
  }
  if (!crypto::equal_constant_time(proof.proof.bytes, record.proof.bytes)) {
    return Error(ErrorCode::kNotAuthentic, "the proof does not hold");
  }
  return done();
}

Status check_enrolled(const EnrolRequest& request, const EnrolRecord& record,
                      const EnrolProof& proof) {
  TRY(check_proof(record, proof));
  if (tpm::name_of(request.endorsement) != record.device) {
    return Error(ErrorCode::kNotAuthentic, "the request is by another device than the record");
  }
  if (request.attestation != record.attestation) {
    return Error(ErrorCode::kNotAuthentic,
                 "the request is by another attestation key than the one of this device that was "
                 "accepted");
  }
  return done();
}

Result<SignedStatement> sign_boot_policy(const BootTerms& terms, const crypto::Signer& grantor) {
  BootPolicy policy;
  policy.scope = terms.scope;
  policy.number = terms.number;
  policy.policy_index = terms.policy_index;
  policy.cap_pcr = terms.cap_pcr;
  const ByteVector reference = policy_reference(terms.scope, terms.cap_pcr);
  for (const BootEnvironment& given : terms.environments) {
    std::vector<tpm::PcrValue> values = given.values;
    values.push_back({terms.cap_pcr, Digest{}});
    std::sort(values.begin(), values.end(),
              [](const auto& a, const auto& b) { return a.index < b.index; });
    BootPolicy::Environment environment;
    for (const tpm::PcrValue& pcr : values) {
      if (pcr.index >= tpm::kPcrCount || (environment.pcrs >> pcr.index & 1U) != 0) {
        return Error(ErrorCode::kUsage, "PCR " + std::to_string(pcr.index) +
                                            " is there twice, is the cap PCR, or does not exist");
      }
      environment.pcrs |= 1U << pcr.index;
      environment.values.push_back(pcr.value);
    }
    if (given.values.empty()) {
      return Error(ErrorCode::kUsage, "a boot environment without PCRs is any machine");
    }
    // As a TPM is after a reset, whatever is booted without being measured.
    if (std::all_of(given.values.begin(), given.values.end(),
                    [](const tpm::PcrValue& pcr) { return pcr.value == Digest{}; })) {
      return Error(ErrorCode::kUsage,
                   "all PCRs of a boot environment are zero: nothing was "
                   "measured into them, and any machine is like that")
          .with_hint("take PCRs that the firmware measures into, 4 and 7 on most machines");
    }
    ByteVector approved = to_vector(
        approved_policy(terms.policy_index, terms.number, environment.pcrs, environment.values)
            .bytes);
    approved.insert(approved.end(), reference.begin(), reference.end());
    environment.approval = TRY(grantor.sign(approved));
    policy.environments.push_back(std::move(environment));
  }
  ByteVector payload = serialize(policy);
  TRY(parse_boot_policy(payload));
  return sign_statement(kBootPolicyType, std::move(payload), grantor);
}

}  // namespace sealpack::provision
