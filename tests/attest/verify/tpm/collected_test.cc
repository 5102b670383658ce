// SPDX-License-Identifier: Apache-2.0
// What is collected from a TPM is what the verifiers want.
#include <gtest/gtest.h>

#include <algorithm>

#include "attest/evidence/collect/collect_tpm.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/tpm/tpm.h"
#include "tests/attest/verify/dcap/mint_dcap.h"
#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/tpm/hcl_lab.h"
#include "tests/attest/verify/verdict_matchers.h"
#include "tests/keymgmt/tpm/software_tpm.h"
#include "tests/keymgmt/tpm/tpm_command.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using crypto::HashAlgorithm;
using testing::Accepted;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::HclLab;
using testing::MintDcap;
using testing::MintedLog;
using testing::SnpLab;
using testing::SoftwareTpm;
using testing::Succeeds;
using testing::tpm_code;
using testing::TpmBytes;

const ByteVector kNonce(32, 0x5e);
constexpr tpm::PcrMask kPcrs = 1U << 0U | 1U << 4U | 1U << 7U | 1U << 9U;

// A machine that measured its boot.
class Collected : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
    device_.emplace();
    log_.boot(true);
    const auto tpm = *tpm::Tpm::open({device_->tcti(), tpm::EndorsementKind::kP256, std::nullopt});
    const EventLog events = parse_event_log(log_.bytes(), EventLogKind::kTpm).value();
    for (const LoggedEvent& event : events.events) {
      Digest digest;
      const Bytes bytes = *event.digest(HashAlgorithm::kSha256);
      std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
      ASSERT_THAT(tpm->extend_pcr(event.index, digest), Succeeds());
    }
    const tpm::PublicArea key = *tpm->attestation_key();
    roots_.tpm_enrolments = {
        {crypto::sha256(*key.spki()), tpm::name_of(key), tpm::name_of(tpm->endorsement_key())}};
  }
  CollectTpmRequest request() const {
    CollectTpmRequest out;
    out.nonce = kNonce;
    out.tcti = device_->tcti();
    out.pcrs = kPcrs;
    return out;
  }

  std::optional<SoftwareTpm> device_;
  MintedLog log_;
  Roots roots_;
  testing::TemporaryFolder folder_;
};

TEST_F(Collected, QuotesWithTheKernelsLogAreAccepted) {
  CollectTpmRequest with_log = request();
  with_log.event_log = folder_.put("binary_bios_measurements", std::string(as_text(log_.bytes())));
  const auto evidence = collect_tpm(with_log);
  ASSERT_THAT(evidence, Succeeds());
  const auto travelled = parse_evidence(serialize_evidence(*evidence));
  ASSERT_THAT(travelled, Succeeds());
  const Verdict verdict = verify({*travelled, {}, roots_, 1800000000, kNonce});
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->find("secure_boot")->value, ByteVector{1});
}

TEST_F(Collected, ALogThatIsNotThereOrEmptyIsSaidSo) {
  CollectTpmRequest with_log = request();
  with_log.event_log = folder_ / "none";
  EXPECT_THAT(collect_tpm(with_log), Fails(ErrorCode::kIo));
  with_log.event_log = folder_.put("empty", "");
  EXPECT_THAT(collect_tpm(with_log), FailsWith(ErrorCode::kUnsupported, HasSubstr("nothing")));
}

// Azure's firmware: a key for quotes at its handle, and a report that names this key.
class CollectedFromAzure : public Collected {
 protected:
  static constexpr std::uint32_t kReportIndex = 0x01400001;
  static constexpr std::uint32_t kUserDataIndex = 0x01400002;

  // The modulus.
  ByteVector make_key() {
    const std::uint32_t attributes = testing::kGoodAttributes | tpm::kNoDa;
    const ByteVector area = TpmBytes()
                                .u16(tpm::kAlgRsa)
                                .u16(tpm::kAlgSha256)
                                .u32(attributes)
                                .u16(0)
                                .u16(tpm::kAlgNull)
                                .u16(tpm::kAlgRsaSsa)
                                .u16(tpm::kAlgSha256)
                                .u16(2048)
                                .u32(0)
                                .u16(0)
                                .take();
    const ByteVector made = device_->command(
        testing::tpm_command(0x131, {testing::kTpmOwner}, {""},
                             TpmBytes().sized(ByteVector(4)).sized(area).u16(0).u32(0).take()));
    EXPECT_EQ(tpm_code(made), 0U);
    const Bytes handle = Bytes(made).subspan(10, 4);
    // handle, parameterSize, then the TPM2B_PUBLIC, which ends in the modulus
    const std::size_t size = std::size_t{made[18]} << 8U | made[19];
    const ByteVector modulus = to_vector(Bytes(made).subspan(20 + size - 256, 256));
    ByteVector evict = TpmBytes().u32(0x81000003).take();
    const std::uint32_t transient = std::uint32_t{handle[0]} << 24U |
                                    std::uint32_t{handle[1]} << 16U |
                                    std::uint32_t{handle[2]} << 8U | handle[3];
    EXPECT_EQ(tpm_code(device_->command(
                  testing::tpm_command(0x120, {testing::kTpmOwner, transient}, {""}, evict))),
              0U);
    EXPECT_EQ(tpm_code(device_->command(testing::tpm_command(0x165, {transient}, {}, {}))), 0U);
    return modulus;
  }
  // swtpm has room for 2 KiB in an index, Azure for more: variable data with what must be there.
  void name_key(HclLab& lab) {
    lab.json =
        R"({"keys":[{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":")" +
        testing::base64url(make_key()) +
        R"("}],"vm-configuration":{"console-enabled":true,"secure-boot":true},"user-data":")" +
        std::string(128, 'A') + R"("})";
    lab.behind = ByteVector(20);
  }
  void put(std::uint32_t index, Bytes content) {
    ASSERT_EQ(tpm_code(device_->command(
                  testing::tpm_nv_define(index, testing::kNvOwnerWrites, content.size()))),
              0U);
    for (std::size_t at = 0; at < content.size(); at += 512) {
      const Bytes piece = content.subspan(at, std::min<std::size_t>(512, content.size() - at));
      ASSERT_EQ(tpm_code(device_->command(testing::tpm_nv_write(index, piece, at))), 0U);
    }
  }
  CollectAzureRequest azure_request() const {
    CollectAzureRequest out;
    out.quote = request();
    out.pause = std::chrono::milliseconds(1);
    return out;
  }
};

TEST_F(CollectedFromAzure, EvidenceOnSevSnpIsAccepted) {
  SnpLab snp{"Milan"};
  HclLab lab{2};
  name_key(lab);
  snp.set_bytes(0x50, lab.binding());
  put(kReportIndex, lab.report(snp.signed_report()));
  CollectAzureRequest wanted = azure_request();
  wanted.quote.event_log = folder_.put("log", std::string(as_text(log_.bytes())));
  wanted.user_data = ByteVector(64, 0xaa);  // what the report has already
  const auto evidence = collect_azure(wanted);
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(evidence->tee, "azure-sev-snp");
  Endorsements endorsements;
  endorsements.certificates = {snp.ark_der(), snp.authority_der(), snp.leaf_der()};
  ASSERT_THAT(parse_evidence(serialize_evidence(*evidence)), Succeeds());
  EXPECT_THAT(verify({*evidence, endorsements, snp.roots, SnpLab::kNow, kNonce}), Accepted());
  {
    const auto tpm = *tpm::Tpm::open({device_->tcti(), tpm::EndorsementKind::kP256, std::nullopt});
    EXPECT_EQ(**tpm->read_nv(kUserDataIndex), wanted.user_data);
  }
  // Firmware that does not renew its report.
  wanted.user_data = ByteVector(64, 0xbb);
  EXPECT_THAT(collect_azure(wanted), Fails(ErrorCode::kTryAgain));
  wanted.user_data.pop_back();
  EXPECT_THAT(collect_azure(wanted), Fails(ErrorCode::kUsage));
  EXPECT_THAT(azure_td_report(device_->tcti()), Fails(ErrorCode::kUnsupported));
}

TEST_F(CollectedFromAzure, EvidenceOnTdxNeedsTheQuoteThatAzureMakes) {
  MintDcap dcap{MintDcap::Kind::kTdx4};
  HclLab lab{4};
  name_key(lab);
  ByteVector td_report(1184);
  const ByteVector binding = lab.binding();
  std::copy(binding.begin(), binding.end(), td_report.begin() + 128);
  std::copy(binding.begin(), binding.end(), dcap.body.begin() + 520);
  put(kReportIndex, lab.report(td_report));
  EXPECT_THAT(collect_azure(azure_request()),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("TD quote is not given")));
  td_report.resize(1024);
  EXPECT_EQ(*azure_td_report(device_->tcti()), td_report);
  CollectAzureRequest wanted = azure_request();
  wanted.td_quote = dcap.quote();
  const auto evidence = collect_azure(wanted);
  ASSERT_THAT(evidence, Succeeds());
  const Endorsements endorsements = dcap.endorsements();
  const Roots roots = dcap.roots();
  EXPECT_THAT(verify({*evidence, endorsements, roots, testing::kDcapNow, kNonce}), Accepted());
}

TEST_F(CollectedFromAzure, OtherTpmsHaveNoReport) {
  EXPECT_THAT(collect_azure(azure_request()),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("0x01400001")));
  put(kReportIndex, ByteVector(1300, 0x41));
  EXPECT_THAT(collect_azure(azure_request()), Fails(ErrorCode::kUnsupported));
}

}  // namespace
}  // namespace sealpack::attest
