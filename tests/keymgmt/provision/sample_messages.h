// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/crypto/private_key.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/provision/floor_store.h"
#include "keymgmt/provision/vendor.h"
#include "keymgmt/tpm/key_blob.h"

namespace sealpack::testing {

// One of each message of provisioning, made without a TPM.
struct SampleMessages {
  crypto::PrivateKey product = *crypto::PrivateKey::generate(crypto::KeyType::kEcdhP256);
  std::unique_ptr<crypto::Signer> grantor =
      *crypto::PrivateKey::generate(crypto::KeyType::kEcdsaP256)->signer();
  provision::Scope scope{crypto::sha256(as_bytes("authority")), "camera"};
  provision::EnrolRequest request = make_request();
  provision::Enrolment enrolment = *provision::answer_request(
      request, {scope, product, *grantor, {{scope, {7, crypto::sha256(as_bytes("release"))}}}, 2});
  provision::SignedStatement policy = make_policy();
  provision::EnrolProof proof{enrolment.record.device, tpm::name_of(request.attestation),
                              enrolment.record.proof};

  static ByteVector point() {
    const auto key = *crypto::PrivateKey::generate(crypto::KeyType::kEcdhP256);
    return to_vector(key.spki().last(64));
  }
  static provision::EnrolRequest make_request() {
    provision::EnrolRequest out;
    out.kind = tpm::EndorsementKind::kP256;
    out.endorsement = tpm::endorsement_p256();
    out.endorsement.unique = point();
    out.attestation = tpm::attestation_p256();
    out.attestation.unique = point();
    out.endorsement_certificate = {0x30, 0x03, 0x02, 0x01, 0x00};
    out.counters.policy_value = 0x301;
    out.counters.floor_value = 5;
    out.manufacturer = "IBM";
    out.firmware = 0x2019102300163636;
    return out;
  }
  provision::SignedStatement make_policy() const {
    provision::BootTerms terms;
    terms.scope = scope;
    terms.number = 3;
    terms.environments.push_back(
        {{{4, crypto::sha256(as_bytes("kernel"))}, {9, crypto::sha256(as_bytes("initrd"))}}});
    return *provision::sign_boot_policy(terms, *grantor);
  }
  tpm::KeyBlob key_blob() const {
    const auto& key = enrolment.answer;
    const auto answer = *provision::parse_answer(key.payload);
    tpm::KeyBlob out{tpm::EndorsementKind::kP256, answer.device,   "device",
                     answer.key.object,           answer.key.blob, std::nullopt};
    out.binding = tpm::KeyBlob::Binding{to_vector(grantor->public_key().spki()),
                                        scope.authority,
                                        scope.product,
                                        answer.counters.policy_index,
                                        answer.counters.floor_index,
                                        0x300,
                                        2,
                                        answer.recipient};
    return out;
  }
};

}  // namespace sealpack::testing
