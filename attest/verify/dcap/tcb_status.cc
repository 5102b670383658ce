// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/tcb_status.h"

#include <array>

namespace sealpack::attest::dcap {
namespace {

constexpr std::array kPlatformStatuses{TcbStatus::kUpToDate,
                                       TcbStatus::kSwHardeningNeeded,
                                       TcbStatus::kOutOfDate,
                                       TcbStatus::kOutOfDateConfigurationNeeded,
                                       TcbStatus::kRevoked,
                                       TcbStatus::kConfigurationAndSwHardeningNeeded,
                                       TcbStatus::kConfigurationNeeded};
constexpr std::array kIdentityStatuses{TcbStatus::kUpToDate, TcbStatus::kOutOfDate,
                                       TcbStatus::kRevoked};

template <std::size_t N>
std::optional<TcbStatus> find(const std::array<TcbStatus, N>& known, std::string_view text) {
  for (const TcbStatus status : known) {
    if (text == to_string(status)) return status;
  }
  return std::nullopt;
}

}  // namespace

const char* to_string(TcbStatus status) {
  switch (status) {
    case TcbStatus::kUpToDate:
      return "UpToDate";
    case TcbStatus::kSwHardeningNeeded:
      return "SWHardeningNeeded";
    case TcbStatus::kConfigurationNeeded:
      return "ConfigurationNeeded";
    case TcbStatus::kConfigurationAndSwHardeningNeeded:
      return "ConfigurationAndSWHardeningNeeded";
    case TcbStatus::kOutOfDate:
      return "OutOfDate";
    case TcbStatus::kOutOfDateConfigurationNeeded:
      return "OutOfDateConfigurationNeeded";
    case TcbStatus::kTdRelaunchAdvised:
      return "TDRelaunchAdvised";
    case TcbStatus::kTdRelaunchAdvisedConfigurationNeeded:
      return "TDRelaunchAdvisedConfigurationNeeded";
    case TcbStatus::kRevoked:
      break;
  }
  return "Revoked";
}

std::optional<TcbStatus> platform_status(std::string_view text) {
  return find(kPlatformStatuses, text);
}

std::optional<TcbStatus> identity_status(std::string_view text) {
  return find(kIdentityStatuses, text);
}

TcbStatus converge(TcbStatus platform, TcbStatus part) {
  if (platform == TcbStatus::kRevoked || part == TcbStatus::kRevoked) return TcbStatus::kRevoked;
  if (part == TcbStatus::kUpToDate) return platform;
  return needs_configuration(platform) ? TcbStatus::kOutOfDateConfigurationNeeded
                                       : TcbStatus::kOutOfDate;
}

bool needs_configuration(TcbStatus status) {
  return status == TcbStatus::kConfigurationNeeded ||
         status == TcbStatus::kConfigurationAndSwHardeningNeeded ||
         status == TcbStatus::kOutOfDateConfigurationNeeded ||
         status == TcbStatus::kTdRelaunchAdvisedConfigurationNeeded;
}

}  // namespace sealpack::attest::dcap
