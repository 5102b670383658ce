// SPDX-License-Identifier: Apache-2.0
// The release decision, as a client meets it.
#include "keymgmt/broker/log.h"
#include "keymgmt/crypto/random.h"
#include "tests/keymgmt/broker/release_setting.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::make_key;
using sealpack::testing::Succeeds;
using namespace testing;

class Releases : public ReleaseTest {};

TEST_F(Releases, BringTheKeyToAProvenEnvironment) {
  start();
  Client client(setting_);
  const Answer answer = exchange(service(), client);
  expect_key(setting_, client, answer);
  const auto facts = client.open(answer.body)->facts;
  EXPECT_EQ(facts.unix_seconds, kNow);
  EXPECT_EQ(facts.floor, (loader::Floor{1, std::nullopt}));
  EXPECT_EQ(facts.lease_until, 0U);
}

TEST_F(Releases, AreLoggedWithWhatWasProven) {
  start();
  Client client(setting_);
  exchange(service(), client);
  const LogEntry entry = entries_of(*setting_.store).back();
  EXPECT_EQ(entry.kind, EntryKind::kGrant);
  EXPECT_EQ(entry.time, kNow);
  EXPECT_EQ(entry.release, setting_.release.release);
  EXPECT_EQ(entry.tee, "simulated");
  EXPECT_EQ(entry.role, "model");
  EXPECT_EQ(entry.transport, 1U);
  // The claims are kept as they were when it was decided.
  const ByteVector claims = setting_.store->claims(entry.claims).value();
  EXPECT_NE(as_text(claims).find("measurement"), std::string_view::npos);
  EXPECT_THAT(setting_.store->claims(Digest{}), Fails(ErrorCode::kRefused));
}

TEST_F(Releases, OfAChallengeHappenOnce) {
  start();
  Client client(setting_);
  const ByteVector request = client.release_request(challenge_of(service(), client.subject));
  EXPECT_EQ(codes_of(release_of(service(), request)), "");
  EXPECT_EQ(codes_of(release_of(service(), request)), "broker.nonce-used");
  // Nor in another process: the store knows.
  setting_.start();
  EXPECT_EQ(codes_of(release_of(service(), request)), "broker.nonce-used");
  EXPECT_EQ(refusal_in(release_of(service(), request)).log_index, 0U);
}

TEST_F(Releases, SpendTheChallengeOfARefusalToo) {
  start();
  Client client(setting_);
  const auto reply = challenge_of(service(), client.subject);
  client.measurement = Digest{{9}};
  EXPECT_EQ(codes_of(release_of(service(), client.release_request(reply))), "policy.not-accepted");
  client.measurement = setting_.measurement;
  EXPECT_EQ(codes_of(release_of(service(), client.release_request(reply))), "broker.nonce-used");
}

TEST_F(Releases, InParallelOfOneChallengeAreOne) {
  start();
  Client client(setting_);
  const ByteVector request = client.release_request(challenge_of(service(), client.subject));
  std::vector<std::promise<Answer>> promises(20);
  for (auto& promise : promises) {
    service().release(request, Transport::kNetwork,
                      [&](Answer answer) { promise.set_value(std::move(answer)); });
  }
  int grants = 0;
  for (auto& promise : promises) {
    grants += promise.get_future().get().kind == Answer::Kind::kGrant ? 1 : 0;
  }
  EXPECT_EQ(grants, 1);
}

TEST_F(Releases, RefuseChallengesTheyDidNotMake) {
  start();
  Client client(setting_);
  const auto good = challenge_of(service(), client.subject);
  for (std::size_t i = 0; i < good.challenge.id.size(); ++i) {
    auto reply = good;
    reply.challenge.id[i] ^= 1;
    EXPECT_EQ(codes_of(release_of(service(), client.release_request(reply))), "broker.nonce-forged")
        << i;
  }
  auto reply = good;
  reply.challenge.nonce[0] ^= 1;
  EXPECT_EQ(codes_of(release_of(service(), client.release_request(reply))), "broker.nonce-forged");
  reply = good;
  reply.challenge.id.pop_back();
  EXPECT_EQ(codes_of(release_of(service(), client.release_request(reply))), "broker.nonce-forged");
  reply.challenge.id.clear();
  EXPECT_EQ(codes_of(release_of(service(), client.release_request(reply))), "broker.nonce-forged");
  // None of that spent the challenge.
  EXPECT_EQ(codes_of(release_of(service(), client.release_request(good))), "");
}

TEST_F(Releases, RefuseChallengesThatEnded) {
  start();
  Client client(setting_);
  const auto reply = challenge_of(service(), client.subject);
  EXPECT_EQ(reply.expires, kNow + 60);
  *setting_.clock = kNow + 61;
  EXPECT_EQ(codes_of(release_of(service(), client.release_request(reply))), "broker.nonce-expired");
  *setting_.clock = kNow + 60;
  EXPECT_EQ(codes_of(release_of(service(), client.release_request(reply))), "");
}

TEST_F(Releases, GiveChallengesOverANetworkNoMoreThanTwoMinutes) {
  setting_.start([](ServiceOptions& options) { options.network_lifetime = 100000; });
  Client client(setting_);
  EXPECT_EQ(challenge_of(service(), client.subject).expires, kNow + 120);
}

TEST_F(Releases, OverFilesHaveChallengesOfTheirOwn) {
  start();
  Client client(setting_);
  const auto reply = challenge_of(service(), client.subject, Transport::kFiles);
  EXPECT_EQ(reply.expires, kNow + 7 * 24 * 3600);
  const ByteVector request = client.release_request(reply);
  EXPECT_EQ(codes_of(release_of(service(), request)), "broker.nonce-transport");
  *setting_.clock = kNow + 3 * 24 * 3600;
  EXPECT_EQ(codes_of(release_of(service(), request, Transport::kFiles)), "");
  EXPECT_EQ(entries_of(*setting_.store).back().transport, 2U);
}

// A challenge for one bundle or TEE earns no other.
TEST_F(Releases, RefuseAChallengeForSomethingElse) {
  start();
  Client client(setting_);
  const auto reply = challenge_of(service(), client.subject);
  const std::vector<std::function<void(ChallengeRequest&)>> others = {
      [](ChallengeRequest& subject) { subject.tee = "tdx"; },
      [](ChallengeRequest& subject) { subject.release.bytes[0] ^= 1; },
      [](ChallengeRequest& subject) { subject.content.bytes[0] ^= 1; },
      [](ChallengeRequest& subject) { subject.authority.bytes[0] ^= 1; },
  };
  for (const auto& change : others) {
    Client other(setting_);
    other.subject = client.subject;
    change(other.subject);
    loader::KeyRequest request = client.request(reply);
    request.terms.tee = other.subject.tee;
    request.terms.release = other.subject.release;
    request.terms.content = other.subject.content;
    request.terms.authority = other.subject.authority;
    const ByteVector bytes = serialize(ReleaseRequest{loader::serialize_key_request(request), {}});
    EXPECT_EQ(codes_of(release_of(service(), bytes)), "broker.nonce-subject");
  }
}

// Evidence relayed from another exchange: made for another key, nonce, role.
TEST_F(Releases, RefuseEvidenceOfAnotherExchange) {
  start();
  const std::vector<std::function<void(loader::GrantTerms&)>> others = {
      [](loader::GrantTerms& terms) {
        terms.public_key = to_vector(make_key(crypto::KeyType::kX25519).spki());
      },
      [](loader::GrantTerms& terms) { terms.role = "adapter"; },
      [](loader::GrantTerms& terms) { terms.renews = loader::Instance{1}; },
  };
  for (const auto& change : others) {
    Client client(setting_);
    loader::KeyRequest request = client.request(challenge_of(service(), client.subject));
    change(request.terms);
    const ByteVector bytes = serialize(ReleaseRequest{loader::serialize_key_request(request), {}});
    EXPECT_EQ(codes_of(release_of(service(), bytes)), "simulated.report-data");
  }
  Client client(setting_);
  const auto first = client.request(challenge_of(service(), client.subject));
  auto second = client.request(challenge_of(service(), client.subject));
  second.evidence = first.evidence;  // yesterday's
  const ByteVector bytes = serialize(ReleaseRequest{loader::serialize_key_request(second), {}});
  EXPECT_EQ(codes_of(release_of(service(), bytes)), "simulated.report-data");
}

TEST_F(Releases, RefuseEvidenceThatIsNone) {
  start();
  const std::vector<std::pair<ByteVector, std::string>> cases = {{{}, "broker.evidence"},
                                                                 {{1, 2, 3}, "broker.evidence"}};
  for (const auto& [evidence, codes] : cases) {
    Client client(setting_);
    auto request = client.request(challenge_of(service(), client.subject));
    request.evidence = evidence;
    const ByteVector bytes = serialize(ReleaseRequest{loader::serialize_key_request(request), {}});
    EXPECT_EQ(codes_of(release_of(service(), bytes)), codes);
  }
}

TEST_F(Releases, RefuseEvidenceOfAnotherKindOfTee) {
  start();
  Client client(setting_);
  auto request = client.request(challenge_of(service(), client.subject));
  auto evidence = attest::parse_evidence(request.evidence).value();
  evidence.tee = "sev-snp";
  request.evidence = attest::serialize_evidence(evidence);
  const ByteVector bytes = serialize(ReleaseRequest{loader::serialize_key_request(request), {}});
  EXPECT_EQ(codes_of(release_of(service(), bytes)), "broker.evidence");
}

TEST_F(Releases, BelieveNoSimulatedTeeOutsideALaboratory) {
  setting_.start([](ServiceOptions& options) { options.lab = false; });
  Client client(setting_);
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.lab");
}

TEST_F(Releases, BelieveOnlyTheLaboratoryThatThePolicyNames) {
  start();
  const auto other = make_key(crypto::KeyType::kEd25519);
  Client client(setting_);
  client.lab = &other;
  EXPECT_EQ(refused_for(client), "simulated.root");
}

TEST_F(Releases, TellWhyThePolicyOfTheReleaseRefuses) {
  start();
  Client client(setting_);
  client.measurement = Digest{{9}};
  const Refusal refusal = refusal_in(exchange(service(), client));
  EXPECT_EQ(refusal.code, ErrorCode::kRefused);
  ASSERT_EQ(refusal.reasons.size(), 1U);
  EXPECT_EQ(refusal.reasons[0].code, "policy.not-accepted");
  EXPECT_NE(refusal.reasons[0].text.find("measurement"), std::string::npos);
  const auto entries = entries_of(*setting_.store);
  EXPECT_EQ(refusal.log_index, entries.size() - 1);
  EXPECT_EQ(entries.back().kind, EntryKind::kRefusal);
  EXPECT_EQ(entries.back().codes, std::vector<std::string>{"policy.not-accepted"});
  EXPECT_NE(entries.back().claims, Digest{});
}

TEST_F(Releases, KeepTheBrokersOwnRulesToThemselves) {
  const std::string policy =
      "[[environment]]\ntee = \"simulated\"\n[environment.claims]\n"
      "measurement = { accept = [\"" +
      std::string(64, 'a') + "\"] }\nroot = { accept = [\"" +
      to_hex(sealpack::testing::digest_of(setting_.lab).bytes) + "\"] }\n";
  ASSERT_THAT(setting_.apply(PutPolicy{{setting_.release.authority, "test product", policy}}),
              Succeeds());
  start();
  Client client(setting_);
  const Refusal refusal = refusal_in(exchange(service(), client));
  ASSERT_EQ(refusal.reasons.size(), 1U);
  EXPECT_EQ(refusal.reasons[0].code, "broker.policy");
  EXPECT_EQ(refusal.reasons[0].text.find("aaaa"), std::string::npos);
  EXPECT_EQ(entries_of(*setting_.store).back().codes,
            (std::vector<std::string>{"broker.policy", "policy.not-accepted"}));
  // Each code once, however many reasons have it.
  client.measurement = Digest{{9}};
  EXPECT_EQ(refused_for(client), "policy.not-accepted broker.policy");
  EXPECT_EQ(entries_of(*setting_.store).back().codes,
            (std::vector<std::string>{"policy.not-accepted", "broker.policy"}));
}

TEST_F(Releases, StopWhereTheBrokersOwnRulesCannotBeRead) {
  ASSERT_THAT(setting_.apply(PutPolicy{{setting_.release.authority, "test product", "what ["}}),
              Succeeds());
  start();
  Client client(setting_);
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.policy");
}

TEST_F(Releases, AreSignedByTheKeyThatTheTeeBelieves) {
  start();
  Client client(setting_);
  const auto other = make_key(crypto::KeyType::kEd25519);
  client.broker = sealpack::testing::verifying_key(other);
  EXPECT_EQ(refused_for(client), "broker.key");
}

TEST_F(Releases, EndWithTheKeyForGrants) {
  EXPECT_EQ(refused_after(EndKey{sealpack::testing::digest_of(setting_.grants), kNow}),
            "broker.key");
  Client client(setting_);
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.key");
}

TEST_F(Releases, EndWithTheRecipientKey) {
  EXPECT_EQ(refused_after(EndKey{sealpack::testing::digest_of(setting_.recipient), kNow}),
            "broker.recipient");
}

// After a rotation TEEs still pin the old key until theirs is changed.
TEST_F(Releases, AreSignedByOldAndNewKeyDuringARotation) {
  const auto newer = make_key(crypto::KeyType::kEd25519);
  ASSERT_THAT(setting_.apply(AddKey{{KeyUse::kGrants, to_vector(newer.spki()), 0, 0}}), Succeeds());
  ServiceKeys keys = setting_.service_keys();
  keys.grants.insert(keys.grants.begin(), newer.signer().value());
  ServiceOptions options;
  options.lab = true;
  options.clock = options.uptime = [] { return kNow; };
  const auto service = Service::create(setting_.store, std::move(keys), options).value();
  Client client(setting_);
  client.broker = sealpack::testing::verifying_key(newer);
  expect_key(setting_, client, exchange(*service, client));
  Client old(setting_);
  expect_key(setting_, old, exchange(*service, old));
}

// A configuration goes on naming a key whose time is over.
TEST_F(Releases, AreServedBesideKeysThatHaveEnded) {
  const auto newer = make_key(crypto::KeyType::kEd25519);
  ASSERT_THAT(setting_.apply(AddKey{{KeyUse::kGrants, to_vector(newer.spki()), 0, 0}}), Succeeds());
  ASSERT_THAT(setting_.apply(EndKey{sealpack::testing::digest_of(setting_.grants), kNow}),
              Succeeds());
  ServiceOptions options;
  options.lab = true;
  options.clock = options.uptime = [] { return kNow; };
  EXPECT_THAT(Service::create(setting_.store, setting_.service_keys(), options),
              Fails(ErrorCode::kRefused));
  ServiceKeys keys = setting_.service_keys();
  keys.grants.insert(keys.grants.begin(), newer.signer().value());
  const auto service = Service::create(setting_.store, std::move(keys), options);
  ASSERT_THAT(service, Succeeds());
  Client client(setting_);
  client.broker = sealpack::testing::verifying_key(newer);
  expect_key(
      setting_, client,
      release_of(**service, client.release_request(challenge_of(**service, client.subject))));
}

TEST_F(Releases, AreNotServedWithKeysThatTheStoreDoesNotList) {
  ServiceKeys keys = setting_.service_keys();
  const auto other = make_key(crypto::KeyType::kEd25519);
  keys.grants.push_back(other.signer().value());
  ServiceOptions options;
  options.clock = options.uptime = [] { return kNow; };
  EXPECT_THAT(Service::create(setting_.store, std::move(keys), options),
              Fails(ErrorCode::kRefused));
  keys = setting_.service_keys();
  const auto recipient = make_key(crypto::KeyType::kX25519);
  keys.recipients.push_back(recipient.decryptor().value());
  EXPECT_THAT(Service::create(setting_.store, std::move(keys), options),
              Fails(ErrorCode::kRefused));
}

TEST_F(Releases, RefuseWhatIsNoRequest) {
  start();
  EXPECT_EQ(codes_of(release_of(service(), {1, 2, 3})), "broker.request");
  EXPECT_EQ(refusal_in(release_of(service(), {1, 2, 3})).code, ErrorCode::kMalformed);
  EXPECT_EQ(refusal_in(release_of(service(), ByteVector(kMaxRequestSize + 1))).code,
            ErrorCode::kLimit);
  EXPECT_EQ(codes_of(service().challenge(ByteVector{1}, Transport::kNetwork)), "broker.request");
  const ByteVector bytes = serialize(ReleaseRequest{{1, 2}, {}});
  EXPECT_EQ(codes_of(release_of(service(), bytes)), "broker.request");
}

TEST_F(Releases, RefuseEndorsementsThatAreNone) {
  start();
  Client client(setting_);
  auto message =
      parse_release_request(client.release_request(challenge_of(service(), client.subject)))
          .value();
  message.endorsements = {1, 2, 3};
  EXPECT_EQ(codes_of(release_of(service(), serialize(message))), "broker.endorsements");
}

TEST_F(Releases, HoldNoBitOfARequestThatMayChange) {
  start();
  Client client(setting_);
  const ByteVector good = client.release_request(challenge_of(service(), client.subject));
  // One bit of each byte: a request that changed is never granted, and what is not refused for its
  // form or its challenge spends the challenge, so each try has one of its own.
  for (std::size_t i = 0; i < good.size(); ++i) {
    Client own(setting_);
    ByteVector request = own.release_request(challenge_of(service(), own.subject));
    ASSERT_EQ(request.size(), good.size());
    request[i] ^= static_cast<std::uint8_t>(1U << (i % 8));
    EXPECT_NE(codes_of(release_of(service(), std::move(request))), "") << i;
  }
}

TEST_F(Releases, AreToldToWaitWhenThereAreTooMany) {
  setting_.start([](ServiceOptions& options) { options.queue = 0; });
  Client client(setting_);
  const ByteVector request = client.release_request(challenge_of(service(), client.subject));
  const Refusal refusal = refusal_in(release_of(service(), request));
  EXPECT_EQ(refusal.code, ErrorCode::kTryAgain);
  EXPECT_EQ(refusal.reasons[0].code, "broker.busy");
  EXPECT_NE(refusal.retry_after, 0U);
}

TEST_F(Releases, EndWithTheServiceAndAllAreAnswered) {
  start();
  std::vector<std::promise<Answer>> promises(50);
  for (auto& promise : promises) {
    Client client(setting_);
    service().release(client.release_request(challenge_of(service(), client.subject)),
                      Transport::kNetwork,
                      [&](Answer answer) { promise.set_value(std::move(answer)); });
  }
  service().stop();
  for (auto& promise : promises) {
    EXPECT_EQ(promise.get_future().get().kind, Answer::Kind::kGrant);
  }
  Client client(setting_);
  EXPECT_EQ(codes_of(release_of(service(), {})), "broker.busy");
}

TEST_F(Releases, AreCounted) {
  start();
  Client client(setting_);
  exchange(service(), client);
  client.measurement = Digest{{9}};
  exchange(service(), client);
  service().stop();
  const ServiceStatistics statistics = service().statistics();
  EXPECT_EQ(statistics.challenges, 2U);
  EXPECT_EQ(statistics.grants, 1U);
  EXPECT_EQ(statistics.refusals.at("policy.not-accepted"), 1U);
  EXPECT_GE(statistics.commits, 1U);
  EXPECT_EQ(statistics.waiting, 0U);
}

TEST_F(Releases, FollowChangesMadeBesideTheService) {
  start();
  Client client(setting_);
  EXPECT_EQ(refused_for(client), "");
  // Another process on the same store.
  const auto other = Store::open(setting_.uri).value();
  const auto newer = setting_.make_release(9);
  ASSERT_THAT(other->apply(AddRelease{newer}, kNow), Succeeds());
  client.subject.content = newer.content;
  client.subject.release = newer.release;
  EXPECT_EQ(refused_for(client), "");
  ASSERT_THAT(
      other->apply(
          Revoke{{RevokedKind::kMeasurement, to_vector(setting_.measurement.bytes), "", 0}}, kNow),
      Succeeds());
  EXPECT_EQ(refused_for(client), "broker.revoked-measurement");
}

}  // namespace
}  // namespace sealpack::broker
