// SPDX-License-Identifier: Apache-2.0
// Which of Intel's documents a platform is judged by: whose they are, when, about what.
#include <gtest/gtest.h>

#include "attest/verify/chain_cache.h"
#include "tests/attest/verify/dcap/dcap_fixture.h"

namespace sealpack::attest::dcap {
namespace {

using testing::Accepted;
using testing::edited;
using testing::kDcapNow;
using testing::mint_dcap_keys;
using testing::Refused;
using testing::RefusedAlsoFor;
using Kind = MintDcap::Kind;

TEST(DcapCollateral, DocumentsHoldInTheirWindowAlone) {
  for (const auto part : {&MintDcap::tcb_info, &MintDcap::identity}) {
    const std::string code = part == &MintDcap::tcb_info ? "dcap.tcb-info" : "dcap.qe-identity";
    MintDcap platform(Kind::kTdx4);
    const std::string text = platform.*part;
    platform.*part = edited(text, "2025-07-01T00:00:00Z", "2025-06-15T15:06:41Z");
    EXPECT_THAT(verdict_of(platform), Accepted());
    platform.*part = edited(text, "2025-07-01T00:00:00Z", "2025-06-15T15:06:40Z");
    EXPECT_THAT(verdict_of(platform), Refused(code + "-expired"));
    platform.*part = edited(text, "2025-06-01T00:00:00Z", "2025-06-15T15:06:40Z");
    EXPECT_THAT(verdict_of(platform), Accepted());
    platform.*part = edited(text, "2025-06-01T00:00:00Z", "2025-06-15T15:06:41Z");
    EXPECT_THAT(verdict_of(platform), Refused(code + "-not-yet-valid"));
  }
}

TEST(DcapCollateral, ANewerDocumentThatDoesNotHoldLeavesTheOlder) {
  const MintDcap platform(Kind::kTdx4);
  Endorsements endorsements = platform.endorsements();
  std::string later =
      edited(platform.tcb_info, "\"tcbEvaluationDataNumber\":18", "\"tcbEvaluationDataNumber\":19");
  later = edited(later, "2025-06-01T00:00:00Z", "2025-06-20T00:00:00Z");
  endorsements.tcb_infos.push_back(MintDcap::sign_document("tcbInfo", later));
  endorsements.tcb_infos.push_back({'{', '}'});
  const Verdict verdict = verdict_of(platform, platform.quote(), endorsements);
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(hex_of(verdict, "tcb_evaluation"), "0000000000000012");
}

TEST(DcapCollateral, AnIdentityThatWasChangedIsLeftOut) {
  const MintDcap platform(Kind::kTdx4);
  Endorsements endorsements = platform.endorsements();
  const std::string document(as_text(endorsements.enclave_identities[0]));
  const std::string newer =
      edited(document, "\"tcbEvaluationDataNumber\":18", "\"tcbEvaluationDataNumber\":19");
  endorsements.enclave_identities[0] = to_vector(as_bytes(newer));
  EXPECT_THAT(verdict_of(platform, platform.quote(), endorsements),
              RefusedAlsoFor("dcap.qe-identity-signature"));
}

TEST(DcapCollateral, TheSignatureIsOverTheBytesAsTheyStand) {
  const MintDcap platform(Kind::kTdx4);
  Endorsements endorsements = platform.endorsements();
  const std::string document(as_text(endorsements.tcb_infos[0]));
  // The same value in other bytes.
  endorsements.tcb_infos[0] =
      to_vector(as_bytes(edited(document, "\"tcbType\":0", "\"tcbType\": 0")));
  EXPECT_THAT(verdict_of(platform, platform.quote(), endorsements),
              RefusedAlsoFor("dcap.tcb-info-signature"));
  // Other bytes around it.
  endorsements.tcb_infos[0] = to_vector(as_bytes(" { \"tcbInfo\" :" + document.substr(11) + "\n"));
  EXPECT_THAT(verdict_of(platform, platform.quote(), endorsements), Accepted());
}

TEST(DcapCollateral, NeverTakesADocumentWithOneByteFlipped) {
  const MintDcap platform(Kind::kTdx4);
  const ByteVector quote = platform.quote();
  Endorsements endorsements = platform.endorsements();
  ChainCache cache;
  ASSERT_THAT(verdict_of(platform, quote, endorsements, 0, kDcapNow, &cache), Accepted());
  for (ByteVector* document :
       {&endorsements.tcb_infos[0], &endorsements.enclave_identities[0],
        &endorsements.revocation_lists[0], &endorsements.revocation_lists[1]}) {
    for (std::size_t i = 0; i < document->size(); ++i) {
      (*document)[i] ^= 1U;
      ASSERT_FALSE(verdict_of(platform, quote, endorsements, 0, kDcapNow, &cache).accepted()) << i;
      (*document)[i] ^= 1U;
    }
  }
}

TEST(DcapCollateral, DocumentsAreSignedByIntelsTcbSigningAlone) {
  MintDcap platform(Kind::kTdx4);
  for (const char* name : {"Intel SGX TCB Signing ", "Intel SGX PCK Certificate"}) {
    MintDcap named = platform;
    named.signing.subject = name;
    EXPECT_THAT(verdict_of(named), RefusedAlsoFor("dcap.tcb-info-signature")) << name;
  }
  MintDcap authority = platform;
  authority.signing.authority = true;
  EXPECT_THAT(verdict_of(authority), RefusedAlsoFor("dcap.tcb-info-signature"));
  Endorsements endorsements = platform.endorsements();
  endorsements.certificates.erase(endorsements.certificates.begin());
  EXPECT_THAT(verdict_of(platform, platform.quote(), endorsements),
              RefusedAlsoFor("dcap.tcb-info-signature"));
}

TEST(DcapCollateral, TcbSigningIsIssuedByTheRootItself) {
  const MintDcap platform(Kind::kTdx4);
  Endorsements endorsements = platform.endorsements();
  // By the authority of PCKs, whose key is Intel's too.
  endorsements.certificates[0] = testing::mint(platform.signing, mint_dcap_keys().signing,
                                               &platform.platform_ca, mint_dcap_keys().platform_ca);
  endorsements.certificates.push_back(platform.platform_ca_der());
  EXPECT_THAT(verdict_of(platform, platform.quote(), endorsements),
              RefusedAlsoFor("dcap.tcb-info-signature"));
}

TEST(DcapCollateral, ASelfMadeSignerIsNotBelieved) {
  const MintDcap platform(Kind::kTdx4);
  Endorsements endorsements = platform.endorsements();
  endorsements.certificates[0] =
      testing::mint(platform.signing, mint_dcap_keys().signing, nullptr, mint_dcap_keys().signing);
  EXPECT_THAT(verdict_of(platform, platform.quote(), endorsements), Refused("chain.root"));
}

// Whoever has no platform could otherwise have each document checked against each of his signers.
TEST(DcapCollateral, ASignerIsJudgedOnceHoweverMuchItSigned) {
  const MintDcap platform(Kind::kTdx4);
  Endorsements endorsements = platform.endorsements();
  endorsements.certificates = {platform.root_der()};
  for (std::uint64_t serial = 1; serial <= 8; ++serial) {
    auto signing = platform.signing;
    signing.serial = serial;
    endorsements.certificates.push_back(
        testing::mint(signing, mint_dcap_keys().signing, nullptr, mint_dcap_keys().signing));
  }
  endorsements.tcb_infos.resize(50, endorsements.tcb_infos[0]);
  ChainCache cache;
  EXPECT_THAT(verdict_of(platform, platform.quote(), endorsements, 0, kDcapNow, &cache),
              RefusedAlsoFor("chain.root"));
  EXPECT_LE(cache.counts().misses, 8U + 8U + 1U);  // of TCB infos, of identities, of the PCK
}

TEST(DcapCollateral, OfTwoOfOneEvaluationTheLaterCounts) {
  const MintDcap platform(Kind::kTdx4);
  Endorsements endorsements = platform.endorsements();
  std::string later = edited(platform.tcb_info, "2025-06-01T00:00:00Z", "2025-06-02T00:00:00Z");
  const auto status = later.find("UpToDate");
  ASSERT_NE(status, std::string::npos);
  for (auto at = status; at != std::string::npos; at = later.find("UpToDate", at)) {
    later.replace(at, 8, "OutOfDate");
  }
  const ByteVector earlier = endorsements.tcb_infos[0];
  const ByteVector newer = MintDcap::sign_document("tcbInfo", later);
  for (const auto& order : {std::vector{earlier, newer}, std::vector{newer, earlier}}) {
    endorsements.tcb_infos = order;
    EXPECT_EQ(text_of(verdict_of(platform, platform.quote(), endorsements), "tcb_status"),
              "OutOfDate");
  }
}

TEST(DcapCollateral, TcbInfoHas16ComponentsOfEachKind) {
  for (const char* kind : {"sgxtcbcomponents", "tdxtcbcomponents"}) {
    for (const bool fewer : {true, false}) {
      MintDcap platform(Kind::kTdx4);
      const std::string key = std::string("\"") + kind + "\":[";
      std::string text = platform.tcb_info;
      const std::size_t at = text.find(key) + key.size();
      if (fewer) {
        text.erase(at, text.find(',', at) + 1 - at);
      } else {
        text.insert(at, "{\"svn\":0},");
      }
      platform.tcb_info = text;
      EXPECT_THAT(verdict_of(platform), RefusedAlsoFor("dcap.tcb-info-malformed")) << kind << fewer;
    }
  }
}

TEST(DcapCollateral, OtherVersionsOfDocumentsAreRefused) {
  MintDcap info(Kind::kTdx4);
  info.tcb_info = edited(info.tcb_info, "\"version\":3", "\"version\":2");
  EXPECT_THAT(verdict_of(info), RefusedAlsoFor("dcap.tcb-info-malformed"));
  MintDcap identity(Kind::kTdx4);
  identity.identity = edited(identity.identity, "\"version\":2", "\"version\":3");
  EXPECT_THAT(verdict_of(identity), RefusedAlsoFor("dcap.qe-identity-malformed"));
  MintDcap type(Kind::kTdx4);
  type.tcb_info = edited(type.tcb_info, "\"tcbType\":0", "\"tcbType\":1");
  EXPECT_THAT(verdict_of(type), RefusedAlsoFor("dcap.tcb-info-malformed"));
}

TEST(DcapCollateral, ALevelThatDemandsSomethingUnknownIsRefused) {
  MintDcap platform(Kind::kSgx3);
  platform.tcb_info = edited(platform.tcb_info, "\"pcesvn\":13", "\"pcesvn\":13,\"newsvn\":1");
  EXPECT_THAT(verdict_of(platform), RefusedAlsoFor("dcap.tcb-info-malformed"));
  MintDcap elsewhere(Kind::kSgx3);
  elsewhere.tcb_info =
      edited(elsewhere.tcb_info, "\"pceId\"", "\"comment\":{\"a\":[1,2]},\"pceId\"");
  EXPECT_THAT(verdict_of(elsewhere), Accepted());
}

TEST(DcapCollateral, CertificatesThatCannotBeReadAreNamedWhereTheyMayBeMissed) {
  const MintDcap platform(Kind::kTdx4);
  Endorsements endorsements = platform.endorsements();
  endorsements.certificates.push_back({1, 2, 3});
  EXPECT_THAT(verdict_of(platform, platform.quote(), endorsements), Accepted());
  endorsements.certificates.erase(endorsements.certificates.begin());
  EXPECT_THAT(verdict_of(platform, platform.quote(), endorsements),
              RefusedAlsoFor("dcap.endorsement-certificate"));
}

TEST(DcapCollateral, MoreDocumentsThanAreReadAreRefused) {
  const MintDcap platform(Kind::kTdx4);
  Endorsements endorsements = platform.endorsements();
  endorsements.tcb_infos.resize(513, {'{', '}'});
  EXPECT_THAT(verdict_of(platform, platform.quote(), endorsements),
              RefusedAlsoFor("dcap.tcb-info-malformed"));
}

}  // namespace
}  // namespace sealpack::attest::dcap
