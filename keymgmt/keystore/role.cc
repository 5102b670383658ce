// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/role.h"

#include <array>

namespace sealpack::keystore {

namespace {

struct NamedRole {
  Role role;
  const char* name;
  bool signs;
};
constexpr std::array<NamedRole, 11> kRoles = {{
    {Role::kAuthority, "authority", true},
    {Role::kPublisher, "publisher", true},
    {Role::kReviewer, "reviewer", true},
    {Role::kGrantor, "grantor", true},
    {Role::kGrantSigner, "grant-signer", true},
    {Role::kLog, "log", true},
    {Role::kSimulatedRoot, "simulated-root", true},
    {Role::kRecipient, "recipient", false},
    {Role::kEscrow, "escrow", false},
    {Role::kBroker, "broker", false},
    {Role::kDevice, "device", false},
}};

}  // namespace

const char* to_string(Role role) {
  for (const NamedRole& entry : kRoles) {
    if (entry.role == role) return entry.name;
  }
  return "unknown";
}

std::optional<Role> parse_role(std::string_view name) {
  for (const NamedRole& entry : kRoles) {
    if (name == entry.name) return entry.role;
  }
  return std::nullopt;
}

bool signs(Role role) {
  for (const NamedRole& entry : kRoles) {
    if (entry.role == role) return entry.signs;
  }
  return false;
}

}  // namespace sealpack::keystore
