// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/server/api.h"

#include <nlohmann/json.hpp>

#include "tests/keymgmt/broker/server/fake_service.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::refusal;

using Method = HttpRequest::Method;

class Apis : public ::testing::Test {
 protected:
  LogQueries queries() {
    LogQueries log;
    log.checkpoint = [] { return Result<std::string>("a note\n"); };
    const auto numbers = [](std::uint64_t a, std::uint64_t b) {
      return Result<std::string>(std::to_string(a) + " " + std::to_string(b));
    };
    log.entries = log.consistency = numbers;
    log.inclusion = [](std::uint64_t, std::uint64_t) -> Result<std::string> {
      return Error(ErrorCode::kUsage, "the tree has no such leaf");
    };
    return log;
  }
  HttpAnswer ask(Method method, const std::string& target, ByteVector body = {},
                 const std::string& type = kMessageType) {
    std::optional<HttpAnswer> answer;
    api_.handle({method, target, type, std::move(body)}, client(1),
                [&](HttpAnswer given) { answer = std::move(given); });
    if (!answer) die("no answer");
    return *answer;
  }
  static HttpClient client(std::uint8_t last) {
    return {ClientAddress::of_ipv4({192, 0, 2, last}), "192.0.2." + std::to_string(last)};
  }
  HttpAnswer get(const std::string& target) { return ask(Method::kGet, target); }
  static std::string text(const HttpAnswer& answer) { return std::string(as_text(answer.body)); }

  testing::FakeService service_;
  Metrics metrics_;
  std::vector<std::string> lines_;
  EventLog events_{[this](const std::string& line) { lines_.push_back(line); }};
  ApiParts parts(bool public_log = true) {
    return {service_, queries(), public_log, [] { return Result<std::string>("{}"); },
            limits_,  metrics_,  events_};
  }
  ServerLimits limits_ = [] {
    ServerLimits limits;
    limits.in_flight = 3;
    limits.in_flight_per_address = 2;
    return limits;
  }();
  Api api_{parts()};
};

TEST_F(Apis, AnswerChallengesAndReleasesWithMessages) {
  const HttpAnswer challenge = ask(Method::kPost, "/v1/challenge", {9});
  EXPECT_EQ(challenge.status, 200U);
  EXPECT_EQ(challenge.content_type, kMessageType);
  EXPECT_THAT(challenge.body, ElementsAre(1, 2, 3));
  EXPECT_THAT(service_.challenges, ElementsAre(ByteVector{9}));
  EXPECT_THAT(ask(Method::kPost, "/v1/release", {8}).body, ElementsAre(4, 5, 6));
  EXPECT_THAT(service_.releases, ElementsAre(ByteVector{8}));
}

TEST_F(Apis, GiveEachRefusalItsStatus) {
  const std::pair<ErrorCode, unsigned> expected[] = {
      {ErrorCode::kUsage, 400},       {ErrorCode::kMalformed, 400},
      {ErrorCode::kUnsupported, 400}, {ErrorCode::kNotAuthentic, 403},
      {ErrorCode::kRefused, 403},     {ErrorCode::kKeyUnavailable, 403},
      {ErrorCode::kLimit, 413},       {ErrorCode::kTryAgain, 503},
      {ErrorCode::kIo, 503},          {ErrorCode::kInternal, 500}};
  for (const auto& [code, status] : expected) {
    service_.release_answer = refusal(code, {{"some.reason", "why"}});
    const HttpAnswer answer = ask(Method::kPost, "/v1/release");
    EXPECT_EQ(answer.status, status) << to_string(code);
    EXPECT_EQ(answer.body, service_.release_answer.body);
    EXPECT_EQ(answer.retry_after != 0, status == 503);
  }
}

TEST_F(Apis, TakeNoOtherMethodsTypesOrPaths) {
  EXPECT_EQ(get("/v1/release").status, 405U);
  EXPECT_EQ(get("/v1/release").allow, "POST");
  EXPECT_EQ(ask(Method::kPost, "/v1/keys").allow, "GET");
  EXPECT_EQ(ask(Method::kOther, "/v1/challenge").status, 405U);
  EXPECT_EQ(ask(Method::kPost, "/v1/challenge", {}, "text/plain").status, 415U);
  EXPECT_EQ(ask(Method::kPost, "/v1/challenge", {}, "").status, 415U);
  EXPECT_EQ(ask(Method::kPost, "/v1/challenge?x=1").status, 400U);
  for (const char* target : {"/", "/v1", "/v1/", "/v1/log", "/v2/challenge", "/v1/challenge/",
                             "//v1/keys", "/v1/../v1/keys", "*", "", "/healthz/"}) {
    EXPECT_EQ(get(target).status, 404U) << target;
  }
  EXPECT_TRUE(service_.challenges.empty());
  EXPECT_TRUE(service_.releases.empty());
}

TEST_F(Apis, SayWhetherTheyAreWell) {
  EXPECT_EQ(get("/healthz").status, 200U);
  service_.unwell = Reason{"broker.clock", "it is late"};
  EXPECT_EQ(get("/healthz").status, 503U);
  EXPECT_EQ(text(get("/healthz")), "broker.clock: it is late\n");
}

TEST_F(Apis, TellTheLog) {
  EXPECT_EQ(text(get("/v1/log/checkpoint")), "a note\n");
  EXPECT_EQ(text(get("/v1/log/entries?start=3&end=9")), "3 9");
  EXPECT_EQ(text(get("/v1/log/consistency?second=9&first=0")), "0 9");
  EXPECT_EQ(get("/v1/log/inclusion?index=3&size=2").status, 400U);
  EXPECT_EQ(get("/v1/log/checkpoint?x=1").status, 400U);
}

TEST_F(Apis, TakeQueriesOfTheRightNumbersAlone) {
  for (const char* query :
       {"", "?", "?start=1", "?start=1&end=", "?start=1&end=2&", "?start=1&end=2&end=2",
        "?start=1&end=2&more=3", "?start=01&end=2", "?start=-1&end=2", "?start=+1&end=2",
        "?start=1&end=0x2", "?start=1&end=18446744073709551616", "?end=2", "?start1&end2",
        "?start=1;end=2", "?start=%31&end=2"}) {
    EXPECT_EQ(get(std::string("/v1/log/entries") + query).status, 400U) << query;
  }
  EXPECT_EQ(text(get("/v1/log/entries?start=0&end=18446744073709551615")),
            "0 18446744073709551615");
}

TEST_F(Apis, TellTheLogToTheOperatorAlone) {
  Api closed(parts(false));
  for (const char* target : {"/v1/log/checkpoint", "/v1/log/entries?start=3&end=9"}) {
    const HttpRequest request{Method::kGet, target, "", {}};
    std::optional<HttpAnswer> answer;
    closed.handle(request, client(1), [&](HttpAnswer given) { answer = std::move(given); });
    EXPECT_EQ(answer->status, 404U) << target;
    EXPECT_EQ(closed.answer_about_log(request).status, 200U) << target;
  }
  EXPECT_EQ(closed.answer_about_log({Method::kPost, "/v1/log/checkpoint", "", {}}).status, 405U);
  EXPECT_EQ(closed.answer_about_log({Method::kGet, "/v1/log/nothing", "", {}}).status, 404U);
}

TEST_F(Apis, VerifyOnlySoManyAtATime) {
  service_.hold();
  std::vector<HttpAnswer> answers;
  const auto ask_from = [&](const HttpClient& from) {
    api_.handle({Method::kPost, "/v1/release", kMessageType, {}}, from,
                [&](HttpAnswer answer) { answers.push_back(std::move(answer)); });
  };
  for (const std::uint8_t last : std::vector<std::uint8_t>{1, 1, 2, 3}) ask_from(client(last));
  ASSERT_EQ(answers.size(), 1U);  // the fourth
  EXPECT_EQ(answers[0].status, 503U);
  EXPECT_NE(answers[0].retry_after, 0U);
  const auto refused = parse_refusal(answers[0].body);
  ASSERT_THAT(refused, sealpack::testing::Succeeds());
  EXPECT_EQ(refused->reasons[0].code, "server.busy");
  EXPECT_EQ(api_.in_flight(), 3U);
  service_.let_go();
  EXPECT_EQ(answers.size(), 4U);
  EXPECT_EQ(api_.in_flight(), 0U);
  EXPECT_EQ(ask(Method::kPost, "/v1/release").status, 200U);
}

// One client must not be able to keep all others out.
TEST_F(Apis, VerifyOnlySoManyOfOneAddress) {
  service_.hold();
  std::vector<HttpAnswer> answers;
  const auto ask_from = [&](const HttpClient& from) {
    api_.handle({Method::kPost, "/v1/release", kMessageType, {}}, from,
                [&](HttpAnswer answer) { answers.push_back(std::move(answer)); });
  };
  const auto of_network = [](std::uint8_t host) {
    return HttpClient{
        ClientAddress::of_ipv6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host}),
        "a network"};
  };
  for (const std::uint8_t host : std::vector<std::uint8_t>{1, 2, 3}) ask_from(of_network(host));
  ASSERT_EQ(answers.size(), 1U);  // the third host of one /64
  EXPECT_EQ(answers[0].status, 503U);
  ask_from(client(1));
  EXPECT_EQ(answers.size(), 1U);
  EXPECT_EQ(service_.releases.size(), 3U);
  service_.let_go();
}

TEST_F(Apis, LogWhatTheyDecidedAndNoBodies) {
  (void)ask(Method::kPost, "/v1/release", to_vector(as_bytes("SECRET")));
  service_.release_answer =
      refusal(ErrorCode::kRefused, {{"policy.debug", "a text"}, {"policy.vmpl", "another"}}, 17);
  (void)ask(Method::kPost, "/v1/release", to_vector(as_bytes("SECRET")));
  ASSERT_EQ(lines_.size(), 2U);
  for (const std::string& line : lines_) EXPECT_THAT(line, Not(HasSubstr("SECRET")));
  const auto granted = nlohmann::json::parse(lines_[0]);
  EXPECT_EQ(granted["event"], "released");
  EXPECT_EQ(granted["address"], "192.0.2.1");
  const auto refused = nlohmann::json::parse(lines_[1]);
  EXPECT_EQ(refused["event"], "refused");
  EXPECT_EQ(refused["reasons"], "policy.debug policy.vmpl");
  EXPECT_EQ(refused["log_index"], 17);
}

TEST_F(Apis, CountRoutesAndNotWhatStrangersCallThem) {
  (void)get("/v1/keys");
  (void)get("/one");
  (void)get("/two\"\n");
  const std::string counts = metrics_.text({{"some_gauge", 1.5}});
  EXPECT_THAT(counts,
              HasSubstr("sealpack_broker_answers_total{route=\"/v1/keys\",status=\"200\"} 1\n"));
  EXPECT_THAT(counts,
              HasSubstr("sealpack_broker_answers_total{route=\"other\",status=\"404\"} 2\n"));
  EXPECT_THAT(counts, HasSubstr("some_gauge 1.5\n"));
  EXPECT_THAT(counts, Not(HasSubstr("two")));
}

TEST(Events, AreOneLineWhateverTheySay) {
  std::string written;
  EventLog log([&](const std::string& line) { written += line; });
  log.write(EventLog::Level::kError, "odd",
            {{"text", std::string("a\nb\x1b[31m\xff")}, {"number", std::uint64_t{7}}});
  EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), 1);
  EXPECT_THAT(written, Not(HasSubstr("\x1b")));
  EXPECT_EQ(nlohmann::json::parse(written)["number"], 7);
}

}  // namespace
}  // namespace sealpack::broker
