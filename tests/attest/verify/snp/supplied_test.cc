// SPDX-License-Identifier: Apache-2.0
// What was read of endorsements is remembered; what it proves is not.
#include <gtest/gtest.h>

#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::lab_key;
using testing::Refused;
using testing::RefusedAlsoFor;
using testing::SnpLab;

class RememberedEndorsements : public ::testing::Test {
 protected:
  RememberedEndorsements() {
    Endorsements endorsements;
    endorsements.certificates = {lab.leaf_der(), lab.authority_der(), lab.ark_der()};
    kept = std::make_shared<const Endorsements>(std::move(endorsements));
  }
  Verdict run(const Endorsements& endorsements, std::uint64_t now = SnpLab::kNow) {
    const Evidence evidence{"sev-snp", {{"report", lab.signed_report()}}};
    VerifyInput input{evidence, endorsements, lab.roots, now};
    input.cache = &cache;
    input.kept_endorsements = kept;
    return verify(input);
  }

  SnpLab lab{"Milan"};
  std::shared_ptr<const Endorsements> kept;
  ChainCache cache;
};

TEST_F(RememberedEndorsements, AcceptTheNextReport) {
  ASSERT_THAT(run(*kept), Accepted());
  lab.set_bytes(0x50, ByteVector(64, 1));
  EXPECT_THAT(run(*kept), Accepted());
  EXPECT_THAT(run(Endorsements(*kept)), Accepted());
}

TEST_F(RememberedEndorsements, DoNotVouchForAnotherReport) {
  ASSERT_THAT(run(*kept), Accepted());
  lab.signing_key = lab_key(3);
  EXPECT_THAT(run(*kept), Refused("snp.signature"));
}

TEST_F(RememberedEndorsements, AreJudgedByTimeAndRootsOfEachReport) {
  ASSERT_THAT(run(*kept), Accepted());
  EXPECT_THAT(run(*kept, 2000000001), RefusedAlsoFor("chain.expired"));
  lab.roots.amd = {lab_key(3).digest()};
  EXPECT_THAT(run(*kept), Refused("chain.root"));
}

TEST_F(RememberedEndorsements, DoNotStandInForOthers) {
  ASSERT_THAT(run(*kept), Accepted());
  EXPECT_THAT(run({}), Refused("snp.leaf-missing"));
  for (std::size_t i = 0; i < kept->certificates.size(); ++i) {
    Endorsements other = *kept;
    other.certificates.erase(other.certificates.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_FALSE(run(other).accepted()) << i;
    other = *kept;
    other.certificates[i].back() ^= 1U;
    EXPECT_FALSE(run(other).accepted()) << i;
  }
}

TEST_F(RememberedEndorsements, WithAListThatComesLaterRevoke) {
  ASSERT_THAT(run(*kept), Accepted());
  Endorsements more = *kept;
  more.revocation_lists = {
      testing::mint_list({.revoked = {lab.authority.serial}}, lab.ark, lab.ark_key)};
  EXPECT_THAT(run(more), Refused("chain.revoked"));
}

}  // namespace
}  // namespace sealpack::attest
