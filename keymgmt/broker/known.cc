// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/known.h"

#include <algorithm>

#include "formats/bundle/release.h"

namespace sealpack::broker {
namespace {

bool is(const Digest& digest, Bytes value) {
  return std::equal(value.begin(), value.end(), digest.bytes.begin(), digest.bytes.end());
}
bool is_among(std::span<const ByteVector> list, Bytes value) {
  return std::any_of(list.begin(), list.end(), [&](const ByteVector& one) {
    return std::equal(value.begin(), value.end(), one.begin(), one.end());
  });
}

bool signs_for_a_vendor(const State& state, Bytes value) {
  for (const Vendor& vendor : state.vendors) {
    for (const unpacker::SignerRule& rule : vendor.trust.signers) {
      for (const crypto::VerifyingKey& key : rule.keys) {
        if (is(key.digest(), value)) return true;
      }
    }
  }
  return false;
}

Result<bool> is_in_a_policy(const State& state, Bytes value) {
  for (const RegisteredRelease& one : state.releases) {
    const bundle::Release release = TRY(bundle::parse_release(one.head.release.payload));
    for (const bundle::Environment& environment : release.policy.environments) {
      for (const bundle::ClaimRule& rule : environment.rules) {
        if (is_among(rule.accepted, value) || is_among(rule.required, value)) return true;
      }
    }
  }
  return false;
}

bool is_licensed(const State& state, Bytes device) {
  return std::any_of(state.licences.begin(), state.licences.end(),
                     [&](const Licence& licence) { return is_among(licence.devices, device); });
}

}  // namespace

Result<bool> is_known(Store& store, RevokedKind kind, Bytes value) {
  const auto state = TRY(store.state());
  const auto a_release = [&](auto matches) {
    return std::any_of(state->releases.begin(), state->releases.end(), matches);
  };
  switch (kind) {
    case RevokedKind::kContent:
      return a_release([&](const RegisteredRelease& one) { return is(one.content, value); });
    case RevokedKind::kRelease:
      return a_release([&](const RegisteredRelease& one) { return is(one.release, value); });
    case RevokedKind::kSigner:
      return signs_for_a_vendor(*state, value) || a_release([&](const RegisteredRelease& one) {
               return std::any_of(one.signers.begin(), one.signers.end(),
                                  [&](const Digest& signer) { return is(signer, value); });
             });
    case RevokedKind::kDevice:
      return is_licensed(*state, value) || TRY(has_met(store, value));
    case RevokedKind::kMeasurement:
      return TRY(is_in_a_policy(*state, value)) || TRY(store.has_claimed(value));
  }
  die("unknown kind of revocation");
}

Result<bool> has_met(Store& store, Bytes device) {
  const auto state = TRY(store.state());
  const bool enrolled =
      std::any_of(state->tpm_devices.begin(), state->tpm_devices.end(), [&](const TpmDevice& one) {
        return is_among({&one.ek_name, 1}, device);
      });
  return enrolled || TRY(store.has_claimed(device));
}

}  // namespace sealpack::broker
