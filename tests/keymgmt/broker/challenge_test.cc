// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/challenge.h"

#include "tests/keymgmt/broker/release_setting.h"

namespace sealpack::broker {
namespace {

using namespace testing;

class Challenges : public ::testing::Test {
 protected:
  std::string why_not(const loader::Challenge& challenge, const ChallengeRequest& subject,
                      const ChallengeFacts& now) const {
    const auto checked = check_challenge(key_, challenge, subject, now);
    const auto* reason = std::get_if<Reason>(&checked);
    return reason == nullptr ? "" : reason->code;
  }
  const ByteVector key_ = ByteVector(32, 1);
  const ChallengeRequest subject_{Digest{{1}}, Digest{{2}}, Digest{{3}}, "tdx"};
  const ChallengeFacts facts_{Transport::kNetwork, 4, kNow + 60};
  const loader::Challenge challenge_ = make_challenge(key_, subject_, facts_);
};

TEST_F(Challenges, AreTakenForWhatTheyWereMadeFor) {
  EXPECT_EQ(why_not(challenge_, subject_, {Transport::kNetwork, 4, kNow}), "");
  EXPECT_EQ(challenge_.nonce.size(), 32U);
  EXPECT_LE(challenge_.id.size(), 256U);
  EXPECT_NE(make_challenge(key_, subject_, facts_).nonce, challenge_.nonce);
}

TEST_F(Challenges, AreOfOneEpoch) {
  for (const std::uint64_t epoch : {3U, 5U}) {
    EXPECT_EQ(why_not(challenge_, subject_, {Transport::kNetwork, epoch, kNow}),
              "broker.nonce-epoch");
  }
}

TEST_F(Challenges, AreMadeWithTheKeyOfTheStore) {
  EXPECT_EQ(why_not(make_challenge(ByteVector(32, 2), subject_, facts_), subject_,
                    {Transport::kNetwork, 4, kNow}),
            "broker.nonce-forged");
}

TEST_F(Challenges, EndAtTheirTime) {
  EXPECT_EQ(why_not(challenge_, subject_, {Transport::kNetwork, 4, kNow + 60}), "");
  EXPECT_EQ(why_not(challenge_, subject_, {Transport::kNetwork, 4, kNow + 61}),
            "broker.nonce-expired");
}

TEST_F(Challenges, AreForOneTransport) {
  EXPECT_EQ(why_not(challenge_, subject_, {Transport::kFiles, 4, kNow}), "broker.nonce-transport");
}

TEST(Requests, ForAKeyOfAnotherKindAreRefused) {
  Setting setting;
  setting.start();
  Client client(setting);
  client.exchange = sealpack::testing::make_key(crypto::KeyType::kEcdhP256);
  EXPECT_EQ(codes_of(exchange(*setting.service, client)), "broker.grant");
}

}  // namespace
}  // namespace sealpack::broker
