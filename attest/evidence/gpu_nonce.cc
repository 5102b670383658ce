// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/gpu_nonce.h"

#include "attest/evidence/gpu_items.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::attest {

ByteVector gpu_nonce(Bytes transcript, const Evidence& evidence) {
  Evidence without_gpu{evidence.tee, {}};
  for (const EvidenceItem& item : evidence.items) {
    if (!is_gpu_kind(item.kind)) without_gpu.items.push_back(item);
  }
  const Digest digest = crypto::sha256(serialize_evidence(without_gpu));
  crypto::Sha256 hash;
  return to_vector(
      hash.update(as_bytes("gpu")).update(transcript).update(digest.bytes).finish().bytes);
}

}  // namespace sealpack::attest
