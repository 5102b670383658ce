// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "keymgmt/tpm/counter_proof.h"
#include "keymgmt/tpm/endorsement.h"

// What is found in an NV index is a piece of it; a chain is nothing but what lay there.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const Bytes input(data, size);
  const auto one = tpm::certificate_in_index(input);
  if (one.ok() &&
      std::search(input.begin(), input.end(), one->begin(), one->end()) == input.end()) {
    __builtin_trap();
  }
  const auto chain = tpm::split_chain(input);
  if (chain.ok()) {
    ByteVector joined;
    for (const ByteVector& part : *chain) joined.insert(joined.end(), part.begin(), part.end());
    if (joined.size() > size || !std::equal(joined.begin(), joined.end(), input.begin())) {
      __builtin_trap();
    }
  }
  const tpm::CounterProof proof{to_vector(input.first(size / 2)),
                                to_vector(input.subspan(size / 2))};
  if (tpm::verify_counter_proof(tpm::attestation_p256(), 0x01800001, proof).ok()) __builtin_trap();
  return 0;
}
