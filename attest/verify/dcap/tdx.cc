// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/td_quote.h"

namespace sealpack::attest {

Verdict verify_tdx_quote(Bytes, const VerifyInput&) {
  return {{}, {{"evidence.tee", "no verifier for this TEE"}}};
}

Verdict verify_tdx(const VerifyInput&) {
  return {{}, {{"evidence.tee", "no verifier for this TEE"}}};
}

}  // namespace sealpack::attest
