// SPDX-License-Identifier: Apache-2.0
// Which releases are given out, and when that ends.
#include "tests/keymgmt/broker/release_setting.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Succeeds;
using namespace testing;

class RegisteredReleases : public ReleaseTest {};

TEST_F(RegisteredReleases, AreOfRegisteredBundlesAlone) {
  start();
  Client client(setting_);
  client.subject.content = Digest{{1}};
  client.subject.release = Digest{{2}};
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.unknown-bundle");
}

TEST_F(RegisteredReleases, AreNotGuessedFromTheContent) {
  start();
  Client client(setting_);
  client.subject.release = Digest{{2}};
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.unknown-release");
}

// Another authority that puts its own release around the same content gets nothing.
TEST_F(RegisteredReleases, AreOfTheContentsAuthority) {
  start();
  Client client(setting_);
  client.subject.authority = Digest{{2}};
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.authority");
  client.subject.release = Digest{{2}};
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.authority");
}

TEST_F(RegisteredReleases, AreOfTheirContent) {
  start();
  Client client(setting_);
  client.subject.content = Digest{{2}};
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.content");
}

TEST_F(RegisteredReleases, AreOfTeesThatThePolicyNames) {
  start();
  Client client(setting_);
  client.subject.tee = "tdx";
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.tee");
}

TEST_F(RegisteredReleases, OfAnOlderReleaseEndWithTheNext) {
  EXPECT_EQ(refused_after(AddRelease{setting_.make_release(8)}), "broker.superseded");
  Client client(setting_);
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.superseded");
}

TEST_F(RegisteredReleases, EndBelowTheFloor) {
  EXPECT_EQ(refused_after(RaiseFloor{
                {setting_.release.authority, "test product", loader::Floor{8, std::nullopt}}}),
            "broker.below-floor");
}

TEST_F(RegisteredReleases, EndWhereTheFloorIsAnotherReleaseOfTheSameCounter) {
  EXPECT_EQ(refused_after(RaiseFloor{
                {setting_.release.authority, "test product", loader::Floor{7, Digest{{5}}}}}),
            "broker.below-floor");
}

TEST_F(RegisteredReleases, CarryTheFloorOfTheProduct) {
  const loader::Floor floor{5, Digest{{5}}};
  ASSERT_THAT(setting_.apply(RaiseFloor{{setting_.release.authority, "test product", floor}}),
              Succeeds());
  start();
  Client client(setting_);
  EXPECT_EQ(client.open(exchange(service(), client).body)->facts.floor, floor);
}

TEST_F(RegisteredReleases, EndWithTheRevocationOfTheBundle) {
  EXPECT_EQ(refused_after(Revoke{
                {RevokedKind::kContent, to_vector(setting_.release.content.bytes), "bad", 0}}),
            "broker.revoked-content");
}

TEST_F(RegisteredReleases, EndWithTheRevocationOfTheRelease) {
  EXPECT_EQ(refused_after(Revoke{
                {RevokedKind::kRelease, to_vector(setting_.release.release.bytes), "bad", 0}}),
            "broker.revoked-release");
}

TEST_F(RegisteredReleases, EndWithTheRevocationOfItsSigner) {
  EXPECT_EQ(refused_after(Revoke{
                {RevokedKind::kSigner, to_vector(setting_.release.signers[0].bytes), "leak", 0}}),
            "broker.revoked-signer");
}

TEST_F(RegisteredReleases, EndWithTheRevocationOfTheMeasurement) {
  const Revocation revocation{RevokedKind::kMeasurement, to_vector(setting_.measurement.bytes),
                              "hole", 0};
  EXPECT_EQ(refused_after(Revoke{revocation}), "broker.revoked-measurement");
  ASSERT_THAT(setting_.apply(EndRevocation{revocation.kind, revocation.value}), Succeeds());
  EXPECT_EQ(refused_for(), "");
}

TEST_F(RegisteredReleases, EndWithTheVendor) {
  EXPECT_EQ(refused_after(RemoveVendor{"vendor"}), "broker.vendor");
}

// Another under the name of one who left does not inherit what that one released, nor does who is
// trusted by other keys now: who signed it may be whom the new trust leaves out.
TEST_F(RegisteredReleases, AreJudgedAgainUnderAnotherTrust) {
  Vendor other = setting_.vendor;
  other.trust.counter_floor = 1;
  EXPECT_EQ(refused_after(PutVendor{other}), "broker.vendor");
  ASSERT_THAT(setting_.apply(RemoveVendor{"vendor"}), Succeeds());
  ASSERT_THAT(setting_.apply(PutVendor{other}), Succeeds());
  EXPECT_EQ(challenge_codes_of(service(), Client(setting_).subject), "broker.vendor");
  // Added again, which is to be verified by the trust of now.
  setting_.vendor = other;
  setting_.release.trust = trust_digest(other).value();
  ASSERT_THAT(setting_.add(setting_.release), Succeeds());
  EXPECT_EQ(refused_for(), "");
}

TEST_F(RegisteredReleases, ComeBackWithTheTrustTheyCameBy) {
  EXPECT_EQ(refused_after(RemoveVendor{"vendor"}), "broker.vendor");
  ASSERT_THAT(setting_.apply(PutVendor{setting_.vendor}), Succeeds());
  EXPECT_EQ(refused_for(), "");
}

TEST_F(RegisteredReleases, EndWithTheValidityOfTheRelease) {
  const auto limited =
      setting_.make_release(8, [](bundle::Release& release) { release.not_after = kNow + 10; });
  ASSERT_THAT(setting_.add(limited), Succeeds());
  start();
  Client client(setting_);
  client.subject.content = limited.content;
  client.subject.release = limited.release;
  EXPECT_EQ(refused_for(client), "");
  *setting_.clock = kNow + 11;
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.validity");
}

}  // namespace
}  // namespace sealpack::broker
