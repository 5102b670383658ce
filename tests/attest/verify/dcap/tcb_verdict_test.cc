// SPDX-License-Identifier: Apache-2.0
// What a platform is worth: TCB info, identities, levels and how they converge.
#include <gtest/gtest.h>

#include "tests/attest/verify/dcap/dcap_fixture.h"

namespace sealpack::attest::dcap {
namespace {

using testing::Accepted;
using testing::edited;
using testing::Refused;
using testing::RefusedAlsoFor;
using Kind = MintDcap::Kind;
using Texts = std::vector<std::string>;

void set_tcb(MintDcap& platform, std::uint8_t components, std::uint16_t pce_svn) {
  platform.extension.component_svns.fill(components);
  platform.extension.pce_svn = pce_svn;
}

TEST(DcapTcb, TheFirstLevelThatAllComponentsMeetCounts) {
  MintDcap platform(Kind::kSgx3);
  set_tcb(platform, 0xff, 0xffff);
  EXPECT_EQ(text_of(verdict_of(platform), "tcb_status"), "UpToDate");
  for (std::size_t i = 0; i < 16; ++i) {
    set_tcb(platform, 0xff, 13);
    platform.extension.component_svns[i] = 4;
    const Verdict verdict = verdict_of(platform);
    EXPECT_EQ(text_of(verdict, "tcb_status"), "OutOfDate") << i;
    EXPECT_EQ(advisories_of(verdict), (Texts{"INTEL-SA-00837", "INTEL-SA-00960"}));
  }
  set_tcb(platform, 0xff, 12);
  EXPECT_EQ(text_of(verdict_of(platform), "tcb_status"), "OutOfDate");
}

TEST(DcapTcb, SvnsFrom128OnAreNumbersNotSigns) {
  MintDcap platform(Kind::kSgx3);
  set_tcb(platform, 0x80, 0x8000);
  EXPECT_EQ(text_of(verdict_of(platform), "tcb_status"), "UpToDate");
}

TEST(DcapTcb, APlatformBelowAllLevelsIsRefused) {
  MintDcap platform(Kind::kSgx3);
  set_tcb(platform, 0, 13);
  EXPECT_THAT(verdict_of(platform), Refused("dcap.tcb-level"));
  set_tcb(platform, 5, 4);
  EXPECT_THAT(verdict_of(platform), Refused("dcap.tcb-level"));
}

TEST(DcapTcb, ARevokedLevelIsRefused) {
  MintDcap sgx(Kind::kSgx3);
  set_tcb(sgx, 2, 6);
  EXPECT_THAT(verdict_of(sgx), Refused("dcap.tcb-revoked"));
  MintDcap tdx(Kind::kTdx4);
  set_tcb(tdx, 2, 6);
  EXPECT_THAT(verdict_of(tdx), Refused("dcap.tcb-revoked"));
}

TEST(DcapTcb, ARevokedQuotingEnclaveOrModuleIsRefused) {
  MintDcap qe(Kind::kSgx3);
  qe.qe_report[258] = 5;
  EXPECT_THAT(verdict_of(qe), Refused("dcap.tcb-revoked"));
  MintDcap module(Kind::kTdx4);
  module.body[0] = 2;
  EXPECT_THAT(verdict_of(module), Refused("dcap.tcb-revoked"));
}

TEST(DcapTcb, EveryStatusOfAPlatformIsClaimed) {
  for (const char* status :
       {"UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded",
        "OutOfDate", "OutOfDateConfigurationNeeded"}) {
    MintDcap platform(Kind::kSgx3);
    platform.tcb_info = edited(platform.tcb_info, "UpToDate", status);
    EXPECT_EQ(text_of(verdict_of(platform), "tcb_status"), status);
  }
  for (const char* status : {"TDRelaunchAdvised", "uptodate", "OK", ""}) {
    MintDcap platform(Kind::kSgx3);
    platform.tcb_info = edited(platform.tcb_info, "UpToDate", status);
    EXPECT_THAT(verdict_of(platform), RefusedAlsoFor("dcap.tcb-info-malformed"));
  }
}

TEST(DcapTcb, AnOldQuotingEnclaveMakesItOutOfDate) {
  const std::pair<const char*, const char*> converged[] = {
      {"UpToDate", "OutOfDate"},
      {"SWHardeningNeeded", "OutOfDate"},
      {"ConfigurationNeeded", "OutOfDateConfigurationNeeded"},
      {"ConfigurationAndSWHardeningNeeded", "OutOfDateConfigurationNeeded"},
      {"OutOfDate", "OutOfDate"},
      {"OutOfDateConfigurationNeeded", "OutOfDateConfigurationNeeded"}};
  for (const auto& [platform_status, expected] : converged) {
    MintDcap platform(Kind::kSgx3);
    platform.tcb_info = edited(platform.tcb_info, "UpToDate", platform_status);
    platform.qe_report[258] = 7;
    const Verdict verdict = verdict_of(platform);
    EXPECT_EQ(text_of(verdict, "tcb_status"), expected) << platform_status;
    EXPECT_EQ(advisories_of(verdict), Texts{"INTEL-SA-00477"});
    EXPECT_EQ(hex_of(verdict, "tcb_date"), "0000000064d2d700");  // that of the QE's level
  }
}

TEST(DcapTcb, AnOldModuleMakesItOutOfDate) {
  MintDcap platform(Kind::kTdx4);
  platform.body[0] = 5;
  const Verdict verdict = verdict_of(platform);
  EXPECT_EQ(text_of(verdict, "tcb_status"), "OutOfDate");
  EXPECT_EQ(advisories_of(verdict), Texts{"INTEL-SA-01036"});
  platform.tcb_info =
      edited(platform.tcb_info,
             "\"tcbDate\":\"2024-11-13T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},{\"tcb\":{\"sgx",
             "\"tcbDate\":\"2024-11-13T00:00:00Z\",\"tcbStatus\":\"ConfigurationNeeded\"},{\"tcb\":"
             "{\"sgx");
  EXPECT_EQ(text_of(verdict_of(platform), "tcb_status"), "OutOfDateConfigurationNeeded");
}

TEST(DcapTcb, AModuleBelowAllLevelsIsRefused) {
  MintDcap platform(Kind::kTdx4);
  platform.body[0] = 1;
  EXPECT_THAT(verdict_of(platform), Refused("tdx.module-level"));
}

TEST(DcapTcb, ModulesBeforeIdentitiesAreJudgedByThePlatformsLevel) {
  MintDcap platform(Kind::kTdx4);
  platform.body[1] = 0;
  EXPECT_EQ(text_of(verdict_of(platform), "tcb_status"), "UpToDate");
  platform.body[0] = 5;  // below the first level's TDX component 0
  EXPECT_EQ(text_of(verdict_of(platform), "tcb_status"), "OutOfDate");
  platform.body[0] = 1;
  EXPECT_THAT(verdict_of(platform), Refused("dcap.tcb-level"));
}

TEST(DcapTcb, BytesFrom2OnOfTheModulesSvnCountAlways) {
  MintDcap platform(Kind::kTdx4);
  platform.body[2] = 1;
  EXPECT_THAT(verdict_of(platform), Refused("dcap.tcb-revoked"));  // the third level
}

TEST(DcapTcb, RefusesAnUnknownModuleOrSigner) {
  MintDcap unknown(Kind::kTdx4);
  unknown.body[1] = 2;
  EXPECT_THAT(verdict_of(unknown), Refused("tdx.module"));
  MintDcap signer(Kind::kTdx4);
  signer.body[64] = 1;
  EXPECT_THAT(verdict_of(signer), Refused("tdx.module"));
  MintDcap attributes(Kind::kTdx4);
  attributes.body[112] = 1;
  EXPECT_THAT(verdict_of(attributes), RefusedAlsoFor("tdx.module"));
  // Also where the identity does not look at them.
  for (std::size_t at = 0;
       (at = attributes.tcb_info.find("FFFFFFFFFFFFFFFF", at)) != std::string::npos;) {
    attributes.tcb_info.replace(at, 16, 16, '0');
  }
  EXPECT_THAT(verdict_of(attributes), Refused("tdx.module"));
  signer.body[1] = 0;  // tdxModule's signer then
  EXPECT_THAT(verdict_of(signer), Refused("tdx.module"));
}

TEST(DcapTcb, AModuleNameIsCompleteAndInEitherCase) {
  MintDcap platform(Kind::kTdx4);
  platform.body[1] = 0x1a;
  for (const char* name : {"TDX_1A", "TDX_1a"}) {
    MintDcap named = platform;
    named.tcb_info = edited(platform.tcb_info, "TDX_01", name);
    EXPECT_THAT(verdict_of(named), Accepted()) << name;
  }
  for (const char* name : {"TDX_1", "TDX_1A0", "1A", ""}) {
    MintDcap named = platform;
    named.tcb_info = edited(platform.tcb_info, "TDX_01", name);
    EXPECT_THAT(verdict_of(named), Refused("tdx.module")) << name;
  }
}

// Built by an old module, under a new one now.
TEST(DcapTcb, ARelaunchIsAdvisedWhereTheRunningModuleIsCurrent) {
  MintDcap platform(Kind::kTdx5);
  platform.body[0] = 5;
  EXPECT_EQ(text_of(verdict_of(platform), "tcb_status"), "TDRelaunchAdvised");
  EXPECT_EQ(advisories_of(verdict_of(platform)), Texts{"INTEL-SA-01036"});
  MintDcap configuration = platform;
  configuration.tcb_info = edited(platform.tcb_info, "\"UpToDate\"},{\"tcb\":{\"sgx",
                                  "\"ConfigurationNeeded\"},{\"tcb\":{\"sgx");
  EXPECT_EQ(text_of(verdict_of(configuration), "tcb_status"),
            "TDRelaunchAdvisedConfigurationNeeded");
}

TEST(DcapTcb, NoRelaunchIsAdvisedWhereItWouldNotHelp) {
  MintDcap platform(Kind::kTdx5);
  platform.body[0] = 5;
  MintDcap running_old = platform;
  running_old.body[584] = 5;
  EXPECT_EQ(text_of(verdict_of(running_old), "tcb_status"), "OutOfDate");
  MintDcap running_late_microcode = platform;
  running_late_microcode.body[586] = 1;
  EXPECT_EQ(text_of(verdict_of(running_late_microcode), "tcb_status"), "OutOfDate");
  MintDcap running_unknown = platform;
  running_unknown.body[585] = 9;
  EXPECT_EQ(text_of(verdict_of(running_unknown), "tcb_status"), "OutOfDate");
  MintDcap old_qe = platform;
  old_qe.qe_report[258] = 7;
  EXPECT_EQ(text_of(verdict_of(old_qe), "tcb_status"), "OutOfDate");
  MintDcap old_platform = platform;
  set_tcb(old_platform, 3, 11);
  EXPECT_EQ(text_of(verdict_of(old_platform), "tcb_status"), "OutOfDate");
  MintDcap none_current = platform;  // Intel knows no module that is
  none_current.body[0] = 6;
  none_current.tcb_info = edited(platform.tcb_info,
                                 "\"isvsvn\":6},\"tcbDate\":\"2024-11-13T00:00:00Z\","
                                 "\"tcbStatus\":\"UpToDate\"",
                                 "\"isvsvn\":6},\"tcbDate\":\"2024-11-13T00:00:00Z\","
                                 "\"tcbStatus\":\"OutOfDate\"");
  EXPECT_EQ(text_of(verdict_of(none_current), "tcb_status"), "OutOfDate");
  MintDcap not_the_module = platform;  // is what is old, but another component
  not_the_module.body[0] = 6;
  not_the_module.body[2] = 1;
  not_the_module.tcb_info =
      edited(platform.tcb_info, "\"tcbDate\":\"2018-01-04T00:00:00Z\",\"tcbStatus\":\"Revoked\"",
             "\"tcbDate\":\"2018-01-04T00:00:00Z\",\"tcbStatus\":\"OutOfDate\"");
  EXPECT_EQ(text_of(verdict_of(not_the_module), "tcb_status"), "OutOfDate");
  MintDcap tdx10(Kind::kTdx4);  // does not say what runs now
  tdx10.body[0] = 5;
  EXPECT_EQ(text_of(verdict_of(tdx10), "tcb_status"), "OutOfDate");
}

// The same quote before and after Intel's TCB recovery.
TEST(DcapTcb, ARecoveryMakesTheSameQuoteOutOfDate) {
  const MintDcap before(Kind::kTdx5);
  MintDcap after = before;
  after.tcb_info =
      edited(after.tcb_info, "\"tcbEvaluationDataNumber\":18", "\"tcbEvaluationDataNumber\":19");
  after.tcb_info = edited(after.tcb_info, "\"isvsvn\":6", "\"isvsvn\":7");
  after.body[584] = 6;
  const ByteVector quote = before.quote();
  EXPECT_EQ(text_of(verdict_of(before, quote, before.endorsements()), "tcb_status"), "UpToDate");
  EXPECT_EQ(text_of(verdict_of(before, quote, after.endorsements()), "tcb_status"), "OutOfDate");
  // Where both are supplied the newer one counts, in any order.
  Endorsements both = before.endorsements();
  both.tcb_infos.push_back(after.endorsements().tcb_infos[0]);
  EXPECT_EQ(text_of(verdict_of(before, quote, both), "tcb_status"), "OutOfDate");
  std::swap(both.tcb_infos[0], both.tcb_infos[1]);
  EXPECT_EQ(text_of(verdict_of(before, quote, both), "tcb_status"), "OutOfDate");
  // Who knows of the newer one does not let the older be replayed.
  EXPECT_THAT(verdict_of(before, quote, before.endorsements(), 19),
              RefusedAlsoFor("dcap.tcb-info-evaluation"));
  EXPECT_THAT(verdict_of(before, quote, before.endorsements(), 18), Accepted());
}

TEST(DcapTcb, TheEvaluationClaimedIsTheLowerOfBoth) {
  MintDcap platform(Kind::kSgx3);
  platform.identity =
      edited(platform.identity, "\"tcbEvaluationDataNumber\":18", "\"tcbEvaluationDataNumber\":17");
  EXPECT_EQ(hex_of(verdict_of(platform), "tcb_evaluation"), "0000000000000011");
  EXPECT_THAT(verdict_of(platform, platform.quote(), platform.endorsements(), 18),
              Refused("dcap.qe-identity-evaluation"));
}

TEST(DcapTcb, TcbInfoIsOfThisPlatformAndTee) {
  MintDcap fmspc(Kind::kSgx3);
  fmspc.tcb_info = edited(fmspc.tcb_info, "90C06F000000", "90C06F000001");
  EXPECT_THAT(verdict_of(fmspc), Refused("dcap.tcb-info-missing"));
  MintDcap pce_id(Kind::kSgx3);
  pce_id.tcb_info = edited(pce_id.tcb_info, "\"pceId\":\"0000\"", "\"pceId\":\"0001\"");
  EXPECT_THAT(verdict_of(pce_id), Refused("dcap.tcb-info-missing"));
  MintDcap tee(Kind::kSgx3);
  tee.tcb_info = MintDcap(Kind::kTdx4).tcb_info;
  EXPECT_THAT(verdict_of(tee), Refused("dcap.tcb-info-missing"));
  MintDcap none(Kind::kSgx3);
  Endorsements endorsements = none.endorsements();
  endorsements.tcb_infos.clear();
  EXPECT_THAT(verdict_of(none, none.quote(), endorsements), Refused("dcap.tcb-info-missing"));
}

TEST(DcapTcb, IdentityIsOfThisTeesQuotingEnclave) {
  MintDcap tdx(Kind::kTdx4);
  tdx.identity = MintDcap(Kind::kSgx3).identity;
  EXPECT_THAT(verdict_of(tdx), Refused("dcap.qe-identity-missing"));
  MintDcap qve(Kind::kSgx3);
  qve.identity = edited(qve.identity, "\"QE\"", "\"QVE\"");
  EXPECT_THAT(verdict_of(qve), Refused("dcap.qe-identity-missing"));
  MintDcap renamed(Kind::kTdx4);
  renamed.identity = edited(MintDcap(Kind::kSgx3).identity, "\"QE\"", "\"TD_QE\"");
  EXPECT_THAT(verdict_of(renamed), Refused("dcap.qe-identity-mismatch"));
}

TEST(DcapTcb, TheQuotingEnclaveIsTheOneOfTheIdentity) {
  const std::pair<std::size_t, std::uint8_t> edits[] = {
      {128, 1}, {256, 3}, {48, 0x95}, {50, 0x01}, {16, 0x01}};
  for (const auto& [at, value] : edits) {
    MintDcap platform(Kind::kSgx3);
    platform.qe_report[at] = value;
    EXPECT_THAT(verdict_of(platform), Refused("dcap.qe-identity-mismatch")) << at;
  }
  MintDcap masked(Kind::kSgx3);
  masked.qe_report[48] = 0x11;  // MODE64BIT is outside the mask
  masked.qe_report[56] = 0x03;
  EXPECT_THAT(verdict_of(masked), Accepted());
  MintDcap old(Kind::kSgx3);
  old.qe_report[258] = 4;
  EXPECT_THAT(verdict_of(old), Refused("dcap.qe-level"));
}

}  // namespace
}  // namespace sealpack::attest::dcap
