// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/crypto/private_key.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/provision/floor_store.h"
#include "keymgmt/provision/vendor.h"
#include "keymgmt/tpm/endorsement.h"
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
    out.endorsement = tpm::endorsement_template(tpm::EndorsementKind::kP256);
    out.endorsement.unique = point();
    out.attestation = tpm::attestation_p256();
    const auto key = *crypto::PrivateKey::generate(crypto::KeyType::kEcdsaP256);
    out.attestation.unique = to_vector(key.spki().last(64));
    out.endorsement_certificate = {0x30, 0x03, 0x02, 0x01, 0x00};
    out.counters.policy_value = 0x301;
    out.counters.floor_value = 5;
    out.manufacturer = "IBM";
    out.firmware = 0x2019102300163636;
    out.chain = {{0x30, 0x01, 0x00}, {0x30, 0x02, 0x05, 0x00}};
    const auto signer = *key.signer();
    out.policy_proof = prove(*signer, out.counters.policy_index, out.counters.policy_value);
    out.floor_proof = prove(*signer, out.counters.floor_index, out.counters.floor_value);
    return out;
  }
  // As a TPM with this attestation key would.
  static tpm::CounterProof prove(const crypto::Signer& attestation, std::uint32_t index,
                                 std::uint64_t value) {
    const ByteVector name = tpm::name_of(tpm::CounterIndex{index});
    ByteVector attest = *from_hex("ff5443478014");
    const auto put = [](ByteVector& to, Bytes bytes) {
      to.push_back(static_cast<std::uint8_t>(bytes.size() >> 8U));
      to.push_back(static_cast<std::uint8_t>(bytes.size()));
      to.insert(to.end(), bytes.begin(), bytes.end());
    };
    put(attest, ByteVector(34, 0x0b));  // the signer
    put(attest, tpm::counter_proof_context().bytes);
    attest.resize(attest.size() + 8 + 4 + 4 + 1 + 8);  // the clock
    put(attest, name);
    attest.resize(attest.size() + 2);  // the offset
    ByteVector content;
    for (unsigned shift = 64; shift > 0; shift -= 8) {
      content.push_back(static_cast<std::uint8_t>(value >> (shift - 8)));
    }
    put(attest, content);
    const ByteVector raw = *attestation.sign(attest);
    ByteVector signature = *from_hex("0018000b");
    put(signature, Bytes(raw).first(32));
    put(signature, Bytes(raw).last(32));
    return {attest, signature};
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
                                        answer.recipient,
                                        answer.cap_pcr,
                                        answer.counters.floor_value};
    return out;
  }
};

}  // namespace sealpack::testing
