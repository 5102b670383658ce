// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/run_gpus.h"

#include "attest/evidence/collect/collect_gpu.h"
#include "attest/evidence/gpu_nonce.h"

namespace sealpack::loader {

Result<KeyRequest> with_gpus(KeyRequest request, const std::filesystem::path& nvml) {
  attest::Evidence evidence = TRY(attest::parse_evidence(request.evidence));
  attest::CollectGpuRequest asked;
  asked.nonce = attest::gpu_nonce(grant_transcript(request.terms), evidence);
  asked.library = nvml;
  attest::CollectedGpus gpus =
      TRY(attest::collect_gpus(asked).within("collecting nvidia-gpu evidence"));
  for (attest::EvidenceItem& item : gpus.items) evidence.items.push_back(std::move(item));
  request.evidence = attest::serialize_evidence(evidence);
  if (request.evidence.size() > attest::kMaxEvidenceSize) {
    return Error(ErrorCode::kLimit, "evidence of " + format_size(request.evidence.size()) +
                                        " with the GPUs' reports, at most " +
                                        format_size(attest::kMaxEvidenceSize) + " are allowed");
  }
  return request;
}

}  // namespace sealpack::loader
