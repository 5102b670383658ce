// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/client/client.h"

#include <stdlib.h>

#include "tests/keymgmt/broker/server/running_server.h"
#include "tests/testing/silent_port.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::refusal;
using testing::RunningServer;

ChallengeRequest some_request() {
  ChallengeRequest request;
  request.tee = "simulated";
  return request;
}

class Clients : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.start();
    ChallengeReply reply;
    reply.challenge = {ByteVector(32, 7), {1, 2}};
    reply.expires = 1700000060;
    server_.service.challenge_answer.body = serialize(reply);
    server_.service.release_answer.body = loader::serialize_key_grant({{1, 2, 3}, {4}});
  }
  ClientOptions options() {
    ClientOptions options;
    options.url = server_.url();
    options.ca_file = server_.certificate;
    options.first_wait = options.longest_wait = milliseconds(1);
    options.connect_time = options.request_time = std::chrono::minutes(2);
    return options;
  }
  std::unique_ptr<Client> client() { return Client::create(options()).value(); }

  RunningServer server_;
};

TEST_F(Clients, AskForChallengesAndGrants) {
  const auto client = this->client();
  const auto challenge = client->challenge(some_request());
  ASSERT_THAT(challenge, Succeeds());
  EXPECT_EQ(challenge->challenge.nonce, ByteVector(32, 7));
  EXPECT_EQ(server_.service.challenges.at(0), serialize(some_request()));
  const auto grant = client->release({{1, 2, 3}, {}});
  ASSERT_THAT(grant, Succeeds());
  EXPECT_EQ(grant->signature, ByteVector{4});
  EXPECT_EQ(client->last_refusal(), std::nullopt);
}

TEST_F(Clients, PassOnARefusalWithAllItsReasons) {
  server_.service.release_answer =
      refusal(ErrorCode::kRefused, {{"policy.debug", "one"}, {"policy.vmpl", "two\x1b[31m"}}, 9);
  const auto client = this->client();
  const auto refused = client->release({{1}, {}});
  ASSERT_THAT(refused, FailsWith(ErrorCode::kRefused,
                                 AllOf(HasSubstr("policy.debug: one"), HasSubstr("policy.vmpl"),
                                       HasSubstr("entry 9"), Not(HasSubstr("\x1b")))));
  ASSERT_TRUE(client->last_refusal());
  EXPECT_EQ(client->last_refusal()->reasons.size(), 2U);
  EXPECT_EQ(server_.service.releases.size(), 1U);  // not tried again
}

TEST_F(Clients, TakeTheLongestRefusalThatThereMayBe) {
  const std::vector<Reason> reasons(
      kMaxReasons, Reason{std::string(kMaxReasonCode, 'c'), std::string(kMaxReasonText, 't')});
  server_.service.release_answer = refusal(ErrorCode::kRefused, reasons, 9);
  const auto client = this->client();
  EXPECT_THAT(client->release({{1}, {}}), Fails(ErrorCode::kRefused));
  ASSERT_TRUE(client->last_refusal());
  EXPECT_EQ(client->last_refusal()->reasons, reasons);
}

TEST_F(Clients, TryAgainWhereTheBrokerIsBusy) {
  server_.service.release_answer = refusal(ErrorCode::kTryAgain, {{"server.busy", "later"}});
  ClientOptions patient = options();
  patient.longest_wait = std::chrono::seconds(1);
  patient.tries = 2;
  EXPECT_THAT(Client::create(patient).value()->release({{1}, {}}), Fails(ErrorCode::kTryAgain));
  EXPECT_EQ(server_.service.releases.size(), 2U);
}

// The connection broke after the broker had decided: what is sent again finds its challenge spent.
TEST_F(Clients, SayThatAnAnswerWasLost) {
  server_.service.release_answer =
      refusal(ErrorCode::kRefused, {{"broker.nonce-used", "it was answered"}});
  const auto client = this->client();
  EXPECT_THAT(client->release({{1}, {}}),
              FailsWith(ErrorCode::kTryAgain, HasSubstr("the answer was lost")));
  EXPECT_EQ(server_.service.releases.size(), 1U);
}

// Seconds pass by themselves; what takes longer waits for somebody to do something, and the caller
// is better told than kept.
TEST_F(Clients, DoNotWaitForWhatTakesAnOperator) {
  Refusal later;
  later.code = ErrorCode::kTryAgain;
  later.reasons = {{"broker.unreconciled", "not yet"}};
  later.retry_after = 60;
  server_.service.challenge_answer = {Answer::Kind::kRefusal, later.code, serialize(later)};
  ClientOptions patient = options();
  patient.longest_wait = std::chrono::seconds(59);
  EXPECT_THAT(Client::create(patient).value()->challenge(some_request()),
              FailsWith(ErrorCode::kTryAgain, HasSubstr("broker.unreconciled")));
  EXPECT_EQ(server_.service.challenges.size(), 1U);
}

TEST_F(Clients, TryAgainWhereThereIsNobodyYet) {
  const sealpack::testing::SilentPort port;
  ClientOptions nobody = options();
  nobody.url = port.url();
  const auto client = Client::create(nobody).value();
  EXPECT_THAT(client->challenge(some_request()), Fails(ErrorCode::kTryAgain));
}

TEST_F(Clients, BelieveTheCertificateTheyWereGivenAlone) {
  RunningServer other;
  other.start();
  ClientOptions wrong = options();
  wrong.ca_file = other.certificate;
  EXPECT_THAT(Client::create(wrong).value()->challenge(some_request()),
              Fails(ErrorCode::kNotAuthentic));
  wrong.ca_file.clear();  // nor does the system know it
  EXPECT_THAT(Client::create(wrong).value()->challenge(some_request()),
              Fails(ErrorCode::kNotAuthentic));
  EXPECT_TRUE(server_.service.challenges.empty());
}

TEST_F(Clients, RefuseACertificateForAnotherName) {
  server_.stop();
  RunningServer named;
  named.write_certificate({"broker.example.org"});
  ASSERT_THAT(named.try_start(), Succeeds());
  ClientOptions how = options();
  how.url = named.url();
  how.ca_file = named.certificate;
  EXPECT_THAT(Client::create(how).value()->challenge(some_request()),
              Fails(ErrorCode::kNotAuthentic));
}

TEST_F(Clients, KnowNoProxiesFromTheEnvironment) {
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"}) {
    ASSERT_EQ(::setenv(name, "http://127.0.0.1:1", 1), 0);
  }
  EXPECT_THAT(client()->challenge(some_request()), Succeeds());
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"}) {
    ASSERT_EQ(::unsetenv(name), 0);
  }
}

TEST_F(Clients, RefuseWhatNoBrokerSays) {
  server_.service.challenge_answer.body = {0xff};
  server_.service.release_answer.body = {};
  EXPECT_THAT(client()->challenge(some_request()), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(client()->release({{1}, {}}), Fails(ErrorCode::kMalformed));
  server_.service.release_answer = {Answer::Kind::kRefusal, ErrorCode::kRefused, {1, 2}};
  EXPECT_THAT(client()->release({{1}, {}}), Fails(ErrorCode::kMalformed));
}

TEST_F(Clients, TakeNoAnswerWithoutEnd) {
  server_.service.release_answer.body = ByteVector(100000);
  EXPECT_THAT(client()->release({{1}, {}}), Fails(ErrorCode::kLimit));
}

TEST_F(Clients, WaitOnlySoLong) {
  ClientOptions hasty = options();
  hasty.request_time = milliseconds(50);
  hasty.tries = 1;
  server_.service.hold();
  do {
    hasty.request_time *= 2;  // until this machine asks in time
    EXPECT_THAT(Client::create(hasty).value()->release({{1}, {}}), Fails(ErrorCode::kTryAgain));
  } while (server_.service.held() == 0 && hasty.request_time < std::chrono::minutes(1));
  EXPECT_GT(server_.service.held(), 0U);
  server_.service.let_go();
}

TEST(ClientAddresses, AreHttpsWithoutAPath) {
  for (const char* url :
       {"", "broker:8443", "http://broker:8443", "https://", "https://b/", "https://b/v1",
        "https://u@b", "https://b?x", "https://b c", "file:///etc/passwd", "HTTPS://b"}) {
    ClientOptions options;
    options.url = url;
    EXPECT_THAT(Client::create(options), Fails(ErrorCode::kUsage)) << url;
  }
}

TEST(ClientAddresses, NeedTheCertificateFileThatIsNamed) {
  ClientOptions options;
  options.url = "https://127.0.0.1:1";
  options.ca_file = "/nonexistent/ca.pem";
  EXPECT_THAT(Client::create(options), FailsWith(ErrorCode::kIo, HasSubstr("ca.pem")));
}

}  // namespace
}  // namespace sealpack::broker
