// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/run_vm.h"

#include <algorithm>

#include "attest/evidence/collect/collect.h"
#include "attest/evidence/collect/collect_tpm.h"
#include "keymgmt/provision/passwords.h"
#include "runtime-loader/verbs/boot_measurement.h"

namespace sealpack::loader {
namespace {

constexpr unsigned kMostThreads = 64;
constexpr tpm::PcrMask kBootPcrs = 0x7fff;  // 0 to 14

class TpmCollector final : public EvidenceCollector {
 public:
  TpmCollector(std::string tcti, tpm::PcrMask pcrs, std::string event_log,
               tpm::PasswordSource password)
      : tcti_(std::move(tcti)),
        pcrs_(pcrs),
        event_log_(std::move(event_log)),
        password_(std::move(password)) {}

  Result<ByteVector> collect(Bytes report_data) override {
    return attest::serialize_evidence(
        TRY(attest::collect_tpm({to_vector(report_data), tcti_, pcrs_, event_log_, password_})));
  }

 private:
  std::string tcti_;
  tpm::PcrMask pcrs_;
  std::string event_log_;
  tpm::PasswordSource password_;
};

// What is under the machine proves it: the processor, or the hypervisor of an enclave.
class PlatformCollector final : public EvidenceCollector {
 public:
  explicit PlatformCollector(const VmRunOptions& vm)
      : tee_(vm.platform), source_(vm.source), with_event_log_(vm.platform_event_log) {}

  Result<ByteVector> collect(Bytes report_data) override {
    return attest::serialize_evidence(
        TRY(attest::collect({tee_, to_vector(report_data), source_, with_event_log_})));
  }
  // Out of evidence that answers no question: report data are hashes, never zeros.
  Result<Digest> measurement() const {
    constexpr std::size_t kReportDataSize = 64;
    return boot_measurement(
        TRY(attest::collect({tee_, ByteVector(kReportDataSize), source_, false})));
  }

 private:
  std::string tee_;
  std::filesystem::path source_;
  bool with_event_log_;
};

tpm::PcrMask mask_of(const std::vector<unsigned>& pcrs) {
  if (pcrs.empty()) return kBootPcrs;
  tpm::PcrMask mask = 0;
  for (const unsigned pcr : pcrs) mask |= 1U << pcr;
  return mask;
}

}  // namespace

Result<std::optional<tee::Supervisor>> supervise(const RunOptions& options) {
  if (options.vm.key.empty()) return std::optional<tee::Supervisor>();
  const auto cap = [tcti = options.vm.tcti] { return provision::cap_any(tcti); };
  auto supervisor = tee::Supervisor::begin(cap);
  if (!supervisor.ok()) {
    if (const Status capped = cap(); !capped.ok()) {
      return std::move(supervisor)
          .take_error()
          .within("not capped either (" + capped.error().message() + "), stop this machine");
    }
    return supervisor.error();
  }
  return std::optional(*std::move(supervisor));
}

Result<std::unique_ptr<VmWorld>> VmWorld::open(const RunOptions& options,
                                               std::shared_ptr<FileSource> bundle) {
  std::unique_ptr<VmWorld> out(new VmWorld());
  const VmRunOptions& vm = options.vm;
  const tpm::PcrMask pcrs = mask_of(vm.pcrs);
  tee::VmOptions backend;
  const tpm::PasswordSource password =
      provision::password_source({"", vm.endorsement_password, false});
  if (!vm.key.empty()) {
    out->device_ = TRY(provision::open_device(vm.key, vm.tcti, password));
    out->measurement_ = tpm::digest_of(TRY(out->device_.tpm->read_pcrs(pcrs)));
    backend.counters = out->device_.floors.get();
    backend.device_key = &out->device_.key->decryptor();
  } else if (vm.has_tpm()) {
    const auto tpm =
        TRY(tpm::Tpm::open({vm.tcti, tpm::EndorsementKind::kP256, std::nullopt, password}));
    out->measurement_ = tpm::digest_of(TRY(tpm->read_pcrs(pcrs)));
    out->evidence_ = std::make_unique<TpmCollector>(vm.tcti, pcrs, vm.event_log, password);
  } else {
    auto platform = std::make_unique<PlatformCollector>(vm);
    out->measurement_ = TRY(platform->measurement());
    out->evidence_ = std::move(platform);
  }
  backend.tee = vm.platform;
  backend.evidence = out->evidence_.get();
  backend.measurement = out->measurement_;
  backend.memory_limit = options.tee_memory;
  backend.threads = std::min(unpacker::thread_count(options.threads), kMostThreads);
  backend.open_source = [bundle = std::move(bundle)](
                            BundleId,
                            std::uint64_t size) -> Result<std::shared_ptr<const BlockSource>> {
    if (bundle->size() != size) return Error(ErrorCode::kIo, "the bundle has another size");
    return std::shared_ptr<const BlockSource>(bundle);
  };
  out->backend_ = std::make_unique<tee::VmBackend>(backend);
  return out;
}

Status VmWorld::cap() {
  return device_.key == nullptr ? done() : device_.key->cap();
}

}  // namespace sealpack::loader
