// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/malformed.h"

#include <algorithm>

namespace sealpack::attest {
namespace {

// Not here: what a genuine TEE of another time may say (bits, versions, algorithms and bodies that
// are not known yet), and what is wrong with endorsements.
constexpr std::string_view kMalformed[] = {"azure.report",
                                           "azure.report-type",
                                           "azure.var-data",
                                           "cca.malformed",
                                           "cose.critical",
                                           "cose.detached",
                                           "cose.mac0",
                                           "cose.malformed",
                                           "dcap.certification-data",
                                           "dcap.quote-malformed",
                                           "dcap.quote-tee",
                                           "eventlog.malformed",
                                           "evidence.gpu",
                                           "evidence.item-missing",
                                           "evidence.item-unknown",
                                           "nitro.certificate",
                                           "nitro.malformed",
                                           "nvidia.certificates",
                                           "nvidia.report",
                                           "nvidia.request",
                                           "psa.malformed",
                                           "simulated.report",
                                           "snp.certificates",
                                           "snp.malformed",
                                           "snp.size",
                                           "tpm.ak-public",
                                           "tpm.magic",
                                           "tpm.pcrs",
                                           "tpm.quote",
                                           "tpm.signature-format",
                                           "tpm.type"};

}  // namespace

std::span<const std::string_view> all_malformed_codes() {
  return kMalformed;
}

bool says_malformed(std::string_view code) {
  return std::binary_search(std::begin(kMalformed), std::end(kMalformed), code);
}

}  // namespace sealpack::attest
