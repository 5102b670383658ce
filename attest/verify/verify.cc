// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/verify.h"

namespace sealpack::attest {

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
                                            {"tdx", verify_tdx},
                                            {"tpm", verify_tpm}};
  for (const Verifier& verifier : kVerifiers) {
    if (verifier.tee == input.evidence.tee) return verifier.verify(input);
  }
  return {{}, {{"evidence.tee", "no verifier for evidence of " + printable(input.evidence.tee)}}};
}

}  // namespace sealpack::attest
