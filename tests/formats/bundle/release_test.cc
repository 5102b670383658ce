// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/release.h"

#include <functional>

#include "formats/bundle/encode.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::bundle {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;

Release valid() {
  Release release;
  release.content_digest = Digest{{1}};
  release.content_size = 1000;
  release.key_commitment = Digest{{2}};
  release.product = "product";
  release.version = "1";
  release.counter = 3;
  release.not_before = 100;
  release.not_after = 200;
  release.policy.environments = {
      {"sev-snp",
       {{"debug", {{0}}, 0, {}},
        {"firmware", {}, 7, {}},
        {"measurement", {{1, 2}, {1, 3}}, 0, {}}}},
      {"tdx", {{"measurement", {}, 0, "not built yet"}, {"uptime", {}, 0, {}, 3600}}}};
  release.answer = {AnswerForm::kRounded, 3, 1000};
  release.licence = "none";
  release.escrow = Escrow{Digest{{9}}, "a way back in"};
  return release;
}

struct Refusal {
  const char* why;
  std::function<void(Release&)> edit;
  ErrorCode code = ErrorCode::kMalformed;
};

void expect_refusals(const std::vector<Refusal>& refusals) {
  for (const Refusal& refusal : refusals) {
    Release release = valid();
    refusal.edit(release);
    EXPECT_THAT(parse_release(serialize_release(release)),
                FailsWith(refusal.code, HasSubstr(refusal.why)))
        << refusal.why;
  }
}

TEST(Release, ComesBackAsItWasWritten) {
  const auto parsed = parse_release(serialize_release(valid()));
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(*parsed, valid());
}

TEST(Release, ComesBackWithoutTheOptionalFields) {
  Release release = valid();
  release.version.clear();
  release.licence.clear();
  release.escrow.reset();
  release.not_before = release.not_after = 0;
  release.policy = {"anyone may", {}};
  release.answer = {};
  const auto parsed = parse_release(serialize_release(release));
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(*parsed, release);
}

TEST(Release, RefusesEveryTruncation) {
  const ByteVector bytes = serialize_release(valid());
  // Without the last fields it is a shorter release.
  Release shorter = valid();
  shorter.escrow.reset();
  const std::size_t without_escrow = serialize_release(shorter).size();
  shorter.licence.clear();
  const std::size_t without_licence = serialize_release(shorter).size();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(parse_release(Bytes(bytes).first(size)).ok(),
              size == without_escrow || size == without_licence)
        << size;
  }
}

TEST(Release, HasOneEncoding) {
  const ByteVector bytes = serialize_release(valid());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    ByteVector flipped = bytes;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto parsed = parse_release(flipped);
    if (!parsed.ok()) continue;
    EXPECT_NE(*parsed, valid()) << bit;
    EXPECT_TRUE(serialize_release(*parsed) == flipped) << bit;
  }
}

TEST(Release, RefusesMissingFields) {
  expect_refusals({
      {"no product", [](Release& r) { r.product.clear(); }},
      {"no counter", [](Release& r) { r.counter = 0; }},
      {"no minimum loader", [](Release& r) { r.min_loader = 0; }},
      {"no content size", [](Release& r) { r.content_size = 0; }},
      {"unknown answer form", [](Release& r) { r.answer.form = AnswerForm{0}; }},
  });
}

TEST(Release, RefusesWhatExceedsALimit) {
  expect_refusals({
      {"at most 67108864", [](Release& r) { r.content_size = kMaxContentSize + 1; },
       ErrorCode::kLimit},
      {"product has 4097", [](Release& r) { r.product.assign(4097, 'p'); }},
      {"version has 4097", [](Release& r) { r.version.assign(4097, 'p'); }},
      {"licence has 262145", [](Release& r) { r.licence.assign(262145, 'p'); }},
      {"more than 9 decimals", [](Release& r) { r.answer.decimals = 10; }},
      {"escrow reason has 4097", [](Release& r) { r.escrow->because.assign(4097, 'p'); }},
      {"reason to admit anyone has 4097",
       [](Release& r) {
         r.policy = {std::string(4097, 'p'), {}};
       }},
      {"too many environments",
       [](Release& r) { r.policy.environments.assign(257, r.policy.environments[0]); }},
      {"accepted value size",
       [](Release& r) { r.policy.environments[0].rules[0].accepted[0].assign(1025, 1); }},
      {"TEE has 65", [](Release& r) { r.policy.environments[0].tee.assign(65, 'p'); }},
      {"claim has 65", [](Release& r) { r.policy.environments[0].rules[2].claim.assign(65, 'p'); }},
      {"reason to ignore has 4097",
       [](Release& r) { r.policy.environments[1].rules[0].ignore_because.assign(4097, 'p'); }},
  });
}

TEST(Release, BoundsRulesAndAcceptedValues) {
  expect_refusals({
      {"too many rules",
       [](Release& r) {
         auto& rules = r.policy.environments[0].rules;
         rules.clear();
         for (int i = 100; i < 357; ++i) rules.push_back({"c" + std::to_string(i), {}, 1, {}});
       }},
      {"too many accepted values",
       [](Release& r) {
         auto& accepted = r.policy.environments[0].rules[0].accepted;
         accepted.clear();
         for (int i = 0; i < 4097; ++i) {
           accepted.push_back(
               {static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i & 255)});
         }
       }},
  });
}

TEST(Release, RefusesAPolicyThatSaysNothingOrTwoThings) {
  const auto rule = [](auto edit) {
    return [edit](Release& r) { edit(r.policy.environments[0].rules[2]); };
  };
  expect_refusals({
      {"either admits anyone or lists", [](Release& r) { r.policy.environments.clear(); }},
      {"either admits anyone or lists", [](Release& r) { r.policy.anyone_because = "both"; }},
      {"states no rule", [](Release& r) { r.policy.environments[0].rules.clear(); }},
      {"names no TEE", [](Release& r) { r.policy.environments[0].tee.clear(); }},
      {"states 0 conditions", rule([](ClaimRule& c) { c.accepted.clear(); })},
      {"states 2 conditions", rule([](ClaimRule& c) { c.minimum = 1; })},
      {"states 2 conditions", rule([](ClaimRule& c) { c.ignore_because = "b"; })},
      {"states 2 conditions", rule([](ClaimRule& c) { c.maximum = 1; })},
      {"states 2 conditions", rule([](ClaimRule& c) { c.require_bits = {1}; })},
      {"states 2 conditions", rule([](ClaimRule& c) { c.allow_bits = {0}; })},
      {"required bits has 1025", rule([](ClaimRule& c) { c.require_bits.assign(1025, 1); })},
      {"allowed bits has 1025", rule([](ClaimRule& c) { c.allow_bits.assign(1025, 1); })},
      {"accepted and required", rule([](ClaimRule& c) { c.required = c.accepted; })},
      {"required value size", rule([](ClaimRule& c) { c.required = {{}}; })},
      {"required values are not ascending", rule([](ClaimRule& c) {
         c.required = {{9, 2}, {9, 1}};
       })},
      {"accepted value size", rule([](ClaimRule& c) { c.accepted = {{}}; })},
      {"accepted values are not ascending", rule([](ClaimRule& c) {
         c.accepted = {{2}, {1}};
       })},
      {"accepted values are not ascending", rule([](ClaimRule& c) {
         c.accepted = {{2}, {2}};
       })},
      {"rules are not ascending", rule([](ClaimRule& c) { c.claim = "a"; })},
      {"rules are not ascending", rule([](ClaimRule& c) { c.claim = "firmware"; })},
      {"names no claim", [](Release& r) { r.policy.environments[0].rules[0].claim.clear(); }},
  });
}

TEST(Release, KeepsRulesAboutBitsAndWhatMustOccur) {
  Release release = valid();
  auto& rules = release.policy.environments[0].rules;
  rules.clear();
  ClaimRule& bits = rules.emplace_back();
  bits.claim = "bits";
  bits.require_bits = {0, 6};
  bits.allow_bits = {0, 7};
  ClaimRule& none = rules.emplace_back();
  none.claim = "bits-none";
  none.allow_bits = {0, 0};
  ClaimRule& set = rules.emplace_back();
  set.claim = "set";
  set.accepted = {{1}};
  set.required = {{2}, {3}};
  const auto parsed = parse_release(serialize_release(release));
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(*parsed, release);
}

TEST(Release, RefusesContradictions) {
  expect_refusals({
      {"validity ends before it begins", [](Release& r) { r.not_after = r.not_before; }},
      {"validity ends before it begins", [](Release& r) { r.not_after = 99; }},
      {"decimals without rounding", [](Release& r) { r.answer.form = AnswerForm::kTop1; }},
      {"unknown answer form", [](Release& r) { r.answer.form = AnswerForm{4}; }},
      {"escrow without a key", [](Release& r) { r.escrow->key = Digest{}; }},
      {"escrow without a reason", [](Release& r) { r.escrow->because.clear(); }},
  });
}

TEST(Release, DemandsAttestationUnlessItAdmitsAnyone) {
  EXPECT_TRUE(valid().policy.requires_attestation());
  EXPECT_FALSE((MeasurementPolicy{"anyone", {}}).requires_attestation());
}

}  // namespace
}  // namespace sealpack::bundle
