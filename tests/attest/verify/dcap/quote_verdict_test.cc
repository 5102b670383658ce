// SPDX-License-Identifier: Apache-2.0
// Whose quote it is: signatures, the quoting enclave. Chains and lists: chain_verdict_test; TCB
// levels: tcb_verdict_test.
#include <gtest/gtest.h>

#include "attest/verify/chain_cache.h"
#include "attest/verify/dcap/td_quote.h"
#include "tests/attest/verify/dcap/dcap_fixture.h"

namespace sealpack::attest::dcap {
namespace {

using testing::Accepted;
using testing::kDcapNow;
using testing::mint_dcap_keys;
using testing::Refused;
using testing::RefusedAlsoFor;
using Kind = MintDcap::Kind;

class EveryKind : public ::testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(OfQuote, EveryKind,
                         ::testing::Values(Kind::kSgx3, Kind::kSgx4, Kind::kSgx5, Kind::kTdx4,
                                           Kind::kTdx5OfTdx10, Kind::kTdx5, Kind::kTdx5Extended));

TEST_P(EveryKind, IsAcceptedAsMade) {
  const MintDcap platform(GetParam());
  const Verdict verdict = verdict_of(platform);
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->tee, platform.tee());
  EXPECT_EQ(verdict.claims->report_data, ByteVector(64, 0xda));
  EXPECT_EQ(text_of(verdict, "tcb_status"), "UpToDate");
  EXPECT_EQ(hex_of(verdict, "tcb_evaluation"), "0000000000000012");
  EXPECT_EQ(hex_of(verdict, "fmspc"), "90c06f000000");
  EXPECT_EQ(hex_of(verdict, "debug"), "00");
  EXPECT_EQ(hex_of(verdict, "tcb_date"), "000000006733ec00");  // 2024-11-13
  EXPECT_TRUE(advisories_of(verdict).empty());
}

TEST_P(EveryKind, WithZerosBehindItIsAccepted) {
  MintDcap platform(GetParam());
  platform.padding = ByteVector(3065);
  EXPECT_THAT(verdict_of(platform), Accepted());
  platform.padding[3000] = 1;
  EXPECT_THAT(verdict_of(platform), Refused("dcap.quote-malformed"));
}

TEST_P(EveryKind, TruncatedAtAnyByteIsRefused) {
  const MintDcap platform(GetParam());
  const ByteVector quote = platform.quote();
  const Endorsements endorsements = platform.endorsements();
  for (std::size_t size = 0; size < quote.size(); ++size) {
    const ByteVector part(quote.begin(), quote.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_THAT(verdict_of(platform, part, endorsements), Refused("dcap.quote-malformed")) << size;
  }
}

TEST_P(EveryKind, WithATextOfNulBehindItsChainIsAccepted) {
  MintDcap platform(GetParam());
  ByteVector chain = platform.pck_chain();
  chain.push_back(0);
  platform.certification_data = chain;
  EXPECT_THAT(verdict_of(platform), Accepted());
  chain.back() = ' ';
  platform.certification_data = chain;
  EXPECT_THAT(verdict_of(platform), Refused("dcap.certification-data"));
}

TEST_P(EveryKind, BindsItsReportDataExactly) {
  const MintDcap platform(GetParam());
  const Evidence evidence{platform.tee(), {{"quote", platform.quote()}}};
  const Endorsements endorsements = platform.endorsements();
  const Roots roots = platform.roots();
  VerifyInput input{
      .evidence = evidence, .endorsements = endorsements, .roots = roots, .now = kDcapNow};
  input.report_data = ByteVector(64, 0xda);
  EXPECT_THAT(verify(input), Accepted());
  input.report_data = ByteVector(63, 0xda);
  EXPECT_THAT(verify(input), Refused("dcap.report-data"));
  input.report_data = ByteVector(65, 0xda);
  EXPECT_THAT(verify(input), Refused("dcap.report-data"));
  input.report_data = ByteVector(64, 0xdb);
  EXPECT_THAT(verify(input), Refused("dcap.report-data"));
  input.report_data = ByteVector();
  EXPECT_THAT(verify(input), Refused("dcap.report-data"));
}

class EveryLayout : public ::testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(OfQuote, EveryLayout,
                         ::testing::Values(Kind::kSgx3, Kind::kTdx4, Kind::kTdx5,
                                           Kind::kTdx5Extended));

TEST_P(EveryLayout, WithAnyByteFlippedIsRefused) {
  const MintDcap platform(GetParam());
  ByteVector quote = platform.quote();
  const Endorsements endorsements = platform.endorsements();
  ChainCache cache;
  ASSERT_THAT(verdict_of(platform, quote, endorsements, 0, kDcapNow, &cache), Accepted());
  for (std::size_t i = 0; i < quote.size(); ++i) {
    const auto flipped = static_cast<std::uint8_t>(1U << (i % 8));
    quote[i] = static_cast<std::uint8_t>(quote[i] ^ flipped);
    ASSERT_FALSE(verdict_of(platform, quote, endorsements, 0, kDcapNow, &cache).accepted()) << i;
    quote[i] = static_cast<std::uint8_t>(quote[i] ^ flipped);
  }
}

TEST(DcapQuote, DebugIsAClaimForPolicyToJudge) {
  MintDcap sgx(Kind::kSgx3);
  sgx.body[48] |= 0x02U;
  EXPECT_EQ(hex_of(verdict_of(sgx), "debug"), "01");
  // DEBUG, and the three by which the host profiles the TD.
  for (const unsigned bit : {0x01U, 0x10U, 0x20U, 0x40U}) {
    MintDcap tdx(Kind::kTdx5);
    tdx.body[120] = static_cast<std::uint8_t>(bit);
    EXPECT_EQ(hex_of(verdict_of(tdx), "debug"), "01") << bit;
  }
}

TEST(DcapQuote, ClaimsWhatTheEnclaveIs) {
  MintDcap platform(Kind::kSgx3);
  platform.body[48] |= 0x10U;  // PROVISIONKEY
  platform.body[260] = 9;
  const Verdict verdict = verdict_of(platform);
  EXPECT_EQ(hex_of(verdict, "mrenclave"), to_hex(ByteVector(32, 0xe1)));
  EXPECT_EQ(hex_of(verdict, "mrsigner"), to_hex(ByteVector(32, 0x51)));
  EXPECT_EQ(hex_of(verdict, "isv_prod_id"), "0000000000000007");
  EXPECT_EQ(hex_of(verdict, "isv_svn"), "0000000000000003");
  EXPECT_EQ(hex_of(verdict, "config_svn"), "0000000000000009");
  EXPECT_EQ(hex_of(verdict, "provision_key"), "01");
  EXPECT_EQ(hex_of(verdict, "ppid"), to_hex(ByteVector(16, 0x99)));
  EXPECT_EQ(hex_of(verdict, "platform_instance_id"), to_hex(ByteVector(16, 0x77)));
  EXPECT_EQ(hex_of(verdict, "smt_enabled"), "01");
}

TEST(DcapQuote, ClaimsWhatTheDomainIs) {
  MintDcap platform(Kind::kTdx5);
  platform.body[123] = 0x20;  // MIGRATABLE alone
  platform.body[127] = 0x80;  // PERFMON
  platform.body[600] = 0x33;
  const Verdict verdict = verdict_of(platform);
  EXPECT_EQ(hex_of(verdict, "migratable"), "01");
  EXPECT_EQ(hex_of(verdict, "sept_ve_disable"), "00");
  EXPECT_EQ(hex_of(verdict, "perfmon"), "01");
  EXPECT_EQ(hex_of(verdict, "mr_servicetd"), "33" + std::string(94, '0'));
  EXPECT_EQ(hex_of(verdict, "service_td"), "01");
  EXPECT_EQ(hex_of(verdict_of(MintDcap(Kind::kTdx5)), "service_td"), "absent");
  EXPECT_EQ(hex_of(verdict, "mrtd"), to_hex(ByteVector(48, 0x7d)));
  EXPECT_EQ(hex_of(verdict, "rtmr3"), to_hex(ByteVector(48, 0x12)));
  EXPECT_EQ(hex_of(verdict, "tee_tcb_svn"), "0000000000000106");
  EXPECT_EQ(hex_of(verdict, "td_attributes"), "0000002000000080");
  EXPECT_EQ(hex_of(verdict, "xfam"), "e702060000000000");
  EXPECT_EQ(hex_of(verdict_of(MintDcap(Kind::kTdx4)), "mr_servicetd"), "absent");
}

TEST(DcapQuote, RefusesReservedBitsOfAnEnclave) {
  for (const std::size_t at : {49U, 55U}) {
    MintDcap platform(Kind::kSgx3);
    platform.body[at] = 0x80;
    EXPECT_THAT(verdict_of(platform), Refused("sgx.reserved")) << at;
  }
  for (const std::size_t at : {16U, 20U, 31U, 96U, 160U, 262U, 303U}) {
    MintDcap platform(Kind::kSgx3);
    platform.body[at] = 0x08;
    EXPECT_THAT(verdict_of(platform), Refused("sgx.reserved")) << at;
  }
}

TEST(DcapQuote, RefusesReservedBitsOfADomain) {
  for (const unsigned bit : {1U, 2U, 3U, 7U, 8U, 15U, 23U, 26U, 32U, 61U}) {
    MintDcap platform(Kind::kTdx4);
    platform.body[120 + bit / 8] |= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_THAT(verdict_of(platform), Refused("tdx.reserved")) << bit;
  }
}

TEST(DcapQuote, IsOfItsTeeAlone) {
  const MintDcap sgx(Kind::kSgx4);
  const MintDcap tdx(Kind::kTdx4);
  EXPECT_THAT(verdict_of(tdx, sgx.quote(), sgx.endorsements()), Refused("dcap.quote-tee"));
  EXPECT_THAT(verdict_of(sgx, tdx.quote(), tdx.endorsements()), Refused("dcap.quote-tee"));
}

TEST(DcapQuote, RefusesADebugQuotingEnclave) {
  MintDcap platform(Kind::kTdx4);
  platform.qe_report[48] |= 0x02U;
  EXPECT_THAT(verdict_of(platform), Refused("dcap.qe-debug"));
}

TEST(DcapQuote, RefusesReservedBytesOfTheQuotingEnclave) {
  MintDcap platform(Kind::kSgx3);
  platform.qe_report[25] = 1;
  EXPECT_THAT(verdict_of(platform), Refused("dcap.qe-reserved"));
}

TEST(DcapQuote, RefusesAnotherVendorsQuotingEnclave) {
  MintDcap platform(Kind::kSgx3);
  platform.vendor[15] ^= 1U;
  EXPECT_THAT(verdict_of(platform), Refused("dcap.qe-vendor"));
}

TEST(DcapQuote, RefusesAnotherAttestationKeyThanTheQuotingEnclaveNames) {
  MintDcap platform(Kind::kTdx4);
  platform.qe_binding = ByteVector(64, 0);
  EXPECT_THAT(verdict_of(platform), Refused("dcap.attestation-key"));
  // The right hash and anything behind it.
  ByteVector named = mint_dcap_keys().attestation.point();
  named.insert(named.end(), platform.qe_authentication.begin(), platform.qe_authentication.end());
  ByteVector binding = crypto::hash(crypto::HashAlgorithm::kSha256, named);
  binding.resize(64);
  platform.qe_binding = binding;
  EXPECT_THAT(verdict_of(platform), Accepted());
  binding[63] = 1;
  platform.qe_binding = binding;
  EXPECT_THAT(verdict_of(platform), Refused("dcap.attestation-key"));
}

TEST(DcapQuote, RefusesAnAttestationKeyThatIsNoPoint) {
  const MintDcap platform(Kind::kSgx3);
  ByteVector quote = platform.quote();
  std::fill_n(quote.begin() + 48 + 384 + 4 + 64, 64, std::uint8_t{0xff});
  EXPECT_THAT(verdict_of(platform, quote, platform.endorsements()),
              Refused("dcap.attestation-key"));
}

TEST(DcapQuote, SignaturesAreEachOfTheirOwn) {
  const MintDcap platform(Kind::kSgx3);
  const Endorsements endorsements = platform.endorsements();
  ByteVector quote = platform.quote();
  quote[48 + 320] ^= 1U;  // report data
  EXPECT_THAT(verdict_of(platform, quote, endorsements), Refused("dcap.quote-signature"));
  quote = platform.quote();
  quote[48 + 384 + 4 + 128] ^= 1U;  // CPUSVN in the QE's report
  EXPECT_THAT(verdict_of(platform, quote, endorsements), Refused("dcap.qe-report-signature"));
}

TEST(DcapQuote, CertificationDataOfOtherKindsSaysWhatIsMissing) {
  for (const unsigned type : {0U, 1U, 2U, 3U, 4U, 6U, 7U, 0xffffU}) {
    MintDcap platform(Kind::kSgx3);
    platform.certification_type = static_cast<std::uint16_t>(type);
    platform.certification_data = ByteVector(404, 0x11);
    const Verdict verdict = verdict_of(platform);
    ASSERT_THAT(verdict, Refused("dcap.certification-data")) << type;
    EXPECT_NE(verdict.reasons[0].text.find("type 5"), std::string::npos);
  }
  MintDcap platform(Kind::kSgx3);
  platform.certification_data = platform.pck_der();  // DER where PEM is to be
  EXPECT_THAT(verdict_of(platform), Refused("dcap.certification-data"));
}

TEST(DcapQuote, EvidenceHasAQuoteAndNothingUnknown) {
  const MintDcap platform(Kind::kTdx4);
  const Endorsements endorsements = platform.endorsements();
  const Roots roots = platform.roots();
  const auto run = [&](const Evidence& evidence) {
    return verify(
        {.evidence = evidence, .endorsements = endorsements, .roots = roots, .now = kDcapNow});
  };
  EXPECT_THAT(run({"tdx", {}}), Refused("evidence.item-missing"));
  EXPECT_THAT(run({"tdx", {{"quote", platform.quote()}, {"token", {1}}}}),
              Refused("evidence.item-unknown"));
  EXPECT_THAT(run({"sgx", {}}), Refused("evidence.item-missing"));
  EXPECT_THAT(run({"sgx", {{"quote", MintDcap(Kind::kSgx3).quote()}, {"event-log", {1}}}}),
              RefusedAlsoFor("evidence.item-unknown"));
}

TEST(DcapQuote, WhatIsRememberedIsStillJudgedByTimeAndLists) {
  const MintDcap platform(Kind::kTdx4);
  const ByteVector quote = platform.quote();
  Endorsements endorsements = platform.endorsements();
  ChainCache cache;
  const auto run = [&](std::uint64_t now) {
    return verdict_of(platform, quote, endorsements, 0, now, &cache);
  };
  EXPECT_THAT(run(kDcapNow), Accepted());
  EXPECT_THAT(run(kDcapNow), Accepted());
  EXPECT_THAT(run(kDcapNow + 30U * 86400U), RefusedAlsoFor("dcap.tcb-info-expired"));
  EXPECT_THAT(verdict_of(platform, quote, endorsements, 19, kDcapNow, &cache),
              RefusedAlsoFor("dcap.tcb-info-evaluation"));
  MintDcap revoked = platform;
  revoked.platform_list.revoked = {platform.pck.serial};
  endorsements = revoked.endorsements();
  EXPECT_THAT(run(kDcapNow), Refused("chain.revoked"));
  endorsements.tcb_infos.clear();
  EXPECT_THAT(run(kDcapNow), RefusedAlsoFor("dcap.tcb-info-missing"));
}

TEST(DcapQuote, AKeyThatIsRememberedDoesNotVouchForAnotherVendorsQuote) {
  const MintDcap platform(Kind::kSgx3);
  const Endorsements endorsements = platform.endorsements();
  ByteVector quote = platform.quote();
  ChainCache cache;
  EXPECT_THAT(verdict_of(platform, quote, endorsements, 0, kDcapNow, &cache), Accepted());
  constexpr std::ptrdiff_t kSigned = 48 + SgxReport::kSize;
  quote[12] ^= 1;  // QE vendor id
  const ByteVector signature = testing::mint_dcap_keys().attestation.sign(
      crypto::HashAlgorithm::kSha256, Bytes(quote).first(kSigned));
  std::copy(signature.begin(), signature.end(), quote.begin() + kSigned + 4);
  EXPECT_THAT(verdict_of(platform, quote, endorsements, 0, kDcapNow, &cache),
              Refused("dcap.qe-vendor"));
}

TEST(DcapQuote, ManyPlatformsAndEndorsementsAreRemembered) {
  ChainCache cache;
  for (int round = 0; round < 2; ++round) {
    for (std::uint8_t i = 0; i < 20; ++i) {
      MintDcap platform(Kind::kSgx3);
      platform.qe_authentication = ByteVector(8, i);
      platform.identity = testing::edited(platform.identity, "\"tcbEvaluationDataNumber\":18",
                                          "\"tcbEvaluationDataNumber\":" + std::to_string(i + 18));
      const Verdict verdict =
          verdict_of(platform, platform.quote(), platform.endorsements(), 0, kDcapNow, &cache);
      ASSERT_THAT(verdict, Accepted());
    }
  }
}

TEST(DcapQuote, OfAnUnknownVersionOrKeyIsRefused) {
  MintDcap platform(Kind::kTdx4);
  platform.version = 6;
  EXPECT_THAT(verdict_of(platform), Refused("dcap.quote-unsupported"));
  platform.version = 4;
  platform.key_type = 3;
  EXPECT_THAT(verdict_of(platform), Refused("dcap.quote-unsupported"));
}

}  // namespace
}  // namespace sealpack::attest::dcap
