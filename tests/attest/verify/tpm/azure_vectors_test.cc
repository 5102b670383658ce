// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "attest/files/azure_import.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/x509/certificate.h"
#include "tests/attest/verify/tpm/minted_tpm.h"
#include "tests/attest/verify/verdict_matchers.h"
#include "tests/testing/result_matchers.h"

// Evidence of real confidential VMs of Azure, with the verdicts of the folder they come from.
namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::Fails;
using testing::item;
using testing::Refused;
using testing::RefusedAlsoFor;

constexpr const char* kSnp = "az-snp-vtpm/evidence-v0.json";
constexpr const char* kTdx = "az-tdx-vtpm/evidence-v0.json";
constexpr std::uint64_t kNow = 1750000000;  // June 2025: within all certificates
const ByteVector kNonce = to_vector(as_bytes("challenge"));

class RealAzureSnp : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto json = testing::load_vector(kSnp);
    const auto chain = testing::load_vector("snp/milan_ask_ark_asvk.pem");
    if (!json || !chain) GTEST_SKIP() << "no published vector " << kSnp;
    auto imported = parse_trustee_azure(*json);
    ASSERT_TRUE(imported.ok()) << imported.error().message();
    evidence = *std::move(imported);
    const auto certificates = x509::Certificate::parse_pem(*chain);
    ASSERT_TRUE(certificates.ok());
    for (const auto& one : *certificates) {
      endorsements.certificates.push_back(to_vector(one.der()));
    }
  }
  Verdict verify() const {
    return attest::verify({evidence, endorsements, vendor_roots(), kNow, kNonce});
  }

  Evidence evidence;
  Endorsements endorsements;
};

TEST_F(RealAzureSnp, IsProven) {
  const Verdict verdict = verify();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(as_text(verdict.claims->find("product")->value), "Milan");
  EXPECT_EQ(verdict.claims->find("hcl_secure_boot")->value, ByteVector{1});
  EXPECT_EQ(to_hex(verdict.claims->find("pcr_selection")->value), "ffffff");
  EXPECT_EQ(to_hex(verdict.claims->find("pcr0")->value),
            "e15c44796beabf46abcec7c57e590942041e47497e4ec27571c8b7664f48dced");
  EXPECT_EQ(verdict.claims->report_data, kNonce);
}

TEST_F(RealAzureSnp, IsRefusedForAnotherNonce) {
  EXPECT_THAT(attest::verify(
                  {evidence, endorsements, vendor_roots(), kNow, to_vector(as_bytes("challeng"))}),
              Refused("tpm.report-data"));
}

TEST_F(RealAzureSnp, IsRefusedOutsideTheValidityOfItsChain) {
  EXPECT_FALSE(
      attest::verify({evidence, endorsements, vendor_roots(), 2600000000, kNonce}).accepted());
}

TEST_F(RealAzureSnp, IsRefusedAfterAFlipOfAnyByteThatIsSignedOrMeasured) {
  const Evidence genuine = evidence;
  for (std::size_t i = 0; i < genuine.items.size(); ++i) {
    const bool is_report = genuine.items[i].kind == "hcl-report";
    const bool is_table = genuine.items[i].kind == "certificates";
    for (std::size_t at = 0; at < genuine.items[i].bytes.size(); at += 5) {
      // Neither the head of the HCL report is signed nor the table that its certificate lies in.
      if (is_report && at >= 8 && at < 32) continue;
      if (is_table && at < 48) continue;
      evidence = genuine;
      evidence.items[i].bytes[at] ^= 0x20U;
      EXPECT_FALSE(verify().accepted()) << genuine.items[i].kind << " byte " << at;
    }
  }
}

class RealAzureTdx : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto json = testing::load_vector(kTdx);
    if (!json) GTEST_SKIP() << "no published vector " << kTdx;
    auto imported = parse_trustee_azure(*json);
    ASSERT_TRUE(imported.ok()) << imported.error().message();
    evidence = *std::move(imported);
  }
  std::vector<std::string> codes() const {
    std::vector<std::string> out;
    const Verdict verdict =
        attest::verify({evidence, Endorsements(), vendor_roots(), kNow, kNonce});
    EXPECT_FALSE(verdict.accepted());
    for (const Reason& reason : verdict.reasons) out.push_back(reason.code);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  Evidence evidence;
};

// Its collateral of 2023 is not among the samples; everything that needs none must hold.
TEST_F(RealAzureTdx, LacksNothingButIntelsCollateral) {
  EXPECT_EQ(codes(),
            (std::vector<std::string>{"chain.revocation-unknown", "dcap.qe-identity-missing",
                                      "dcap.tcb-info-missing"}));
}

TEST_F(RealAzureTdx, IsRefusedForAnotherQuoteOfTheTpm) {
  item(evidence, "tpm-quote")[60] ^= 1U;
  const auto found = codes();
  EXPECT_NE(std::find(found.begin(), found.end(), "tpm.signature"), found.end());
}

TEST_F(RealAzureTdx, IsRefusedForOtherVariableData) {
  // "tpm-persisted":false
  ByteVector& report = item(evidence, "hcl-report");
  const std::string_view wanted = "\"tpm-persisted\":false";
  const auto at = std::search(report.begin(), report.end(), wanted.begin(), wanted.end());
  ASSERT_NE(at, report.end());
  const std::string_view other = "\"tpm-persisted\":true ";
  std::copy(other.begin(), other.end(), at);
  const auto found = codes();
  EXPECT_NE(std::find(found.begin(), found.end(), "azure.binding"), found.end());
}

TEST(AzureImports, RefuseWhatIsNotThatEvidence) {
  for (const char* json :
       {"{}", "[]", R"({"version":3})", R"({"quote":{},"report":[],"vcek":""})",
        R"({"tpm_quote":{"message":"","signature":"","pcrs":[]},"hcl_report":"","td_quote":""})",
        R"({"report":[256],"vcek":"","quote":{"message":[],"signature":[],"pcrs":[]}})",
        R"({"report":[],"report":[]})", R"({"surprise":1})"}) {
    const auto result = parse_trustee_azure(as_bytes(json));
    EXPECT_FALSE(result.ok()) << json;
  }
}

}  // namespace
}  // namespace sealpack::attest
