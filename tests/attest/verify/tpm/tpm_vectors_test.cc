// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "attest/files/tpm_import.h"
#include "attest/verify/tpm/event_claims.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/attest/verify/tpm/minted_tpm.h"
#include "tests/attest/verify/verdict_matchers.h"

// Quotes and logs of real machines, with the verdicts of the folder they come from.
namespace sealpack::attest {
namespace {

using crypto::HashAlgorithm;
using testing::Accepted;
using testing::HasReason;
using testing::item;
using testing::Refused;
using testing::RefusedAlsoFor;

constexpr const char* kGce = "tpm/gotpm-gce-cos-85-nonce9009.pb";
constexpr const char* kTrustee = "tpm/trustee-tpm_evidence.json";
constexpr std::uint64_t kNow = 1700000000;

Digest key_of(const Evidence& evidence) {
  const ByteVector& ak = *evidence.find("ak-public");
  if (ak[0] == 0x30) return crypto::sha256(ak);
  return crypto::sha256(parse_tpm_public(ak).value().key.spki());
}

class GceQuote : public ::testing::Test {
 protected:
  void load() {
    const auto bytes = testing::load_vector(kGce);
    if (!bytes) GTEST_SKIP() << "no published vector " << kGce;
    auto attestation = parse_go_tpm_attestation(*bytes);
    ASSERT_TRUE(attestation.ok()) << attestation.error().message();
    evidence = attestation->evidence;
    certificates = attestation->certificates;
    roots.tpm_attestation_keys = {key_of(evidence)};
    ready = true;
  }
  Verdict verify() const {
    return attest::verify({evidence, endorsements, roots, kNow, ByteVector{0x90, 0x09}});
  }

  bool ready = false;
  Evidence evidence;
  std::vector<ByteVector> certificates;
  Endorsements endorsements;
  Roots roots;
};

TEST_F(GceQuote, IsProvenOnceItsKeyIsEnrolled) {
  load();
  if (!ready) return;
  const Verdict verdict = verify();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(to_hex(verdict.claims->find("pcr0")->value),
            "0f35c214608d93c7a6e68ae7359b4a8be5a0e99eea9107ece427c4dea4e439cf");
  EXPECT_EQ(to_hex(verdict.claims->find("pcr_selection")->value), "ffffff");
  EXPECT_EQ(verdict.claims->find("secure_boot")->value, ByteVector{1});
  EXPECT_EQ(as_text(verdict.claims->find("event_log")->value), "replayed");
  // shim's successor and the kernel, of all that PCR 4 has.
  const auto count = std::count_if(verdict.claims->claims.begin(), verdict.claims->claims.end(),
                                   [](const Claim& claim) { return claim.name == "pcr4_event"; });
  EXPECT_GE(count, 2);
}

TEST_F(GceQuote, IsRefusedWhileNobodyVouchesForItsKey) {
  load();
  if (!ready) return;
  roots.tpm_attestation_keys.clear();
  EXPECT_THAT(verify(), Refused("tpm.ak-untrusted"));
}

TEST_F(GceQuote, HasAKeyWhoseCertificateLacksItsIssuer) {
  load();
  if (!ready) return;
  roots.tpm_attestation_keys.clear();
  ASSERT_EQ(certificates.size(), 1U);
  endorsements.certificates = certificates;
  const Verdict verdict = verify();
  EXPECT_THAT(verdict, RefusedAlsoFor("tpm.ak-untrusted"));
  EXPECT_THAT(verdict.reasons, HasReason("chain.issuer"));
}

TEST_F(GceQuote, IsBoundToItsNonceAlone) {
  load();
  if (!ready) return;
  for (const ByteVector& other : {ByteVector{0x90}, ByteVector{0x90, 0x09, 0x00}}) {
    EXPECT_THAT(attest::verify({evidence, endorsements, roots, kNow, other}),
                Refused("tpm.report-data"));
  }
}

TEST_F(GceQuote, IsRefusedAfterAFlipOfAnyByteThatIsMeasuredOrSigned) {
  load();
  if (!ready) return;
  const Evidence genuine = evidence;
  const Verdict proven = verify();
  for (std::size_t i = 0; i < genuine.items.size(); ++i) {
    const bool is_log = genuine.items[i].kind == "event-log";
    // The log is long: a sample of its bytes, with a step that meets every field.
    for (std::size_t at = 0; at < genuine.items[i].bytes.size(); at += is_log ? 23 : 1) {
      evidence = genuine;
      evidence.items[i].bytes[at] ^= 0x10U;
      const Verdict verdict = verify();
      if (!verdict.accepted()) continue;
      EXPECT_TRUE(is_log) << genuine.items[i].kind << " byte " << at;
      for (const Claim& claim : verdict.claims->claims) {
        const auto& all = proven.claims->claims;
        EXPECT_NE(std::find(all.begin(), all.end(), claim), all.end()) << claim.name;
      }
    }
  }
}

TEST(GceQuotes, OfTheOtherBanksAreGenuineToo) {
  LOAD_OR_SKIP(bytes, kGce);
  for (const auto bank : {HashAlgorithm::kSha1, HashAlgorithm::kSha384}) {
    const auto attestation = parse_go_tpm_attestation(*bytes, bank);
    ASSERT_TRUE(attestation.ok()) << attestation.error().message();
    Roots roots;
    roots.tpm_attestation_keys = {key_of(attestation->evidence)};
    // Signature, selection, digest and replay hold; policies know the SHA-256 bank.
    EXPECT_THAT(verify({attestation->evidence, {}, roots, kNow, ByteVector{0x90, 0x09}}),
                Refused("tpm.pcr-bank"));
  }
}

TEST(GceQuotes, AreOfNoUseWithTheValuesOfAnotherBank) {
  LOAD_OR_SKIP(bytes, kGce);
  auto one = parse_go_tpm_attestation(*bytes).value().evidence;
  auto other = parse_go_tpm_attestation(*bytes, HashAlgorithm::kSha384).value().evidence;
  item(one, "tpm-pcrs") = item(other, "tpm-pcrs");
  Roots roots;
  roots.tpm_attestation_keys = {key_of(one)};
  EXPECT_THAT(verify({one, {}, roots, kNow, {}}), RefusedAlsoFor("tpm.pcr-selection"));
}

TEST(TrusteeTpm, AssertsItsOwnKeyAndAMachineThatMeasuredNothing) {
  LOAD_OR_SKIP(bytes, kTrustee);
  const auto evidence = parse_trustee_tpm(*bytes);
  ASSERT_TRUE(evidence.ok()) << evidence.error().message();
  const auto quote = parse_tpm_quote(*evidence->find("tpm-quote"));
  ASSERT_TRUE(quote.ok());
  EXPECT_EQ(quote->extra_data.size(), 64U);
  const auto codes = [](const Verdict& verdict) {
    std::vector<std::string> out;
    for (const Reason& reason : verdict.reasons) out.push_back(reason.code);
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  };
  // Signature, selection and digest hold: none of their reasons is there.
  Roots roots;
  EXPECT_EQ(
      codes(verify({*evidence, {}, roots, kNow, to_vector(quote->extra_data)})),
      (std::vector<std::string>{"tpm.ak-untrusted", "tpm.ak-attributes", "tpm.carte-blanche"}));
  roots.tpm_attestation_keys = {key_of(*evidence)};
  EXPECT_EQ(codes(verify({*evidence, {}, roots, kNow, to_vector(quote->extra_data)})),
            (std::vector<std::string>{"tpm.ak-attributes", "tpm.carte-blanche"}));
}

TEST(RealEventLogs, OfUbuntuOnGceAreRead) {
  LOAD_OR_SKIP(bytes, "tpm/gotpm-ubuntu-2404-amd-sevsnp.bin");
  const auto log = parse_event_log(*bytes, EventLogKind::kTpm);
  ASSERT_TRUE(log.ok()) << log.error().message();
  EXPECT_GT(log->events.size(), 100U);
  EXPECT_EQ(measured_secure_boot(*log, HashAlgorithm::kSha256, 7), false);
  for (const auto bank : {HashAlgorithm::kSha1, HashAlgorithm::kSha256, HashAlgorithm::kSha384}) {
    std::vector<Reason> reasons;
    check_events(*log, bank, reasons);
    EXPECT_THAT(reasons, ::testing::IsEmpty());
    EXPECT_TRUE(replay(*log, bank).ok());
  }
}

TEST(RealEventLogs, OfTrustDomainsAreRead) {
  struct Case {
    const char* name;
    bool secure_boot;
  };
  for (const Case& one : {Case{"eventlog/trustee-CCEL_data_grub", true},
                          Case{"eventlog/trustee-CCEL_data_ovmf", false}}) {
    LOAD_OR_SKIP(bytes, one.name);
    const auto log = parse_event_log(*bytes, EventLogKind::kCcel);
    ASSERT_TRUE(log.ok()) << log.error().message();
    EXPECT_EQ(measured_secure_boot(*log, HashAlgorithm::kSha384, 1), one.secure_boot) << one.name;
    std::vector<Reason> reasons;
    check_events(*log, HashAlgorithm::kSha384, reasons);
    EXPECT_THAT(reasons, ::testing::IsEmpty()) << one.name;
  }
}

// The RTMRs of a TD quote of version 4: at 328 of the body, which follows a header of 48 bytes.
std::array<Bytes, 4> rtmrs_of(Bytes quote) {
  std::array<Bytes, 4> out;
  for (std::size_t i = 0; i < 4; ++i) out[i] = quote.subspan(48 + 328 + 48 * i, 48);
  return out;
}

TEST(RealEventLogs, OfCosLeadToItsRtmrs) {
  LOAD_OR_SKIP(bytes, "tdx/gotdx-ccel-ccel_data.dat");
  LOAD_OR_SKIP(quote, "tdx/gotdx-ccel-cos-113-tdx-quote.dat");
  const auto log = parse_event_log(*bytes, EventLogKind::kCcel);
  ASSERT_TRUE(log.ok()) << log.error().message();
  std::vector<Reason> reasons;
  check_events(*log, HashAlgorithm::kSha384, reasons);
  check_rtmr_replay(*log, rtmrs_of(*quote), reasons);
  EXPECT_THAT(reasons, ::testing::IsEmpty());
  EXPECT_EQ(measured_secure_boot(*log, HashAlgorithm::kSha384, 1), false);

  LOAD_OR_SKIP(other, "eventlog/trustee-CCEL_data_grub");
  check_rtmr_replay(parse_event_log(*other, EventLogKind::kCcel).value(), rtmrs_of(*quote),
                    reasons);
  EXPECT_THAT(reasons, testing::HasOnlyReason("eventlog.rtmr"));
}

}  // namespace
}  // namespace sealpack::attest
