// SPDX-License-Identifier: Apache-2.0
// What a report's own bytes are refused for, all of it under a valid signature.
#include <gtest/gtest.h>

#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::Refused;
using testing::RefusedAlsoFor;
using testing::SnpLab;

constexpr auto kVcek = SnpLab::Kind::kVcek;
constexpr auto kVlek = SnpLab::Kind::kVlek;

ByteVector value_of(const Verdict& verdict, std::string_view name) {
  const Claim* claim = verdict.claims->find(name);
  if (claim != nullptr) return claim->value;
  ADD_FAILURE() << "no claim " << name;
  return {};
}
ByteVector number(std::uint8_t value) {
  return {0, 0, 0, 0, 0, 0, 0, value};
}
ByteVector text(std::string_view value) {
  return to_vector(as_bytes(value));
}

TEST(SnpReport, OfEveryProductKeyAndVersionIsAccepted) {
  for (const char* product : {"Milan", "Genoa", "Turin"}) {
    for (const auto kind : {kVcek, kVlek}) {
      for (std::uint32_t version = 2; version <= 5; ++version) {
        SnpLab lab(product, kind, version);
        const Verdict verdict = lab.run();
        ASSERT_THAT(verdict, Accepted()) << product << " version " << version;
        EXPECT_EQ(value_of(verdict, "product"), text(product));
        EXPECT_EQ(value_of(verdict, "signing_key"), text(kind == kVlek ? "vlek" : "vcek"));
        EXPECT_EQ(value_of(verdict, "report_version"), number(static_cast<std::uint8_t>(version)));
      }
    }
  }
}

TEST(SnpReport, SaysWhatItSays) {
  SnpLab lab("Genoa");
  const Verdict verdict = lab.run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->tee, "sev-snp");
  EXPECT_EQ(verdict.claims->report_data, ByteVector(64, 0xDA));
  EXPECT_EQ(value_of(verdict, "measurement"), ByteVector(48, 0x3E));
  EXPECT_EQ(value_of(verdict, "host_data"), ByteVector(32, 0x05));
  EXPECT_EQ(value_of(verdict, "guest_svn"), number(7));
  EXPECT_EQ(value_of(verdict, "vmpl"), number(0));
  EXPECT_EQ(value_of(verdict, "tcb_bootloader"), number(10));
  EXPECT_EQ(value_of(verdict, "tcb_tee"), number(1));
  EXPECT_EQ(value_of(verdict, "tcb_snp"), number(23));
  EXPECT_EQ(value_of(verdict, "tcb_microcode"), number(219));
  EXPECT_EQ(value_of(verdict, "debug"), ByteVector{0});
  EXPECT_EQ(value_of(verdict, "migrate_ma"), ByteVector{0});
  EXPECT_EQ(value_of(verdict, "smt_allowed"), ByteVector{1});
  EXPECT_EQ(value_of(verdict, "smt_enabled"), ByteVector{1});
  EXPECT_EQ(value_of(verdict, "alias_check_complete"), ByteVector{1});
  EXPECT_EQ(value_of(verdict, "ciphertext_hiding"), ByteVector{0});
  EXPECT_EQ(value_of(verdict, "abi_version"), number(0x1F));
  EXPECT_EQ(verdict.claims->find("tcb_fmc"), nullptr);
  EXPECT_EQ(verdict.claims->find("provisional"), nullptr);
  EXPECT_EQ(verdict.claims->find("chip_id_masked"), nullptr);
  EXPECT_EQ(verdict.claims->find("mitigations"), nullptr);
}

TEST(SnpReport, ClaimsDebuggingMigrationAndVmplForThePolicy) {
  SnpLab lab("Milan");
  lab.set_u64(0x008, 0x3001F | 1U << 19U | 1U << 18U);
  lab.set_u32(0x030, 1);
  const Verdict verdict = lab.run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(value_of(verdict, "debug"), ByteVector{1});
  EXPECT_EQ(value_of(verdict, "migrate_ma"), ByteVector{1});
  EXPECT_EQ(value_of(verdict, "vmpl"), number(1));
}

TEST(SnpReport, ClaimsEveryBitOfItsPolicy) {
  const std::pair<unsigned, const char*> kBits[] = {{16, "smt_allowed"},
                                                    {18, "migrate_ma"},
                                                    {19, "debug"},
                                                    {20, "single_socket"},
                                                    {21, "cxl_allowed"},
                                                    {22, "aes_256_xts_required"},
                                                    {23, "rapl_disabled_required"},
                                                    {24, "ciphertext_hiding_required"},
                                                    {25, "page_swap_disabled"}};
  for (const auto& set : kBits) {
    SnpLab lab("Turin");
    lab.set_u64(0x008, 1U << 17U | 1U << set.first);
    const Verdict verdict = lab.run();
    ASSERT_THAT(verdict, Accepted());
    for (const auto& bit : kBits) {
      EXPECT_EQ(value_of(verdict, bit.second), ByteVector{bit.first == set.first}) << bit.second;
    }
  }
}

TEST(SnpReport, ClaimsEveryBitOfItsPlatform) {
  const std::pair<unsigned, const char*> kBits[] = {
      {0, "smt_enabled"},      {1, "tsme_enabled"},      {2, "ecc_enabled"},
      {3, "rapl_disabled"},    {4, "ciphertext_hiding"}, {5, "alias_check_complete"},
      {6, "iommu_write_safe"}, {7, "tio_enabled"}};
  for (const auto& set : kBits) {
    SnpLab lab("Turin");
    lab.set_u64(0x040, 1U << set.first);
    const Verdict verdict = lab.run();
    ASSERT_THAT(verdict, Accepted());
    for (const auto& bit : kBits) {
      EXPECT_EQ(value_of(verdict, bit.second), ByteVector{bit.first == set.first}) << bit.second;
    }
  }
}

TEST(SnpReport, OfTurinHasItsOwnTcbLayout) {
  SnpLab lab("Turin");
  const Verdict verdict = lab.run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(value_of(verdict, "tcb_fmc"), number(2));
  EXPECT_EQ(value_of(verdict, "tcb_bootloader"), number(10));
  EXPECT_EQ(value_of(verdict, "tcb_tee"), number(1));
  EXPECT_EQ(value_of(verdict, "tcb_snp"), number(23));
  EXPECT_EQ(value_of(verdict, "launch_tcb_microcode"), number(219));
}

TEST(SnpReport, OfVersion5ClaimsMitigations) {
  SnpLab lab("Turin", kVcek, 5);
  lab.set_u64(0x1F8, 3);
  lab.set_u64(0x200, 7);
  const Verdict verdict = lab.run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(value_of(verdict, "launch_mitigations"), number(3));
  EXPECT_EQ(value_of(verdict, "mitigations"), number(7));
}

TEST(SnpReport, RefusesAnyOtherSize) {
  SnpLab lab("Milan");
  ByteVector report = lab.signed_report();
  for (const std::size_t size : {0U, 1U, 671U, 1183U}) {
    EXPECT_THAT(lab.run(Bytes(report).first(size)), Refused("snp.size"));
  }
  report.push_back(0);
  EXPECT_THAT(lab.run(report), Refused("snp.size"));
}

TEST(SnpReport, RefusesVersionsThatAreNotKnown) {
  for (const auto& [version, code] :
       {std::pair{0U, "snp.malformed"}, std::pair{1U, "snp.malformed"},
        std::pair{6U, "snp.version"}, std::pair{255U, "snp.version"},
        std::pair{0x103U, "snp.malformed"}, std::pair{0xFFFFFFFFU, "snp.malformed"}}) {
    SnpLab lab("Milan");
    lab.set_u32(0x000, version);
    EXPECT_THAT(lab.run(), Refused(code)) << version;
  }
}

TEST(SnpReport, RefusesOtherSignatureAlgorithms) {
  for (const std::uint32_t algorithm : {0U, 2U, 0x101U}) {
    SnpLab lab("Milan");
    lab.set_u32(0x034, algorithm);
    EXPECT_THAT(lab.run(), Refused("snp.algorithm"));
  }
}

TEST(SnpReport, RefusesReservedBytesThatAreNotZero) {
  for (const std::size_t offset :
       {0x04CU, 0x04FU, 0x18BU, 0x19FU, 0x1EBU, 0x1EFU, 0x1F8U, 0x207U, 0x208U, 0x29FU}) {
    SnpLab lab("Milan");
    lab.set_u8(offset, 1);
    EXPECT_THAT(lab.run(), Refused("snp.reserved")) << offset;
  }
}

TEST(SnpReport, RefusesACpuidInVersion2) {
  SnpLab lab("Milan", kVcek, 2);
  lab.set_u8(0x188, 0x19);
  EXPECT_THAT(lab.run(), Refused("snp.reserved"));
}

TEST(SnpReport, RefusesMitigationsBeforeVersion5) {
  SnpLab lab("Turin", kVcek, 4);
  lab.set_u64(0x200, 7);
  EXPECT_THAT(lab.run(), Refused("snp.reserved"));
}

TEST(SnpReport, RefusesBytesBehindItsSignature) {
  SnpLab lab("Milan");
  for (const std::size_t offset : {0x330U, 0x400U, 0x49FU}) {
    ByteVector report = lab.signed_report();
    report[offset] = 1;
    EXPECT_THAT(lab.run(report), Refused("snp.reserved"));
  }
}

TEST(SnpReport, RefusesReservedBitsOfItsPolicy) {
  for (unsigned bit = 26; bit < 64; ++bit) {
    SnpLab lab("Milan");
    lab.set_u64(0x008, 0x3001F | std::uint64_t{1} << bit);
    EXPECT_THAT(lab.run(), Refused("snp.reserved"));
  }
  SnpLab lab("Milan");
  lab.set_u64(0x008, 0x1001F);  // bit 17 must be one
  EXPECT_THAT(lab.run(), Refused("snp.reserved"));
}

TEST(SnpReport, RefusesReservedBitsOfItsSigner) {
  for (unsigned bit = 5; bit < 32; ++bit) {
    SnpLab lab("Milan");
    lab.set_u32(0x048, 1U << bit);
    EXPECT_THAT(lab.run(), Refused("snp.reserved"));
  }
}

TEST(SnpReport, RefusesReservedBytesOfItsTcbs) {
  for (const std::size_t offset : {0x038U, 0x180U, 0x1E0U, 0x1F0U}) {
    SnpLab milan("Milan");
    milan.set_u8(offset + 3, 1);
    EXPECT_THAT(milan.run(), RefusedAlsoFor("snp.reserved"));
    SnpLab turin("Turin");
    turin.set_u8(offset + 5, 1);
    EXPECT_THAT(turin.run(), RefusedAlsoFor("snp.reserved"));
  }
}

TEST(SnpReport, RefusesSigningKeysThatAreNone) {
  for (std::uint32_t key = 2; key < 8; ++key) {
    SnpLab lab("Milan");
    lab.set_u32(0x048, key << 2U);
    EXPECT_THAT(lab.run(), Refused("snp.signing-key"));
  }
}

TEST(SnpReport, RefusesAChipKeyThatThePlatformMasks) {
  SnpLab lab("Milan");
  lab.set_u32(0x048, 2);
  EXPECT_THAT(lab.run(), Refused("snp.signing-key"));
}

TEST(SnpReport, AcceptsALeasedKeyWhereTheChipKeyIsMasked) {
  SnpLab lab("Milan", kVlek);
  lab.set_u32(0x048, 1U << 2U | 2U);
  EXPECT_THAT(lab.run(), Accepted());
}

TEST(SnpReport, RefusesReportsThatTheHypervisorAskedFor) {
  for (const std::uint32_t vmpl : {4U, 0xFFFFFFFFU}) {
    SnpLab lab("Milan");
    lab.set_u32(0x030, vmpl);
    EXPECT_THAT(lab.run(), Refused("snp.vmpl"));
  }
}

TEST(SnpReport, RefusesSignaturesInOtherEncodings) {
  SnpLab lab("Milan");
  for (const std::size_t offset : {0x2A0U + 48U, 0x2A0U + 71U, 0x2E8U + 48U, 0x2E8U + 71U}) {
    ByteVector report = lab.signed_report();
    report[offset] = 1;
    EXPECT_THAT(lab.run(report), Refused("snp.signature"));
  }
}

TEST(SnpReport, RefusesZeroAndOverlargeScalars) {
  SnpLab lab("Milan");
  for (const std::size_t offset : {0x2A0U, 0x2E8U}) {
    for (const std::uint8_t fill : {std::uint8_t{0}, std::uint8_t{0xFF}}) {
      ByteVector report = lab.signed_report();
      std::fill_n(report.begin() + static_cast<std::ptrdiff_t>(offset), 48, fill);
      EXPECT_THAT(lab.run(report), Refused("snp.signature"));
    }
  }
}

TEST(SnpReport, RefusesAnotherKeysSignature) {
  SnpLab lab("Milan");
  lab.signing_key = testing::lab_key(4);
  EXPECT_THAT(lab.run(), Refused("snp.signature"));
}

TEST(SnpReport, RefusesAnyByteChangedAfterSigning) {
  SnpLab lab("Milan");
  const ByteVector good = lab.signed_report();
  for (const std::size_t offset : {0x090U, 0x0C0U, 0x050U, 0x140U}) {
    ByteVector report = good;
    report[offset] ^= 1;
    EXPECT_THAT(lab.run(report), Refused("snp.signature"));
  }
}

TEST(SnpReport, ComparesReportDataWhole) {
  SnpLab lab("Milan");
  lab.expected = ByteVector(64, 0xDA);
  EXPECT_THAT(lab.run(), Accepted());
  lab.expected = ByteVector(64, 0xDB);
  EXPECT_THAT(lab.run(), Refused("snp.report-data"));
  for (const std::size_t size : {0U, 32U, 63U, 65U, 128U}) {
    lab.expected = ByteVector(size, 0xDA);
    EXPECT_THAT(lab.run(), Refused("snp.report-data")) << size;
  }
}

TEST(SnpReport, NeverPadsShortReportData) {
  SnpLab lab("Milan");
  ByteVector bound(64);
  std::fill_n(bound.begin(), 32, std::uint8_t{9});
  lab.set_bytes(0x050, bound);
  lab.expected = ByteVector(32, 9);
  EXPECT_THAT(lab.run(), Refused("snp.report-data"));
}

TEST(SnpReport, IsRequired) {
  SnpLab lab("Milan");
  const Evidence evidence{"sev-snp", {}};
  EXPECT_THAT(verify({evidence, {}, lab.roots, SnpLab::kNow}), Refused("evidence.item-missing"));
}

TEST(SnpReport, RefusesItemsThatItHasNoUseFor) {
  SnpLab lab("Milan");
  const Evidence evidence{"sev-snp",
                          {{"report", lab.signed_report()}, {"document", ByteVector{1}}}};
  Endorsements endorsements;
  endorsements.certificates = {lab.leaf_der(), lab.authority_der(), lab.ark_der()};
  EXPECT_THAT(verify({evidence, endorsements, lab.roots, SnpLab::kNow}),
              Refused("evidence.item-unknown"));
}

TEST(SnpReport, GivesAllReasonsTogether) {
  SnpLab lab("Milan");
  lab.set_u32(0x034, 2);
  lab.set_u8(0x04C, 1);
  lab.now = 2100000000;
  lab.expected = ByteVector(64);
  const Verdict verdict = lab.run();
  EXPECT_THAT(verdict, RefusedAlsoFor("snp.algorithm"));
  EXPECT_THAT(verdict, RefusedAlsoFor("snp.reserved"));
  EXPECT_THAT(verdict, RefusedAlsoFor("chain.expired"));
  EXPECT_THAT(verdict, RefusedAlsoFor("snp.report-data"));
}

}  // namespace
}  // namespace sealpack::attest
