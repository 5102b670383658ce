// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "attest/verify/verify.h"
#include "keymgmt/x509/certificate.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::attest {
namespace {

using ::testing::Contains;
using ::testing::Not;
using x509::Certificate;

// Certificates in a file of PEM blocks, among other text perhaps (a JSON string has \n for lines).
std::vector<Certificate> certificates_in(const std::filesystem::path& path) {
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
  std::string text = testing::content_of(path);
  for (std::size_t at = text.find("\\n"); at != std::string::npos; at = text.find("\\n", at)) {
    text.replace(at, 2, "\n");
  }
  std::vector<Certificate> found;
  for (std::size_t at = text.find("-----BEGIN"); at != std::string::npos;
       at = text.find("-----BEGIN", at + 1)) {
    const std::size_t end = text.find(kEnd, at) + kEnd.size();
    const auto parsed = Certificate::parse_pem(as_bytes(text.substr(at, end - at)));
    if (parsed.ok()) found.push_back(parsed->front());
  }
  return found;
}

class VendorRoots : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no samples at " << folder;
  }
  // The key of the one certificate of that name in a file; they must be one key.
  Digest key_of(const std::string& file, const std::string& name) {
    Digest found;
    for (const Certificate& certificate : certificates_in(folder / file)) {
      if (certificate.subject_common_name() != name) continue;
      EXPECT_TRUE(found == Digest{} || found == certificate.key_digest());
      found = certificate.key_digest();
    }
    EXPECT_NE(found, Digest{}) << file << " has no certificate of " << name;
    return found;
  }
  std::filesystem::path folder = std::filesystem::path(SEALPACK_VECTORS) / "attest";
  Roots roots = vendor_roots();
};

TEST_F(VendorRoots, AreTheKeysOfAmd) {
  EXPECT_EQ(roots.amd, (std::vector{key_of("snp/milan_ask_ark_asvk.pem", "ARK-Milan"),
                                    key_of("snp/genoa_ask_ark_asvk.pem", "ARK-Genoa"),
                                    key_of("snp/turin_ask_ark_asvk.pem", "ARK-Turin")}));
  EXPECT_EQ(roots.amd[0], key_of("snp/ms-milan_ark.pem", "ARK-Milan"));
  EXPECT_EQ(roots.amd[1], key_of("snp/ms-genoa_ark.pem", "ARK-Genoa"));
}

TEST_F(VendorRoots, AreTheKeyOfIntel) {
  EXPECT_EQ(roots.intel,
            std::vector{key_of("tdx/phala-tdx_quote_collateral.json", "Intel SGX Root CA")});
}

TEST_F(VendorRoots, AreTheKeyOfNitro) {
  EXPECT_EQ(roots.nitro,
            std::vector{key_of("nitro/AWS_NitroEnclaves_Root-G1.pem", "aws.nitro-enclaves")});
}

TEST_F(VendorRoots, AreTheKeyOfNvidia) {
  EXPECT_EQ(roots.nvidia, std::vector{key_of("nvidia/nvtrust-verifier_device_root.pem",
                                             "NVIDIA Device Identity CA")});
}

// Of "NVIDIA CoRIM signing Root CA", as NVIDIA's verifier (nv-local-gpu-verifier 2.7.3) brings it.
TEST(VendorRootsOfManifests, AreTheKeyOfNvidia) {
  ASSERT_EQ(vendor_roots().nvidia_rim.size(), 1U);
  EXPECT_EQ(to_hex(vendor_roots().nvidia_rim[0].bytes).substr(0, 16), "dec1dc316477aa85");
}

TEST(VendorRootsElsewhere, AreNone) {
  const Roots roots = vendor_roots();
  EXPECT_TRUE(roots.tpm.empty());
  EXPECT_TRUE(roots.psa.empty());
  EXPECT_TRUE(roots.cca.empty());
  EXPECT_TRUE(roots.tpm_attestation_keys.empty());
  EXPECT_TRUE(roots.simulated.empty());
}

}  // namespace
}  // namespace sealpack::attest
