// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/messages.h"

#include "formats/bundle/message_writer.h"
#include "keymgmt/broker/log_entry.h"
#include "tests/runtime-loader/core/core_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker {
namespace {

using loader::testing::digest;
using loader::testing::flip_every_bit;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;

const ChallengeRequest kChallenge{digest(1), digest(2), digest(3), "sev-snp"};
const ChallengeReply kReply{{ByteVector(32, 7), ByteVector(82, 8)}, 1700000060};
const ReleaseRequest kRelease{{1, 2, 3}, {4, 5}};
const Refusal kRefusal{ErrorCode::kRefused,
                       {{"broker.nonce-used", "the challenge was answered"}, {"chain.expired", ""}},
                       17,
                       30};

LogEntry grant_entry() {
  LogEntry entry;
  entry.kind = EntryKind::kGrant;
  entry.time = 1700000000;
  entry.epoch = 1;
  entry.transport = 1;
  entry.nonce = digest(1);
  entry.authority = digest(2);
  entry.content = digest(3);
  entry.release = digest(4);
  entry.tee = "tdx";
  entry.role = "model";
  entry.exchange_key = digest(5);
  entry.evidence = digest(6);
  entry.claims = digest(7);
  entry.device = {1, 2, 3};
  entry.floor = 4;
  entry.lease_until = 1700003600;
  entry.instance = loader::Instance{9};
  return entry;
}
LogEntry refusal_entry() {
  LogEntry entry = grant_entry();
  entry.kind = EntryKind::kRefusal;
  entry.floor = 0;
  entry.lease_until = 0;
  entry.instance.reset();
  entry.codes = {"policy.not-accepted", "broker.policy"};
  return entry;
}
LogEntry change_entry() {
  LogEntry entry;
  entry.kind = EntryKind::kChange;
  entry.time = 1700000000;
  entry.epoch = 1;
  entry.what = "revoke device 0102";
  return entry;
}
LogEntry opened_entry() {
  LogEntry entry = change_entry();
  entry.kind = EntryKind::kOpened;
  entry.what = "make the store";
  entry.epoch_id = EpochId{1, 2, 3};
  return entry;
}

// Comes back as it was written; no prefix of it parses as something else; each changed bit is
// refused or another message with one encoding.
template <typename Message, typename Parse>
void check_strict(const Message& message, const Parse& parse) {
  const ByteVector bytes = serialize(message);
  const auto parsed = parse(Bytes(bytes));
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(*parsed, message);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = parse(Bytes(bytes).first(size));
    if (!cut.ok()) continue;
    EXPECT_EQ(serialize(*cut).size(), size);
  }
  flip_every_bit(bytes, [&](Bytes changed, std::size_t bit) {
    const auto other = parse(changed);
    if (!other.ok()) return;
    EXPECT_EQ(serialize(*other), to_vector(changed)) << bit;
    EXPECT_NE(*other, message) << bit;
  });
  ByteVector longer = bytes;
  longer.push_back(0);
  EXPECT_THAT(parse(Bytes(longer)), Fails(ErrorCode::kMalformed));
}

TEST(BrokerMessages, ComeBackAsTheyWereWritten) {
  check_strict(kChallenge, parse_challenge_request);
  check_strict(kReply, parse_challenge_reply);
  check_strict(kRelease, parse_release_request);
  check_strict(kRefusal, parse_refusal);
  check_strict(grant_entry(), parse_log_entry);
  check_strict(refusal_entry(), parse_log_entry);
  check_strict(change_entry(), parse_log_entry);
  check_strict(opened_entry(), parse_log_entry);
}

TEST(BrokerMessages, OfAnotherVersionAreNotGuessedAt) {
  const ByteVector bytes = bundle::MessageWriter().u64(1, 2).take();
  EXPECT_THAT(parse_challenge_request(bytes), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(parse_challenge_reply(bytes), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(parse_release_request(bytes), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(parse_refusal(bytes), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(parse_log_entry(bytes), Fails(ErrorCode::kUnsupported));
}

TEST(BrokerMessages, ThatAreTooLongAreNotRead) {
  EXPECT_THAT(parse_challenge_request(ByteVector(1025)), Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse_challenge_reply(ByteVector(1025)), Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse_release_request(ByteVector((512U << 10U) + 1)), Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse_refusal(ByteVector((80U << 10U) + 1)), Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse_log_entry(ByteVector((64U << 10U) + 1)), Fails(ErrorCode::kLimit));
}

TEST(BrokerMessages, NameTheTeeAsALabel) {
  for (const char* tee : {"", "SEV", "a b", "a\nb"}) {
    ChallengeRequest request = kChallenge;
    request.tee = tee;
    EXPECT_THAT(parse_challenge_request(serialize(request)), Fails(ErrorCode::kMalformed)) << tee;
  }
}

TEST(BrokerMessages, HaveNoncesOfOneSize) {
  for (const std::size_t size : {0U, 16U, 31U, 33U}) {
    ChallengeReply reply = kReply;
    reply.challenge.nonce.resize(size);
    EXPECT_THAT(parse_challenge_reply(serialize(reply)), Fails(ErrorCode::kMalformed)) << size;
  }
}

TEST(BrokerMessages, HaveAChallengeIdOfBoundedSize) {
  for (const std::size_t size : {0U, 257U}) {
    ChallengeReply reply = kReply;
    reply.challenge.id.resize(size);
    EXPECT_THAT(parse_challenge_reply(serialize(reply)), Fails(ErrorCode::kMalformed)) << size;
  }
}

TEST(Refusals, GiveAReasonWithACode) {
  Refusal refusal = kRefusal;
  refusal.reasons.clear();
  EXPECT_THAT(parse_refusal(serialize(refusal)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("no reason")));
  for (const char* code : {"", "A", "a b", "a\x1b[0m"}) {
    refusal.reasons = {{code, "x"}};
    EXPECT_THAT(parse_refusal(serialize(refusal)), Fails(ErrorCode::kMalformed)) << code;
  }
  refusal.reasons.assign(65, {"a", ""});
  EXPECT_THAT(parse_refusal(serialize(refusal)), Fails(ErrorCode::kMalformed));
}

TEST(Refusals, HaveACodeThatRefuses) {
  for (const int code : {0, 1, 4, 17, 71}) {
    Refusal refusal = kRefusal;
    refusal.code = static_cast<ErrorCode>(code);
    EXPECT_THAT(parse_refusal(serialize(refusal)), Fails(ErrorCode::kMalformed)) << code;
  }
}

TEST(LogEntries, SayNothingThatTheirKindDoesNot) {
  LogEntry entry = grant_entry();
  entry.codes = {"policy.debug"};
  EXPECT_THAT(parse_log_entry(serialize(entry)), Fails(ErrorCode::kMalformed));
  entry = refusal_entry();
  entry.codes.clear();
  EXPECT_THAT(parse_log_entry(serialize(entry)), Fails(ErrorCode::kMalformed));
  entry = refusal_entry();
  entry.floor = 3;
  EXPECT_THAT(parse_log_entry(serialize(entry)), Fails(ErrorCode::kMalformed));
  entry = change_entry();
  entry.what.clear();
  EXPECT_THAT(parse_log_entry(serialize(entry)), Fails(ErrorCode::kMalformed));
  entry = change_entry();
  entry.epoch_id = EpochId{1};
  EXPECT_THAT(parse_log_entry(serialize(entry)), Fails(ErrorCode::kMalformed));
  entry = opened_entry();
  entry.epoch_id.reset();
  EXPECT_THAT(parse_log_entry(serialize(entry)), Fails(ErrorCode::kMalformed));
  entry = grant_entry();
  entry.what = "x";
  EXPECT_THAT(parse_log_entry(serialize(entry)), Fails(ErrorCode::kMalformed));
  entry = grant_entry();
  entry.transport = 3;
  EXPECT_THAT(parse_log_entry(serialize(entry)), Fails(ErrorCode::kMalformed));
  entry = grant_entry();
  entry.kind = static_cast<EntryKind>(5);
  EXPECT_THAT(parse_log_entry(serialize(entry)), Fails(ErrorCode::kMalformed));
}

}  // namespace
}  // namespace sealpack::broker
