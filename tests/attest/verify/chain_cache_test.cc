// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/chain_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/attest/authority/mint_ocsp.h"
#include "tests/testing/reason_matchers.h"

namespace sealpack::attest {
namespace {

using testing::HasOnlyReason;
using testing::mint;
using testing::mint_list;
using testing::MintCertificate;
using testing::MintKey;
using testing::MintKeyType;
using testing::text_of;
using x509::Certificate;

constexpr std::uint64_t kNow = 1800000000;

class Cache : public ::testing::Test {
 protected:
  Certificate device(std::uint64_t serial, std::uint64_t not_after = 2000000000) const {
    const MintCertificate leaf{.subject = "Device", .serial = serial, .not_after = not_after};
    return Certificate::parse_der(mint(leaf, leaf_key, &root, root_key)).value();
  }
  bool run(const Certificate& leaf, std::uint64_t now = kNow) {
    x509::ChainRules rules{.now = now, .roots = roots, .revocation_lists = lists};
    reasons.clear();
    return verify_chain(leaf, pool, rules, &cache, reasons).has_value();
  }

  MintKey root_key = MintKey::generate(MintKeyType::kP256);
  MintKey leaf_key = MintKey::generate(MintKeyType::kP256);
  MintCertificate root{.subject = "Root", .authority = true};
  std::vector<Certificate> pool{
      Certificate::parse_der(mint(root, root_key, nullptr, root_key)).value()};
  std::vector<Digest> roots{root_key.digest()};
  std::vector<ByteVector> lists{mint_list({}, root, root_key)};
  ChainCache cache{2};
  std::vector<Reason> reasons;
};

TEST_F(Cache, AnswersTheSameQuestionFromMemory) {
  const Certificate leaf = device(5);
  EXPECT_TRUE(run(leaf)) << text_of(reasons);
  EXPECT_EQ(cache.counts().hits, 0U);
  EXPECT_TRUE(run(leaf, kNow + 1000));
  EXPECT_EQ(cache.counts().hits, 1U);
  EXPECT_EQ(cache.counts().misses, 1U);
}

TEST_F(Cache, AsksAgainWithAnotherOcspResponseAndOnceOneEnds) {
  const Certificate leaf = device(5);
  const MintCertificate responder{.subject = "R", .extensions = {testing::ocsp_signing()}};
  const MintKey key = MintKey::generate(MintKeyType::kP256);
  const ByteVector certificate = mint(responder, key, &root, root_key);
  const auto response = [&](const testing::MintOcsp& what) {
    return x509::OcspResponse::parse_der(
               testing::mint_ocsp(what, leaf.der(), pool.front().der(), certificate, key))
        .value();
  };
  std::vector<x509::OcspResponse> responses;
  const auto asked = [&](std::uint64_t now) {
    const x509::ChainRules rules{
        .now = now, .roots = roots, .revocation_lists = lists, .ocsp_responses = responses};
    return verify_chain(leaf, pool, rules, &cache, reasons).has_value();
  };
  EXPECT_TRUE(asked(kNow));
  const auto good = response({.next_update = kNow + 10});
  responses = {good};
  EXPECT_TRUE(asked(kNow));
  responses = {response({.status = testing::MintOcspStatus::kRevoked})};
  EXPECT_FALSE(asked(kNow)) << "as many as before, but another";
  responses = {good};
  EXPECT_TRUE(asked(kNow + 9));
  EXPECT_EQ(cache.counts().hits, 1U);
  EXPECT_TRUE(asked(kNow + 10)) << "the list is current";
  EXPECT_EQ(cache.counts().hits, 1U) << "the answer of the response ended";
  responses.push_back(response({.status = testing::MintOcspStatus::kRevoked}));
  EXPECT_FALSE(asked(kNow));
}

TEST_F(Cache, ReturnsTheChainItVerified) {
  const Certificate leaf = device(5);
  const x509::ChainRules rules{.now = kNow, .roots = roots, .revocation_lists = lists};
  const auto first = cache.verify(leaf, pool, rules, reasons);
  const auto second = cache.verify(leaf, pool, rules, reasons);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(second->back(), pool[0]);
}

TEST_F(Cache, AsksANewRevocationList) {
  const Certificate leaf = device(5);
  ASSERT_TRUE(run(leaf));
  lists = {mint_list({.revoked = {5}, .number = 2}, root, root_key)};
  EXPECT_FALSE(run(leaf));
  EXPECT_THAT(reasons, HasOnlyReason("chain.revoked"));
}

TEST_F(Cache, AsksForListsThatAreGone) {
  const Certificate leaf = device(5);
  ASSERT_TRUE(run(leaf));
  lists.clear();
  EXPECT_FALSE(run(leaf));
  EXPECT_THAT(reasons, HasOnlyReason("chain.revocation-unknown"));
}

TEST_F(Cache, EndsWithTheCertificate) {
  const Certificate leaf = device(5, kNow + 10);
  ASSERT_TRUE(run(leaf));
  EXPECT_TRUE(run(leaf, kNow + 10));
  EXPECT_EQ(cache.counts().hits, 1U);
  EXPECT_FALSE(run(leaf, kNow + 11));
  EXPECT_THAT(reasons, HasOnlyReason("chain.expired"));
}

TEST_F(Cache, EndsWithTheRevocationList) {
  lists = {mint_list({.next_update = kNow + 10}, root, root_key)};
  const Certificate leaf = device(5);
  ASSERT_TRUE(run(leaf));
  EXPECT_TRUE(run(leaf, kNow + 9));
  EXPECT_FALSE(run(leaf, kNow + 10));
  EXPECT_THAT(reasons, HasOnlyReason("chain.revocation-stale"));
}

// Nobody signs how a list is wrapped: whoever supplies one wraps it so that its end is not seen.
TEST_F(Cache, ReadsNoRevocationListInOtherLengths) {
  const ByteVector list = mint_list({.next_update = kNow + 10}, root, root_key);
  ASSERT_EQ(list[1], 0x81);
  ByteVector without_end = list;
  without_end.erase(without_end.begin() + 2);
  without_end[1] = 0x80;
  without_end.insert(without_end.end(), {0, 0});
  ByteVector longer = list;
  longer[1] = 0x82;
  longer.insert(longer.begin() + 2, 0);
  const Certificate leaf = device(5);
  for (const ByteVector& other : {without_end, longer}) {
    lists = {other};
    EXPECT_FALSE(run(leaf));
    EXPECT_FALSE(run(leaf, kNow + 10));
    EXPECT_THAT(reasons.at(0).text, ::testing::HasSubstr("one encoding"));
  }
}

TEST_F(Cache, DoesNotHoldBeforeItsTime) {
  lists = {mint_list({.this_update = kNow}, root, root_key)};
  const Certificate leaf = device(5);
  ASSERT_TRUE(run(leaf));
  EXPECT_FALSE(run(leaf, kNow - 1));
  EXPECT_THAT(reasons, HasOnlyReason("chain.revocation-stale"));
}

TEST_F(Cache, EndsWithAnIssuerThatWasNotTheOneChosen) {
  MintCertificate other = root;
  other.not_after = kNow + 10;
  pool.push_back(Certificate::parse_der(mint(other, root_key, nullptr, root_key)).value());
  const Certificate leaf = device(5);
  ASSERT_TRUE(run(leaf));
  EXPECT_TRUE(run(leaf, kNow + 11));
  EXPECT_EQ(cache.counts().hits, 0U);
}

TEST_F(Cache, AsksAgainForOtherRoots) {
  const Certificate leaf = device(5);
  ASSERT_TRUE(run(leaf));
  roots = {Digest{}};
  EXPECT_FALSE(run(leaf));
  EXPECT_THAT(reasons, HasOnlyReason("chain.root"));
}

TEST_F(Cache, AsksAgainForAnotherPool) {
  const Certificate leaf = device(5);
  ASSERT_TRUE(run(leaf));
  pool.clear();
  EXPECT_FALSE(run(leaf));
  EXPECT_THAT(reasons, HasOnlyReason("chain.issuer"));
}

TEST_F(Cache, AsksAgainForStricterRules) {
  const Certificate leaf = device(5);
  lists.clear();
  x509::ChainRules rules{.now = kNow, .roots = roots, .revocation = x509::Revocation::kNone};
  ASSERT_TRUE(cache.verify(leaf, pool, rules, reasons));
  rules.revocation = x509::Revocation::kAll;
  EXPECT_FALSE(cache.verify(leaf, pool, rules, reasons));
  rules = {.now = kNow, .roots = roots, .revocation = x509::Revocation::kNone};
  rules.longest = 1;
  EXPECT_FALSE(cache.verify(leaf, pool, rules, reasons));
}

TEST_F(Cache, AsksAgainWhereTheCallerJudgesLess) {
  const MintCertificate critical{.subject = "Device", .extensions = {{"1.2.3.4", true, {5, 0}}}};
  const Certificate leaf =
      Certificate::parse_der(mint(critical, leaf_key, &root, root_key)).value();
  const std::vector<std::string_view> judged{"1.2.3.4"};
  x509::ChainRules rules{.now = kNow, .roots = roots, .revocation = x509::Revocation::kNone};
  rules.judged_by_caller = judged;
  EXPECT_TRUE(cache.verify(leaf, pool, rules, reasons));
  const std::vector<std::string_view> others{"1.2.3.5"};
  rules.judged_by_caller = others;
  EXPECT_FALSE(cache.verify(leaf, pool, rules, reasons));
}

TEST_F(Cache, DoesNotRememberRefusals) {
  const Certificate leaf = device(5, kNow - 1);
  EXPECT_FALSE(run(leaf));
  EXPECT_FALSE(run(leaf));
  EXPECT_THAT(reasons, HasOnlyReason("chain.expired"));
  EXPECT_EQ(cache.counts().entries, 0U);
}

TEST_F(Cache, ForgetsTheLeastRecentlyUsed) {
  const Certificate a = device(1);
  const Certificate b = device(2);
  const Certificate c = device(3);
  ASSERT_TRUE(run(a) && run(b) && run(a) && run(c));  // b goes
  EXPECT_EQ(cache.counts().entries, 2U);
  EXPECT_EQ(cache.counts().hits, 1U);
  ASSERT_TRUE(run(a));
  EXPECT_EQ(cache.counts().hits, 2U);
  ASSERT_TRUE(run(b));
  EXPECT_EQ(cache.counts().hits, 2U);
}

TEST_F(Cache, WorksWithoutRoom) {
  ChainCache none(0);
  const x509::ChainRules rules{.now = kNow, .roots = roots, .revocation_lists = lists};
  EXPECT_TRUE(none.verify(device(5), pool, rules, reasons));
  EXPECT_EQ(none.counts().entries, 0U);
}

TEST_F(Cache, ParsesTheSameCertificateAndKeyOnce) {
  const ByteVector der = to_vector(pool[0].der());
  EXPECT_EQ(cache.parse(der).value(), pool[0]);
  EXPECT_EQ(cache.parse(der).value(), pool[0]);
  EXPECT_EQ(cache.key_of(pool[0])->spki(), root_key.spki());
  EXPECT_EQ(cache.key_of(pool[0])->spki(), root_key.spki());
}

// Thousands of the largest certificates would fill the memory, and anybody can send some.
TEST_F(Cache, RemembersNoCertificatesLargerThanMakers) {
  const auto is_remembered = [&](std::size_t size) {
    const ByteVector der =
        mint({.subject = "Large", .extensions = {{"1.2.3.4", false, ByteVector(size)}}}, root_key,
             nullptr, root_key);
    return cache.parse(der)->der().data() == cache.parse(der)->der().data();
  };
  EXPECT_TRUE(is_remembered(2000));
  EXPECT_FALSE(is_remembered(5000));
}

TEST_F(Cache, DoesNotParseWhatNobodyDoes) {
  ByteVector der = to_vector(pool[0].der());
  ASSERT_TRUE(cache.parse(der).ok());
  der.push_back(0);
  EXPECT_FALSE(cache.parse(der).ok());
  const MintKey other = MintKey::generate(MintKeyType::kEd25519);
  const Certificate leaf =
      Certificate::parse_der(mint({.subject = "x"}, other, nullptr, other)).value();
  EXPECT_FALSE(cache.key_of(leaf).ok());
}

TEST(Recent, ForgetsTheLeastRecentlyUsed) {
  Recent<int> recent(2);
  const Digest a{{1}};
  const Digest b{{2}};
  const Digest c{{3}};
  recent.put(a, 1);
  recent.put(b, 2);
  EXPECT_EQ(recent.find(a), 1);
  recent.put(c, 3);
  EXPECT_EQ(recent.find(b), std::nullopt);
  recent.put(a, 4);
  EXPECT_EQ(recent.find(a), 4);
  EXPECT_EQ(recent.size(), 2U);
}

TEST_F(Cache, ServesSeveralThreads) {
  const std::vector<Certificate> leaves{device(1), device(2), device(3)};
  const x509::ChainRules rules{.now = kNow, .roots = roots, .revocation_lists = lists};
  std::vector<std::thread> threads;
  std::atomic<int> refused = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < 60; ++i) {
        std::vector<Reason> own;
        if (!cache.verify(leaves[i % leaves.size()], pool, rules, own)) ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(cache.counts().hits + cache.counts().misses, 240U);
  EXPECT_LE(cache.counts().entries, 2U);
}

}  // namespace
}  // namespace sealpack::attest
