// SPDX-License-Identifier: Apache-2.0
#include "tests/keymgmt/x509/minted_chain.h"

namespace sealpack::x509 {
namespace {

using crypto::HashAlgorithm;
using testing::HasReason;
using testing::key;
using testing::mint_list;
using Chain = testing::MintedChain;
constexpr std::uint64_t kNow = testing::kChainTime;

// Nobody changes lists meanwhile; here it tells whether they are read again.
TEST_F(Chain, IsJudgedByListsThatWereReadForAnother) {
  ReadLists read;
  rules.read_lists = &read;
  expect_accepted();
  mint_lists = false;
  for (ByteVector& list : lists) list[0] ^= 1U;
  expect_accepted();
  rules.read_lists = nullptr;
  EXPECT_FALSE(run().has_value());
}

TEST_F(Chain, IsRevokedByListsThatWereReadForAnother) {
  ReadLists read;
  rules.read_lists = &read;
  middle_list.revoked = {9};
  expect_refused("chain.revoked");
  mint_lists = false;
  expect_refused("chain.revoked");
  leaf.serial = 10;
  expect_accepted();
}

TEST_F(Chain, RefusesARevokedLeaf) {
  middle_list.revoked = {3, 9};
  expect_refused("chain.revoked");
}
TEST_F(Chain, RefusesARevokedIntermediate) {
  root_list.revoked = {7};
  expect_refused("chain.revoked");
}
TEST_F(Chain, RefusesARevokedLeafWhereRevocationIsNotAskedFor) {
  middle_list.revoked = {9};
  rules.revocation = Revocation::kNone;
  expect_refused("chain.revoked");
}
TEST_F(Chain, RefusesALeafThatAStaleListNames) {
  middle_list.revoked = {9};
  middle_list.next_update = kNow - 1;
  rules.revocation = Revocation::kNone;
  expect_refused("chain.revoked");
}
TEST_F(Chain, IgnoresListsOfTheSameSerialByAnotherIssuerHoweverMany) {
  lists.assign(200, mint_list({.revoked = {9}}, {.subject = "Another Maker"}, key(5)));
  expect_accepted();
}
TEST_F(Chain, IgnoresARevocationUnderTheIssuersNameByAnotherKey) {
  lists.push_back(mint_list({.revoked = {9}}, middle, key(5)));
  expect_accepted();
}

TEST_F(Chain, RefusesMissingRevocationLists) {
  mint_lists = false;
  expect_refused("chain.revocation-unknown");
  EXPECT_EQ(reasons.size(), 2U);
}
TEST_F(Chain, AcceptsNoListsWhereNoneIsPublished) {
  mint_lists = false;
  rules.revocation = Revocation::kNone;
  expect_accepted();
}
TEST_F(Chain, AsksForListsOfAuthoritiesAlone) {
  mint_lists = false;
  lists = {mint_list(root_list, root, root_key)};
  rules.revocation = Revocation::kAuthorities;
  expect_accepted();
  lists = {mint_list(middle_list, middle, middle_key)};
  expect_refused("chain.revocation-unknown");
}
TEST_F(Chain, RefusesAStaleRevocationList) {
  middle_list.next_update = kNow;
  expect_refused("chain.revocation-stale");
}
TEST_F(Chain, RefusesARevocationListFromTheFuture) {
  middle_list.this_update = kNow + 1;
  expect_refused("chain.revocation-stale");
}
TEST_F(Chain, RefusesARevocationListWithoutNextUpdate) {
  middle_list.next_update.reset();
  expect_refused("chain.revocation-stale");
}
TEST_F(Chain, RefusesARevocationListByAnotherIssuer) {
  mint_lists = false;
  lists = {mint_list(root_list, root, root_key), mint_list(middle_list, middle, key(5))};
  expect_refused("chain.revocation-unknown");
}
TEST_F(Chain, RefusesARevocationListSignedOverSha1) {
  middle_list.hash = HashAlgorithm::kSha1;
  expect_refused("chain.revocation-unknown");
}
TEST_F(Chain, RefusesARevocationListByAKeyThatMayNotSignThem) {
  middle.authority = false;
  middle.without_basic_constraints = true;
  middle.extensions = {{"2.5.29.19", true, {0x30, 0x03, 0x01, 0x01, 0xFF}},  // CA
                       {"2.5.29.15", true, {0x03, 0x02, 0x02, 0x04}}};       // keyCertSign alone
  expect_refused("chain.revocation-unknown");
}
TEST_F(Chain, RefusesARevocationListOfPartsAlone) {
  // issuingDistributionPoint { onlyContainsUserCerts TRUE }, deltaCRLIndicator 0
  const testing::MintExtension kParts[] = {{"2.5.29.28", true, {0x30, 0x03, 0x81, 0x01, 0xFF}},
                                           {"2.5.29.27", true, {0x02, 0x01, 0x00}}};
  for (const testing::MintExtension& part : kParts) {
    lists.clear();
    middle_list.extensions = {part};
    expect_refused("chain.revocation-unknown");
  }
}
TEST_F(Chain, AcceptsARevocationListWithACriticalNumber) {
  middle_list.critical_number = true;
  expect_accepted();
}
TEST_F(Chain, RefusesRevocationListsThatCannotBeRead) {
  lists = {{1, 2, 3}};
  expect_refused("chain.revocation-list");
  lists = {mint_list(root_list, root, root_key)};
  lists.back().push_back(0);
  expect_refused("chain.revocation-list");
}
TEST_F(Chain, RefusesMoreListsThanAnybodyNeeds) {
  for (int i = 0; i < 127; ++i) lists.push_back(mint_list(root_list, root, root_key));
  EXPECT_FALSE(run().has_value());
  EXPECT_THAT(reasons, HasReason("chain.revocation-list"));
}
TEST_F(Chain, ReadsNoListsBeforeItLeadsToARoot) {
  roots = {key(5).digest()};
  lists = {{1, 2, 3}};
  expect_refused("chain.root");
}
TEST_F(Chain, CountsACurrentListBesideAStaleOne) {
  lists = {mint_list({.next_update = kNow - 1}, middle, middle_key)};
  expect_accepted();
}
TEST_F(Chain, FindsARevokedSerialNumberZero) {
  leaf.serial = 0;
  middle_list.revoked = {0};
  expect_refused("chain.revoked");
}

}  // namespace
}  // namespace sealpack::x509
