// SPDX-License-Identifier: Apache-2.0
#include "tests/keymgmt/broker/broker_setting.h"

#include "attest/evidence/simulated.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/slots/slots.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker::testing {

using sealpack::testing::digest_of;
using sealpack::testing::Recipe;
using sealpack::testing::Succeeds;
using sealpack::testing::verifying_key;

namespace {

bundle::MeasurementPolicy lab_policy(const Setting& setting) {
  bundle::Environment environment{"simulated", {}};
  bundle::ClaimRule measurement;
  measurement.claim = "measurement";
  measurement.accepted = {to_vector(setting.measurement.bytes)};
  bundle::ClaimRule root;
  root.claim = "root";
  root.accepted = {to_vector(digest_of(setting.lab).bytes)};
  environment.rules = {measurement, root};
  return {{}, {environment}};
}

}  // namespace

Setting::Setting(const std::string& wanted) {
  uri = wanted.empty() ? "sqlite:" + (folder / "broker.store").string() : wanted;
  store = Store::create(uri, kNow).value();
  vendor = {"vendor", sealpack::testing::trust_in(vendor_keys)};
  EXPECT_THAT(apply(PutVendor{vendor}), Succeeds());
  for (const auto& [use, key] :
       {std::pair{KeyUse::kRecipient, &recipient}, std::pair{KeyUse::kGrants, &grants},
        std::pair{KeyUse::kLog, &log_key}}) {
    EXPECT_THAT(apply(AddKey{{use, to_vector(key->spki()), 0, 0}}), Succeeds());
  }
  release = make_release(7);
  EXPECT_THAT(add(release), Succeeds());
}

Status Setting::apply(const Change& change) {
  static_cast<void>(TRY(store->apply(change, *clock)));
  return done();
}

RegisteredRelease Setting::make_release(std::uint64_t counter,
                                        const std::function<void(bundle::Release&)>& edit) {
  Recipe recipe;
  recipe.edit_content = [&](bundle::Content& content) { content.uuid = uuid; };
  recipe.edit_release = [&](bundle::Release& made) {
    made.counter = counter;
    made.policy = lab_policy(*this);
    edit(made);
  };
  slots::Binding binding{uuid, {}, digest_of(vendor_keys.authority)};
  recipe.edit_head = [&](bundle::Head& head) {
    binding.content_digest = bundle::parse_release(head.release.payload)->content_digest;
    const auto to = crypto::EncryptionKey::from_spki(recipient.spki()).value();
    head.slots = {
        slots::wrap_for(to, bundle::SlotClass::kAttested, binding, vendor_keys.content).value()};
  };
  const auto source =
      sealpack::testing::memory(sealpack::testing::build(vendor_keys, recipe).bytes());
  const ServiceKeys keys = service_keys();
  auto registered = register_bundle(source, vendor, {*clock}, {}, keys.recipients);
  EXPECT_THAT(registered, Succeeds());
  return registered.value();
}

ServiceKeys Setting::service_keys() const {
  ServiceKeys keys;
  keys.recipients.push_back(recipient.decryptor().value());
  keys.grants.push_back(grants.signer().value());
  return keys;
}

void Setting::start(const std::function<void(ServiceOptions&)>& edit) {
  ServiceOptions options;
  options.lab = true;
  options.clock = [now = clock] { return now->load(); };
  // Tests that move the clock mean that time has passed.
  options.uptime = options.clock;
  edit(options);
  auto made = Service::create(store, service_keys(), std::move(options));
  ASSERT_THAT(made, Succeeds());
  service = *std::move(made);
}

Client::Client(const Setting& setting)
    : subject{setting.release.authority, setting.release.content, setting.release.release,
              "simulated"},
      measurement(setting.measurement),
      broker(verifying_key(setting.grants)),
      lab(&setting.lab) {}

loader::KeyRequest Client::request(const ChallengeReply& reply) {
  const auto renews = terms.renews;
  terms = {reply.challenge, broker.digest(), subject.authority,          subject.content,
           subject.release, subject.tee,     to_vector(exchange.spki()), "model",
           renews};
  const ByteVector data = loader::report_data_for(terms.tee, loader::grant_transcript(terms));
  return {terms,
          attest::make_simulated_evidence(measurement, data, *lab->signer().value()).value()};
}

ByteVector Client::release_request(const ChallengeReply& reply) {
  return serialize(ReleaseRequest{loader::serialize_key_request(request(reply)), {}});
}

Result<loader::GrantedKey> Client::open(Bytes grant) const {
  return loader::open_key_grant(TRY(loader::parse_key_grant(grant)), terms,
                                *TRY(exchange.decryptor()), broker);
}

ChallengeReply challenge_of(Service& service, const ChallengeRequest& subject,
                            Transport transport) {
  const Answer answer = service.challenge(serialize(subject), transport);
  EXPECT_EQ(answer.kind, Answer::Kind::kChallenge) << codes_of(answer);
  return parse_challenge_reply(answer.body).value();
}

Answer release_of(Service& service, ByteVector request, Transport transport) {
  auto promise = std::make_shared<std::promise<Answer>>();
  auto future = promise->get_future();
  service.release(std::move(request), transport,
                  [promise](Answer answer) { promise->set_value(std::move(answer)); });
  return future.get();
}

Answer exchange(Service& service, Client& client) {
  return release_of(service, client.release_request(challenge_of(service, client.subject)));
}

Refusal refusal_in(const Answer& answer) {
  EXPECT_EQ(answer.kind, Answer::Kind::kRefusal);
  return parse_refusal(answer.body).value();
}

std::string codes_of(const Answer& answer) {
  if (answer.kind != Answer::Kind::kRefusal) return "";
  std::string codes;
  const Refusal refusal = refusal_in(answer);
  for (const Reason& reason : refusal.reasons) {
    codes += (codes.empty() ? "" : " ") + reason.code;
  }
  return codes;
}

std::string challenge_codes_of(Service& service, const ChallengeRequest& subject) {
  return codes_of(service.challenge(serialize(subject), Transport::kNetwork));
}

void expect_key(const Setting& setting, const Client& client, const Answer& answer) {
  ASSERT_EQ(answer.kind, Answer::Kind::kGrant) << codes_of(answer);
  const auto granted = client.open(answer.body);
  ASSERT_THAT(granted, Succeeds());
  EXPECT_TRUE(
      crypto::equal_constant_time(granted->key.reveal(), setting.vendor_keys.content.reveal()));
}

std::vector<LogEntry> entries_of(Store& store) {
  std::vector<LogEntry> out;
  for (;;) {
    const auto page = store.log_entries(out.size(), 1000).value();
    for (const ByteVector& entry : page) out.push_back(parse_log_entry(entry).value());
    if (page.empty()) return out;
  }
}

}  // namespace sealpack::broker::testing
