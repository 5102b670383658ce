// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "attest/evidence/evidence.h"
#include "attest/policy/claims.h"
#include "formats/base/reason.h"

// Proving evidence: pure functions over raw bytes, endorsements, roots and a time that the caller
// gives. Nothing is fetched, no clock is asked, and nothing is re-serialised before it is verified.
// Whether what was proven is good enough is for attest/policy: a debug bit that is set and a TCB
// that is out of date are claims here, not reasons.
namespace sealpack::attest {

class ChainCache;  // chain_cache.h

// Claims when everything that was to be proven is; all reasons otherwise, as many as could be
// found.
struct Verdict {
  std::optional<Claims> claims;
  std::vector<Reason> reasons;
  bool accepted() const { return claims && reasons.empty(); }
};

// A TPM that was enrolled: credential activation proved that the attestation key lives beside the
// endorsement key, and its attributes were right.
struct TpmEnrolment {
  Digest ak_key;       // SHA-256 of the attestation key's SPKI
  ByteVector ak_name;  // TPM2B_NAME contents: hash algorithm, digest of the TPMT_PUBLIC
  ByteVector ek_name;  // of the endorsement key
};

// Keys that chains may end in, as SHA-256 of their SPKI: a root is known by its key, never by its
// name. vendor_roots() are those of the manufacturers; tests and private installations bring their
// own. Empty: nothing of that TEE is believed.
struct Roots {
  std::vector<Digest> amd;     // ARK of each product
  std::vector<Digest> intel;   // Intel SGX Root CA
  std::vector<Digest> nitro;   // AWS Nitro Enclaves root
  std::vector<Digest> nvidia;  // device identity root
  std::vector<Digest> tpm;     // certificate authorities of endorsement keys
  // Keys that sign by themselves, as SPKI digests: verifying keys of PSA devices or their makers,
  // CCA platform attestation keys, enrolled TPM attestation keys, roots of simulated TEEs. The
  // SPKIs of `psa` and `cca` are found in Endorsements::public_keys.
  std::vector<Digest> psa;
  std::vector<Digest> cca;
  std::vector<Digest> tpm_attestation_keys;
  std::vector<TpmEnrolment> tpm_enrolments;  // as tpm_attestation_keys, and bound to an EK
  std::vector<Digest> simulated;             // SIMULATED: only where the caller runs a lab
  // Root of those who sign NVIDIA's reference manifests; no verifier reads these.
  std::vector<Digest> nvidia_rim;
};
Roots vendor_roots();

// Signed statements by manufacturers, supplied beside the evidence. Untrusted until a chain or
// signature says otherwise; each is found by what it says it is about, never by its place.
struct Endorsements {
  std::vector<ByteVector> certificates;        // DER
  std::vector<ByteVector> revocation_lists;    // DER
  std::vector<ByteVector> tcb_infos;           // Intel: the JSON of PCS with its signature
  std::vector<ByteVector> enclave_identities;  // Intel: QE, TD_QE, as delivered
  std::vector<ByteVector> public_keys;         // SPKI, DER
  std::vector<ByteVector> ocsp_responses;      // DER; about chains of NVIDIA
};

struct VerifyInput {
  const Evidence& evidence;
  const Endorsements& endorsements;
  const Roots& roots;
  std::uint64_t now = 0;  // Unix seconds
  // What the evidence must bind: exactly these bytes in its field for that (64 bytes for SNP, TDX,
  // SGX and CCA; the nonce of Nitro, PSA, TPM and Azure). Absent: the caller compares
  // Claims::report_data itself.
  std::optional<ByteVector> report_data = {};
  // What a GPU beside the TEE must bind as its nonce; absent: as above.
  std::optional<ByteVector> gpu_nonce = {};
  // Intel: TCB infos and identities of a lower evaluation number are refused.
  std::uint32_t minimum_tcb_evaluation = 0;
  // Chains that verified before; nullptr: none are remembered.
  ChainCache* cache = nullptr;
  // The object that `endorsements` refers to, where the caller keeps it, unchanged, from request to
  // request: what was read of it is then found again without looking at its bytes.
  std::shared_ptr<const Endorsements> kept_endorsements = nullptr;
};

// The verifier for evidence.tee. Reason "evidence.tee" for a TEE that it does not know.
Verdict verify(const VerifyInput& input);

// One a TEE, each in its own file. Evidence::tee is taken for granted.
Verdict verify_snp(const VerifyInput& input);
Verdict verify_sgx(const VerifyInput& input);
Verdict verify_tdx(const VerifyInput& input);
Verdict verify_nitro(const VerifyInput& input);
Verdict verify_psa(const VerifyInput& input);
Verdict verify_cca(const VerifyInput& input);
Verdict verify_tpm(const VerifyInput& input);
Verdict verify_azure_snp(const VerifyInput& input);
Verdict verify_azure_tdx(const VerifyInput& input);
Verdict verify_nvidia(const VerifyInput& input);
Verdict verify_simulated(const VerifyInput& input);

}  // namespace sealpack::attest
