// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/forgetful_set.h"

#include <gtest/gtest.h>

#include "keymgmt/broker/nonce_guard.h"
#include "keymgmt/crypto/random.h"

namespace sealpack::broker {
namespace {

using Set = ForgetfulSet<16>;

TEST(ForgetfulSets, KeepANameOnce) {
  Set set(100);
  const Set::Name name{1, 2, 3};
  EXPECT_FALSE(set.contains(name));
  EXPECT_TRUE(set.insert(name, 1));
  EXPECT_FALSE(set.insert(name, 9));
  EXPECT_TRUE(set.contains(name));
  EXPECT_FALSE(set.contains({1, 2, 4}));
  set.erase(name);
  EXPECT_TRUE(set.insert(name, 1));
}

TEST(ForgetfulSets, ForgetWhatRanksLowest) {
  Set set(2);
  EXPECT_TRUE(set.insert({1}, 5));
  EXPECT_TRUE(set.insert({2}, 7));
  EXPECT_TRUE(set.insert({3}, 6));
  EXPECT_FALSE(set.contains({1}));
  EXPECT_TRUE(set.contains({2}));
  EXPECT_TRUE(set.insert({4}, 6));
  EXPECT_TRUE(set.contains({2}));
  EXPECT_FALSE(set.contains({3}));
}

TEST(ForgetfulSets, HaveRoomForSomething) {
  Set set(0);
  EXPECT_TRUE(set.insert({}, 1));  // a name of zeros is one
  EXPECT_TRUE(set.contains({}));
  EXPECT_TRUE(set.insert({1}, 1));
  EXPECT_FALSE(set.contains({}));
}

// Half full, hardly any name lacks its place.
TEST(ForgetfulSets, SpreadRandomNames) {
  Set set(4096);
  std::vector<Set::Name> names(2048);
  for (Set::Name& name : names) {
    name = crypto::random_array<16>();
    EXPECT_TRUE(set.insert(name, 1));
  }
  const auto kept = std::count_if(names.begin(), names.end(),
                                  [&](const Set::Name& name) { return set.contains(name); });
  EXPECT_GT(kept, 1900);
}

TEST(ForgetfulSets, HoldNoMoreThanTheyHaveRoomFor) {
  Set set(100);
  std::vector<Set::Name> names(10000);
  std::uint64_t rank = 0;
  for (Set::Name& name : names) {
    name = crypto::random_array<16>();
    EXPECT_TRUE(set.insert(name, ++rank));
  }
  const auto kept = std::count_if(names.begin(), names.end(),
                                  [&](const Set::Name& name) { return set.contains(name); });
  EXPECT_LE(kept, 100);
  EXPECT_GT(kept, 80);
  EXPECT_TRUE(set.contains(names.back()));
}

TEST(NonceGuards, LetANonceInOnce) {
  NonceGuard guard(64);
  const ByteVector nonce(32, 7);
  EXPECT_TRUE(guard.enter(nonce, 100));
  EXPECT_FALSE(guard.enter(nonce, 100));
  guard.leave(nonce);
  EXPECT_TRUE(guard.enter(nonce, 0));
  EXPECT_FALSE(guard.enter(nonce, 0));
}

}  // namespace
}  // namespace sealpack::broker
