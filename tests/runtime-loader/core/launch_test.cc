// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/launch.h"

#include "formats/bundle/message_writer.h"
#include "tests/runtime-loader/core/core_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using bundle::MessageWriter;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using testing::digest;
using ::testing::HasSubstr;
using testing::make_key;
using testing::verifying_key;

// Every field set.
LaunchConfig full_config() {
  LaunchConfig config;
  for (const char* name : {"hospital", "vendor"}) {
    Owner owner;
    owner.name = name;
    const auto authority = verifying_key(make_key(crypto::KeyType::kEd25519));
    owner.trust.authorities = {authority.digest()};
    owner.trust.signers = {{"authority", {authority}, 1}};
    owner.trust.signers.push_back({"reviewer",
                                   {verifying_key(make_key(crypto::KeyType::kEcdsaP256)),
                                    verifying_key(make_key(crypto::KeyType::kEcdsaP384))},
                                   2});
    owner.trust.product = "scan reader";
    owner.trust.counter_floor = 12;
    owner.trust.floor_release = digest(1);
    owner.trust.content = digest(2);
    owner.trust.revocations = {4, {digest(3), digest(4)}, {digest(5)}, {digest(6)}};
    owner.broker = verifying_key(make_key(crypto::KeyType::kEd25519));
    owner.counter_required = true;
    config.owners.push_back(owner);
  }
  config.answer.form = bundle::AnswerForm::kRounded;
  config.answer.decimals = 2;
  config.answer.query_budget = 100;
  config.answer.outputs = {"label", "score"};
  config.memory_limit = 16U << 20U;
  config.answer_key =
      crypto::EncryptionKey::from_spki(make_key(crypto::KeyType::kX25519).spki()).value();
  return config;
}

TEST(LaunchConfig, ComesBackAsItWasWritten) {
  const ByteVector bytes = serialize_launch(full_config());
  const auto parsed = parse_launch(bytes);
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(serialize_launch(*parsed), bytes);
  const Owner& owner = parsed->owners[1];
  EXPECT_EQ(owner.name, "vendor");
  EXPECT_EQ(owner.trust.signers.size(), 2U);
  EXPECT_EQ(owner.trust.signers[1].threshold, 2U);
  EXPECT_EQ(owner.trust.product, "scan reader");
  EXPECT_EQ(owner.trust.floor_release, digest(1));
  EXPECT_EQ(owner.trust.content, digest(2));
  EXPECT_EQ(owner.trust.revocations.serial, 4U);
  EXPECT_EQ(owner.trust.revocations.keys.size(), 2U);
  EXPECT_TRUE(owner.broker.has_value());
  EXPECT_TRUE(owner.counter_required);
  EXPECT_EQ(parsed->answer, full_config().answer);
  EXPECT_EQ(parsed->memory_limit, 16U << 20U);
  EXPECT_TRUE(parsed->answer_key.has_value());
}

TEST(LaunchConfig, RefusesEveryTruncation) {
  const ByteVector bytes = serialize_launch(full_config());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto parsed = parse_launch(Bytes(bytes).first(size));
    // Cut where a field ends it may still be a configuration, but never the same one.
    if (parsed.ok()) {
      EXPECT_NE(serialize_launch(*parsed), bytes) << size;
    }
  }
}

TEST(LaunchConfig, HasOneEncodingForEachMeaning) {
  std::size_t accepted = 0;
  testing::flip_every_bit(serialize_launch(full_config()), [&](Bytes bytes, std::size_t bit) {
    const auto parsed = parse_launch(bytes);
    if (!parsed.ok()) return;
    ++accepted;
    EXPECT_EQ(serialize_launch(*parsed), to_vector(bytes)) << bit;
  });
  EXPECT_GT(accepted, 0U);  // digests and texts may change
}

TEST(LaunchConfig, IsAnotherMeasurementWithEveryOtherMeaning) {
  LaunchConfig other = full_config();
  const ByteVector bytes = serialize_launch(other);
  other.owners[0].counter_required = false;
  EXPECT_NE(launch_digest(bytes), launch_digest(serialize_launch(other)));
  const Digest launch = launch_digest(bytes);
  EXPECT_NE(simulated_measurement(digest(1), launch, digest(2)),
            simulated_measurement(digest(2), launch, digest(1)));
}

TEST(LaunchConfig, RefusesOneThatTrustsNobody) {
  EXPECT_THAT(parse_launch(serialize_launch({})),
              FailsWith(ErrorCode::kMalformed, HasSubstr("no owner")));
  EXPECT_THAT(parse_launch({}), FailsWith(ErrorCode::kMalformed, HasSubstr("no format")));
}

TEST(LaunchConfig, RefusesAProductOfNoLetters) {
  LaunchConfig config = full_config();
  config.owners[0].trust.product = "";  // must not turn into "any product"
  EXPECT_THAT(parse_launch(serialize_launch(config)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("product")));
}

TEST(LaunchConfig, RefusesOwnersOutOfOrderOrTwice) {
  LaunchConfig config = full_config();
  std::swap(config.owners[0], config.owners[1]);
  EXPECT_THAT(parse_launch(serialize_launch(config)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("ascending")));
  config.owners[0] = config.owners[1];
  EXPECT_THAT(parse_launch(serialize_launch(config)), Fails(ErrorCode::kMalformed));
}

TEST(LaunchConfig, RefusesNamesThatCouldConfuse) {
  for (const char* name : {"", "Vendor", "a b", "a/b", "\x1b[31m"}) {
    LaunchConfig config = full_config();
    config.owners.resize(1);
    config.owners[0].name = name;
    EXPECT_THAT(parse_launch(serialize_launch(config)), Fails(ErrorCode::kMalformed)) << name;
  }
}

TEST(LaunchConfig, RefusesDecimalsWithoutRounding) {
  LaunchConfig config = full_config();
  config.answer.form = bundle::AnswerForm::kTop1;
  EXPECT_THAT(parse_launch(serialize_launch(config)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("decimals")));
}

TEST(LaunchConfig, RefusesANewerFormatAndTooManyBytes) {
  EXPECT_THAT(parse_launch(MessageWriter().u64(1, 2).take()), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(parse_launch(ByteVector(kMaxLaunchSize + 1)), Fails(ErrorCode::kLimit));
}

}  // namespace
}  // namespace sealpack::loader
