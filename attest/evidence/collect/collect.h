// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "attest/evidence/evidence.h"

// Asking the machine for evidence about the environment that this program runs in: what Linux,
// Gramine and the Nitro hypervisor offer. TPMs are in collect_tpm.h. There is no way to collect
// SIMULATED evidence here: only the TEE that is a process makes some.
namespace sealpack::attest {

struct CollectRequest {
  std::string tee;         // "sev-snp", "tdx", "cca", "sgx" or "nitro"
  ByteVector report_data;  // 64 bytes; of nitro 1 to 64
  // A recorded folder that stands in for what is asked: the entry of configfs-tsm, Gramine's
  // /dev/attestation, the Nitro device (file `response`). What would be written there (inblob,
  // user_report_data, request) is compared with the file of that name, if there is one: kRefused.
  // Empty: the machine.
  std::filesystem::path source;
  // Of a trust domain: its event log too.
  bool with_event_log = false;
};

// kUsage for a TEE that is not collected here and for report data of another size; kUnsupported
// where the machine has nothing to ask; kIo; kTryAgain where the platform was busy or somebody else
// wrote at the same time, again and again.
Result<Evidence> collect(const CollectRequest& request);

}  // namespace sealpack::attest
