// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/attest/verify/dcap/mint_dcap.h"
#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/tpm/hcl_lab.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::HclLab;
using testing::item;
using testing::MintDcap;
using testing::MintedTpm;
using testing::MintKeyType;
using testing::Refused;
using testing::RefusedAlsoFor;
using testing::replace_once;
using testing::SnpLab;

const ByteVector kNonce = {1, 2, 3, 4};

ByteVector claim(const Verdict& verdict, std::string_view name) {
  const Claim* found = verdict.claims ? verdict.claims->find(name) : nullptr;
  return found == nullptr ? to_vector(as_bytes("(no claim)")) : found->value;
}
ByteVector text_of(std::string_view text) {
  return to_vector(as_bytes(text));
}

class AzureSnp : public ::testing::Test {
 protected:
  static constexpr std::size_t kVmplAt = 0x30;
  static constexpr std::size_t kReportDataAt = 0x50;

  Evidence evidence() {
    snp.set_bytes(kReportDataAt, binding ? *binding : lab.binding());
    return lab.evidence("azure-sev-snp", snp.signed_report());
  }
  Verdict verify(const Evidence& one) {
    Endorsements endorsements;
    endorsements.certificates = {snp.ark_der(), snp.authority_der(), snp.leaf_der()};
    return attest::verify({one, endorsements, snp.roots, SnpLab::kNow, kNonce});
  }
  Verdict run() { return verify(evidence()); }

  SnpLab snp{"Milan"};
  HclLab lab{2};
  std::optional<ByteVector> binding;
};

TEST_F(AzureSnp, ProvesProcessorFirmwareAndPcrs) {
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->tee, "azure-sev-snp");
  EXPECT_EQ(verdict.claims->report_data, kNonce);
  EXPECT_EQ(claim(verdict, "product"), text_of("Milan"));
  EXPECT_EQ(claim(verdict, "pcr0"), lab.values[0].digest);
  EXPECT_EQ(claim(verdict, "secure_boot"), ByteVector{1});
  EXPECT_EQ(claim(verdict, "hcl_console_enabled"), ByteVector{1});
  EXPECT_EQ(claim(verdict, "hcl_secure_boot"), ByteVector{1});
  EXPECT_EQ(claim(verdict, "hcl_tpm_enabled"), ByteVector{1});
  EXPECT_EQ(claim(verdict, "hcl_tpm_persisted"), ByteVector{0});
  EXPECT_EQ(claim(verdict, "hcl_user_data"), ByteVector(64, 0xaa));
  EXPECT_EQ(claim(verdict, "hcl_root_cert_thumbprint"), text_of("6nZZ"));
  EXPECT_EQ(claim(verdict, "hcl_vm_unique_id"), text_of("26F8BC30-774E-4290-8E7A-535F3B672AEE"));
  EXPECT_TRUE(std::is_sorted(verdict.claims->claims.begin(), verdict.claims->claims.end()));
}

TEST_F(AzureSnp, IsReadInEveryVersionOfTheReport) {
  for (const std::uint32_t version : {1U, 2U}) {
    for (const std::uint32_t data_version : {1U, 2U, 3U}) {
      lab.version = version;
      lab.data_version = data_version;
      EXPECT_THAT(run(), Accepted()) << version << " " << data_version;
    }
  }
  lab.version = 3;
  EXPECT_THAT(run(), Refused("azure.report"));
  lab.version = 2;
  lab.data_version = 4;
  EXPECT_THAT(run(), Refused("azure.report"));
}

TEST_F(AzureSnp, IsRefusedForOtherVariableData) {
  binding = lab.binding();
  replace_once(lab.json, "\"secure-boot\":true", "\"secure-boot\":null");
  EXPECT_THAT(run(), Refused("azure.var-data"));
  replace_once(lab.json, "\"secure-boot\":null", "\"secure-boot\":false");
  EXPECT_THAT(run(), Refused("azure.binding"));
}

TEST_F(AzureSnp, IsRefusedWhenTheRestOfTheReportDataIsNotZero) {
  binding = lab.binding();
  binding->back() = 1;
  EXPECT_THAT(run(), Refused("azure.binding"));
}

TEST_F(AzureSnp, IsRefusedForAnotherHash) {
  for (const std::uint32_t type : {0U, 2U, 3U, 4U}) {
    lab.hash_type = type;
    EXPECT_THAT(run(), Refused("azure.hash-type")) << type;
  }
}

TEST_F(AzureSnp, IsRefusedForAnotherTypeOfReport) {
  for (const std::uint32_t type : {0U, 1U, 3U, 4U}) {
    lab.report_type = type;
    EXPECT_THAT(run(), Refused("azure.report-type")) << type;
  }
}

TEST_F(AzureSnp, IsRefusedWhenSizesContradictEachOther) {
  lab.data_size = static_cast<std::uint32_t>(lab.json.size());
  EXPECT_THAT(run(), Refused("azure.report"));
  lab.data_size = 0xffffffff;
  EXPECT_THAT(run(), Refused("azure.report"));
}

TEST_F(AzureSnp, IsRefusedWithBytesBehindTheVariableData) {
  lab.behind.back() = 1;
  EXPECT_THAT(run(), Refused("azure.report"));
}

TEST_F(AzureSnp, IsRefusedWhenTheGuestAskedForTheReportItself) {
  snp.set_u32(kVmplAt, 2);
  EXPECT_THAT(run(), Refused("azure.vmpl"));
}

TEST_F(AzureSnp, IsRefusedWithTwoKeysOfTheSameName) {
  const MintedTpm other(MintKeyType::kRsa2048);
  const std::string key = R"({"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":")" +
                          testing::base64url(other.key().modulus()) + "\"},";
  lab.json.insert(lab.json.find("{\"kid\""), key);
  EXPECT_THAT(run(), Refused("azure.var-data"));
}

TEST_F(AzureSnp, IsRefusedWithoutTheKeyOrWithAnotherUse) {
  const std::string good = lab.json;
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"HCLAkPub", "HCLAkPuc"},
           {"\"key_ops\":[\"sign\"]", "\"key_ops\":[\"verify\"]"},
           {"\"key_ops\":[\"sign\"]", "\"key_ops\":[\"sign\",\"sign\"]"},
           {"\"key_ops\":[\"sign\"]", "\"key_ops\":[\"sign\",\"encrypt\"]"},
           {"\"key_ops\":[\"sign\"],", ""},
           {"\"kty\":\"RSA\"", "\"kty\":\"EC\""},
           {"\"e\":\"AQAB\"", "\"e\":\"\""},
           {"\"e\":\"AQAB\"", "\"e\":\"AQABAQAB\""},
           {"\"e\":\"AQAB\"", "\"e\":\"AQAB=\""},
           {"\"e\":\"AQAB\"", "\"e\":\"AQAB\",\"e\":\"AQAB\""},
           {"\"keys\":", "\"clefs\":"},
       }) {
    lab.json = good;
    replace_once(lab.json, from, to);
    EXPECT_THAT(run(), Refused("azure.var-data")) << from << " to " << to;
  }
}

TEST_F(AzureSnp, IsAcceptedFromFirmwareThatCallsItsKeyOneThatEncrypts) {
  replace_once(lab.json, "\"key_ops\":[\"sign\"]", "\"key_ops\":[\"encrypt\"]");
  EXPECT_THAT(run(), Accepted());
}

TEST_F(AzureSnp, IsRefusedForVariableDataThatAreNotWhatTheySeem) {
  const std::string good = lab.json;
  const std::string short_data = std::string(126, 'A');
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"secure-boot\":true", "\"secure-boot\":true,\"secure-boot\":false"},
           {"\"secure-boot\":true", "\"secure-boot\":\"true\""},
           {"\"console-enabled\":true", "\"console-enabled\":1"},
           {"\"vm-configuration\":", "\"vm-configuration\":{},\"vm-configuration\":"},
           {"\"vm-configuration\":", "\"vm-setup\":"},
           {"\"keys\":", "\"keys\":[],\"keys\":"},
           {std::string(128, 'A'), short_data},
           {std::string(128, 'A'), short_data + "A"},
           {std::string(128, 'A'), short_data + "Ag"},
           {"\"vm-configuration\":", "\"future\":{\"a\":1,\"a\":2},\"vm-configuration\":"},
           {"{\"keys\"", "[{\"keys\""},
           {"\"26F8", "26F8"},
       }) {
    lab.json = good;
    replace_once(lab.json, from, to);
    EXPECT_THAT(run(), Refused("azure.var-data")) << from << " to " << to;
  }
  lab.json = good + "}";
  EXPECT_THAT(run(), Refused("azure.var-data"));
  lab.json = good;
  replace_once(lab.json, "\"vm-configuration\":{",
               "\"later\":[1],\"vm-configuration\":{\"new\":{},");
  EXPECT_THAT(run(), Accepted());
}

TEST_F(AzureSnp, IsRefusedWhenAnotherKeySignedTheQuote) {
  Evidence one = evidence();
  const MintedTpm other(MintKeyType::kRsa2048);
  item(one, "tpm-signature") = other.sign(item(one, "tpm-quote"));
  EXPECT_THAT(verify(one), Refused("tpm.signature"));
}

TEST_F(AzureSnp, BindsExactlyWhatWasAskedForByTheQuote) {
  for (const ByteVector& other : {ByteVector{1, 2, 3}, ByteVector{1, 2, 3, 4, 0}, ByteVector{}}) {
    lab.fields.extra_data = other;
    EXPECT_THAT(run(), Refused("tpm.report-data"));
  }
}

TEST_F(AzureSnp, IsRefusedForValuesThatTheQuoteDoesNotCover) {
  // A list of 24 values whose places are taken for their numbers, with a quote of PCR 23.
  lab.fields.selections = {{tpm::kAlgSha256, {0, 0, 0x80}}};
  lab.values = {{crypto::HashAlgorithm::kSha256, 0, ByteVector(32, 0x11)}};
  lab.fields.pcr_digest = crypto::hash(crypto::HashAlgorithm::kSha256, joined_digests(lab.values));
  EXPECT_THAT(run(), RefusedAlsoFor("tpm.pcr-selection"));
}

TEST_F(AzureSnp, IsRefusedWithAReportThatIsNotOfAProcessor) {
  Evidence one = evidence();
  item(one, "hcl-report")[32 + 0x2A0] ^= 1U;
  EXPECT_THAT(verify(one), Refused("snp.signature"));
  snp.roots.amd.clear();
  EXPECT_FALSE(run().accepted());
}

TEST_F(AzureSnp, NeedsAllItsItemsAndNoOthers) {
  for (const char* kind : {"hcl-report", "tpm-quote", "tpm-signature", "tpm-pcrs"}) {
    Evidence one = evidence();
    std::erase_if(one.items, [&](const EvidenceItem& part) { return part.kind == kind; });
    EXPECT_THAT(verify(one), Refused("evidence.item-missing")) << kind;
  }
  Evidence one = evidence();
  one.items.insert(one.items.begin(), {"report", {1}});
  EXPECT_THAT(verify(one), Refused("evidence.item-unknown"));
}

TEST_F(AzureSnp, MayComeWithoutALog) {
  Evidence one = evidence();
  std::erase_if(one.items, [](const EvidenceItem& part) { return part.kind == "event-log"; });
  const Verdict verdict = verify(one);
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(claim(verdict, "event_log"), text_of("none"));
}

TEST_F(AzureSnp, IsRefusedWhenItsLogLeadsElsewhere) {
  testing::MintedLog other;
  other.boot(false);
  Evidence one = evidence();
  item(one, "event-log") = other.bytes();
  EXPECT_THAT(verify(one), Refused("eventlog.pcr"));
}

// A flip at a byte that nothing signs or measures: of the HCL report the head, which is not
// believed, and of the log its descriptions.
TEST_F(AzureSnp, IsRefusedAfterAFlipOfAnyByteThatCounts) {
  constexpr std::size_t kUnsignedHead = 20;
  const Evidence genuine = evidence();
  const Verdict proven = verify(genuine);
  for (std::size_t i = 0; i < genuine.items.size(); ++i) {
    const bool is_report = genuine.items[i].kind == "hcl-report";
    const bool is_log = genuine.items[i].kind == "event-log";
    for (std::size_t at = 0; at < genuine.items[i].bytes.size(); at += is_report ? 11 : 5) {
      Evidence one = genuine;
      one.items[i].bytes[at] ^= 0x04U;
      const Verdict verdict = verify(one);
      if (!verdict.accepted()) continue;
      EXPECT_TRUE(is_log || (is_report && at >= 8 && at < 12 + kUnsignedHead))
          << genuine.items[i].kind << " byte " << at;
      for (const Claim& one_claim : verdict.claims->claims) {
        const auto& all = proven.claims->claims;
        EXPECT_NE(std::find(all.begin(), all.end(), one_claim), all.end()) << one_claim.name;
      }
    }
  }
}

class AzureTdx : public ::testing::Test {
 protected:
  static constexpr std::size_t kReportDataOfTd = 520;      // in the body of a TD 1.0 quote
  static constexpr std::size_t kReportDataOfReport = 128;  // in a TDREPORT

  ByteVector td_report() const {
    ByteVector out(1184);
    const ByteVector data = report_binding.value_or(lab.binding());
    std::copy(data.begin(), data.end(), out.begin() + kReportDataOfReport);
    out.back() = padding;
    return out;
  }
  Evidence evidence() {
    const ByteVector data = quote_binding.value_or(lab.binding());
    std::copy(data.begin(), data.end(), dcap.body.begin() + kReportDataOfTd);
    Evidence out = lab.evidence("azure-tdx", td_report());
    out.items.insert(out.items.begin(), {"quote", dcap.quote()});
    return out;
  }
  Verdict verify(const Evidence& one) {
    const Endorsements endorsements = dcap.endorsements();
    const Roots roots = dcap.roots();
    return attest::verify({one, endorsements, roots, testing::kDcapNow, kNonce});
  }
  Verdict run() { return verify(evidence()); }

  MintDcap dcap{MintDcap::Kind::kTdx4};
  HclLab lab{4};
  std::optional<ByteVector> report_binding;
  std::optional<ByteVector> quote_binding;
  std::uint8_t padding = 0;
};

TEST_F(AzureTdx, ProvesProcessorFirmwareAndPcrs) {
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->tee, "azure-tdx");
  EXPECT_EQ(verdict.claims->report_data, kNonce);
  EXPECT_EQ(claim(verdict, "tcb_status"), text_of("UpToDate"));
  EXPECT_EQ(claim(verdict, "pcr7"), lab.values[2].digest);
  EXPECT_EQ(claim(verdict, "hcl_secure_boot"), ByteVector{1});
}

TEST_F(AzureTdx, IsRefusedWhenQuoteAndReportAreBoundToOtherData) {
  quote_binding = ByteVector(64, 1);
  EXPECT_THAT(run(), Refused("azure.td-report"));
  report_binding = quote_binding;
  EXPECT_THAT(run(), Refused("azure.binding"));
  quote_binding.reset();
  EXPECT_THAT(run(), RefusedAlsoFor("azure.binding"));
  EXPECT_THAT(run(), RefusedAlsoFor("azure.td-report"));
  report_binding.reset();
  padding = 1;
  EXPECT_THAT(run(), Refused("azure.td-report"));
}

TEST_F(AzureTdx, IsRefusedWithAnSnpReport) {
  lab.report_type = 2;
  EXPECT_THAT(run(), Refused("azure.report-type"));
}

TEST_F(AzureTdx, IsRefusedWithoutAQuoteAndWithAForgedOne) {
  Evidence without = evidence();
  without.items.erase(without.items.begin());
  EXPECT_THAT(verify(without), Refused("evidence.item-missing"));
  Evidence forged = evidence();
  forged.items[0].bytes[200] ^= 1U;
  EXPECT_FALSE(verify(forged).accepted());
}

TEST_F(AzureTdx, BindsExactlyWhatWasAskedForByTheQuote) {
  lab.fields.extra_data = {1, 2, 3, 4, 0};
  EXPECT_THAT(run(), Refused("tpm.report-data"));
}

}  // namespace
}  // namespace sealpack::attest
