// SPDX-License-Identifier: Apache-2.0
// What body type 4 says of a TD besides: where it comes from, and what is bound to it.
#include <gtest/gtest.h>

#include "tests/attest/verify/dcap/dcap_fixture.h"

namespace sealpack::attest::dcap {
namespace {

using testing::Accepted;
using testing::Refused;
using Kind = MintDcap::Kind;

// A service TD that was bound after the launch is one as much as one that was bound before.
TEST(ExtendedTdReport, ClaimsEveryServiceTdOfAnExtendedReport) {
  const auto service_tds = [](const MintDcap& platform) {
    const Verdict verdict = verdict_of(platform);
    std::vector<std::uint8_t> first_bytes;
    if (!verdict.claims) return first_bytes;
    for (const Claim& claim : verdict.claims->claims) {
      if (claim.name == "mr_servicetd") first_bytes.push_back(claim.value[0]);
    }
    return first_bytes;
  };
  using Bound = std::vector<std::uint8_t>;
  MintDcap platform(Kind::kTdx5Extended);
  EXPECT_EQ(service_tds(platform), Bound{0});
  EXPECT_EQ(hex_of(verdict_of(platform), "service_td"), "absent");
  platform.body[829] = 0x55;  // now
  EXPECT_EQ(hex_of(verdict_of(platform), "service_td"), "01");
  EXPECT_EQ(service_tds(platform), (Bound{0, 0x55}));
  platform.body[600] = platform.body[729] = 0x44;  // at the start
  EXPECT_EQ(service_tds(platform), (Bound{0x44, 0x55}));
  platform.body[729] = 0x33;
  EXPECT_EQ(service_tds(platform), (Bound{0x33, 0x44, 0x55}));
  EXPECT_EQ(service_tds(MintDcap(Kind::kTdx5)), Bound{0});
}

// Its measurements are those of the TD around it.
TEST(ExtendedTdReport, RefusesAnL2VmOfAPartitionedTd) {
  MintDcap platform(Kind::kTdx5Extended);
  EXPECT_THAT(verdict_of(platform), Accepted());
  for (const unsigned vm : {1U, 2U, 255U}) {
    platform.body[648] = static_cast<std::uint8_t>(vm);
    EXPECT_THAT(verdict_of(platform), Refused("tdx.l2-vm")) << vm;
  }
}

// A TD that was moved here from an older module meets no floor that the older one does not.
TEST(ExtendedTdReport, ClaimsTheLowerModuleOfWhereATdBeganAndWhereItRuns) {
  const auto claimed = [](std::uint8_t svn, std::uint8_t version) {
    MintDcap platform(Kind::kTdx5Extended);
    platform.body[801] = svn;
    platform.body[802] = version;
    return hex_of(verdict_of(platform), "tee_tcb_svn");
  };
  EXPECT_EQ(claimed(0, 0), "0000000000000106") << "not stated";
  EXPECT_EQ(claimed(6, 1), "0000000000000106");
  EXPECT_EQ(claimed(5, 1), "0000000000000105");
  EXPECT_EQ(claimed(9, 0), "0000000000000009");
  EXPECT_EQ(claimed(0, 2), "0000000000000106") << "it began on a newer one";
}

}  // namespace
}  // namespace sealpack::attest::dcap
