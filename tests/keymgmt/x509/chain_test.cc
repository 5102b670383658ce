// SPDX-License-Identifier: Apache-2.0
#include "tests/keymgmt/x509/minted_chain.h"

namespace sealpack::x509 {
namespace {

using crypto::HashAlgorithm;
using testing::HasOnlyReason;
using testing::HasReason;
using testing::key;
using testing::mint;
using testing::mint_list;
using testing::MintCertificate;
using testing::text_of;
using Chain = testing::MintedChain;
constexpr std::uint64_t kNow = testing::kChainTime;

TEST_F(Chain, IsReturnedFromLeafToRoot) {
  const auto chain = run();
  ASSERT_TRUE(chain.has_value()) << text_of(reasons);
  ASSERT_EQ(chain->size(), 3U);
  EXPECT_EQ((*chain)[0].subject_common_name(), "Device");
  EXPECT_EQ((*chain)[1].subject_common_name(), "Maker Devices");
  EXPECT_EQ((*chain)[2].subject_common_name(), "Maker Root");
}

TEST_F(Chain, HoldsToTheLastSecondAndNoLonger) {
  rules.revocation = Revocation::kNone;
  rules.now = leaf.not_after;
  expect_accepted();
  rules.now = leaf.not_before;
  expect_accepted();
}

TEST_F(Chain, RefusesAnExpiredLeaf) {
  leaf.not_after = kNow - 1;
  expect_refused("chain.expired");
}
TEST_F(Chain, RefusesAnExpiredIntermediate) {
  middle.not_after = kNow - 1;
  expect_refused("chain.expired");
}
TEST_F(Chain, RefusesAnExpiredRoot) {
  root.not_after = kNow - 1;
  expect_refused("chain.expired");
}
TEST_F(Chain, RefusesALeafThatIsNotYetValid) {
  leaf.not_before = kNow + 1;
  expect_refused("chain.not-yet-valid");
}
TEST_F(Chain, RefusesAnIntermediateThatIsNotYetValid) {
  middle.not_before = kNow + 1;
  expect_refused("chain.not-yet-valid");
}

TEST_F(Chain, RefusesARootOfThePinnedNameWithAnotherKey) {
  root_key = key(3);
  expect_refused("chain.root");
}

TEST_F(Chain, RefusesWithoutRoots) {
  roots = {Digest{}};
  expect_refused("chain.root");
}

TEST_F(Chain, RefusesARootsKeyUnderAForgedCertificate) {
  // The root has expired; somebody writes a younger one around its public key.
  const MintCertificate young = root;
  root.not_after = kNow - 1;
  const Certificate forged = parsed(mint(young, root_key, nullptr, key(3)));
  const Certificate issuer = parsed(mint(middle, middle_key, &root, root_key));
  lists = {mint_list(root_list, root, root_key), mint_list(middle_list, middle, middle_key)};
  const Certificate device = parsed(mint(leaf, leaf_key, &middle, middle_key));
  EXPECT_FALSE(run_with(device, {forged, issuer}));
  EXPECT_THAT(reasons, HasOnlyReason("chain.root"));
  const Certificate genuine = parsed(mint(root, root_key, nullptr, root_key));
  EXPECT_FALSE(run_with(device, {forged, genuine, issuer}));
  EXPECT_THAT(reasons, HasOnlyReason("chain.expired"));
}

TEST_F(Chain, RefusesALeafForgedAroundARootsKey) {
  const MintCertificate forged{.subject = "Device"};
  EXPECT_FALSE(run_with(parsed(mint(forged, root_key, nullptr, key(3))), {}));
  EXPECT_THAT(reasons, HasOnlyReason("chain.root"));
}

TEST_F(Chain, RefusesASignatureOfAnotherKeyUnderTheIssuersName) {
  middle_key = key(1);
  const Certificate issuer = parsed(mint(middle, middle_key, &root, root_key));
  const Certificate anchor = parsed(mint(root, root_key, nullptr, root_key));
  EXPECT_FALSE(run_with(parsed(mint(leaf, leaf_key, &middle, key(4))), {anchor, issuer}));
  EXPECT_THAT(reasons, HasOnlyReason("chain.signature"));
}

TEST_F(Chain, RefusesAnIssuerOfAnotherNameWithTheRightKey) {
  MintCertificate renamed = middle;
  renamed.subject = "Maker  Devices";
  const Certificate issuer = parsed(mint(renamed, middle_key, &root, root_key));
  const Certificate anchor = parsed(mint(root, root_key, nullptr, root_key));
  EXPECT_FALSE(run_with(parsed(mint(leaf, leaf_key, &middle, middle_key)), {anchor, issuer}));
  EXPECT_THAT(reasons, HasOnlyReason("chain.issuer"));
}

TEST_F(Chain, RefusesAMissingIssuer) {
  with_middle = false;
  expect_refused("chain.issuer");
}

TEST_F(Chain, RefusesAnIssuerThatIsNoAuthority) {
  middle.authority = false;
  EXPECT_FALSE(run().has_value());
  EXPECT_THAT(reasons, HasReason("chain.authority"));
}

TEST_F(Chain, RefusesAnIssuerWithoutBasicConstraints) {
  middle.without_basic_constraints = true;
  expect_refused("chain.authority");
}

TEST_F(Chain, RefusesAnIssuerWhoseKeyMayNotSignCertificates) {
  middle.authority = false;
  middle.without_basic_constraints = true;
  middle.extensions = {{"2.5.29.19", true, {0x30, 0x03, 0x01, 0x01, 0xFF}},  // CA
                       {"2.5.29.15", true, {0x03, 0x02, 0x01, 0x02}}};       // cRLSign alone
  expect_refused("chain.authority");
}

TEST_F(Chain, RefusesMoreAuthoritiesThanTheRootAllows) {
  root.path_length = 0;
  expect_refused("chain.path-length");
}

TEST_F(Chain, AcceptsAsManyAuthoritiesAsAreAllowed) {
  root.path_length = 1;
  middle.path_length = 0;
  expect_accepted();
}

TEST_F(Chain, RefusesACriticalExtensionNobodyUnderstands) {
  leaf.extensions = {{"1.2.3.4", true, {0x05, 0x00}}};
  expect_refused("chain.critical-extension");
}

TEST_F(Chain, RefusesACriticalExtensionOfAnIssuerNobodyUnderstands) {
  middle.extensions = {{"2.5.29.30", true, {0x30, 0x00}}};  // name constraints
  EXPECT_FALSE(run().has_value());
  EXPECT_THAT(reasons, HasReason("chain.critical-extension"));
}

TEST_F(Chain, AcceptsACriticalExtensionThatTheCallerJudges) {
  leaf.extensions = {{"1.2.3.4", true, {0x05, 0x00}}};
  static constexpr std::string_view kJudged[] = {"1.2.3.4"};
  rules.judged_by_caller = kJudged;
  expect_accepted();
}

TEST_F(Chain, AcceptsUnknownExtensionsThatAreNotCritical) {
  leaf.extensions = {{"1.2.3.4", false, {0x05, 0x00}}};
  expect_accepted();
}

TEST_F(Chain, RefusesMoreCertificatesThanAllowed) {
  rules.longest = 2;
  expect_refused("chain.too-long");
}

TEST_F(Chain, RefusesACircleOfIssuers) {
  const MintCertificate other{.subject = "Other", .authority = true};
  const Certificate a = parsed(mint(middle, middle_key, &other, key(4)));
  const Certificate b = parsed(mint(other, key(4), &middle, middle_key));
  rules.revocation = Revocation::kNone;
  EXPECT_FALSE(run_with(parsed(mint(leaf, leaf_key, &middle, middle_key)), {a, b}));
  EXPECT_FALSE(reasons.empty());
}

TEST_F(Chain, RefusesMoreIssuersOfOneNameThanAnybodyNeeds) {
  more.resize(63, parsed(mint(middle, key(3), &root, root_key)));
  expect_accepted();
  more.push_back(more.front());
  expect_refused("chain.issuer");
}
TEST_F(Chain, ToleratesSerialNumberZero) {
  leaf.serial = 0;
  expect_accepted();
}
TEST_F(Chain, AcceptsRsaInBothPaddings) {
  for (const bool pss : {false, true}) {
    lists.clear();
    use_rsa(pss);
    expect_accepted();
  }
}
TEST_F(Chain, RefusesPssWithAWeakHash) {
  use_rsa(true);
  middle.hash = HashAlgorithm::kSha1;
  expect_refused("chain.signature");
}
TEST_F(Chain, RefusesPssWithAnotherHashInItsMask) {
  use_rsa(true);
  middle.mask_hash = HashAlgorithm::kSha384;
  expect_accepted();
  for (const HashAlgorithm mask : {HashAlgorithm::kSha1, HashAlgorithm::kSha256}) {
    middle.mask_hash = mask;
    lists.clear();
    expect_refused("chain.signature");
  }
}
TEST_F(Chain, RefusesARootOverPssWithAWeakHash) {
  use_rsa(true);
  root.hash = HashAlgorithm::kSha1;
  expect_refused("chain.root");
}
TEST_F(Chain, RefusesSha1) {
  leaf.hash = HashAlgorithm::kSha1;
  expect_refused("chain.signature");
}

TEST_F(Chain, PrefersTheIssuerThatIsValid) {
  MintCertificate old = middle;
  old.not_after = kNow - 1;
  more = {parsed(mint(old, middle_key, &root, root_key))};
  expect_accepted();
}
TEST_F(Chain, GivesAllReasonsTogether) {
  leaf.not_after = kNow - 1;
  middle.not_before = kNow + 1;
  root.path_length = 0;
  EXPECT_FALSE(run().has_value());
  EXPECT_THAT(reasons, HasReason("chain.expired"));
  EXPECT_THAT(reasons, HasReason("chain.not-yet-valid"));
  EXPECT_THAT(reasons, HasReason("chain.path-length"));
}
TEST_F(Chain, KeepsReasonsThatWereThere) {
  reasons = {{"other", "of the caller"}};
  rules.roots = roots = {key(0).digest()};
  rules.revocation = Revocation::kNone;
  const Certificate anchor = parsed(mint(root, root_key, nullptr, root_key));
  const Certificate device = parsed(mint(leaf, leaf_key, &root, root_key));
  EXPECT_TRUE(verify_chain(device, std::vector{anchor}, rules, reasons));
  EXPECT_EQ(reasons.size(), 1U);
}

TEST_F(Chain, RefusesEveryFlippedByteOfALeaf) {
  const Certificate anchor = parsed(mint(root, root_key, nullptr, root_key));
  const ByteVector good = mint(leaf, leaf_key, &root, root_key);
  rules.revocation = Revocation::kNone;
  ASSERT_TRUE(run_with(parsed(good), {anchor}));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      ByteVector bad = good;
      bad[at] ^= static_cast<std::uint8_t>(1U << bit);
      const auto certificate = Certificate::parse_der(bad);
      if (!certificate.ok()) continue;
      EXPECT_FALSE(run_with(*certificate, {anchor})) << "byte " << at << ", bit " << bit;
    }
  }
}

}  // namespace
}  // namespace sealpack::x509
