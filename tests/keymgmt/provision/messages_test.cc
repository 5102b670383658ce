// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/provision/messages.h"

#include <gtest/gtest.h>

#include "tests/keymgmt/provision/sample_messages.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::provision {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::SampleMessages;
using testing::Succeeds;

const SampleMessages& samples() {
  static const SampleMessages made;
  return made;
}

// Truncated, longer or changed, it is refused, or it is another message that is written back as it
// came: nothing in it is passed over.
template <typename Message>
void expect_strict(const Message& message, Result<Message> (*parse)(Bytes),
                   ByteVector (*serialize)(const Message&)) {
  const ByteVector bytes = serialize(message);
  const auto parsed = parse(bytes);
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(*parsed, message);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = parse(Bytes(bytes).first(size));
    if (!cut.ok()) continue;
    EXPECT_NE(*cut, message);
    EXPECT_EQ(serialize(*cut).size(), size);
  }
  ByteVector longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(parse(longer).ok());
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    ByteVector changed = bytes;
    changed[i / 8] ^= static_cast<std::uint8_t>(1U << i % 8);
    const auto other = parse(changed);
    if (other.ok()) {
      EXPECT_EQ(serialize(*other), changed) << "bit " << i;
    }
  }
  ByteVector newer = bytes;
  newer[1] = 2;
  EXPECT_THAT(parse(newer), Fails(ErrorCode::kUnsupported));
}

TEST(ProvisionMessages, AreReadStrictly) {
  const SampleMessages& sample = samples();
  expect_strict<EnrolRequest>(sample.request, parse_request, serialize);
  expect_strict<EnrolAnswer>(*parse_answer(sample.enrolment.answer.payload), parse_answer,
                             serialize);
  expect_strict<EnrolProof>(sample.proof, parse_proof, serialize);
  expect_strict<EnrolRecord>(sample.enrolment.record, parse_record, serialize);
  expect_strict<BootPolicy>(*parse_boot_policy(sample.policy.payload), parse_boot_policy,
                            serialize);
  const EnrolAnswer answer = *parse_answer(sample.enrolment.answer.payload);
  expect_strict<FloorTable>(*parse_floors(answer.floors.payload), parse_floors, serialize_floors);
  expect_strict<SignedStatement>(sample.policy, parse_signed, serialize_signed);
  expect_strict<FloorFile>({answer.floors, {}, {}}, parse_floor_file, serialize_floor_file);
  expect_strict<FloorFile>({std::nullopt, answer.floors.payload, Digest{}}, parse_floor_file,
                           serialize_floor_file);
  expect_strict<tpm::KeyBlob>(sample.key_blob(), tpm::parse_key_blob, tpm::serialize_key_blob);
}

TEST(ProvisionMessages, StatementsHoldForTheirTypeKeyAndBytes) {
  const SampleMessages& sample = samples();
  const crypto::VerifyingKey& key = sample.grantor->public_key();
  EXPECT_THAT(verify_statement(kBootPolicyType, sample.policy, key), Succeeds());
  EXPECT_THAT(verify_statement(kFloorType, sample.policy, key), Fails(ErrorCode::kNotAuthentic));
  const auto other = *crypto::PrivateKey::generate(crypto::KeyType::kEcdsaP256)->signer();
  EXPECT_THAT(verify_statement(kBootPolicyType, sample.policy, other->public_key()),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("not by the grantor")));
  for (ByteVector SignedStatement::*part :
       {&SignedStatement::payload, &SignedStatement::key, &SignedStatement::signature}) {
    for (std::size_t i = 0; i < (sample.policy.*part).size(); i += 7) {
      SignedStatement changed = sample.policy;
      (changed.*part)[i] ^= 1U;
      EXPECT_THAT(verify_statement(kBootPolicyType, changed, key), Fails(ErrorCode::kNotAuthentic));
    }
  }
}

TEST(ProvisionMessages, RequestsHaveTheKeysOfTheirTemplates) {
  EnrolRequest request = samples().request;
  request.endorsement.attributes &= ~tpm::kFixedTpm;
  EXPECT_THAT(parse_request(serialize(request)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("attributes")));
  request = samples().request;
  request.attestation.attributes &= ~tpm::kRestricted;
  EXPECT_THAT(parse_request(serialize(request)), Fails(ErrorCode::kMalformed));
  request = samples().request;
  request.kind = tpm::EndorsementKind::kRsa2048;
  EXPECT_THAT(parse_request(serialize(request)), Fails(ErrorCode::kMalformed));
  request = samples().request;
  request.counters.floor_index = request.counters.policy_index;
  EXPECT_THAT(parse_request(serialize(request)), Fails(ErrorCode::kMalformed));
  request = samples().request;
  request.counters.floor_index = 0x01c00002;
  EXPECT_THAT(parse_request(serialize(request)), Fails(ErrorCode::kMalformed));
}

TEST(ProvisionMessages, BootPoliciesKeepTheirRules) {
  const BootPolicy good = *parse_boot_policy(samples().policy.payload);
  const auto refused = [](const BootPolicy& policy, const char* why) {
    EXPECT_THAT(parse_boot_policy(serialize(policy)),
                FailsWith(ErrorCode::kMalformed, HasSubstr(why)));
  };
  BootPolicy policy = good;
  policy.number = 0;
  refused(policy, "numbers");
  policy.number = kMaxPolicyNumber + 1;
  refused(policy, "numbers");
  policy = good;
  policy.cap_pcr = 16;  // can be reset
  refused(policy, "cap PCR");
  policy.cap_pcr = 14;
  refused(policy, "cap PCR is not among");
  policy.cap_pcr = 9;
  refused(policy, "zero");
  policy = good;
  policy.environments[0].values.pop_back();
  refused(policy, "value for each PCR");
  policy = good;
  policy.environments[0].pcrs |= 1U << 24U;
  refused(policy, "0 to 23");
  policy.environments.clear();
  refused(policy, "no environment");
  policy = good;
  policy.environments.resize(kMaxEnvironments + 1, good.environments[0]);
  EXPECT_THAT(parse_boot_policy(serialize(policy)), Fails(ErrorCode::kLimit));
}

TEST(ProvisionMessages, FloorsAreInOrderAndFew) {
  FloorTable table =
      *parse_floors(parse_answer(samples().enrolment.answer.payload)->floors.payload);
  table.entries.push_back(table.entries[0]);
  EXPECT_THAT(parse_floors(serialize_floors(table)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("twice")));
  table.entries.clear();
  for (std::size_t i = 0; i <= kMaxFloors; ++i) {
    table.entries.push_back({{Digest{}, "product-" + std::to_string(100 + i)}, {1, std::nullopt}});
  }
  EXPECT_THAT(parse_floors(serialize_floors(table)), Fails(ErrorCode::kLimit));
}

}  // namespace
}  // namespace sealpack::provision
