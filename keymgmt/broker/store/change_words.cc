// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/store/change_words.h"

#include "formats/base/utc_text.h"

namespace sealpack::broker::internal {

std::string words_of(const RaiseFloor& change) {
  return "raise floor of " + printable(change.floor.product) + " to " +
         std::to_string(change.floor.floor.counter);
}

std::string words_of(const Revoke& change) {
  const Revocation& revocation = change.revocation;
  return std::string("revoke ") + to_string(revocation.kind) + " " + to_hex(revocation.value) +
         (revocation.because.empty() ? "" : ": " + printable(revocation.because));
}

std::string words_of(const PutLicence& change) {
  const Licence& licence = change.licence;
  const std::size_t devices = licence.devices.size();
  std::string limits;
  const auto add = [&](bool limited, const std::string& text) {
    if (limited) limits += (limits.empty() ? "" : ", ") + text;
  };
  add(licence.max_instances != 0, std::to_string(licence.max_instances) + " instances");
  add(licence.lease_seconds != 0, "leases of " + std::to_string(licence.lease_seconds) + " s");
  add(licence.not_before != 0, "from " + utc_text(licence.not_before));
  add(licence.not_after != 0, "until " + utc_text(licence.not_after));
  add(devices != 0, std::to_string(devices) + " devices");
  return "put licence of " + printable(licence.product) + ": " +
         (limits.empty() ? "no limits" : limits);
}

std::string words_of(const AddKey& change) {
  return std::string("add key for ") + to_string(change.key.use) + " " +
         to_hex(change.key.digest().bytes);
}

std::string words_of(const EndKey& change) {
  return "end key " + to_hex(change.key.bytes) + " at " + utc_text(change.not_after);
}

std::string words_of(const Reconcile& change) {
  return "reconcile: " + std::to_string(change.revocations.size()) + " revocations, " +
         std::to_string(change.floors.size()) + " floors, " + std::to_string(change.ended.size()) +
         " ended leases, " + std::to_string(change.keys.size()) + " keys, " +
         std::to_string(change.ended_keys.size()) + " ended keys, " +
         (change.no_lease_is_missing ? "no lease is missing" : "leases may be missing");
}

}  // namespace sealpack::broker::internal
