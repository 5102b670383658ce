// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/careful_values.h"

#include "attest/policy/claim_text.h"

namespace sealpack::policy {
namespace {

constexpr std::string_view kTrue = "true";
constexpr std::string_view kFalse = "false";
constexpr std::string_view kSecured = "\"secured\"";
constexpr std::string_view kGpuModes = "\"multi-gpu\", \"protected-pcie\", \"single-gpu\"";
constexpr std::string_view kNoServiceTd =
    "\"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000\"";

constexpr CarefulValues kCareful[] = {
    {"alias_check_complete", kTrue, "memory modules that may lie about their size"},
    {"clock_safe", kTrue, "a clock that may have gone back"},
    {"debug", kFalse, "environments that can be debugged"},
    {"event_log", "\"replayed\"", "boots whose events nobody replayed"},
    {"gpu_mode", kGpuModes, "GPUs in another mode"},
    {"hcl_console_enabled", kFalse, "a console into the virtual machine"},
    {"hcl_interactive_console_enabled", kFalse, "a console into the virtual machine"},
    {"hcl_secure_boot", kTrue, "boot without verification"},
    {"migratable", kFalse, "migration to other machines"},
    {"migrate_ma", kFalse, "migration to other machines"},
    {"mode", kGpuModes, "GPUs in another mode"},
    {"mr_servicetd", kNoServiceTd, "service TDs, which can do to the TD what they like"},
    {"platform_lifecycle", kSecured, "platforms that are not secured"},
    {"provision_key", kFalse, "enclaves that may have the platform's provisioning key"},
    {"secure_boot", kTrue, "boot without verification"},
    {"security_lifecycle", kSecured, "devices that are not secured"},
    {"sept_ve_disable", kTrue, "a host that can inject exceptions on memory it takes away"},
    {"tcb_status", "\"UpToDate\"", "platforms whose firmware needs care"},
    {"vmpl", "0", "software below the most privileged level"},
};

}  // namespace

std::span<const CarefulValues> all_careful_values() {
  return kCareful;
}

const CarefulValues* find_careful_values(std::string_view claim) {
  for (const CarefulValues& one : kCareful) {
    if (one.claim == claim) return &one;
  }
  return nullptr;
}

bool is_careful(const CarefulValues& careful, const ClaimName& claim, Bytes value) {
  const std::string listed = ", " + std::string(careful.values) + ", ";
  return listed.find(", " + value_in_toml(claim, value) + ", ") != listed.npos;
}

}  // namespace sealpack::policy
