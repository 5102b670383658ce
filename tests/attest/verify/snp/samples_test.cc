// SPDX-License-Identifier: Apache-2.0
// Reports of real processors under AMD's keys; tests/attest/verify/snp/*_test.cc beside this one
// need no samples.
#include <gtest/gtest.h>

#include <filesystem>

#include "keymgmt/x509/certificate.h"
#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/verdict_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::certificate_table;
using testing::Refused;
using testing::RefusedAlsoFor;

constexpr std::uint64_t kNow = 1790000000;  // 2026-09-21

class SnpSamples : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no samples at " << folder;
  }
  ByteVector file(const std::string& name) const {
    return to_vector(as_bytes(testing::content_of(folder / name)));
  }
  // DER of the certificates in a file of DER or PEM.
  std::vector<ByteVector> certificates(const std::string& name) const {
    const ByteVector bytes = file(name);
    if (bytes.at(0) == 0x30) return {bytes};
    std::vector<ByteVector> ders;
    const auto parsed = x509::Certificate::parse_pem(bytes);
    for (const auto& certificate : parsed.value()) {
      ders.push_back(to_vector(certificate.der()));
    }
    return ders;
  }
  Verdict run(const ByteVector& report, const std::vector<std::string>& files,
              std::uint64_t now = kNow) {
    std::vector<ByteVector> ders;
    for (const std::string& name : files) {
      for (ByteVector& der : certificates(name)) ders.push_back(std::move(der));
    }
    return run_with(report, ders, now);
  }
  Verdict run_with(const ByteVector& report, const std::vector<ByteVector>& ders,
                   std::uint64_t now = kNow) {
    const Evidence evidence{"sev-snp", {{"report", report}}};
    Endorsements endorsements;
    endorsements.certificates = ders;
    VerifyInput input{evidence, endorsements, roots, now};
    input.cache = cache;
    return verify(input);
  }
  static std::string hex(const Verdict& verdict, std::string_view claim) {
    const Claim* found = verdict.claims ? verdict.claims->find(claim) : nullptr;
    return found == nullptr ? "none" : to_hex(found->value);
  }
  static std::string text(const Verdict& verdict, std::string_view claim) {
    const Claim* found = verdict.claims ? verdict.claims->find(claim) : nullptr;
    return found == nullptr ? "none" : std::string(as_text(found->value));
  }
  static std::uint64_t number(const Verdict& verdict, std::string_view claim) {
    const std::string found = hex(verdict, claim);
    return found == "none" ? ~0ULL : std::stoull(found, nullptr, 16);
  }

  std::filesystem::path folder = std::filesystem::path(SEALPACK_VECTORS) / "attest" / "snp";
  Roots roots = vendor_roots();
  ChainCache* cache = nullptr;
};

const std::vector<std::string> kMilan{"milan_ask_ark_asvk.pem"};

std::vector<std::string> with(std::vector<std::string> files, const std::string& leaf) {
  files.push_back(leaf);
  return files;
}

TEST_F(SnpSamples, MilanOfVersion2IsValid) {
  const Verdict verdict =
      run(file("trustee-test-report.bin"), with(kMilan, "trustee-test-vcek.der"));
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(text(verdict, "product"), "Milan");
  EXPECT_EQ(text(verdict, "signing_key"), "vcek");
  EXPECT_EQ(hex(verdict, "debug"), "00");
  EXPECT_EQ(number(verdict, "vmpl"), 0U);
  EXPECT_EQ(number(verdict, "tcb_bootloader"), 3U);
  EXPECT_EQ(number(verdict, "tcb_snp"), 8U);
  EXPECT_EQ(number(verdict, "tcb_microcode"), 0x73U);
  EXPECT_EQ(hex(verdict, "provisional"), "01");  // CURRENT_TCB is above COMMITTED_TCB
  EXPECT_EQ(hex(verdict, "revocation_unchecked"), "01");
}

TEST_F(SnpSamples, MilanOfVersion3IsValid) {
  const Verdict verdict = run(file("ms-milan_attestation_report.bin"),
                              {"ms-milan_ark.pem", "ms-milan_ask.pem", "ms-milan_vcek.pem"});
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(text(verdict, "product"), "Milan");
  EXPECT_EQ(number(verdict, "tcb_microcode"), 0xDBU);  // a DER integer of two bytes
  EXPECT_EQ(hex(verdict, "alias_check_complete"), "01");
  EXPECT_EQ(hex(verdict, "provisional"), "none");
}

TEST_F(SnpSamples, GenoaOfVersion3IsValid) {
  const Verdict verdict = run(file("ms-genoa_attestation_report.bin"),
                              {"ms-genoa_ark.pem", "ms-genoa_ask.pem", "ms-genoa_vcek.pem"});
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(text(verdict, "product"), "Genoa");
  EXPECT_EQ(number(verdict, "tcb_bootloader"), 10U);
  EXPECT_EQ(hex(verdict, "tsme_enabled"), "01");
}

TEST_F(SnpSamples, AreValidWithEveryChainAtHand) {
  const std::vector<std::string> all{
      "virtee-vcek_turin.der",  "gosev-vcek-milan.der",   "trustee-test-vcek.der",
      "ms-milan_vcek.pem",      "ms-genoa_vcek.pem",      "milan_ask_ark_asvk.pem",
      "genoa_ask_ark_asvk.pem", "turin_ask_ark_asvk.pem", "trustee-test-vcek-invalid-new.der"};
  for (const char* name : {"trustee-test-report.bin", "ms-milan_attestation_report.bin",
                           "ms-genoa_attestation_report.bin", "gosev-attestation-milan-v2.bin"}) {
    EXPECT_THAT(run(file(name), all), Accepted()) << name;
  }
}

TEST_F(SnpSamples, AReportWithDebuggingSaysSo) {
  // Genuine; a policy refuses it.
  const Verdict verdict =
      run(file("gosev-attestation-milan-v2.bin"), with(kMilan, "gosev-vcek-milan.der"));
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(hex(verdict, "debug"), "01");
}

TEST_F(SnpSamples, AVcekInRawHwidEncodingThatAmdDidNotSignIsRefused) {
  const Verdict verdict =
      run(file("trustee-test-report.bin"), with(kMilan, "trustee-test-vcek-invalid-legacy.der"));
  EXPECT_THAT(verdict, RefusedAlsoFor("chain.signature"));
  for (const Reason& reason : verdict.reasons) EXPECT_NE(reason.code, "snp.hwid");
}

TEST_F(SnpSamples, AVcekInDerHwidEncodingThatAmdDidNotSignIsRefused) {
  const Verdict verdict =
      run(file("trustee-test-report.bin"), with(kMilan, "trustee-test-vcek-invalid-new.der"));
  EXPECT_THAT(verdict, RefusedAlsoFor("chain.signature"));
  for (const Reason& reason : verdict.reasons) EXPECT_NE(reason.code, "snp.hwid");
}

TEST_F(SnpSamples, AnotherChipsKeyIsRefused) {
  const Verdict verdict =
      run(file("trustee-test-report.bin"), with(kMilan, "gosev-vcek-milan.der"));
  EXPECT_THAT(verdict, RefusedAlsoFor("snp.signature"));
  EXPECT_THAT(verdict, RefusedAlsoFor("snp.chip-id"));
  EXPECT_THAT(verdict, RefusedAlsoFor("snp.tcb"));
}

TEST_F(SnpSamples, TurinsKeyIsOfTurinsChain) {
  // There is no report for it: everything but the report holds.
  const Verdict verdict = run(file("ms-genoa_attestation_report.bin"),
                              {"turin_ask_ark_asvk.pem", "virtee-vcek_turin.der"});
  EXPECT_THAT(verdict, RefusedAlsoFor("snp.product"));
  for (const Reason& reason : verdict.reasons) {
    EXPECT_FALSE(reason.code.starts_with("chain.")) << reason.code << " " << reason.text;
    EXPECT_NE(reason.code, "snp.hwid");
    EXPECT_NE(reason.code, "snp.leaf-extension");
    EXPECT_NE(reason.code, "snp.issuer-name");
  }
}

TEST_F(SnpSamples, AnotherProductsChainIsRefused) {
  EXPECT_THAT(run(file("ms-genoa_attestation_report.bin"),
                  with({"milan_ask_ark_asvk.pem"}, "ms-genoa_vcek.pem")),
              Refused("chain.issuer"));
}

TEST_F(SnpSamples, ExpireWithTheirKey) {
  // notAfter of trustee-test-vcek.der: 2030-01-24 17:58:26.
  constexpr std::uint64_t kEnd = 1895507906;
  const auto files = with(kMilan, "trustee-test-vcek.der");
  EXPECT_THAT(run(file("trustee-test-report.bin"), files, kEnd), Accepted());
  EXPECT_THAT(run(file("trustee-test-report.bin"), files, kEnd + 1), Refused("chain.expired"));
  EXPECT_THAT(run(file("trustee-test-report.bin"), files, 1600000000),
              Refused("chain.not-yet-valid"));
}

TEST_F(SnpSamples, AreRefusedWithoutAmdsRoots) {
  roots.amd.clear();
  EXPECT_THAT(run(file("trustee-test-report.bin"), with(kMilan, "trustee-test-vcek.der")),
              Refused("chain.root"));
}

TEST_F(SnpSamples, AreRefusedUnderAnotherProductsRootAlone) {
  roots.amd = {roots.amd.at(1)};
  EXPECT_THAT(run(file("trustee-test-report.bin"), with(kMilan, "trustee-test-vcek.der")),
              Refused("chain.root"));
}

TEST_F(SnpSamples, AreRefusedWithAnyByteFlipped) {
  ChainCache remembered;
  cache = &remembered;
  struct Sample {
    const char* report;
    std::vector<std::string> files;
  };
  const Sample kSamples[] = {
      {"trustee-test-report.bin", with(kMilan, "trustee-test-vcek.der")},
      {"gosev-attestation-milan-v2.bin", with(kMilan, "gosev-vcek-milan.der")},
      {"ms-milan_attestation_report.bin", with(kMilan, "ms-milan_vcek.pem")},
      {"ms-genoa_attestation_report.bin", {"genoa_ask_ark_asvk.pem", "ms-genoa_vcek.pem"}}};
  for (const Sample& sample : kSamples) {
    const ByteVector good = file(sample.report);
    std::vector<ByteVector> ders;
    for (const std::string& name : sample.files) {
      for (ByteVector& der : certificates(name)) ders.push_back(std::move(der));
    }
    ASSERT_THAT(run_with(good, ders), Accepted());
    for (std::size_t at = 0; at < good.size(); ++at) {
      ByteVector bad = good;
      bad[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
      const Verdict verdict = run_with(bad, ders);
      EXPECT_TRUE(!verdict.accepted() && !verdict.claims && !verdict.reasons.empty())
          << sample.report << ", byte " << at;
    }
  }
}

TEST_F(SnpSamples, AreRefusedWithAnyByteOfTheirKeysCertificateFlipped) {
  const std::pair<const char*, const char*> kSamples[] = {
      {"trustee-test-report.bin", "trustee-test-vcek.der"},
      {"ms-milan_attestation_report.bin", "ms-milan_vcek.pem"}};
  for (const auto& [report_name, leaf_name] : kSamples) {
    const ByteVector report = file(report_name);
    std::vector<ByteVector> ders = certificates("milan_ask_ark_asvk.pem");
    ders.push_back(certificates(leaf_name).front());
    ASSERT_THAT(run_with(report, ders), Accepted());
    const ByteVector good = ders.back();
    for (std::size_t at = 0; at < good.size(); ++at) {
      ders.back() = good;
      ders.back()[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
      EXPECT_FALSE(run_with(report, ders).accepted()) << leaf_name << ", byte " << at;
    }
  }
}

TEST_F(SnpSamples, AreValidWithTheirCertificatesInATable) {
  const std::vector<ByteVector> authorities = certificates("milan_ask_ark_asvk.pem");
  const ByteVector table =
      certificate_table({{testing::kVcekGuid, certificates("trustee-test-vcek.der").front()},
                         {testing::kAskGuid, authorities.at(0)},
                         {testing::kArkGuid, authorities.at(1)}});
  const Evidence evidence{"sev-snp",
                          {{"report", file("trustee-test-report.bin")}, {"certificates", table}}};
  EXPECT_THAT(verify({evidence, {}, roots, kNow}), Accepted());
}

}  // namespace
}  // namespace sealpack::attest
