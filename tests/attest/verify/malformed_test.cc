// SPDX-License-Identifier: Apache-2.0
// What is no evidence is called malformed, whatever TEE it says it is of.
#include "attest/verify/malformed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "attest/verify/verify.h"

namespace sealpack::attest {
namespace {

struct Tee {
  const char* name;
  std::vector<std::string> items;
};

std::vector<Tee> tees() {
  const std::vector<std::string> quote = {"tpm-quote", "tpm-signature", "tpm-pcrs"};
  std::vector<std::string> tpm = quote;
  tpm.emplace_back("ak-public");
  std::vector<std::string> azure = quote;
  azure.insert(azure.begin(), "hcl-report");
  std::vector<std::string> azure_tdx = azure;
  azure_tdx.insert(azure_tdx.begin(), "quote");
  return {{"azure-sev-snp", azure},
          {"azure-tdx", azure_tdx},
          {"cca", {"token"}},
          {"nitro", {"document"}},
          {"nvidia-gpu", {"gpu-request", "gpu-report", "gpu-certificates"}},
          {"psa", {"token"}},
          {"sev-snp", {"report"}},
          {"sgx", {"quote"}},
          {"simulated", {"report"}},
          {"tdx", {"quote"}},
          {"tpm", tpm}};
}

bool is_malformed(const Evidence& evidence) {
  const Endorsements endorsements;
  const Roots roots = vendor_roots();
  const Verdict verdict = verify(
      {.evidence = evidence, .endorsements = endorsements, .roots = roots, .now = 1750000000});
  EXPECT_FALSE(verdict.accepted());
  return std::any_of(verdict.reasons.begin(), verdict.reasons.end(),
                     [](const Reason& one) { return says_malformed(one.code); });
}

TEST(MalformedEvidence, IsWhateverIsNoneOfItsTee) {
  for (const Tee& tee : tees()) {
    for (const ByteVector& garbage : {ByteVector{1}, ByteVector(1184, 0), ByteVector(200, 0xab),
                                      ByteVector(4096, 0xff), ByteVector{0x30, 0x03, 1, 1, 0xff}}) {
      Evidence evidence{tee.name, {}};
      for (const std::string& kind : tee.items) evidence.items.push_back({kind, garbage});
      EXPECT_TRUE(is_malformed(evidence)) << tee.name << ' ' << to_hex(garbage).substr(0, 16);
    }
  }
}

TEST(MalformedEvidence, IsWhatLacksItemsOrHasStrangeOnes) {
  for (const Tee& tee : tees()) {
    EXPECT_TRUE(is_malformed({tee.name, {}})) << tee.name;
    EXPECT_TRUE(is_malformed({tee.name, {{"ek-certificate", {1}}}})) << tee.name;
  }
}

TEST(MalformedCodes, AreInOrderAndDocumented) {
  const auto codes = all_malformed_codes();
  EXPECT_TRUE(std::is_sorted(codes.begin(), codes.end()));
  std::ostringstream pages;
  pages << std::ifstream(SEALPACK_DOCS "/ATTESTATION.md").rdbuf();
  for (const auto& page : std::filesystem::directory_iterator(SEALPACK_DOCS "/attestation")) {
    pages << std::ifstream(page.path()).rdbuf();
  }
  const std::string text = pages.str();
  for (const std::string_view code : codes) {
    EXPECT_NE(text.find("`" + std::string(code) + "`"), text.npos) << code;
  }
  EXPECT_FALSE(says_malformed("snp.signature"));
  // Newer hardware may say these.
  EXPECT_FALSE(says_malformed("snp.version"));
  EXPECT_FALSE(says_malformed("dcap.quote-unsupported"));
  for (const char* code : {"cose.algorithm", "nitro.algorithm", "snp.algorithm"}) {
    EXPECT_FALSE(says_malformed(code)) << code;
  }
  for (const char* code : {"snp.reserved", "sgx.reserved", "tdx.reserved"}) {
    EXPECT_FALSE(says_malformed(code)) << code;
  }
  EXPECT_FALSE(says_malformed("nvidia.unsupported"));
  EXPECT_FALSE(says_malformed("chain.expired"));
  EXPECT_FALSE(says_malformed("dcap.tcb-info-malformed"));
}

}  // namespace
}  // namespace sealpack::attest
