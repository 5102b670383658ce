// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/verify.h"

#include <algorithm>

#include "attest/evidence/gpu_items.h"
#include "attest/verify/nvidia/gpu.h"
#include "attest/verify/tpm/ccel.h"

namespace sealpack::attest {
namespace {

Verdict verify_tdx_and_log(const VerifyInput& input) {
  Verdict verdict = verify_tdx(input);
  check_ccel(input.evidence, verdict);
  return verdict;
}

// The TEEs beside which GPUs may be.
constexpr std::string_view kBesideGpu[] = {"azure-sev-snp", "azure-tdx", "sev-snp", "tdx"};

// What the GPUs beside the TEE prove, added to what the TEE does; one that fails refuses all.
// Where the TEE fails, nobody looks at the GPUs: a chain and its answers cost more than most
// evidence.
Verdict with_gpus(Verdict verdict, const VerifyInput& input) {
  const std::string& tee = input.evidence.tee;
  if (std::find(std::begin(kBesideGpu), std::end(kBesideGpu), tee) == std::end(kBesideGpu)) {
    verdict.reasons.push_back({"evidence.gpu", "evidence of " + tee + " has no GPU beside it"});
    verdict.claims.reset();
    return verdict;
  }
  // Who binds the TEE must bind the GPU: else any GPU's report from any day would do.
  if (input.report_data && !input.gpu_nonce) {
    verdict.reasons.push_back({"evidence.gpu-nonce", "there is a GPU, and no nonce to ask it for"});
  }
  if (!verdict.claims || !verdict.reasons.empty()) {
    verdict.claims.reset();
    return verdict;
  }
  const Verdict gpus = verify_gpus_beside(input);
  verdict.reasons.insert(verdict.reasons.end(), gpus.reasons.begin(), gpus.reasons.end());
  if (!gpus.claims || !verdict.reasons.empty()) {
    verdict.claims.reset();
    return verdict;
  }
  for (const Claim& claim : gpus.claims->claims) {
    verdict.claims->claims.push_back({"gpu_" + claim.name, claim.value});
  }
  verdict.claims->add_bytes("gpu_nonce", gpus.claims->report_data);
  verdict.claims->sort();
  return verdict;
}

}  // namespace

Verdict verify(const VerifyInput& input) {
  struct Verifier {
    std::string_view tee;
    Verdict (*verify)(const VerifyInput&);
  };
  static constexpr Verifier kVerifiers[] = {{"azure-sev-snp", verify_azure_snp},
                                            {"azure-tdx", verify_azure_tdx},
                                            {"cca", verify_cca},
                                            {"nitro", verify_nitro},
                                            {"nvidia-gpu", verify_nvidia},
                                            {"psa", verify_psa},
                                            {"sev-snp", verify_snp},
                                            {"sgx", verify_sgx},
                                            {"simulated", verify_simulated},
                                            {"tdx", verify_tdx_and_log},
                                            {"tpm", verify_tpm}};
  for (const Verifier& verifier : kVerifiers) {
    if (verifier.tee != input.evidence.tee) continue;
    Verdict verdict = verifier.verify(input);
    const bool beside = verifier.verify != verify_nvidia && count_gpus(input.evidence) > 0;
    return beside ? with_gpus(std::move(verdict), input) : verdict;
  }
  return {{}, {{"evidence.tee", "no verifier for evidence of " + printable(input.evidence.tee)}}};
}

}  // namespace sealpack::attest
