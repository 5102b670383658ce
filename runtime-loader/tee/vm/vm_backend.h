// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "runtime-loader/core/machine.h"
#include "runtime-loader/tee/backend.h"
#include "runtime-loader/tee/threads.h"

namespace sealpack::tee {

// What the machine proves itself with. A TPM in a measured machine gives all of it, the processor
// under a confidential guest its evidence (keymgmt/provision, attest/evidence/collect); this folder
// knows neither.
struct VmOptions {
  std::string tee = "tpm";  // as in a release's policy
  Digest measurement;       // for receipts: what the machine booted
  loader::EvidenceCollector* evidence = nullptr;
  loader::CounterStore* counters = nullptr;       // none: the machine remembers nothing
  const crypto::Decryptor* device_key = nullptr;  // none: keys come from a broker
  std::uint64_t memory_limit = 0;                 // bytes for models; 0: not limited
  unsigned threads = 1;
  std::uint64_t shared_bytes = std::uint64_t{64} << 20U;
  loader::OpenSource open_source;
};

// The measured machine itself is the TEE: the core runs in this process, and everything that booted
// with it is inside. What keeps others out is the machine's boot chain and its hypervisor or case,
// not this backend (docs/BACKENDS.md).
class VmBackend final : public Backend {
 public:
  // What `options` points to must outlive it.
  explicit VmBackend(const VmOptions& options);
  ~VmBackend() override;
  VmBackend(const VmBackend&) = delete;
  VmBackend& operator=(const VmBackend&) = delete;

  const Capabilities& capabilities() const override { return capabilities_; }
  loader::SharedBuffer shared() override;
  Result<ByteVector> step(Bytes message) override;
  Result<SecureRoom> secure_room() override;
  Result<Use> use() override;

 private:
  class Memory;
  Capabilities capabilities_;
  std::unique_ptr<Memory> memory_;
  loader::NoCounter no_counter_;
  WorkerThreads workers_;
  AheadThread ahead_;
  ByteVector shared_;
  std::unique_ptr<loader::Machine> machine_;
  Traffic traffic_;
};

}  // namespace sealpack::tee
