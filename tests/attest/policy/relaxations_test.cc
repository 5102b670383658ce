// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/relaxations.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "attest/policy/careful_values.h"
#include "attest/policy/claim_names.h"

namespace sealpack::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> relaxed(std::string_view tee, bundle::ClaimRule rule) {
  return relaxations({{}, {{std::string(tee), {std::move(rule)}}}});
}

bundle::ClaimRule accepting(std::string_view claim, ByteVector value) {
  return {std::string(claim), {std::move(value)}, 0, {}};
}

// A value of each kind that nobody careful accepts, for the claims that are in the table.
ByteVector careless_value(const CarefulValues& careful, const ClaimName& claim) {
  switch (claim.kind) {
    case ClaimKind::kFlag:
      return {static_cast<std::uint8_t>(careful.values == "true" ? 0 : 1)};
    case ClaimKind::kNumber:
      return {0, 0, 0, 0, 0, 0, 0, 1};
    case ClaimKind::kText:
    case ClaimKind::kTextSet:
      for (const std::string_view text : claim.texts) {
        if (careful.values.find(text) == careful.values.npos) return to_vector(as_bytes(text));
      }
      return to_vector(as_bytes("other"));
    case ClaimKind::kBytes:
    case ClaimKind::kBits:
    case ClaimKind::kBytesSet:
      return ByteVector(claim.sizes.front(), 1);
  }
  return {};
}

TEST(Relaxations, NameEveryValueThatIsNotCareful) {
  for (const CarefulValues& careful : all_careful_values()) {
    bool known = false;
    for (const TeeClaims& tee : all_tee_claims()) {
      const ClaimName* claim = find_claim(tee, careful.claim);
      if (claim == nullptr) continue;
      known = true;
      const ByteVector value = careless_value(careful, *claim);
      EXPECT_FALSE(is_careful(careful, *claim, value)) << careful.claim;
      EXPECT_THAT(relaxed(tee.tee, accepting(careful.claim, value)),
                  ElementsAre(HasSubstr(std::string(careful.others))))
          << tee.tee << ' ' << careful.claim;
    }
    EXPECT_TRUE(known) << careful.claim << " is a claim of no TEE";
  }
}

TEST(Relaxations, AreInOrderAndHaveCarefulValues) {
  const auto all = all_careful_values();
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(),
                             [](const auto& a, const auto& b) { return a.claim < b.claim; }));
  const ClaimName& debug = *find_claim(*find_tee("sgx"), "debug");
  EXPECT_THAT(relaxed("sgx", accepting("debug", {0})), IsEmpty());
  EXPECT_TRUE(is_careful(*find_careful_values("debug"), debug, ByteVector{0}));
  EXPECT_THAT(relaxed("tdx", accepting("mr_servicetd", ByteVector(48, 0))), IsEmpty());
  EXPECT_THAT(relaxed("sgx", accepting("tcb_status", to_vector(as_bytes("UpToDate")))), IsEmpty());
}

// Of a flag that every policy of a TEE must speak of, one value is the careful one.
TEST(Relaxations, KnowEveryFlagThatIsMandatory) {
  for (const TeeClaims& tee : all_tee_claims()) {
    for (const ClaimName& claim : tee.claims) {
      if (!claim.mandatory || claim.kind != ClaimKind::kFlag) continue;
      EXPECT_NE(find_careful_values(claim.name), nullptr) << tee.tee << ' ' << claim.name;
    }
  }
}

TEST(Relaxations, NameBoundsThatLetOthersIn) {
  bundle::ClaimRule rule{"vmpl", {}, 0, {}};
  rule.maximum = 3;
  EXPECT_THAT(relaxed("sev-snp", rule), ElementsAre(HasSubstr("vmpl may be up to 3: admits")));
  rule = {"vmpl", {}, 1, {}};
  EXPECT_THAT(relaxed("sev-snp", rule), ElementsAre(HasSubstr("vmpl may be 1 or more: admits")));
}

TEST(Relaxations, NameWhatIsIgnoredAndBadNews) {
  for (const TeeClaims& tee : all_tee_claims()) {
    for (const ClaimName& claim : tee.claims) {
      const bundle::ClaimRule rule{std::string(claim.name), {}, 0, "a test"};
      const auto lines = relaxed(tee.tee, rule);
      ASSERT_FALSE(lines.empty()) << claim.name;
      EXPECT_THAT(lines.back(), HasSubstr(" may be anything, because 'a test'"));
    }
  }
  EXPECT_THAT(relaxed("sgx", accepting("advisories", to_vector(as_bytes("INTEL-SA-00289")))),
              ElementsAre("sgx: advisories may say 'INTEL-SA-00289'"));
}

TEST(Relaxations, SayWhichEnvironmentIsMeantWhereThereAreSeveral) {
  const bundle::Environment careful{"sgx", {accepting("debug", {0})}};
  const bundle::Environment lax{"sgx", {accepting("debug", {1})}};
  EXPECT_THAT(relaxations({{}, {careful, lax}}),
              ElementsAre("2: sgx: debug may be true: admits environments that can be debugged"));
}

}  // namespace
}  // namespace sealpack::policy
