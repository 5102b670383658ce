// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/read_endorsements.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace sealpack::attest {
namespace {

struct Found {
  static constexpr std::array kReadFrom{&Endorsements::certificates, &Endorsements::tcb_infos};
  std::string what;
};

class ReadEndorsementsTest : public ::testing::Test {
 protected:
  VerifyInput input(const Endorsements& endorsements,
                    std::shared_ptr<const Endorsements> kept = nullptr) const {
    VerifyInput made{evidence, endorsements, roots};
    made.kept_endorsements = std::move(kept);
    return made;
  }
  void remember(const Endorsements& endorsements, const std::string& what) {
    memory.remember(input(endorsements), std::make_shared<const Found>(Found{what}));
  }
  std::string find(const Endorsements& endorsements) {
    const auto found = memory.find(input(endorsements));
    return found ? found->what : "nothing";
  }
  static Endorsements with_certificate(std::uint8_t byte) {
    Endorsements endorsements;
    endorsements.certificates = {{1, 2, 3}, {4, byte}};
    endorsements.tcb_infos = {{5}};
    return endorsements;
  }

  Evidence evidence;
  Roots roots;
  ReadEndorsements<Found> memory;
};

TEST_F(ReadEndorsementsTest, AreFoundByTheSameBytes) {
  EXPECT_EQ(find(with_certificate(1)), "nothing");
  remember(with_certificate(1), "one");
  remember(with_certificate(2), "two");
  EXPECT_EQ(find(with_certificate(1)), "one");
  EXPECT_EQ(find(with_certificate(2)), "two");
}

TEST_F(ReadEndorsementsTest, AreNotFoundByOtherBytes) {
  const Endorsements known = with_certificate(1);
  remember(known, "known");
  std::vector<Endorsements> others(7, known);
  others[0].certificates[0][0] ^= 1U;
  others[1].certificates[1][1] ^= 1U;
  others[2].tcb_infos[0][0] ^= 1U;
  others[3].certificates.pop_back();
  others[4].certificates.push_back({});
  others[5].tcb_infos.clear();
  std::swap(others[6].certificates[0], others[6].certificates[1]);
  for (const Endorsements& other : others) EXPECT_EQ(find(other), "nothing");
}

TEST_F(ReadEndorsementsTest, AreFoundWhateverElseThereIsThatWasNotRead) {
  Endorsements endorsements = with_certificate(1);
  remember(endorsements, "one");
  endorsements.revocation_lists.push_back({1});
  endorsements.public_keys.push_back({2});
  EXPECT_EQ(find(endorsements), "one");
}

TEST_F(ReadEndorsementsTest, OfKeptOnesAreHeldAndNotCopied) {
  const auto kept = std::make_shared<const Endorsements>(with_certificate(1));
  memory.remember(input(*kept, kept), std::make_shared<const Found>(Found{"kept"}));
  EXPECT_EQ(kept.use_count(), 2);
  ASSERT_NE(memory.find(input(*kept, kept)), nullptr);
  EXPECT_EQ(find(with_certificate(1)), "kept");
}

// Else whoever names a kept object could be answered for it with other endorsements.
TEST_F(ReadEndorsementsTest, OfAnotherObjectThanTheKeptAreFoundByTheirBytes) {
  const auto kept = std::make_shared<const Endorsements>(with_certificate(1));
  memory.remember(input(*kept, kept), std::make_shared<const Found>(Found{"kept"}));
  EXPECT_EQ(memory.find(input(with_certificate(2), kept)), nullptr);
  memory.remember(input(with_certificate(2), kept), std::make_shared<const Found>(Found{"other"}));
  EXPECT_EQ(find(with_certificate(2)), "other");
  EXPECT_EQ(memory.find(input(*kept, kept))->what, "kept");
}

TEST_F(ReadEndorsementsTest, LeastRecentlyUsedMakeRoom) {
  for (std::uint8_t i = 0; i < 16; ++i) remember(with_certificate(i), std::to_string(i));
  EXPECT_EQ(find(with_certificate(0)), "0");
  remember(with_certificate(16), "16");
  EXPECT_EQ(find(with_certificate(0)), "0");
  EXPECT_EQ(find(with_certificate(1)), "nothing");
  EXPECT_EQ(find(with_certificate(2)), "2");
  EXPECT_EQ(find(with_certificate(16)), "16");
}

}  // namespace
}  // namespace sealpack::attest
