// SPDX-License-Identifier: Apache-2.0
#include "attest/verbs/collect_gpu_verb.h"

#include "attest/evidence/collect/collect_gpu.h"
#include "attest/evidence/gpu_items.h"
#include "attest/evidence/gpu_nonce.h"
#include "attest/files/evidence_file.h"
#include "formats/files/file_source.h"

namespace sealpack::attest {
namespace {

constexpr std::uint64_t kMaxTranscript = 1U << 20U;

struct Asked {
  Evidence evidence{"nvidia-gpu", {}};  // without GPUs' items
  ByteVector nonce;
};

Result<Asked> asked_for(const GpuOptions& options, Bytes report_data) {
  if (options.beside.empty() != options.transcript.empty()) {
    return Error(ErrorCode::kUsage, "--beside and --transcript go together");
  }
  Asked asked;
  asked.nonce = to_vector(report_data);
  if (options.beside.empty()) return asked;
  if (!report_data.empty()) {
    return Error(ErrorCode::kUsage, "--nonce does not go with --beside: it is made of both");
  }
  asked.evidence = TRY(load_evidence(options.beside));
  if (count_gpus(asked.evidence) > 0) {
    return Error(ErrorCode::kUsage, printable(options.beside) + " has a GPU already");
  }
  asked.nonce = gpu_nonce(TRY(load_file(options.transcript, kMaxTranscript)), asked.evidence);
  return asked;
}

}  // namespace

void add_gpu_options(CLI::App& verb, GpuOptions& options) {
  verb.add_option("--nvml", options.library,
                  "nvidia-gpu: the driver's management library (libnvidia-ml.so.1)");
  verb.add_option("--gpu", options.indices, "nvidia-gpu: which ones, from 0 (all, at most 8)")
      ->delimiter(',');
  verb.add_option("--beside", options.beside,
                  "nvidia-gpu: evidence of the TEE that uses the GPUs; all go into --out");
  verb.add_option("--transcript", options.transcript,
                  "nvidia-gpu: FILE that the TEE's report data are the hash of");
}

Result<Evidence> collect_gpu_evidence(const GpuOptions& options, Bytes report_data,
                                      cli::Terminal& terminal) {
  Asked asked = TRY(asked_for(options, report_data));
  CollectGpuRequest request;
  request.nonce = asked.nonce;
  request.indices = options.indices;
  request.library = options.library;
  CollectedGpus gpus = TRY(collect_gpus(request).within("collecting nvidia-gpu evidence"));
  const GpuSettings& host = gpus.settings;
  terminal.note("the host says, and nobody signed it: confidential computing " +
                host.confidential_computing + ", environment " + host.environment +
                ", developer tools " + host.developer_tools + ", several GPUs " + host.multi_gpu);
  terminal.note("GPUs were asked for " + to_hex(asked.nonce));
  for (EvidenceItem& item : gpus.items) asked.evidence.items.push_back(std::move(item));
  return std::move(asked.evidence);
}

}  // namespace sealpack::attest
