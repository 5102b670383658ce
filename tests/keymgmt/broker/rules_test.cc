// SPDX-License-Identifier: Apache-2.0
// What a state says about an environment, on claims put together by hand.
#include "keymgmt/broker/rules.h"

#include "keymgmt/broker/challenge.h"
#include "keymgmt/broker/decide.h"
#include "tests/keymgmt/broker/broker_setting.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::digest_of;
using sealpack::testing::Succeeds;
using ::testing::EndsWith;
using namespace testing;

class RulesOfAState : public ::testing::Test {
 protected:
  std::string judged() {
    ServiceOptions options;
    options.lab = true;
    const auto rules = Rules::create(setting_.store->state().value(), options).value();
    const ChallengeRequest subject = Client(setting_).subject;
    const auto found = rules->find(subject, kNow);
    EXPECT_NE(found.release, nullptr);
    claims_.sort();
    std::string codes;
    for (const Reason& reason : rules->judge(*found.release, claims_).reasons) {
      // The policy of the setting is for simulated TEEs.
      if (!reason.code.starts_with("policy.")) codes += (codes.empty() ? "" : " ") + reason.code;
    }
    return codes;
  }
  Status revoke(RevokedKind kind, const ByteVector& value) {
    return setting_.apply(Revoke{{kind, value, "", 0}});
  }
  Setting setting_;
  attest::Claims claims_{"sev-snp", {}, {}};
};

TEST_F(RulesOfAState, KnowADeviceByEveryNameThatEvidenceHasForIt) {
  for (const char* name : {"chip_id", "ppid", "ek_name", "instance_id", "module_id",
                           "platform_instance_id", "ueid", "gpu_ueid"}) {
    claims_.claims.clear();
    const ByteVector id = to_vector(as_bytes(name));
    claims_.add_bytes(name, id);
    EXPECT_EQ(judged(), "") << name;
    EXPECT_EQ(device_of(claims_), id) << name;
    ASSERT_THAT(revoke(RevokedKind::kDevice, id), Succeeds());
    EXPECT_EQ(judged(), "broker.revoked-device") << name;
  }
}

// Claims are kept beside the log once for each device, not for each request.
TEST_F(RulesOfAState, KeepNothingOfTheExchangeInClaims) {
  claims_.add_bytes("chip_id", ByteVector{1});
  const ByteVector before = serialize_claims(claims_);
  claims_.add_bytes("gpu_nonce", ByteVector(32, 1));
  claims_.report_data = ByteVector(64, 2);
  claims_.sort();
  EXPECT_EQ(serialize_claims(claims_), before);
}

TEST_F(RulesOfAState, TakeAMaskedDeviceForNone) {
  claims_.add_bytes("chip_id", ByteVector(64, 0));
  EXPECT_EQ(device_of(claims_), ByteVector());
  ASSERT_THAT(setting_.apply(PutLicence{
                  {setting_.release.authority, "test product", 0, 0, 0, 0, {ByteVector(64, 0)}}}),
              Succeeds());
  EXPECT_EQ(judged(), "broker.licence-device");
}

TEST_F(RulesOfAState, AdmitTheDevicesOfTheLicence) {
  ASSERT_THAT(setting_.apply(PutLicence{
                  {setting_.release.authority, "test product", 0, 0, 0, 0, {{1, 1}, {2, 2}}}}),
              Succeeds());
  claims_.add_bytes("chip_id", ByteVector{2, 2});
  EXPECT_EQ(judged(), "");
  claims_.claims[0].value = {2, 3};
  EXPECT_EQ(judged(), "broker.licence-device");
  claims_.claims.clear();
  EXPECT_EQ(judged(), "broker.licence-device");
}

TEST_F(RulesOfAState, FindARevokedMeasurementInAnyClaim) {
  const ByteVector value(48, 3);
  ASSERT_THAT(revoke(RevokedKind::kMeasurement, value), Succeeds());
  for (const char* name : {"measurement", "mrtd", "rtmr1", "pcr4", "mrseam"}) {
    claims_.claims.clear();
    claims_.add_bytes(name, value);
    EXPECT_EQ(judged(), "broker.revoked-measurement") << name;
  }
}

TEST_F(RulesOfAState, KeepDevicesAndMeasurementsApart) {
  const ByteVector value(48, 3);
  ASSERT_THAT(revoke(RevokedKind::kMeasurement, value), Succeeds());
  claims_.add_bytes("chip_id", value);
  EXPECT_EQ(judged(), "");
  ASSERT_THAT(revoke(RevokedKind::kDevice, ByteVector(48, 4)), Succeeds());
  claims_.claims.clear();
  claims_.add_bytes("measurement", ByteVector(48, 4));
  EXPECT_EQ(judged(), "");
}

TEST_F(RulesOfAState, BelieveEnrolledTpms) {
  ASSERT_THAT(setting_.apply(EnrolTpm{{Digest{{7}}, {1, 2}, {3, 4}, "rack"}}), Succeeds());
  ServiceOptions options;
  options.lab = true;
  options.roots.simulated = {Digest{{9}}};
  const auto rules = Rules::create(setting_.store->state().value(), options).value();
  const auto found = rules->find(Client(setting_).subject, kNow);
  ASSERT_NE(found.release, nullptr);
  const attest::Roots& roots = rules->roots_for(*found.release, "tpm");
  ASSERT_EQ(roots.tpm_enrolments.size(), 1U);
  EXPECT_EQ(roots.tpm_enrolments[0].ak_key, Digest{{7}});
  EXPECT_EQ(roots.tpm_enrolments[0].ak_name, (ByteVector{1, 2}));
  EXPECT_EQ(roots.tpm_enrolments[0].ek_name, (ByteVector{3, 4}));
  // Laboratories come from the release's policy, never from elsewhere.
  EXPECT_TRUE(roots.simulated.empty());
  const attest::Roots& laboratories = rules->roots_for(*found.release, "simulated");
  EXPECT_EQ(laboratories.simulated, std::vector<Digest>{digest_of(setting_.lab)});
  EXPECT_TRUE(laboratories.tpm_enrolments.empty());
}

TEST_F(RulesOfAState, BelieveNoLaboratoryWithoutTheOption) {
  const auto rules = Rules::create(setting_.store->state().value(), {}).value();
  const auto found = rules->find(Client(setting_).subject, kNow);
  ASSERT_EQ(found.reasons.size(), 1U);
  EXPECT_EQ(found.reasons[0].code, "broker.lab");
}

TEST_F(RulesOfAState, GiveAllReasons) {
  ASSERT_THAT(revoke(RevokedKind::kContent, to_vector(setting_.release.content.bytes)), Succeeds());
  ASSERT_THAT(revoke(RevokedKind::kRelease, to_vector(setting_.release.release.bytes)), Succeeds());
  const auto rules = Rules::create(setting_.store->state().value(), {}).value();
  ChallengeRequest subject = Client(setting_).subject;
  subject.tee = "tdx";
  EXPECT_EQ(rules->find(subject, kNow).reasons.size(), 3U);
}

TEST(Refusals, AreCutToWhatAMessageHolds) {
  std::vector<Reason> reasons(100, {"a.b", std::string(5000, 'x') + "\xc3\xa4"});
  const std::string umlauts = "x" + [] {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "\xc3\xa4";
    return text;
  }();
  reasons[1].text = umlauts;
  const auto parsed = parse_refusal(serialize(refusal_of(ErrorCode::kRefused, reasons)));
  ASSERT_THAT(parsed, Succeeds());
  ASSERT_EQ(parsed->reasons.size(), kMaxReasons);
  EXPECT_THAT(parsed->reasons.back().text, EndsWith("x... (36 reasons more)"));
  EXPECT_EQ(parsed->reasons.back().text.size(), kMaxReasonText);
  // Not in the middle of a character.
  EXPECT_EQ(parsed->reasons[1].text.size(), kMaxReasonText);
  EXPECT_TRUE(is_utf8(parsed->reasons[1].text));
}

}  // namespace
}  // namespace sealpack::broker
