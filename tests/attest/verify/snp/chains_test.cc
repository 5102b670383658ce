// SPDX-License-Identifier: Apache-2.0
// The way from a report's key to AMD's root, and revocation.
#include <gtest/gtest.h>

#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::certificate_table;
using testing::lab_key;
using testing::mint;
using testing::mint_list;
using testing::MintKey;
using testing::MintKeyType;
using testing::Refused;
using testing::RefusedAlsoFor;
using testing::SnpLab;

constexpr auto kVcek = SnpLab::Kind::kVcek;
constexpr auto kVlek = SnpLab::Kind::kVlek;

bool is_claimed(const Verdict& verdict, std::string_view name) {
  return verdict.claims && verdict.claims->find(name) != nullptr &&
         verdict.claims->find(name)->value == ByteVector{1};
}

TEST(SnpChain, OfRsaPssAsAmdHasItIsAccepted) {
  SnpLab lab("Milan");
  lab.ark_key = MintKey::generate(MintKeyType::kRsa2048);
  lab.authority_key = MintKey::generate(MintKeyType::kRsa2048);
  lab.pss = true;
  lab.roots.amd = {lab.ark_key.digest()};
  EXPECT_THAT(lab.run(), Accepted());
}

TEST(SnpChain, RefusesARootOfTheRightNameAndAnotherKey) {
  SnpLab lab("Milan");
  lab.ark_key = lab_key(3);
  EXPECT_THAT(lab.run(), Refused("chain.root"));
}

TEST(SnpChain, RefusesWithoutRoots) {
  SnpLab lab("Milan");
  lab.roots.amd.clear();
  EXPECT_THAT(lab.run(), Refused("chain.root"));
}

TEST(SnpChain, RefusesRootsOfOtherMakers) {
  SnpLab lab("Milan");
  std::swap(lab.roots.amd, lab.roots.intel);
  EXPECT_THAT(lab.run(), Refused("chain.root"));
}

TEST(SnpChain, RefusesTheTestRootInProduction) {
  SnpLab lab("Milan");
  lab.roots = vendor_roots();
  EXPECT_THAT(lab.run(), Refused("chain.root"));
}

TEST(SnpChain, RefusesExpiredAndFutureCertificates) {
  for (const auto which : {&SnpLab::ark, &SnpLab::authority, &SnpLab::leaf}) {
    SnpLab late("Milan");
    (late.*which).not_after = SnpLab::kNow - 1;
    EXPECT_THAT(late.run(), Refused("chain.expired"));
    SnpLab early("Milan");
    (early.*which).not_before = SnpLab::kNow + 1;
    EXPECT_THAT(early.run(), Refused("chain.not-yet-valid"));
  }
}

TEST(SnpChain, RefusesAnAuthorityThatIsNone) {
  SnpLab lab("Milan");
  lab.authority.authority = false;
  lab.authority.path_length.reset();
  EXPECT_THAT(lab.run(), Refused("chain.authority"));
}

TEST(SnpChain, RefusesALeafOfAnotherSigner) {
  SnpLab lab("Milan");
  lab.with_chain = false;
  lab.more.certificates = {lab.ark_der(), lab.authority_der(),
                           mint(lab.leaf, lab.leaf_key, &lab.authority, lab_key(4))};
  EXPECT_THAT(lab.run(), Refused("chain.signature"));
}

TEST(SnpChain, RefusesALeafThatTheRootSignedItself) {
  SnpLab lab("Milan");
  lab.with_chain = false;
  lab.more.certificates = {lab.ark_der(), mint(lab.leaf, lab.leaf_key, &lab.ark, lab.ark_key)};
  EXPECT_THAT(lab.run(), Refused("snp.issuer-name"));
}

TEST(SnpChain, RefusesAMissingAuthority) {
  SnpLab lab("Milan");
  lab.with_chain = false;
  lab.more.certificates = {lab.ark_der(), lab.leaf_der()};
  EXPECT_THAT(lab.run(), Refused("chain.issuer"));
}

TEST(SnpChain, RefusesAuthoritiesOfAnotherName) {
  for (const char* name : {"SEV-Genoa", "SEV-VLEK-Milan", "SEV-Milan2", "sev-Milan", "ASK"}) {
    SnpLab lab("Milan");
    lab.authority.subject = name;
    EXPECT_THAT(lab.run(), Refused("snp.issuer-name")) << name;
  }
}

TEST(SnpChain, RefusesARootOfAnotherProduct) {
  SnpLab lab("Milan");
  lab.ark.subject = "ARK-Genoa";
  EXPECT_THAT(lab.run(), Refused("snp.issuer-name"));
}

TEST(SnpChain, SaysThatRevocationWasNotChecked) {
  SnpLab lab("Milan");
  EXPECT_TRUE(is_claimed(lab.run(), "revocation_unchecked"));
  lab.more.revocation_lists = {mint_list({}, lab.ark, lab.ark_key)};
  const Verdict verdict = lab.run();
  EXPECT_THAT(verdict, Accepted());
  EXPECT_FALSE(is_claimed(verdict, "revocation_unchecked"));
}

TEST(SnpChain, RefusesARevokedAuthority) {
  for (const auto kind : {kVcek, kVlek}) {
    SnpLab lab("Milan", kind);
    lab.more.revocation_lists = {mint_list({.revoked = {65537}}, lab.ark, lab.ark_key)};
    EXPECT_THAT(lab.run(), Refused("chain.revoked"));
  }
}

TEST(SnpChain, RefusesAStaleRevocationList) {
  SnpLab lab("Milan");
  lab.more.revocation_lists = {mint_list({.next_update = SnpLab::kNow}, lab.ark, lab.ark_key)};
  EXPECT_THAT(lab.run(), Refused("chain.revocation-stale"));
  lab.more.revocation_lists = {mint_list({.this_update = SnpLab::kNow + 1}, lab.ark, lab.ark_key)};
  EXPECT_THAT(lab.run(), Refused("chain.revocation-stale"));
}

TEST(SnpChain, RefusesARevocationListWithoutNextUpdate) {
  SnpLab lab("Milan");
  lab.more.revocation_lists = {mint_list({.next_update = {}}, lab.ark, lab.ark_key)};
  EXPECT_THAT(lab.run(), Refused("chain.revocation-stale"));
}

TEST(SnpChain, RefusesAForgedRevocationListInTheRootsName) {
  SnpLab lab("Milan");
  lab.more.revocation_lists = {mint_list({}, lab.ark, lab_key(4))};
  EXPECT_THAT(lab.run(), Refused("chain.revocation-unknown"));
}

TEST(SnpChain, IgnoresListsOfOtherMakers) {
  SnpLab lab("Milan");
  lab.more.revocation_lists = {
      mint_list({.next_update = 1700000001}, {.subject = "Intel SGX Root CA"}, lab_key(4)),
      ByteVector{1, 2, 3}};
  const Verdict verdict = lab.run();
  EXPECT_THAT(verdict, Accepted());
  EXPECT_TRUE(is_claimed(verdict, "revocation_unchecked"));
}

TEST(SnpChain, RefusesAListOfItsRootThatCannotBeRead) {
  SnpLab lab("Milan");
  ByteVector list = mint_list({}, lab.ark, lab.ark_key);
  const auto time = std::find(list.begin(), list.end(), 'Z');
  ASSERT_NE(time, list.end());
  *(time - 1) = 'x';
  lab.more.revocation_lists = {list};
  EXPECT_THAT(lab.run(), RefusedAlsoFor("chain.revocation-list"));
}

TEST(SnpChain, TakesAListFromTheHostsTable) {
  SnpLab lab("Milan");
  lab.table = certificate_table(
      {{testing::kListGuid, mint_list({.revoked = {65537}}, lab.ark, lab.ark_key)}});
  EXPECT_THAT(lab.run(), Refused("chain.revoked"));
}

TEST(SnpChain, IsRememberedUntilItsListIsReplaced) {
  SnpLab lab("Milan");
  ChainCache cache;
  lab.cache = &cache;
  // One set of certificates: minting again would sign anew.
  lab.more.certificates = {lab.ark_der(), lab.authority_der(), lab.leaf_der()};
  lab.with_chain = false;
  lab.more.revocation_lists = {mint_list({}, lab.ark, lab.ark_key)};
  EXPECT_THAT(lab.run(), Accepted());
  EXPECT_THAT(lab.run(), Accepted());
  EXPECT_EQ(cache.counts().hits, 1U);
  lab.more.revocation_lists = {mint_list({.revoked = {65537}}, lab.ark, lab.ark_key)};
  EXPECT_THAT(lab.run(), Refused("chain.revoked"));
  lab.more.revocation_lists.clear();
  EXPECT_TRUE(is_claimed(lab.run(), "revocation_unchecked"));
}

}  // namespace
}  // namespace sealpack::attest
