// SPDX-License-Identifier: Apache-2.0
// How a bundle of a session comes to its key.
#include <algorithm>

#include "runtime-loader/core/session_state.h"

namespace sealpack::loader {

using internal::Member;

namespace {

Error already_open(BundleId id) {
  return {ErrorCode::kUsage, "bundle " + std::to_string(id) + " is open already"};
}

// Holding a key proves nothing of the environment.
Status check_direct(const bundle::Slot& slot) {
  if (slot.slot_class == bundle::SlotClass::kDirect) return done();
  return Error(ErrorCode::kRefused,
               "the slot is attested: it opens in an environment that was proven, not by a key");
}

template <typename Recipient>
Result<unpacker::AdmittedKey> admit_direct(const unpacker::VerifiedBundle& bundle,
                                           const bundle::Slot& slot, const Recipient& recipient) {
  TRY(check_direct(slot));
  return bundle.admit(slot, recipient);
}

// The first slot that hints at the recipient and that `admit` opens; else what the last of them
// said.
template <typename Admit>
Result<unpacker::AdmittedKey> admit_any(const unpacker::VerifiedBundle& bundle, const Digest& id,
                                        const Admit& admit) {
  Error failure(ErrorCode::kKeyUnavailable, "the bundle has no slot for this key");
  for (const bundle::Slot& slot : bundle.slots()) {
    if (!slots::hints_at(slot, id)) continue;
    auto admitted = admit(slot);
    if (admitted.ok()) return admitted;
    failure = std::move(admitted).take_error();
  }
  return failure;
}

}  // namespace

Status Session::State::check_ungranted(const Member& member) const {
  if (!member.owner->counter_required || is_protected(services.counters.kind())) return done();
  return Error(ErrorCode::kRefused,
               "a counter floor is required here, this TEE keeps none that the host cannot turn "
               "back, and a slot brings none")
      .with_hint("open it with a broker's grant");
}

// The counter is judged again: the floor may have risen since the bundle was added.
Status Session::State::open(Member& member, unpacker::AdmittedKey key) {
  TRY(check_counter(member));
  member.open =
      std::make_unique<unpacker::OpenBundle>(std::move(*member.verified).open(std::move(key)));
  member.verified.reset();
  member.exchange.reset();
  return done();
}

template <typename Admit>
Status Session::State::unlock(BundleId id, const Admit& admit) {
  Member* member = TRY(at(Stage::kMessage, find(id)));
  if (member->open) return at(Stage::kMessage, Status(already_open(id)));
  TRY(at(Stage::kCounter, check_ungranted(*member)));
  auto key = TRY(at(Stage::kKey, admit(*member->verified)));
  return at(Stage::kCounter, open(*member, std::move(key)));
}

Status Session::unlock(BundleId id, const crypto::Decryptor& recipient) {
  return state_->unlock(id, [&](const unpacker::VerifiedBundle& bundle) {
    return admit_any(bundle, recipient.public_key().digest(), [&](const bundle::Slot& slot) {
      return admit_direct(bundle, slot, recipient);
    });
  });
}

Status Session::unlock(BundleId id, const crypto::WrappingKey& recipient) {
  return state_->unlock(id, [&](const unpacker::VerifiedBundle& bundle) {
    return admit_any(bundle, slots::symmetric_key_id(recipient), [&](const bundle::Slot& slot) {
      return admit_direct(bundle, slot, recipient);
    });
  });
}

Status Session::unlock_with(BundleId id, const bundle::Slot& slot,
                            const crypto::Decryptor& recipient) {
  return state_->unlock(id, [&](const unpacker::VerifiedBundle& bundle) {
    return admit_direct(bundle, slot, recipient);
  });
}

Status Session::unlock_with(BundleId id, const bundle::Slot& slot,
                            const crypto::WrappingKey& recipient) {
  return state_->unlock(id, [&](const unpacker::VerifiedBundle& bundle) {
    return admit_direct(bundle, slot, recipient);
  });
}

Status Session::State::check_environment(const Member& member) const {
  const bundle::Release& release = member.bundle().release();
  if (!release.policy.requires_attestation()) return done();
  const auto& environments = release.policy.environments;
  const bool listed =
      std::any_of(environments.begin(), environments.end(),
                  [&](const bundle::Environment& entry) { return entry.tee == backend.tee; });
  if (listed) return done();
  return Error(ErrorCode::kRefused,
               "the release does not open in an environment of type " + backend.tee);
}

Status Session::unlock_device(BundleId id, const crypto::Decryptor& device_key) {
  State& state = *state_;
  if (!state.backend.device_keys) {
    return state.at(Stage::kKey,
                    Status(Error(ErrorCode::kUnsupported,
                                 "this TEE has no keys that hardware releases to it")));
  }
  const Member* member = TRY(state.at(Stage::kMessage, state.find(id)));
  TRY(state.at(Stage::kKey, state.check_environment(*member)));
  return state.unlock(id, [&](const unpacker::VerifiedBundle& bundle) {
    return admit_any(bundle, device_key.public_key().digest(),
                     [&](const bundle::Slot& slot) -> Result<unpacker::AdmittedKey> {
                       if (slot.slot_class == bundle::SlotClass::kAttested) {
                         return bundle.admit(slot, device_key);
                       }
                       return Error(ErrorCode::kRefused,
                                    "a device's key opens attested slots alone");
                     });
  });
}

// Asked before a request is made and again before a grant is taken.
Status Session::State::check_granting(const Member& member) const {
  if (!member.owner->broker && !backend.host_holds_keys) {
    return Error(ErrorCode::kRefused, "no broker key is configured, so no grant is believed");
  }
  return check_environment(member);
}

Result<KeyRequest> Session::request_key(BundleId id, Challenge challenge) {
  Member* member = TRY(state_->at(Stage::kMessage, state_->find(id)));
  if (member->open && !member->lease) {
    return state_->at(Stage::kMessage, Result<KeyRequest>(already_open(id)));
  }
  TRY(state_->at(Stage::kKey, state_->check_granting(*member)));
  const unpacker::VerifiedBundle& bundle = member->bundle();
  const auto key =
      TRY(state_->at(Stage::kKey, crypto::PrivateKey::generate(crypto::KeyType::kX25519)));
  KeyRequest request;
  GrantTerms& terms = request.terms;
  terms.challenge = std::move(challenge);
  if (member->owner->broker) terms.broker = member->owner->broker->digest();
  terms.authority = bundle.content().authority;
  terms.content = bundle.release().content_digest;
  terms.release = bundle.release_digest();
  terms.tee = state_->backend.tee;
  terms.public_key = to_vector(key.spki());
  terms.role = member->role;
  if (member->lease) terms.renews = member->lease->instance;
  if (state_->services.evidence != nullptr) {
    const auto report_data = report_data_for(terms.tee, grant_transcript(terms));
    request.evidence =
        TRY(state_->at(Stage::kKey, state_->services.evidence->collect(report_data)));
  }
  // Judged as the other side will: a challenge that breaks the rules stops here.
  TRY(state_->at(Stage::kKey, parse_key_request(serialize_key_request(request))));
  const auto& seconds = state_->services.seconds;
  auto decryptor = TRY(key.decryptor());
  member->exchange = internal::Exchange{terms, std::move(decryptor), seconds ? seconds() : 0};
  return request;
}

// The time runs from the request on: the grant was made later, so the lease does not end later than
// its broker said, however long the host kept the grant.
Result<std::optional<internal::Lease>> Session::State::lease_of(
    const GrantFacts& facts, const internal::Exchange& exchange) const {
  if (exchange.terms.renews && facts.instance && *facts.instance != *exchange.terms.renews) {
    return Error(ErrorCode::kRefused, "the grant prolongs the lease of another instance");
  }
  if (facts.lease_until == 0) return std::optional<internal::Lease>();
  if (!services.seconds) {
    return Error(ErrorCode::kRefused,
                 "the grant is a lease, and this TEE has no clock to tell its end by");
  }
  if (facts.unix_seconds == 0 || facts.lease_until <= facts.unix_seconds || !facts.instance) {
    return Error(ErrorCode::kRefused, "the grant is a lease that has no time to run");
  }
  const std::uint64_t ends_at =
      checked_add(exchange.asked_at, facts.lease_until - facts.unix_seconds)
          .value_or(~std::uint64_t{0});
  if (ends_at <= services.seconds()) {
    return Error(ErrorCode::kRefused, "the lease was over before its grant came");
  }
  return std::optional(internal::Lease{*facts.instance, ends_at});
}

Result<Session::State::Admitted> Session::State::admit_grant(Member& member,
                                                             const KeyGrant& grant) {
  if (!member.exchange) {
    return Error(ErrorCode::kKeyUnavailable, "no grant was asked for, or its time is over");
  }
  const internal::Exchange exchange = *std::exchange(member.exchange, std::nullopt);
  TRY(check_granting(member));
  const auto& broker = member.owner->broker;
  GrantedKey granted = TRY(open_key_grant(grant, exchange.terms, *exchange.key, broker));
  const unpacker::VerifiedBundle& bundle = member.bundle();
  if (granted.facts.unix_seconds != 0) {
    TRY(unpacker::check_validity(bundle.release(), {granted.facts.unix_seconds}));
  }
  auto lease = TRY(lease_of(granted.facts, exchange));
  // A broker demanded evidence; a host that holds the key did not.
  auto key = TRY(bundle.admit_granted(
      std::move(granted.key), broker ? bundle::SlotClass::kAttested : bundle::SlotClass::kDirect));
  return Admitted{std::move(key), granted.facts, lease};
}

Status Session::State::check_granted_floor(const Member& member, const GrantFacts& facts) const {
  const unpacker::VerifiedBundle& bundle = member.bundle();
  if (facts.floor) {
    TRY(check_floor(*facts.floor, bundle.release().counter, bundle.release_digest()));
    if (member.owner->broker) return done();
  }
  return check_ungranted(member);
}

Status Session::accept_grant(BundleId id, const KeyGrant& grant) {
  Member* member = TRY(state_->at(Stage::kMessage, state_->find(id)));
  if (member->open && !member->lease) {
    return state_->at(Stage::kMessage, Status(already_open(id)));
  }
  auto admitted = TRY(state_->at(Stage::kKey, state_->admit_grant(*member, grant)));
  TRY(state_->at(Stage::kCounter, state_->check_granted_floor(*member, admitted.facts)));
  if (member->open) {
    // The floor of the backend may have risen, too.
    TRY(state_->at(Stage::kCounter, state_->check_counter(*member)));
  } else {
    TRY(state_->at(Stage::kCounter, state_->open(*member, std::move(admitted.key))));
  }
  member->granted_at = admitted.facts.unix_seconds;
  member->lease = admitted.lease;
  return done();
}

Status Session::State::check_lease(const Member& member) const {
  if (!member.lease || services.seconds() < member.lease->ends_at) return done();
  return Error(ErrorCode::kRefused, "the lease is over").with_hint("ask the broker to prolong it");
}

Status Session::check_lease(BundleId id) {
  const Member* member = TRY(state_->at(Stage::kKey, state_->find(id)));
  return state_->at(Stage::kKey, state_->check_lease(*member));
}

std::optional<std::uint64_t> Session::lease_ends_at(BundleId id) const {
  const auto member = state_->find(id);
  if (!member.ok() || !(*member)->lease) return std::nullopt;
  return (*member)->lease->ends_at;
}

}  // namespace sealpack::loader
