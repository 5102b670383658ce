// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "attest/verify/chain_cache.h"
#include "attest/verify/cose/enrolled_keys.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/attest/verify/cose/cca_maker.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::CborMapMaker;
using testing::CborWriter;
using testing::CcaMaker;
using testing::MintKey;
using testing::MintKeyType;
using testing::Refused;
using testing::RefusedAlsoFor;

class Cca : public ::testing::Test {
 protected:
  Cca() {
    roots.cca = {maker.platform_key.digest()};
    endorsements.public_keys = {maker.platform_key.spki()};
  }
  Verdict run() { return run(maker.make()); }
  Verdict run(const ByteVector& token) const {
    const Evidence evidence{"cca", {{"token", token}}};
    return verify({evidence, endorsements, roots, 1750000000, expected, std::nullopt, 0, cache});
  }

  CcaMaker maker;
  Endorsements endorsements;
  Roots roots;
  std::optional<ByteVector> expected = maker.challenge;
  ChainCache* cache = nullptr;
};

TEST_F(Cca, ProvesPlatformAndRealm) {
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->tee, "cca");
  EXPECT_EQ(verdict.claims->report_data, maker.challenge);
  EXPECT_EQ(verdict.claims->find("rim")->value, ByteVector(32, 4));
  EXPECT_EQ(verdict.claims->find("rem2")->value, ByteVector(32, 2));
  EXPECT_EQ(verdict.claims->find("rpv")->value, ByteVector(64, 3));
  EXPECT_EQ(verdict.claims->find("platform_key")->value,
            to_vector(maker.platform_key.digest().bytes));
  EXPECT_EQ(as_text(verdict.claims->find("platform_lifecycle")->value), "secured");
}

TEST_F(Cca, TakesTheProfilesOf2023AndACollection) {
  maker.use_profiles_of_2023();
  EXPECT_THAT(run(), Accepted());
  maker.tag = 907;
  EXPECT_THAT(run(), Accepted());
}

TEST_F(Cca, TakesAPlatformOrRealmOnP256) {
  maker.platform_key = maker.platform_signer = MintKey::generate(MintKeyType::kP256);
  roots.cca = {maker.platform_key.digest()};
  endorsements.public_keys = {maker.platform_key.spki()};
  EXPECT_THAT(run(), Accepted());
  maker.realm_key = maker.realm_signer = MintKey::generate(MintKeyType::kP256);
  maker.use_profiles_of_2023();
  EXPECT_THAT(run(), Accepted());
}

TEST_F(Cca, RefusesARealmKeyThatThePlatformDoesNotVouchFor) {
  // The realm signs with a key of its own making: everything fits but the platform's challenge.
  maker.fit_challenge = false;
  maker.platform.put(10, CborWriter().bytes(ByteVector(64, 1)));
  EXPECT_THAT(run(), Refused("cca.binding"));
}

TEST_F(Cca, RefusesTheRealmOfAnotherPlatform) {
  // The genuine platform token of one machine beside the realm token of another.
  CcaMaker other;
  const ByteVector platform = maker.platform_token();
  const ByteVector realm = other.realm_token();
  const ByteVector token =
      CborWriter().tag(399).map(2).number(44234).bytes(platform).number(44241).bytes(realm).take();
  EXPECT_THAT(run(token), Refused("cca.binding"));
}

TEST_F(Cca, RefusesARealmTokenThatItsKeyDidNotSign) {
  maker.realm_signer = MintKey::generate(MintKeyType::kP384);
  EXPECT_THAT(run(), Refused("cca.realm.signature"));
  maker.realm_signer = maker.platform_key;
  EXPECT_THAT(run(), Refused("cca.realm.signature"));
}

TEST_F(Cca, RefusesAPlatformThatIsNotEnrolled) {
  maker.platform_signer = MintKey::generate(MintKeyType::kP384);
  EXPECT_THAT(run(), Refused("cca.platform.signature"));
  endorsements.public_keys = {maker.platform_signer.spki()};
  EXPECT_THAT(run(), Refused("cca.platform.key"));
}

TEST_F(Cca, TriesAFewPlatformKeysWhereTheTokenNamesNone) {
  for (std::size_t i = 0; i < kMaxUnnamedKeys; ++i) {
    const MintKey key = MintKey::generate(MintKeyType::kP384);
    endorsements.public_keys.insert(endorsements.public_keys.begin(), key.spki());
    roots.cca.push_back(key.digest());
  }
  EXPECT_THAT(run(), Refused("cca.platform.unnamed-key"));
  // 01, then SHA-256 of the uncompressed point.
  ByteVector point = maker.platform_key.point();
  point.insert(point.begin(), 4);
  ByteVector id = to_vector(crypto::sha256(point).bytes);
  id.insert(id.begin(), 1);
  maker.platform.put(256, CborWriter().bytes(id));
  EXPECT_THAT(run(), Accepted());
}

TEST_F(Cca, RefusesTheRealmsKeyAsThePlatforms) {
  maker.platform_signer = maker.realm_key;
  endorsements.public_keys.push_back(maker.realm_key.spki());
  EXPECT_THAT(run(), Refused("cca.platform.signature"));
}

TEST_F(Cca, ChecksTheBindingWithTheHashThatTheRealmNames) {
  for (const auto hash : {crypto::HashAlgorithm::kSha256, crypto::HashAlgorithm::kSha384}) {
    maker.hash = hash;
    EXPECT_THAT(run(), Refused("cca.binding"));
    maker.realm.put(44240, CborWriter().text(crypto::to_string(hash)));
    EXPECT_THAT(run(), Accepted());
    maker.fit_challenge = false;
    maker.platform.put(10, CborWriter().bytes(ByteVector(crypto::hash_size(hash), 1)));
    EXPECT_THAT(run(), Refused("cca.binding"));
    maker.fit_challenge = true;
    maker.realm.put(44240, CborWriter().text("sha-512"));
  }
  for (const char* name : {"sha-1", "md5", "SHA-256", "none", ""}) {
    maker.realm.put(44240, CborWriter().text(name));
    EXPECT_THAT(run(), Refused("cca.realm.public-key-hash")) << name;
  }
}

TEST_F(Cca, RefusesAnotherChallenge) {
  expected = ByteVector(64, 8);
  EXPECT_THAT(run(), Refused("cca.realm.challenge"));
  expected = ByteVector(63, 9);
  EXPECT_THAT(run(), Refused("cca.realm.challenge"));
  expected = ByteVector{};
  EXPECT_THAT(run(), Refused("cca.realm.challenge"));
}

TEST_F(Cca, DoesNotTakeThePlatformsChallengeForTheRealms) {
  expected = crypto::hash(maker.hash, maker.encoded_key);
  EXPECT_THAT(run(), Refused("cca.realm.challenge"));
}

TEST_F(Cca, StatesLifecyclesThatAreNotSecured) {
  const std::pair<std::int64_t, const char*> states[] = {
      {0x0000, "unknown"},       {0x1000, "assembly-and-test"},     {0x2000, "provisioning"},
      {0x4000, "non-rot-debug"}, {0x5000, "recoverable-rot-debug"}, {0x60FF, "decommissioned"}};
  for (const auto& [value, name] : states) {
    maker.platform.put(2395, CborWriter().number(value));
    const Verdict verdict = run();
    ASSERT_THAT(verdict, Accepted());
    EXPECT_EQ(as_text(verdict.claims->find("platform_lifecycle")->value), name);
  }
  maker.platform.put(2395, CborWriter().number(32565));
  EXPECT_THAT(run(), Refused("cca.platform.lifecycle"));
}

TEST_F(Cca, RefusesMacsAndAlgorithmConfusion) {
  maker.platform_shape.tag = 17;
  EXPECT_THAT(run(), Refused("cose.mac0"));
  maker.platform_shape.tag = 18;
  maker.realm_shape.tag = 17;
  EXPECT_THAT(run(), Refused("cose.mac0"));
  maker.realm_shape.tag = 18;
  maker.realm_shape.protected_header = testing::header_of(testing::kEs256);
  EXPECT_THAT(run(), Refused("cca.realm.signature"));
  maker.realm_shape.protected_header.reset();
  maker.platform_shape.protected_header = testing::header_of(-36);
  EXPECT_THAT(run(), Refused("cca.platform.signature"));
}

TEST_F(Cca, TakesAPlatformOfOneProfileWithARealmOfTheOther) {
  const CcaMaker good = maker;
  maker.platform.put(265, CborWriter().text("tag:arm.com,2023:cca_platform#1.0.0"));
  EXPECT_THAT(run(), Accepted());
  maker = good;
  maker.use_profiles_of_2023();
  maker.platform.put(265, CborWriter().text("http://arm.com/CCA-SSD/1.0.0"));
  EXPECT_THAT(run(), Accepted());
}

TEST_F(Cca, ReadsTheRealmsKeyAsItsProfileSays) {
  const CcaMaker good = maker;
  maker.realm.put(265, CborWriter().text("tag:arm.com,2023:realm#1.0.0"));
  EXPECT_THAT(run(), Refused("cca.realm.public-key"));
  maker = good;
  maker.use_profiles_of_2023();
  maker.realm.remove(265);
  EXPECT_THAT(run(), Refused("cca.realm.public-key"));
}

TEST_F(Cca, RefusesUnknownProfiles) {
  const CcaMaker good = maker;
  maker.use_profiles_of_2023();
  maker.realm.put(265, CborWriter().text("tag:arm.com,2023:realm#2.0.0"));
  EXPECT_THAT(run(), Refused("cca.realm.profile"));
  maker.realm.put(265, CborWriter().text("http://arm.com/CCA-SSD/1.0.0"));
  EXPECT_THAT(run(), Refused("cca.realm.profile"));
  maker = good;
  maker.platform.put(265, CborWriter().text("http://arm.com/PSA-SSD/1.0.0"));
  EXPECT_THAT(run(), Refused("cca.platform.profile"));
  maker = good;
  maker.platform.remove(265);
  EXPECT_THAT(run(), Refused("cca.platform.profile"));
}

TEST_F(Cca, RefusesEachMandatoryClaimThatIsMissingOrOfAnotherKind) {
  const std::pair<std::int64_t, const char*> of_platform[] = {
      {256, "cca.platform.instance-id"},        {2395, "cca.platform.lifecycle"},
      {2396, "cca.platform.implementation-id"}, {2399, "cca.platform.software-components"},
      {2401, "cca.platform.configuration"},     {2402, "cca.platform.hash-algorithm"}};
  const CcaMaker good = maker;
  for (const auto& [key, code] : of_platform) {
    maker = good;
    maker.platform.remove(key);
    EXPECT_THAT(run(), Refused(code));
    maker.platform.put(key, CborWriter().null());
    EXPECT_THAT(run(), Refused(code));
  }
  const std::pair<std::int64_t, const char*> of_realm[] = {
      {10, "cca.realm.challenge"},
      {44235, "cca.realm.personalization"},
      {44236, "cca.realm.hash-algorithm"},
      {44237, "cca.realm.public-key"},
      {44238, "cca.realm.initial-measurement"},
      {44239, "cca.realm.extensible-measurements"},
      {44240, "cca.realm.public-key-hash"}};
  for (const auto& [key, code] : of_realm) {
    maker = good;
    maker.realm.remove(key);
    EXPECT_THAT(run(), Refused(code));
    maker.realm.put(key, CborWriter().null());
    EXPECT_THAT(run(), Refused(code));
  }
  maker = good;
  maker.fit_challenge = false;
  EXPECT_THAT(run(), Refused("cca.platform.challenge"));
}

TEST_F(Cca, RefusesMeasurementsOfOtherSizesAndCounts) {
  CborWriter three;
  three.array(3);
  for (int i = 0; i < 3; ++i) three.bytes(ByteVector(32, 1));
  const CcaMaker good = maker;
  maker.realm.put(44239, three);
  EXPECT_THAT(run(), Refused("cca.realm.extensible-measurements"));
  CborWriter five;
  five.array(5);
  for (int i = 0; i < 5; ++i) five.bytes(ByteVector(32, 1));
  maker.realm.put(44239, five);
  EXPECT_THAT(run(), Refused("cca.realm.extensible-measurements"));
  three = CborWriter();
  three.array(4);
  for (int i = 0; i < 4; ++i) three.bytes(ByteVector(33, 1));
  maker.realm.put(44239, three);
  EXPECT_THAT(run(), Refused("cca.realm.extensible-measurements"));
  maker = good;
  maker.realm.put(44238, CborWriter().bytes(ByteVector(95, 1)));
  EXPECT_THAT(run(), Refused("cca.realm.initial-measurement"));
  maker = good;
  maker.realm.put(44235, CborWriter().bytes(ByteVector(63, 1)));
  EXPECT_THAT(run(), Refused("cca.realm.personalization"));
}

TEST_F(Cca, RefusesRealmKeysThatAreNone) {
  const ByteVector raw = maker.encoded_key;
  ByteVector off_curve = raw;
  off_curve.back() ^= 1;
  ByteVector compressed(raw.begin(), raw.begin() + 49);
  compressed[0] = 0x02;
  for (const ByteVector& bytes : {off_curve, compressed, ByteVector(97, 4), ByteVector(15, 1),
                                  CcaMaker::cose_key(maker.realm_key).take()}) {
    maker.use_key(bytes);
    EXPECT_THAT(run(), Refused("cca.realm.public-key")) << bytes.size();
  }
}

TEST_F(Cca, RefusesCoseKeysInOtherForms) {
  maker.use_profiles_of_2023();
  const CborMapMaker good = CcaMaker::cose_key(maker.realm_key);
  const auto refuses = [&](const CborMapMaker& key) {
    maker.use_key(key.take());
    EXPECT_THAT(run(), Refused("cca.realm.public-key"));
  };
  refuses(CborMapMaker(good).put(1, CborWriter().number(1)));   // OKP
  refuses(CborMapMaker(good).put(1, CborWriter().number(4)));   // symmetric
  refuses(CborMapMaker(good).put(-1, CborWriter().number(1)));  // another curve
  refuses(CborMapMaker(good).put(-1, CborWriter().number(4)));
  refuses(CborMapMaker(good).put(-1, CborWriter().number(-1)));
  refuses(CborMapMaker(good).put(-3, CborWriter().raw(ByteVector{0xF5})));  // only a sign
  refuses(CborMapMaker(good).remove(-2));
  refuses(CborMapMaker(good).repeat(-2));
  maker.use_key(CcaMaker::raw_key(maker.realm_key));
  EXPECT_THAT(run(), Refused("cca.realm.public-key"));
}

TEST_F(Cca, RefusesTokensPutTogetherInOtherWays) {
  const ByteVector platform = maker.platform_token();
  const ByteVector realm = maker.realm_token();
  const auto refuses = [&](CborWriter out) {
    EXPECT_THAT(run(out.take()), Refused("cca.malformed"));
  };
  const auto parts = [&](std::uint64_t tag, std::uint64_t count) {
    CborWriter out;
    return out.tag(tag).map(count).number(44234).bytes(platform).number(44241).bytes(realm);
  };
  refuses(parts(400, 2));
  refuses(parts(18, 2));
  refuses(parts(907, 2));
  refuses(parts(399, 3).number(1).number(1));
  refuses(parts(399, 3).number(44241).bytes(realm));
  refuses(parts(399, 2).number(0));
  refuses(CborWriter().tag(399).map(1).number(44234).bytes(platform));
  refuses(CborWriter().map(2).number(44234).bytes(platform).number(44241).bytes(realm));
  refuses(CborWriter().tag(399).raw(ByteVector{0xBF, 0xFF}));
  const auto wrapped = [&](std::int64_t format, std::uint64_t count) {
    CborWriter out;
    out.tag(907).map(2).number(44234).array(count).number(format).bytes(platform);
    if (count == 3) out.number(4);
    return out.number(44241).array(2).number(263).bytes(realm);
  };
  EXPECT_THAT(run(wrapped(263, 2).take()), Accepted());
  refuses(wrapped(264, 2));
  refuses(wrapped(263, 3));
}

TEST_F(Cca, TakesACollectionThatNamesItsType) {
  const ByteVector token = CborWriter()
                               .tag(907)
                               .map(3)
                               .text("__cmwc_t")
                               .text("tag:arm.com,2025:cca-token")
                               .number(44234)
                               .array(2)
                               .number(263)
                               .bytes(maker.platform_token())
                               .number(44241)
                               .array(2)
                               .number(263)
                               .bytes(maker.realm_token())
                               .take();
  EXPECT_THAT(run(token), Accepted());
}

TEST_F(Cca, RefusesKeysOfClaimsThatOccurTwice) {
  const CcaMaker good = maker;
  maker.realm.repeat(10);
  EXPECT_THAT(run(), Refused("cca.malformed"));
  maker = good;
  maker.platform.repeat(2395);
  EXPECT_THAT(run(), Refused("cca.malformed"));
}

TEST_F(Cca, RefusesTheSameWithRememberedKeys) {
  ChainCache keys;
  cache = &keys;
  for (int i = 0; i < 2; ++i) EXPECT_THAT(run(), Accepted());
  const CcaMaker good = maker;
  maker.realm_signer = MintKey::generate(MintKeyType::kP384);
  EXPECT_THAT(run(), Refused("cca.realm.signature"));
  maker = good;
  // The bytes of a point that was read, where a COSE_Key belongs.
  maker.use_profiles_of_2023().use_key(CcaMaker::raw_key(maker.realm_key));
  EXPECT_THAT(run(), Refused("cca.realm.public-key"));
  maker = good;
  roots.cca.clear();
  EXPECT_THAT(run(), Refused("cca.platform.key"));
}

TEST_F(Cca, GivesAllReasonsTogether) {
  maker.platform_signer = MintKey::generate(MintKeyType::kP384);
  maker.platform.remove(256);
  maker.realm.remove(44238);
  expected = ByteVector(64, 1);
  const Verdict verdict = run();
  for (const char* code : {"cca.platform.signature", "cca.platform.instance-id",
                           "cca.realm.initial-measurement", "cca.realm.challenge"}) {
    EXPECT_THAT(verdict, RefusedAlsoFor(code));
  }
}

}  // namespace
}  // namespace sealpack::attest
