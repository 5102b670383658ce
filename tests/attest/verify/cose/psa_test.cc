// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "attest/verify/cose/enrolled_keys.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/attest/verify/cose/cose_maker.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::CborMapMaker;
using testing::CborWriter;
using testing::cose_sign1;
using testing::CoseShape;
using testing::MintKey;
using testing::MintKeyType;
using testing::Refused;
using testing::RefusedAlsoFor;

CborWriter component(Bytes measurement, Bytes signer) {
  return CborWriter().raw(CborMapMaker()
                              .put(1, CborWriter().text("SPE"))
                              .put(2, CborWriter().bytes(measurement))
                              .put(4, CborWriter().text("1.6.0"))
                              .put(5, CborWriter().bytes(signer))
                              .put(6, CborWriter().text("SHA256"))
                              .take());
}
CborWriter components(std::vector<CborWriter> items) {
  CborWriter out;
  out.array(items.size());
  for (CborWriter& item : items) out.raw(item.take());
  return out;
}
ByteVector instance_id() {
  ByteVector id(33, 7);
  id[0] = 1;
  return id;
}

class Psa : public ::testing::Test {
 protected:
  Psa() {
    roots.psa = {device().digest()};
    endorsements.public_keys = {device().spki()};
    claims = current();
  }

  static const MintKey& device() {
    static const MintKey key = MintKey::generate(MintKeyType::kP256);
    return key;
  }
  static const MintKey& other() {
    static const MintKey key = MintKey::generate(MintKeyType::kP256);
    return key;
  }

  CborMapMaker current() const {
    return CborMapMaker()
        .put(265, CborWriter().text("tag:psacertified.org,2023:psa#tfm"))
        .put(10, CborWriter().bytes(nonce))
        .put(2394, CborWriter().number(-7))
        .put(2395, CborWriter().number(0x3000))
        .put(2396, CborWriter().bytes(ByteVector(32, 5)))
        .put(2397, CborWriter().bytes(ByteVector(8, 6)))
        .put(256, CborWriter().bytes(instance_id()))
        .put(2398, CborWriter().text("1234567890123-12345"))
        .put(2399, components({component(ByteVector(32, 1), ByteVector(32, 2)),
                               component(ByteVector(48, 3), ByteVector(32, 2))}))
        .put(2400, CborWriter().text("https://psa-verifier.org"));
  }
  CborMapMaker legacy() const {
    return CborMapMaker()
        .put(-75000, CborWriter().text("PSA_IOT_PROFILE_1"))
        .put(-75008, CborWriter().bytes(nonce))
        .put(-75001, CborWriter().number(1))
        .put(-75002, CborWriter().number(0x3000))
        .put(-75003, CborWriter().bytes(ByteVector(32, 5)))
        .put(-75004, CborWriter().bytes(ByteVector(32, 6)))
        .put(-75009, CborWriter().bytes(instance_id()))
        .put(-75005, CborWriter().text("1234567890123"))
        .put(-75006, components({component(ByteVector(32, 1), ByteVector(32, 2))}));
  }

  void enrol_before(const MintKey& key) {
    endorsements.public_keys.insert(endorsements.public_keys.begin(), key.spki());
    roots.psa.push_back(key.digest());
  }

  Verdict run() const { return run(claims.take()); }
  Verdict run(Bytes payload) const {
    const Evidence evidence{"psa", {{"token", cose_sign1(signer, payload, shape)}}};
    return verify({evidence, endorsements, roots, 1750000000, expected});
  }
  std::string text_of(std::string_view claim) const {
    const Verdict verdict = run();
    return std::string(as_text(verdict.claims->find(claim)->value));
  }

  ByteVector nonce = ByteVector(64, 9);
  CborMapMaker claims;
  MintKey signer = device();
  CoseShape shape;
  Endorsements endorsements;
  Roots roots;
  std::optional<ByteVector> expected = nonce;
};

TEST_F(Psa, ProvesWhatTheTokenSays) {
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->tee, "psa");
  EXPECT_EQ(verdict.claims->report_data, nonce);
  EXPECT_EQ(verdict.claims->find("attestation_key")->value, to_vector(device().digest().bytes));
  EXPECT_EQ(text_of("client_id"), "-7");
  EXPECT_EQ(text_of("profile"), "tag:psacertified.org,2023:psa#tfm");
  std::vector<ByteVector> measurements;
  for (const Claim& claim : verdict.claims->claims) {
    if (claim.name == "measurement") measurements.push_back(claim.value);
  }
  EXPECT_THAT(measurements, ::testing::ElementsAre(ByteVector(32, 1), ByteVector(48, 3)));
}

TEST_F(Psa, TakesTheLegacyProfileWithAndWithoutItsName) {
  claims = legacy();
  EXPECT_THAT(run(), Accepted());
  claims.remove(-75000);
  EXPECT_THAT(run(), Accepted());
  EXPECT_EQ(text_of("profile"), "PSA_IOT_PROFILE_1");
  EXPECT_EQ(text_of("certification_reference"), "1234567890123");
}

TEST_F(Psa, RefusesClaimsOfTwoProfilesNoneOrAnUnknownOne) {
  claims.put(-75008, CborWriter().bytes(nonce));
  EXPECT_THAT(run(), Refused("psa.profile"));
  claims = current().remove(265);
  EXPECT_THAT(run(), Refused("psa.profile"));
  for (const char* name : {"http://arm.com/psa/2.0.1", "PSA_IOT_PROFILE_1", "psa", ""}) {
    claims = current().put(265, CborWriter().text(name));
    EXPECT_THAT(run(), Refused("psa.profile")) << name;
  }
  claims = legacy().put(-75000, CborWriter().text("PSA_IOT_PROFILE_2"));
  EXPECT_THAT(run(), Refused("psa.profile"));
  claims = legacy().put(-75000, CborWriter().number(1));
  EXPECT_THAT(run(), Refused("psa.profile"));
}

TEST_F(Psa, StatesEachLifecycleByItsNameWhateverTheLowByteSays) {
  const std::pair<std::int64_t, const char*> states[] = {
      {0x0000, "unknown"},       {0x1001, "assembly-and-test"}, {0x20FF, "provisioning"},
      {0x3003, "secured"},       {0x4000, "non-rot-debug"},     {0x5042, "recoverable-rot-debug"},
      {0x6000, "decommissioned"}};
  for (const auto& [value, name] : states) {
    claims.put(2395, CborWriter().number(value));
    EXPECT_EQ(text_of("security_lifecycle"), name);
  }
}

TEST_F(Psa, RefusesLifecyclesThatAreNotDefined) {
  for (const std::int64_t value : {0x0100, 0x2F00, 0x3100, 0x7000, 0xFFFF, 0x130000, -1}) {
    claims.put(2395, CborWriter().number(value));
    EXPECT_THAT(run(), Refused("psa.lifecycle")) << value;
  }
}

TEST_F(Psa, RefusesEachMandatoryClaimThatIsMissingOrOfAnotherKind) {
  const std::pair<std::int64_t, const char*> mandatory[] = {
      {10, "psa.nonce"},        {2394, "psa.client-id"},         {2395, "psa.lifecycle"},
      {256, "psa.instance-id"}, {2396, "psa.implementation-id"}, {2399, "psa.software-components"}};
  for (const auto& [key, code] : mandatory) {
    claims = current().remove(key);
    EXPECT_THAT(run(), Refused(code));
    claims = current().put(key, CborWriter().null());
    EXPECT_THAT(run(), Refused(code));
  }
  claims = legacy().remove(-75004);
  EXPECT_THAT(run(), Refused("psa.boot-seed"));
}

TEST_F(Psa, TakesATokenWithoutItsOptionalClaims) {
  claims.remove(2397).remove(2398).remove(2400);
  EXPECT_THAT(run(), Accepted());
}

TEST_F(Psa, RefusesValuesOfOtherSizes) {
  const auto refuses = [&](std::int64_t key, std::size_t size, const char* code) {
    expected.reset();
    claims = current().put(key, CborWriter().bytes(ByteVector(size, 1)));
    EXPECT_THAT(run(), Refused(code)) << key << ' ' << size;
  };
  for (const std::size_t size : {0U, 8U, 31U, 33U, 47U, 65U}) refuses(10, size, "psa.nonce");
  for (const std::size_t size : {0U, 31U, 33U}) refuses(2396, size, "psa.implementation-id");
  for (const std::size_t size : {0U, 32U, 34U}) refuses(256, size, "psa.instance-id");
  for (const std::size_t size : {0U, 7U, 33U}) refuses(2397, size, "psa.boot-seed");
  claims = legacy().put(-75004, CborWriter().bytes(ByteVector(31, 1)));
  EXPECT_THAT(run(), Refused("psa.boot-seed"));
}

TEST_F(Psa, RefusesAnInstanceIdThatIsNoRandomUeid) {
  for (const std::uint8_t kind : {std::uint8_t{0}, std::uint8_t{2}, std::uint8_t{3}}) {
    ByteVector id = instance_id();
    id[0] = kind;
    claims.put(256, CborWriter().bytes(id));
    EXPECT_THAT(run(), Refused("psa.instance-id"));
  }
}

TEST_F(Psa, RefusesClientIdsBeyond32Bits) {
  for (const std::int64_t id : {INT64_C(2147483648), INT64_C(-2147483649), INT64_MAX}) {
    claims.put(2394, CborWriter().number(id));
    EXPECT_THAT(run(), Refused("psa.client-id")) << id;
  }
}

TEST_F(Psa, RefusesCertificationReferencesInOtherForms) {
  for (const char* text : {"1234567890123", "123456789012a-12345", "1234567890123-1234",
                           "1234567890123-123456", "1234567890123/12345", ""}) {
    claims = current().put(2398, CborWriter().text(text));
    EXPECT_THAT(run(), Refused("psa.certification-reference")) << text;
  }
  claims = legacy().put(-75005, CborWriter().text("123456789012"));
  EXPECT_THAT(run(), Refused("psa.certification-reference"));
  claims = legacy().put(-75005, CborWriter().text("1234567890123-12345"));
  EXPECT_THAT(run(), Accepted());
}

TEST_F(Psa, RefusesAnEmptyVerificationService) {
  claims.put(2400, CborWriter().text(""));
  EXPECT_THAT(run(), Refused("psa.verification-service"));
}

TEST_F(Psa, RefusesComponentsWithoutMeasurementOrSignerOrOfOtherSizes) {
  const ByteVector good(32, 1);
  CborMapMaker whole;
  whole.put(2, CborWriter().bytes(good)).put(5, CborWriter().bytes(good));
  const auto refuses = [&](const CborMapMaker& one) {
    claims.put(2399, components({CborWriter().raw(one.take())}));
    EXPECT_THAT(run(), Refused("psa.software-components"));
  };
  refuses(CborMapMaker(whole).remove(2));
  refuses(CborMapMaker(whole).remove(5));
  refuses(CborMapMaker(whole).put(2, CborWriter().bytes(ByteVector(20, 1))));
  refuses(CborMapMaker(whole).put(5, CborWriter().bytes(ByteVector(33, 1))));
  refuses(CborMapMaker(whole).put(1, CborWriter().number(1)));
  refuses(CborMapMaker(whole).repeat(2));
  claims.put(2399, components({}));
  EXPECT_THAT(run(), Refused("psa.software-components"));
  claims.put(2399, components(std::vector<CborWriter>(65, component(good, good))));
  EXPECT_THAT(run(), Refused("psa.software-components"));
}

TEST_F(Psa, TakesTheClaimThatNothingWasMeasuredOnlyAloneAndInTheLegacyProfile) {
  claims = legacy().remove(-75006).put(-75007, CborWriter().number(1));
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->find("measurement"), nullptr);
  claims.put(-75007, CborWriter().number(0));
  EXPECT_THAT(run(), Refused("psa.software-components"));
  claims = legacy().put(-75007, CborWriter().number(1));
  EXPECT_THAT(run(), Refused("psa.software-components"));
  claims = current().remove(2399).put(-75007, CborWriter().number(1));
  EXPECT_THAT(run(), Refused("psa.software-components"));
}

TEST_F(Psa, RefusesAnotherNonce) {
  expected = ByteVector(64, 8);
  EXPECT_THAT(run(), Refused("psa.nonce"));
  expected = ByteVector(32, 9);
  EXPECT_THAT(run(), Refused("psa.nonce"));
  expected = ByteVector{};
  EXPECT_THAT(run(), Refused("psa.nonce"));
}

TEST_F(Psa, RefusesASignatureByAKeyThatIsNotEnrolled) {
  signer = other();
  EXPECT_THAT(run(), Refused("psa.signature"));
  // Supplied, but trusted by nobody: a key beside the token is self-asserted.
  endorsements.public_keys.push_back(other().spki());
  EXPECT_THAT(run(), Refused("psa.signature"));
  endorsements.public_keys = {other().spki()};
  EXPECT_THAT(run(), Refused("psa.key"));
}

TEST_F(Psa, RefusesAKeyEnrolledForAnotherPurpose) {
  roots.cca = roots.tpm_attestation_keys = roots.simulated = roots.psa;
  roots.psa.clear();
  EXPECT_THAT(run(), Refused("psa.key"));
}

TEST_F(Psa, FindsTheKeyAmongMany) {
  endorsements.public_keys.insert(endorsements.public_keys.begin(), other().spki());
  endorsements.public_keys.insert(endorsements.public_keys.begin(), ByteVector{1, 2, 3});
  roots.psa.push_back(other().digest());
  EXPECT_THAT(run(), Accepted());
}

// 01, then SHA-256 of the uncompressed point, as devices of the PSA make it.
ByteVector id_of(const MintKey& key) {
  ByteVector point = key.point();
  point.insert(point.begin(), 4);
  ByteVector id = to_vector(crypto::sha256(point).bytes);
  id.insert(id.begin(), 1);
  return id;
}

TEST_F(Psa, FindsTheKeyThatTheTokenNamesAmongAnyNumber) {
  claims.put(256, CborWriter().bytes(id_of(device())));
  for (int i = 0; i < 200; ++i) enrol_before(MintKey::generate(MintKeyType::kP256));
  EXPECT_THAT(run(), Accepted());
  claims = legacy().put(-75009, CborWriter().bytes(id_of(device())));
  EXPECT_THAT(run(), Accepted());
}

TEST_F(Psa, TriesNoKeyButTheOneThatTheTokenNames) {
  enrol_before(other());
  claims.put(256, CborWriter().bytes(id_of(other())));
  EXPECT_THAT(run(), Refused("psa.signature"));
  signer = other();
  EXPECT_THAT(run(), Accepted());
}

TEST_F(Psa, FindsKeysOfTheTokensCurve) {
  const MintKey p384 = MintKey::generate(MintKeyType::kP384);
  signer = p384;
  EXPECT_THAT(run(), Refused("psa.signature"));
  enrol_before(p384);
  EXPECT_THAT(run(), Accepted());
  claims.put(256, CborWriter().bytes(id_of(p384)));
  EXPECT_THAT(run(), Accepted());
  roots.psa.pop_back();
  EXPECT_THAT(run(), Refused("psa.signature"));
}

// How instance ids come of keys is left to makers: a name that fits no key tells nothing.
TEST_F(Psa, TriesAFewKeysWhereTheTokenNamesNone) {
  claims.put(256, CborWriter().bytes(id_of(other())));
  for (std::size_t i = 1; i < kMaxUnnamedKeys; ++i)
    enrol_before(MintKey::generate(MintKeyType::kP256));
  enrol_before(MintKey::generate(MintKeyType::kP384));  // for another algorithm
  EXPECT_THAT(run(), Accepted());
  enrol_before(MintKey::generate(MintKeyType::kP256));
  EXPECT_THAT(run(), Refused("psa.unnamed-key"));
}

TEST_F(Psa, RefusesAlgorithmConfusion) {
  shape.protected_header = testing::header_of(testing::kEs384);
  EXPECT_THAT(run(), Refused("psa.signature"));
  shape.protected_header = testing::header_of(5);  // HMAC 256/256
  EXPECT_THAT(run(), Refused("cose.algorithm"));
}

TEST_F(Psa, RefusesAMac0AndATokenWithoutATag) {
  shape.tag = 17;
  EXPECT_THAT(run(), Refused("cose.mac0"));
  shape.tag.reset();
  EXPECT_THAT(run(), Refused("cose.malformed"));
}

TEST_F(Psa, RefusesAKeyOfTheClaimsThatOccursTwice) {
  claims.repeat(2395);
  EXPECT_THAT(run(), Refused("psa.malformed"));
}

TEST_F(Psa, RefusesClaimsThatAreNoMapNestedDeeplyOrFollowedByMore) {
  EXPECT_THAT(run(ByteVector{0x80}), Refused("psa.malformed"));
  EXPECT_THAT(run(ByteVector{0xBF, 0xFF}), Refused("psa.malformed"));
  claims.put(99, CborWriter().raw(ByteVector(40, 0x81)).number(0));
  EXPECT_THAT(run(), Refused("psa.malformed"));
  ByteVector bytes = current().take();
  bytes.push_back(0xF6);
  EXPECT_THAT(run(bytes), Refused("psa.malformed"));
}

TEST_F(Psa, IgnoresClaimsThatItDoesNotKnow) {
  claims.put(260, CborWriter().text("hw 1")).put("vendor", CborWriter().array(1).number(1));
  EXPECT_THAT(run(), Accepted());
}

TEST_F(Psa, GivesAllReasonsTogether) {
  claims.remove(256).put(2395, CborWriter().number(0xFFFF));
  signer = other();
  const Verdict verdict = run();
  EXPECT_THAT(verdict, RefusedAlsoFor("psa.signature"));
  EXPECT_THAT(verdict, RefusedAlsoFor("psa.instance-id"));
  EXPECT_THAT(verdict, RefusedAlsoFor("psa.lifecycle"));
}

}  // namespace
}  // namespace sealpack::attest
