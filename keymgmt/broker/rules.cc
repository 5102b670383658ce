// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/rules.h"

#include <algorithm>

#include "attest/policy/judge.h"
#include "attest/policy/policy_file.h"
#include "formats/base/utc_text.h"
#include "formats/bundle/message_writer.h"
#include "unpacker/core/bundle.h"

namespace sealpack::broker {
namespace {

// Claims that name one device, most telling first. A TEE that makes none of them is anonymous.
constexpr std::string_view kDeviceClaims[] = {"chip_id",     "ppid",      "ek_name",
                                              "instance_id", "module_id", "platform_instance_id",
                                              "ueid",        "gpu_ueid"};

bool names_device(std::string_view claim) {
  return std::find(std::begin(kDeviceClaims), std::end(kDeviceClaims), claim) !=
         std::end(kDeviceClaims);
}

// Roots of simulated TEEs that the release itself names.
std::vector<Digest> simulated_roots(const bundle::MeasurementPolicy& policy) {
  std::vector<Digest> roots;
  for (const bundle::Environment& environment : policy.environments) {
    if (environment.tee != "simulated") continue;
    for (const bundle::ClaimRule& rule : environment.rules) {
      if (rule.claim != "root") continue;
      for (const ByteVector& value : rule.accepted) {
        if (value.size() != Digest::kSize) continue;
        Digest& root = roots.emplace_back();
        std::copy(value.begin(), value.end(), root.bytes.begin());
      }
    }
  }
  return roots;
}

bool admits_tee(const bundle::MeasurementPolicy& policy, std::string_view tee) {
  return std::any_of(policy.environments.begin(), policy.environments.end(),
                     [&](const bundle::Environment& one) { return one.tee == tee; });
}

}  // namespace

Result<std::shared_ptr<const Rules>> Rules::create(std::shared_ptr<const State> state,
                                                   const ServiceOptions& options) {
  std::shared_ptr<Rules> rules(new Rules);
  rules->state_ = std::move(state);
  rules->lab_ = options.lab;
  rules->roots_ = options.roots;
  rules->roots_.simulated.clear();
  for (const TpmDevice& device : rules->state_->tpm_devices) {
    rules->roots_.tpm_enrolments.push_back(
        {device.attestation_key, device.ak_name, device.ek_name});
  }
  rules->index();
  for (const RegisteredRelease& registered : rules->state_->releases) {
    rules->releases_.emplace(registered.release,
                             TRY(rules->serve(registered, options)
                                     .within("release " + to_hex(registered.release.bytes))));
  }
  return std::shared_ptr<const Rules>(std::move(rules));
}

void Rules::index() {
  for (const Revocation& one : state_->revocations) revoked_.emplace(one.kind, one.value);
  for (const ProductFloor& one : state_->floors) floors_[{one.authority, one.product}] = one.floor;
  for (const Licence& one : state_->licences) licences_[{one.authority, one.product}] = &one;
  for (const ProductPolicy& one : state_->policies) policies_[{one.authority, one.product}] = &one;
  for (const BrokerKey& one : state_->keys) keys_.push_back({one.digest(), &one});
  for (const RegisteredRelease& one : state_->releases) {
    std::uint64_t& highest = highest_[{one.authority, one.product}];
    highest = std::max(highest, one.counter);
  }
}

Result<ServedRelease> Rules::serve(const RegisteredRelease& registered,
                                   const ServiceOptions& options) const {
  const Product product{registered.authority, registered.product};
  ServedRelease served;
  served.registered = &registered;
  served.release = TRY(bundle::parse_release(registered.head.release.payload));
  served.floor.counter = 1;
  if (const auto floor = floors_.find(product); floor != floors_.end()) {
    served.floor = floor->second;
  }
  if (const auto licence = licences_.find(product); licence != licences_.end()) {
    served.licence = licence->second;
  }
  if (const auto own = policies_.find(product); own != policies_.end()) {
    auto parsed = policy::parse_policy(own->second->text, "the broker's policy");
    served.broken_policy = !parsed.ok();
    if (parsed.ok()) served.own_policy = std::move(parsed->policy);
  }
  if (options.lab) served.laboratories.simulated = simulated_roots(served.release.policy);
  for (const Vendor& vendor : state_->vendors) {
    if (vendor.name != registered.vendor) continue;
    served.vendor_listed = true;
    served.vendor_trusted = TRY(trust_digest(vendor)) == registered.trust;
  }
  served.highest = highest_.at(product) == registered.counter;
  return served;
}

bool Rules::is_listed(KeyUse use, const Digest& key, std::uint64_t now) const {
  return std::any_of(keys_.begin(), keys_.end(), [&](const ListedKey& one) {
    return one.digest == key && one.key->use == use && one.key->not_before <= now &&
           (one.key->not_after == 0 || now < one.key->not_after);
  });
}

bool Rules::has_ended(KeyUse use, const Digest& key, std::uint64_t now) const {
  return std::any_of(keys_.begin(), keys_.end(), [&](const ListedKey& one) {
    return one.digest == key && one.key->use == use && one.key->not_after != 0 &&
           one.key->not_after <= now;
  });
}

bool Rules::is_revoked(RevokedKind kind, Bytes value) const {
  return !revoked_.empty() && revoked_.contains({kind, to_vector(value)});
}

Reason Rules::why_unknown(const ChallengeRequest& subject) const {
  for (const auto& [digest, served] : releases_) {
    if (served.registered->content != subject.content) continue;
    if (served.registered->authority != subject.authority) {
      return {"broker.authority", "the content belongs to another authority"};
    }
    return {"broker.unknown-release", "this release of the bundle is not registered here"};
  }
  return {"broker.unknown-bundle", "the bundle is not registered here"};
}

void Rules::judge_registered(const ServedRelease& served, std::uint64_t now,
                             std::vector<Reason>& reasons) const {
  const RegisteredRelease& registered = *served.registered;
  const auto refuse = [&](const char* code, std::string text) {
    reasons.push_back({code, std::move(text)});
  };
  if (!served.vendor_listed) {
    refuse("broker.vendor", "the vendor of the bundle is not served here any more");
  } else if (!served.vendor_trusted) {
    refuse("broker.vendor",
           "the vendor is trusted by other keys since: the bundle has to be added again");
  }
  if (!served.highest) {
    refuse("broker.superseded", "a release with a higher counter than " +
                                    std::to_string(registered.counter) + " is registered");
  }
  if (!loader::check_floor(served.floor, registered.counter, registered.release).ok()) {
    refuse("broker.below-floor", "counter " + std::to_string(registered.counter) +
                                     " is below the floor " + std::to_string(served.floor.counter) +
                                     " of the product");
  }
  const auto valid = unpacker::check_validity(served.release, {now});
  if (!valid.ok()) refuse("broker.validity", valid.error().message());
  if (is_revoked(RevokedKind::kContent, registered.content.bytes)) {
    refuse("broker.revoked-content", "the bundle is revoked");
  }
  if (is_revoked(RevokedKind::kRelease, registered.release.bytes)) {
    refuse("broker.revoked-release", "the release is revoked");
  }
  for (const Digest& signer : registered.signers) {
    if (!is_revoked(RevokedKind::kSigner, signer.bytes)) continue;
    refuse("broker.revoked-signer", "a key that signed the release is revoked");
  }
  if (served.broken_policy) refuse("broker.policy", "the broker's own rules do not admit it");
  const Licence* licence = served.licence;
  if (licence == nullptr) return;
  if (now < licence->not_before || (licence->not_after != 0 && now > licence->not_after)) {
    refuse("broker.licence-time", "the licence does not hold at " + utc_text(now));
  }
}

Rules::Found Rules::find(const ChallengeRequest& subject, std::uint64_t now) const {
  Found found;
  const auto at = releases_.find(subject.release);
  if (at == releases_.end()) {
    found.reasons.push_back(why_unknown(subject));
    return found;
  }
  const ServedRelease& served = at->second;
  if (served.registered->authority != subject.authority) {
    found.reasons.push_back({"broker.authority", "the release belongs to another authority"});
  }
  if (served.registered->content != subject.content) {
    found.reasons.push_back({"broker.content", "the release is one of another content"});
  }
  if (!admits_tee(served.release.policy, subject.tee)) {
    found.reasons.push_back(
        {"broker.tee", "the release opens in no environment of type " + printable(subject.tee)});
  }
  if (subject.tee == "simulated" && !lab_) {
    found.reasons.push_back({"broker.lab", "simulated evidence is believed in laboratories only"});
  }
  judge_registered(served, now, found.reasons);
  if (found.reasons.empty()) found.release = &served;
  return found;
}

Rules::Judged Rules::judge(const ServedRelease& served, const attest::Claims& claims) const {
  Judged judged;
  judged.reasons = policy::judge(claims, served.release.policy);
  if (served.own_policy) {
    judged.own = policy::judge(claims, *served.own_policy);
    if (!judged.own.empty()) {
      judged.reasons.push_back({"broker.policy", "the broker's own rules do not admit it"});
    }
  }
  const auto refuse_once = [&](const char* code, const char* text) {
    const auto& reasons = judged.reasons;
    if (std::any_of(reasons.begin(), reasons.end(),
                    [&](const Reason& r) { return r.code == code; })) {
      return;
    }
    judged.reasons.push_back({code, text});
  };
  for (const attest::Claim& claim : claims.claims) {
    const bool device = names_device(claim.name);
    if (device && is_revoked(RevokedKind::kDevice, claim.value)) {
      refuse_once("broker.revoked-device", "the device is revoked");
    }
    if (!device && is_revoked(RevokedKind::kMeasurement, claim.value)) {
      refuse_once("broker.revoked-measurement", "what the device runs is revoked");
    }
  }
  if (served.licence != nullptr && !served.licence->devices.empty()) {
    const auto& devices = served.licence->devices;
    if (!std::binary_search(devices.begin(), devices.end(), device_of(claims))) {
      refuse_once("broker.licence-device", "the licence does not name this device");
    }
  }
  return judged;
}

ByteVector device_of(const attest::Claims& claims) {
  for (const std::string_view name : kDeviceClaims) {
    const attest::Claim* claim = claims.find(name);
    if (claim == nullptr) continue;
    // A masked identity is all zeros: that is nobody.
    const auto zero = [](std::uint8_t byte) { return byte == 0; };
    if (!std::all_of(claim->value.begin(), claim->value.end(), zero)) return claim->value;
  }
  return {};
}

ByteVector serialize_claims(const attest::Claims& claims) {
  bundle::MessageWriter out;
  out.text(1, claims.tee);
  for (const attest::Claim& claim : claims.claims) {
    if (claim.name == "gpu_nonce") continue;
    out.element(2, bundle::MessageWriter().text(1, claim.name).bytes(2, claim.value).take());
  }
  return out.take();
}

}  // namespace sealpack::broker
