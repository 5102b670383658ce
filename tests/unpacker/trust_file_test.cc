// SPDX-License-Identifier: Apache-2.0
#include "unpacker/trust_file.h"

#include <gtest/gtest.h>

#include "keymgmt/keystore/keygen.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::unpacker {
namespace {

using keystore::Role;
using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kHex(64, 'a');

class TrustFiles : public ::testing::Test {
 protected:
  Digest make(const std::string& name, Role role) {
    return *keystore::generate_key_pair(role, std::nullopt, folder_ / name, "", nullptr)->digest;
  }
  Result<TrustFile> load(const std::string& text) {
    return load_trust({folder_.put("trust.toml", text)});
  }

  sealpack::testing::TemporaryFolder folder_;
};

TEST_F(TrustFiles, TakesOneBareAuthority) {
  const Digest root = make("root", Role::kAuthority);
  const auto trust = load_trust({folder_ / "root.pub"});
  ASSERT_THAT(trust, Succeeds());
  EXPECT_EQ(trust->trust.authorities, std::vector<Digest>{root});
  ASSERT_EQ(trust->trust.signers.size(), 1U);
  EXPECT_EQ(trust->trust.signers[0].role, "authority");
  EXPECT_EQ(trust->trust.signers[0].threshold, 1U);
  EXPECT_TRUE(trust->use_host_time);
}

TEST_F(TrustFiles, RefusesOtherBareKeys) {
  make("ci", Role::kPublisher);
  make("box", Role::kDevice);
  for (const char* name : {"ci.pub", "box.pub"}) {
    EXPECT_THAT(load_trust({folder_ / name}),
                FailsWith(ErrorCode::kUsage, HasSubstr("not authority")));
  }
  EXPECT_THAT(load_trust({folder_ / "ci.key"}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(load_trust({folder_ / "none.pub"}), Fails(ErrorCode::kIo));
}

TEST_F(TrustFiles, AsksForAThresholdWhereSeveralAreGiven) {
  make("a", Role::kAuthority);
  make("b", Role::kAuthority);
  const auto trust = load_trust({folder_ / "a.pub", folder_ / "b.pub"});
  ASSERT_THAT(trust, Fails(ErrorCode::kUsage));
  EXPECT_THAT(trust.error().hint(), HasSubstr("threshold"));
  EXPECT_THAT(load_trust({}), Fails(ErrorCode::kUsage));
}

TEST_F(TrustFiles, ReadsEverythingATrustFileSays) {
  const Digest root = make("root", Role::kAuthority);
  std::filesystem::create_directory(folder_ / "keys");
  make("keys/ci", Role::kPublisher);
  make("keys/hsm", Role::kPublisher);
  make("review", Role::kReviewer);
  folder_.put("revoked.toml", "serial = 5\nkeys = ['sha256:" + kHex + "']\ncontents = []\n");
  const auto trust =
      load("product = 'acme/ranker'\ncounter_floor = 17\nfloor_release = 'sha256:" + kHex +
           "'\ncontent = 'sha256:" + kHex +
           "'\ntime = 'none'\n"
           "[authority]\nkeys = ['root.pub']\n"
           "[publisher]\nkeys = ['keys/ci.pub', 'keys/hsm.pub']\nthreshold = 2\n"
           "[reviewer]\nkeys = ['review.pub']\n"
           "[revocations]\nfile = 'revoked.toml'\nminimum_serial = 5\n");
  ASSERT_THAT(trust, Succeeds());
  EXPECT_EQ(trust->trust.product, "acme/ranker");
  EXPECT_EQ(trust->trust.counter_floor, 17U);
  EXPECT_EQ(to_hex(trust->trust.floor_release->bytes), kHex);
  EXPECT_EQ(to_hex(trust->trust.content->bytes), kHex);
  EXPECT_FALSE(trust->use_host_time);
  EXPECT_EQ(trust->trust.authorities, std::vector<Digest>{root});
  ASSERT_EQ(trust->trust.signers.size(), 2U) << "the authority signs although a publisher does";
  EXPECT_EQ(trust->trust.signers[0].role, "publisher");
  EXPECT_EQ(trust->trust.signers[0].threshold, 2U);
  EXPECT_EQ(trust->trust.signers[1].role, "reviewer");
  EXPECT_EQ(trust->trust.revocations.serial, 5U);
  EXPECT_EQ(trust->trust.revocations.keys.size(), 1U);
}

std::vector<std::string> signing_roles(const std::string& text) {
  std::vector<std::string> roles;
  const TrustText parsed = parse_trust_text(text, "t").value();
  for (const auto& signers : parsed.signers) {
    if (signers.sign) roles.push_back(signers.role);
  }
  return roles;
}

TEST(TrustText, DecidesWhetherTheAuthoritySigns) {
  using Roles = std::vector<std::string>;
  const std::string publisher = "[publisher]\nkeys = ['p']\n";
  const std::string reviewer = "[reviewer]\nkeys = ['r']\n";
  EXPECT_EQ(signing_roles("[authority]\nkeys = ['a']\n"), Roles({"authority"}));
  EXPECT_EQ(signing_roles("[authority]\nkeys = ['a']\n" + publisher), Roles({"publisher"}));
  EXPECT_EQ(signing_roles("[authority]\nkeys = ['a']\n" + reviewer),
            Roles({"authority", "reviewer"}));
  EXPECT_EQ(signing_roles("[authority]\nkeys = ['a']\nthreshold = 1\n" + publisher),
            Roles({"authority", "publisher"}));
  EXPECT_EQ(signing_roles("[authority]\nkeys = ['a']\nsign = true\n" + publisher),
            Roles({"authority", "publisher"}));
}

TEST(TrustText, RefusesRulesThatNobodyOrAnybodyMeets) {
  const std::string authority = "[authority]\nkeys = ['a', 'b']\n";
  for (const std::string& text :
       {authority + "threshold = 0\n", authority + "threshold = 3\n", authority + "sign = false\n",
        authority + "sign = false\nthreshold = 1\n[publisher]\nkeys = ['p']\n",
        authority + "sign = false\n[reviewer]\nkeys = ['r']\n",
        authority + "[publisher]\nkeys = []\n",
        authority + "[publisher]\nkeys = ['p']\nthreshold = 2\n",
        std::string("[authority]\nkeys = []\n"), std::string("[authority]\n"),
        std::string("[publisher]\nkeys = ['p']\n"), std::string(),
        "floor_release = 'sha256:" + kHex + "'\n" + authority}) {
    EXPECT_THAT(parse_trust_text(text, "t"), Fails(ErrorCode::kUsage)) << text;
  }
}

TEST(TrustText, RefusesUnknownKeysWithTheirPlace) {
  EXPECT_THAT(parse_trust_text("[authority]\nkeys = ['a']\nthresold = 2\n", "trust.toml"),
              FailsWith(ErrorCode::kMalformed, "trust.toml:3:1: unknown key 'thresold'"));
  EXPECT_THAT(
      parse_trust_text("[authority]\nkeys = ['a']\n[grantor]\nkeys = ['g']\n", "trust.toml"),
      FailsWith(ErrorCode::kMalformed, AllOf(StartsWith("trust.toml:3:"), HasSubstr("'grantor'"))));
  EXPECT_THAT(
      parse_trust_text("[authority]\nkeys = ['a']\n[publisher]\nkeys = ['p']\nsign = true\n", "t"),
      FailsWith(ErrorCode::kMalformed, HasSubstr("'sign'")));
}

TEST(TrustText, RefusesValuesOfTheWrongForm) {
  const std::string authority = "[authority]\nkeys = ['a']\n";
  for (const std::string& text :
       {std::string("time = 'gps'\n"), std::string("product = ''\n"),
        std::string("counter_floor = -1\n"), "content = '" + kHex + "'\n",
        "content = 'sha256:" + kHex + "aa'\n", "content = 'sha512:" + kHex + "'\n",
        std::string("content = 'sha256:xyz'\n")}) {
    EXPECT_THAT(parse_trust_text(text + authority, "t"), Fails(ErrorCode::kMalformed)) << text;
  }
  EXPECT_THAT(parse_trust_text(authority + "[revocations]\nminimum_serial = 1\n", "t"),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_trust_text("[authority]\nkeys = [1]\n", "t"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_trust_text("[authority]\nkeys = [\"a\\u0000b\"]\n", "t"),
              Fails(ErrorCode::kMalformed));
}

TEST_F(TrustFiles, RefusesAKeyInTwoRoles) {
  make("root", Role::kAuthority);
  std::string text = sealpack::testing::content_of(folder_ / "root.pub");
  text.replace(text.find("authority"), 9, "publisher");
  folder_.put("disguised.pub", text);
  EXPECT_THAT(load("[authority]\nkeys = ['root.pub']\n[publisher]\nkeys = ['disguised.pub']\n"),
              FailsWith(ErrorCode::kUsage, HasSubstr("also has the role authority")));
}

TEST_F(TrustFiles, RefusesAKeyThatWouldCountTwice) {
  make("root", Role::kAuthority);
  folder_.put("copy.pub", sealpack::testing::content_of(folder_ / "root.pub"));
  EXPECT_THAT(load("[authority]\nkeys = ['root.pub', 'copy.pub']\nthreshold = 2\n"),
              FailsWith(ErrorCode::kUsage, HasSubstr("listed twice")));
}

TEST_F(TrustFiles, RefusesAKeyInTheTableOfAnotherRole) {
  make("ci", Role::kPublisher);
  make("box", Role::kRecipient);
  EXPECT_THAT(load("[authority]\nkeys = ['ci.pub']\n"),
              FailsWith(ErrorCode::kUsage, HasSubstr("role publisher, listed as authority")));
  EXPECT_THAT(load("[authority]\nkeys = ['box.pub']\n"), Fails(ErrorCode::kUsage));
}

TEST_F(TrustFiles, GivesAPlainPemTheRoleOfItsTable) {
  make("root", Role::kAuthority);
  std::string text = sealpack::testing::content_of(folder_ / "root.pub");
  folder_.put("plain.pem", text.substr(text.find('\n') + 1));
  EXPECT_THAT(load("[authority]\nkeys = ['plain.pem']\n"), Succeeds());
  EXPECT_THAT(load_trust({folder_ / "plain.pem"}), Fails(ErrorCode::kUsage));
}

TEST_F(TrustFiles, RefusesStaleRevocations) {
  make("root", Role::kAuthority);
  const std::string text =
      "[authority]\nkeys = ['root.pub']\n[revocations]\nfile = 'revoked.toml'\nminimum_serial = "
      "4\n";
  EXPECT_THAT(load(text), Fails(ErrorCode::kIo)) << "a missing revocation file is not an empty one";
  folder_.put("revoked.toml", "serial = 3\n");
  EXPECT_THAT(load(text),
              FailsWith(ErrorCode::kRefused, HasSubstr("serial 3, below the minimum 4")));
  folder_.put("revoked.toml", "serial = 4\n");
  EXPECT_THAT(load(text), Succeeds());
  folder_.put("revoked.toml", "keys = []\n");
  EXPECT_THAT(load(text), Fails(ErrorCode::kMalformed));
  folder_.put("revoked.toml", "serial = 4\nkey = []\n");
  EXPECT_THAT(load(text), FailsWith(ErrorCode::kMalformed, HasSubstr("unknown key 'key'")));
}

}  // namespace
}  // namespace sealpack::unpacker
