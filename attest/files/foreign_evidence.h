// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/evidence/evidence.h"

namespace sealpack::attest {

// Evidence as other tools wrap it: told by what is in it, taken apart into the manufacturers'
// bytes. Internal to attest/files.

// A JSON document: {"quote": base64, "cc_eventlog": base64} of SGX and TDX, or what azure_import.h
// and tpm_import.h read of Trustee's and nvattest_import.h of NVIDIA's.
Result<Evidence> parse_foreign_json(Bytes text);

}  // namespace sealpack::attest
