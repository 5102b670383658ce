// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace sealpack::attest::dcap {

// As Intel's PCS API writes them; the two of TDRelaunch come out of evaluation alone.
enum class TcbStatus {
  kUpToDate,
  kSwHardeningNeeded,
  kConfigurationNeeded,
  kConfigurationAndSwHardeningNeeded,
  kOutOfDate,
  kOutOfDateConfigurationNeeded,
  kRevoked,
  kTdRelaunchAdvised,
  kTdRelaunchAdvisedConfigurationNeeded,
};
const char* to_string(TcbStatus status);

// Of a TCB level of a platform.
std::optional<TcbStatus> platform_status(std::string_view text);
// Of a level of an enclave or module: up to date, out of date or revoked.
std::optional<TcbStatus> identity_status(std::string_view text);

// What a platform is worth whose QE or TDX module has the status `part`, one of identity_status.
TcbStatus converge(TcbStatus platform, TcbStatus part);

bool needs_configuration(TcbStatus status);

}  // namespace sealpack::attest::dcap
