// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/session.h"

#include <algorithm>

#include "formats/bundle/labels.h"
#include "runtime-loader/core/labels.h"
#include "runtime-loader/core/names.h"
#include "runtime-loader/core/session_state.h"

namespace sealpack::loader {

using internal::Member;

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::create(Bytes launch_config, Backend backend, const Services& services) {
  LaunchConfig config = TRY(parse_launch(launch_config));
  if (!is_label(backend.tee)) return Error(ErrorCode::kUsage, "a backend names its TEE type");
  if (config.answer_key && config.answer_key->algorithm() == crypto::EncryptionAlgorithm::kRsa) {
    return Error(ErrorCode::kUnsupported,
                 "answers are sealed to X25519 and P-256 keys, not to RSA");
  }
  const auto key = TRY(crypto::PrivateKey::generate(crypto::KeyType::kEd25519));
  return Session(std::make_unique<State>(std::move(config), loader::launch_digest(launch_config),
                                         std::move(backend), services, TRY(key.signer())));
}

const LaunchConfig& Session::config() const {
  return state_->config;
}
const Digest& Session::launch_digest() const {
  return state_->launch;
}
const Backend& Session::backend() const {
  return state_->backend;
}
const crypto::VerifyingKey& Session::tee_key() const {
  return state_->tee_key->public_key();
}
const Refusal& Session::last_refusal() const {
  return state_->last_refusal;
}

Result<ByteVector> Session::endorse_tee_key() {
  if (state_->services.evidence == nullptr) {
    return Error(ErrorCode::kUnsupported, "this TEE makes no evidence");
  }
  const ByteVector statement =
      bundle::LengthPrefixed().add(kEndorseKeyLabel).add(tee_key().spki()).bytes();
  return state_->services.evidence->collect(report_data_for(state_->backend.tee, statement));
}

Result<Member*> Session::State::find(BundleId id) {
  const auto found = members.find(id);
  if (found == members.end()) {
    return Error(ErrorCode::kUsage, "the session has no bundle " + std::to_string(id));
  }
  return found->second.get();
}

Result<Member*> Session::State::find_open(BundleId id) {
  Member* member = TRY(find(id));
  if (!member->open) {
    return Error(ErrorCode::kKeyUnavailable, "bundle " + std::to_string(id) + " has no key yet");
  }
  return member;
}

Status Session::State::check_counter(const Member& member) {
  const unpacker::VerifiedBundle& bundle = member.bundle();
  const Floor floor =
      TRY(services.counters.floor(bundle.content().authority, bundle.release().product));
  return check_floor(floor, bundle.release().counter, bundle.release_digest());
}

Result<Member> Session::State::verify(std::shared_ptr<const BlockSource> source,
                                      const AddBundle& how) {
  const auto owner = std::find_if(config.owners.begin(), config.owners.end(),
                                  [&](const Owner& entry) { return entry.name == how.owner; });
  if (owner == config.owners.end()) {
    return Error(ErrorCode::kUsage, "no owner " + printable(how.owner) + " is configured");
  }
  TRY(check_label(how.role, "role"));
  auto unverified = TRY(unpacker::UnverifiedBundle::open(std::move(source)));
  Member member;
  member.owner = &*owner;
  member.role = how.role;
  member.time = how.host_time;
  member.verified = std::make_unique<unpacker::VerifiedBundle>(
      TRY(std::move(unverified).verify(owner->trust, how.host_time)));
  member.rule = TRY(narrow(member.verified->release().answer, config.answer));
  return member;
}

Status Session::add_bundle(BundleId id, std::shared_ptr<const BlockSource> source,
                           const AddBundle& how) {
  if (state_->members.contains(id) || state_->members.size() == kMaxBundles) {
    return state_->at(Stage::kMessage,
                      Status(Error(ErrorCode::kUsage, "the session has a bundle " +
                                                          std::to_string(id) + " or is full")));
  }
  auto member = std::make_unique<Member>(
      TRY(state_->at(Stage::kVerify, state_->verify(std::move(source), how))));
  TRY(state_->at(Stage::kCounter, state_->check_counter(*member)));
  state_->members[id] = std::move(member);
  return done();
}

const unpacker::VerifiedBundle* Session::verified(BundleId id) const {
  const auto member = state_->find(id);
  return member.ok() ? &(*member)->bundle() : nullptr;
}

const unpacker::OpenBundle* Session::opened(BundleId id) const {
  const auto member = state_->find(id);
  return member.ok() ? (*member)->open.get() : nullptr;
}

Status Session::confirm(BundleId id) {
  const Member* member = TRY(state_->at(Stage::kMessage, state_->find_open(id)));
  const unpacker::VerifiedBundle& bundle = member->bundle();
  // The floor may have risen since the bundle was opened.
  TRY(state_->at(Stage::kCounter, state_->check_counter(*member)));
  return state_->at(Stage::kCounter, state_->services.counters.raise(
                                         bundle.content().authority, bundle.release().product,
                                         {bundle.release().counter, bundle.release_digest()}));
}

Result<SignedReceipt> Session::receipt(BundleId id, Bytes nonce) {
  const Member* member = TRY(state_->at(Stage::kReceipt, state_->find_open(id)));
  const unpacker::VerifiedBundle& bundle = member->bundle();
  Receipt receipt;
  receipt.release = bundle.release_digest();
  receipt.content = bundle.release().content_digest;
  receipt.authority = bundle.content().authority;
  receipt.product = bundle.release().product;
  receipt.version = bundle.release().version;
  receipt.counter = bundle.release().counter;
  receipt.tee = state_->backend.tee;
  receipt.measurement = state_->backend.measurement;
  receipt.launch = state_->launch;
  receipt.role = member->role;
  receipt.loaded = member->model != nullptr;
  receipt.granted_at = member->granted_at;
  receipt.answers = member->answers;
  receipt.nonce = to_vector(nonce);
  return state_->at(Stage::kReceipt, sign_receipt(receipt, *state_->tee_key));
}

void Session::close_bundle(BundleId id) {
  const auto found = state_->members.find(id);
  if (found == state_->members.end()) return;
  if (state_->run && state_->run->member == found->second.get()) abandon_run();
  state_->members.erase(found);
}

}  // namespace sealpack::loader
