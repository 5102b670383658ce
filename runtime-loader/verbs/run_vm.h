// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/files/file_source.h"
#include "keymgmt/provision/device_files.h"
#include "runtime-loader/tee/vm/supervisor.h"
#include "runtime-loader/tee/vm/vm_backend.h"
#include "runtime-loader/verbs/run_options.h"

namespace sealpack::loader {

// Where the options name a device's key: from here on it is capped, however this process ends.
// Before anything else is done.
Result<std::optional<tee::Supervisor>> supervise(const RunOptions& options);

// A machine, measured as it booted, in which `run` itself is inside the TEE.
class VmWorld {
 public:
  // With a provisioned key where the options name one; else it proves itself to a broker, by its
  // TPM or by the platform under it.
  static Result<std::unique_ptr<VmWorld>> open(const RunOptions& options,
                                               std::shared_ptr<FileSource> bundle);

  tee::Backend& backend() { return *backend_; }
  const Digest& measurement() const { return measurement_; }
  bool has_device_key() const { return device_.key != nullptr; }
  // Until the next boot nobody gets to use the device's key. Nothing to do without one.
  Status cap();

 private:
  VmWorld() = default;
  provision::DeviceAccess device_;
  std::unique_ptr<EvidenceCollector> evidence_;
  Digest measurement_;
  std::unique_ptr<tee::VmBackend> backend_;  // uses what is above
};

}  // namespace sealpack::loader
