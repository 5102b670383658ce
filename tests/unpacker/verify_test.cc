// SPDX-License-Identifier: Apache-2.0
// What verify accepts and refuses: signatures, trust, revocation, validity, counters, format.
#include "formats/bundle/encode.h"
#include "formats/bundle/labels.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/test_bundle.h"
#include "unpacker/core/bundle.h"

namespace sealpack::unpacker {
namespace {

using bundle::Head;
using bundle::Release;
using crypto::KeyType;
using crypto::PrivateKey;
using sealpack::testing::build;
using sealpack::testing::digest_of;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::make_key;
using sealpack::testing::make_keys;
using sealpack::testing::memory;
using sealpack::testing::Recipe;
using sealpack::testing::sign_again;
using sealpack::testing::Succeeds;
using sealpack::testing::TestBundle;
using sealpack::testing::TestKeys;
using sealpack::testing::trust_in;
using sealpack::testing::verifying_key;
using ::testing::HasSubstr;

const TestKeys& keys() {
  static const TestKeys kept = make_keys();
  return kept;
}

Result<VerifiedBundle> verify(const TestBundle& made, const Trust& trust, Clock clock = {}) {
  return TRY(UnverifiedBundle::open(memory(made.bytes()))).verify(trust, clock);
}
Result<VerifiedBundle> verify(const Recipe& recipe) {
  return verify(build(keys(), recipe), trust_in(keys()));
}
Result<VerifiedBundle> verify_release(std::function<void(Release&)> edit, const Trust& trust,
                                      Clock clock = {}) {
  Recipe recipe;
  recipe.edit_release = std::move(edit);
  return verify(build(keys(), recipe), trust, clock);
}
Result<VerifiedBundle> verify_head(std::function<void(Head&)> edit) {
  Recipe recipe;
  recipe.edit_head = std::move(edit);
  return verify(recipe);
}

auto refused(const std::string& why) {
  return FailsWith(ErrorCode::kRefused, HasSubstr(why));
}

TEST(Verify, AcceptsTheSmallBundle) {
  const TestBundle made = build(keys());
  const auto verified = verify(made, trust_in(keys()));
  ASSERT_THAT(verified, Succeeds());
  EXPECT_EQ(verified->release(), made.release);
  EXPECT_EQ(verified->content(), made.content);
  EXPECT_EQ(verified->slots(), made.head.slots);
  ASSERT_EQ(verified->accepted_signatures().size(), 1U);
  EXPECT_EQ(verified->accepted_signatures()[0].role, "authority");
  EXPECT_EQ(verified->unknown_signature_count(), 0U);
}

TEST(Verify, AcceptsNothingByDefault) {
  EXPECT_THAT(verify(build(keys()), Trust{}), Fails(ErrorCode::kUsage));
  Trust no_signers = trust_in(keys());
  no_signers.signers.clear();
  EXPECT_THAT(verify(build(keys()), no_signers), Fails(ErrorCode::kUsage));
  Trust no_authority = trust_in(keys());
  no_authority.authorities.clear();
  EXPECT_THAT(verify(build(keys()), no_authority), Fails(ErrorCode::kUsage));
}

TEST(Verify, RefusesAnotherSigner) {
  EXPECT_THAT(verify(build(keys()), trust_in(make_keys())), Fails(ErrorCode::kNotAuthentic));
  const PrivateKey other = make_key(KeyType::kEd25519);
  Recipe recipe;
  recipe.signers = {&other};
  EXPECT_THAT(verify(recipe), Fails(ErrorCode::kNotAuthentic));
}

TEST(Verify, RefusesASignatureThatClaimsATrustedKey) {
  const PrivateKey other = make_key(KeyType::kEd25519);
  EXPECT_THAT(verify_head([&](Head& head) {
                head.release.signatures = {sealpack::testing::sign(other, head.release)};
                head.release.signatures[0].key = digest_of(keys().authority);
              }),
              Fails(ErrorCode::kNotAuthentic));
}

TEST(Verify, RefusesAStrippedOrDuplicatedSignature) {
  EXPECT_THAT(verify_head([](Head& head) { head.release.signatures.clear(); }),
              Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(verify_head([](Head& head) {
                head.release.signatures.push_back(head.release.signatures[0]);
              }),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(verify_head([](Head& head) { head.release.signatures[0].bytes.clear(); }),
              Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(verify_head([](Head& head) { head.release.signatures[0].bytes.push_back(0); }),
              Fails(ErrorCode::kNotAuthentic));
}

TEST(Verify, CountsUnknownSignaturesForNothing) {
  const PrivateKey other = make_key(KeyType::kEcdsaP256);
  Recipe recipe;
  recipe.signers = {&other, &keys().authority};
  const auto verified = verify(recipe);
  ASSERT_THAT(verified, Succeeds());
  EXPECT_EQ(verified->unknown_signature_count(), 1U);
  EXPECT_EQ(verified->accepted_signatures().size(), 1U);
}

// Another signature over the same release must not pass as the one that was made.
TEST(Verify, RefusesEcdsaSignaturesWithHighS) {
  const ByteVector n =
      from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").value();
  const PrivateKey key = make_key(KeyType::kEcdsaP256);
  Recipe recipe;
  recipe.signers = {&key};
  Trust trust = trust_in(keys());
  trust.signers = {{"publisher", {verifying_key(key)}, 1}};
  EXPECT_THAT(verify(build(keys(), recipe), trust), Succeeds());
  recipe.edit_head = [&](Head& head) {
    ByteVector& bytes = head.release.signatures[0].bytes;
    ASSERT_EQ(bytes.size(), 64U);
    int borrow = 0;
    for (std::size_t i = 32; i-- > 0;) {  // s = n - s
      const int difference = int{n[i]} - int{bytes[32 + i]} - borrow;
      borrow = difference < 0 ? 1 : 0;
      bytes[32 + i] = static_cast<std::uint8_t>(difference & 255);
    }
  };
  EXPECT_THAT(verify(build(keys(), recipe), trust), Fails(ErrorCode::kNotAuthentic));
}

TEST(Verify, AcceptsEveryAlgorithm) {
  for (const KeyType type : {KeyType::kEd25519, KeyType::kEcdsaP256, KeyType::kEcdsaP384}) {
    const PrivateKey key = make_key(type);
    Recipe recipe;
    recipe.signers = {&key};
    Trust trust = trust_in(keys());
    trust.signers = {{"publisher", {verifying_key(key)}, 1}};
    EXPECT_THAT(verify(build(keys(), recipe), trust), Succeeds());
  }
}

TEST(Verify, WantsEveryRoleToSign) {
  const PrivateKey reviewer = make_key(KeyType::kEd25519);
  Trust trust = trust_in(keys());
  trust.signers.push_back({"reviewer", {verifying_key(reviewer)}, 1});
  Recipe both;
  both.signers = {&keys().authority, &reviewer};
  EXPECT_THAT(verify(build(keys(), both), trust), Succeeds());
  EXPECT_THAT(verify(build(keys()), trust), Fails(ErrorCode::kNotAuthentic));
  Recipe only_reviewer;
  only_reviewer.signers = {&reviewer};
  EXPECT_THAT(verify(build(keys(), only_reviewer), trust), Fails(ErrorCode::kNotAuthentic));
}

// Two rules may have one name; a signature still meets only the rule that lists its key.
TEST(Verify, WantsEveryRuleToBeMetWhenTwoShareARole) {
  const PrivateKey second = make_key(KeyType::kEd25519);
  Trust trust = trust_in(keys());
  trust.signers.push_back({"authority", {verifying_key(second)}, 1});
  EXPECT_THAT(verify(build(keys()), trust), Fails(ErrorCode::kNotAuthentic));
  Recipe both;
  both.signers = {&keys().authority, &second};
  EXPECT_THAT(verify(build(keys(), both), trust), Succeeds());
}

TEST(Verify, CountsDistinctKeysTowardsAThreshold) {
  const PrivateKey a = make_key(KeyType::kEd25519);
  const PrivateKey b = make_key(KeyType::kEcdsaP256);
  const PrivateKey c = make_key(KeyType::kEcdsaP384);
  const PrivateKey stranger = make_key(KeyType::kEd25519);
  Trust trust = trust_in(keys());
  trust.signers = {{"publisher", {verifying_key(a), verifying_key(b), verifying_key(c)}, 2}};
  const auto signed_by = [&](std::vector<const PrivateKey*> signers) {
    Recipe recipe;
    recipe.signers = std::move(signers);
    return verify(build(keys(), recipe), trust);
  };
  EXPECT_THAT(signed_by({&a, &b}), Succeeds());
  EXPECT_THAT(signed_by({&b, &c}), Succeeds());
  EXPECT_THAT(signed_by({&a, &b, &c}), Succeeds());
  EXPECT_THAT(signed_by({&a}), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(signed_by({&c, &stranger}), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(signed_by({&a, &a}), Fails(ErrorCode::kMalformed));
  trust.revocations.keys = {digest_of(b)};
  EXPECT_THAT(signed_by({&a, &b}), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(signed_by({&a, &b, &c}), Succeeds());
}

TEST(Verify, RefusesTrustThatCannotMeanWhatItSays) {
  const crypto::VerifyingKey key = verifying_key(keys().authority);
  const auto with = [&](std::vector<SignerRule> rules) {
    Trust trust = trust_in(keys());
    trust.signers = std::move(rules);
    return verify(build(keys()), trust);
  };
  EXPECT_THAT(with({{"publisher", {key, key}, 2}}), Fails(ErrorCode::kUsage));
  EXPECT_THAT(with({{"publisher", {key}, 1}, {"reviewer", {key}, 1}}), Fails(ErrorCode::kUsage));
  EXPECT_THAT(with({{"publisher", {key}, 0}}), Fails(ErrorCode::kUsage));
  EXPECT_THAT(with({{"publisher", {key}, 2}}), Fails(ErrorCode::kUsage));
  EXPECT_THAT(with({{"publisher", {}, 1}}), Fails(ErrorCode::kUsage));
  Trust floor = trust_in(keys());
  floor.counter_floor = 1;
  floor.product.reset();
  EXPECT_THAT(verify(build(keys()), floor), Fails(ErrorCode::kUsage));
}

TEST(Verify, RefusesWhatIsRevoked) {
  const TestBundle made = build(keys());
  Trust trust = trust_in(keys());
  trust.revocations.contents = {made.release.content_digest};
  EXPECT_THAT(verify(made, trust), refused("the content is revoked"));
  trust = trust_in(keys());
  trust.revocations.releases = {crypto::sha256(made.head.release.payload)};
  EXPECT_THAT(verify(made, trust), refused("the release is revoked"));
  trust = trust_in(keys());
  trust.revocations.keys = {digest_of(keys().authority)};
  EXPECT_THAT(verify(made, trust), Fails(ErrorCode::kNotAuthentic));
}

// Whoever has the stolen root key can name a publisher; so the root itself must be good.
TEST(Verify, RefusesARevokedAuthorityWhoeverSigned) {
  const PrivateKey publisher = make_key(KeyType::kEd25519);
  Recipe recipe;
  recipe.signers = {&publisher};
  Trust trust = trust_in(keys());
  trust.signers = {{"publisher", {verifying_key(publisher)}, 1}};
  EXPECT_THAT(verify(build(keys(), recipe), trust), Succeeds());
  trust.revocations.keys = {digest_of(keys().authority)};
  EXPECT_THAT(verify(build(keys(), recipe), trust), refused("authority"));
}

TEST(Verify, RefusesAnotherProductOrAuthority) {
  Trust trust = trust_in(keys());
  trust.product = "another product";
  EXPECT_THAT(verify(build(keys()), trust), refused("product is 'test product'"));
  trust = trust_in(keys());
  trust.authorities = {Digest{{1}}};
  EXPECT_THAT(verify(build(keys()), trust), refused("belongs to another authority"));
}

TEST(Verify, RefusesAReleaseOfAnotherProductThanItsContent) {
  EXPECT_THAT(verify_release([](Release& r) { r.product = "other"; },
                             [] {
                               Trust trust = trust_in(keys());
                               trust.product.reset();
                               return trust;
                             }()),
              FailsWith(ErrorCode::kMalformed, HasSubstr("different products")));
}

TEST(Verify, HoldsTheCounterAtItsFloor) {
  const TestBundle made = build(keys());  // counter 7
  Trust trust = trust_in(keys());
  trust.counter_floor = 6;
  trust.floor_release = Digest{{1}};
  EXPECT_THAT(verify(made, trust), Succeeds());
  trust.counter_floor = 8;
  EXPECT_THAT(verify(made, trust), refused("counter 7 is below the floor 8"));
  trust.counter_floor = 7;
  EXPECT_THAT(verify(made, trust), refused("another release with counter 7"));
  trust.floor_release = crypto::sha256(made.head.release.payload);
  EXPECT_THAT(verify(made, trust), Succeeds());
  trust.floor_release.reset();
  EXPECT_THAT(verify(made, trust), Succeeds());
}

TEST(Verify, HoldsThePinnedContent) {
  const TestBundle made = build(keys());
  Trust trust = trust_in(keys());
  trust.content = made.release.content_digest;
  EXPECT_THAT(verify(made, trust), Succeeds());
  trust.content->bytes[31] ^= 1;
  EXPECT_THAT(verify(made, trust), refused("not the pinned one"));
}

TEST(Verify, JudgesValidityByTheClockItIsGiven) {
  const auto at = [](std::optional<std::uint64_t> now) {
    return verify_release(
        [](Release& r) {
          r.not_before = 100;
          r.not_after = 200;
        },
        trust_in(keys()), Clock{now});
  };
  EXPECT_THAT(at(99), refused("not valid before 1970-01-01 00:01:40 UTC"));
  EXPECT_THAT(at(100), Succeeds());
  EXPECT_THAT(at(200), Succeeds());
  EXPECT_THAT(at(201), refused("expired at 1970-01-01 00:03:20 UTC"));
  EXPECT_THAT(at(std::nullopt), refused("no time to judge"));
  const auto only_end = [](Release& r) { r.not_after = 200; };
  EXPECT_THAT(verify_release(only_end, trust_in(keys())), refused("no time to judge"));
  const auto only_start = [](Release& r) { r.not_before = 100; };
  EXPECT_THAT(verify_release(only_start, trust_in(keys())), refused("no time to judge"));
}

TEST(Verify, TellsAllReasonsAtOnce) {
  Trust trust = trust_in(keys());
  trust.product = "another product";
  trust.counter_floor = 8;
  const auto verified = verify_release([](Release& r) { r.not_after = 5; }, trust, Clock{9});
  EXPECT_THAT(verified, refused("product"));
  EXPECT_THAT(verified, refused("below the floor"));
  EXPECT_THAT(verified, refused("expired"));
}

TEST(Verify, RefusesALoaderThatIsTooOld) {
  EXPECT_THAT(
      verify_release([](Release& r) { r.min_loader = bundle::kLoaderLevel + 1; }, trust_in(keys())),
      FailsWith(ErrorCode::kUnsupported, HasSubstr("loader level 2")));
}

TEST(Verify, NamesANewerFormat) {
  ByteVector bytes = build(keys()).bytes();
  bytes[bundle::kHeadOffset + 16] = 2;
  EXPECT_THAT(UnverifiedBundle::open(memory(bytes)),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("format 2")));
  const auto with_type = [](const std::string& type) {
    Recipe recipe;
    recipe.edit_unsigned = [type](bundle::Envelope& envelope) { envelope.payload_type = type; };
    return verify(recipe);
  };
  EXPECT_THAT(with_type("application/vnd.sealpack.release.v2"),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("format '2'")));
  EXPECT_THAT(with_type("application/vnd.sealpack.grant.v1"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(with_type(""), Fails(ErrorCode::kMalformed));
}

// A signature over the same bytes as another kind of statement is none over a release.
TEST(Verify, RefusesAReleaseSignedUnderAnotherType) {
  Recipe recipe;
  recipe.edit_unsigned = [](bundle::Envelope& e) { e.payload_type = "application/octet-stream"; };
  recipe.edit_head = [](Head& head) { head.release.payload_type = bundle::kReleaseType; };
  EXPECT_THAT(verify(recipe), Fails(ErrorCode::kNotAuthentic));
}

TEST(Verify, RefusesWhatIsSignedButNotCanonical) {
  Recipe recipe;
  recipe.edit_payload = [](ByteVector& payload) { payload.insert(payload.end(), {0xa0, 1, 5}); };
  EXPECT_THAT(verify(recipe), Fails(ErrorCode::kMalformed));
}

TEST(Verify, RefusesAnotherContentSizeOrDigest) {
  const auto edited = [](auto edit) { return verify_release(edit, trust_in(keys())); };
  EXPECT_THAT(edited([](Release& r) { r.content_size += 1; }), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(edited([](Release& r) { r.content_size -= 1; }), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(edited([](Release& r) { r.content_size = bundle::kMaxContentSize; }),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(edited([](Release& r) { r.content_digest.bytes[0] ^= 1; }),
              Fails(ErrorCode::kNotAuthentic));
}

TEST(ClaimedBundle, ShowsWhatNobodyVouchesFor) {
  const TestBundle made = build(keys());
  const auto unverified = UnverifiedBundle::open(memory(made.bytes()));
  ASSERT_THAT(unverified, Succeeds());
  const auto claimed = unverified->claimed_without_proof();
  ASSERT_THAT(claimed, Succeeds());
  EXPECT_EQ(claimed->release, made.release);
  EXPECT_EQ(claimed->content, made.content);
}

}  // namespace
}  // namespace sealpack::unpacker
