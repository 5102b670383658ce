// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "attest/evidence/evidence.h"

namespace sealpack::attest {

// Evidence as a folder, in one of two forms. Nothing else may lie in it, but names that begin with
// '.'.
//
// * What Linux shows of one report under /sys/kernel/config/tsm/report: `provider` says which TEE
//   (sev_guest, tdx_guest, arm_cca_guest), `outblob` is its evidence, `auxblob` the certificates of
//   the host; `event_log` may be a copy of /sys/firmware/acpi/tables/data/CCEL. The attributes for
//   asking (inblob, generation, privlevel, …) and manifestblob are passed over.
// * `tee` names the TEE, every other file is an item by its kind ("report", "gpu-report").
Result<Evidence> load_evidence_folder(const std::filesystem::path& path);

}  // namespace sealpack::attest
