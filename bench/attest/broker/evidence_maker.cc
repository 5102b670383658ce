// SPDX-License-Identifier: Apache-2.0
#include "bench/attest/broker/evidence_maker.h"

#include <fstream>

#include "attest/evidence/evidence.h"
#include "attest/evidence/simulated.h"
#include "keymgmt/keystore/key_file.h"
#include "tests/attest/verify/snp/snp_lab.h"

namespace sealpack::bench {
namespace {

constexpr std::size_t kReportData = 0x50;  // in an ATTESTATION_REPORT
constexpr std::size_t kReportDataSize = 64;
constexpr std::size_t kMeasurement = 0x90;
constexpr std::size_t kMeasurementSize = 48;

class Simulated final : public EvidenceMaker {
 public:
  Simulated(std::unique_ptr<crypto::Signer> root, const Digest& measurement)
      : root_(std::move(root)), measurement_(measurement) {}
  std::string tee() const override { return "simulated"; }
  ByteVector make(Bytes report_data) const override {
    return attest::make_simulated_evidence(measurement_, report_data, *root_).value();
  }

 private:
  std::unique_ptr<crypto::Signer> root_;
  Digest measurement_;
};

class Snp final : public EvidenceMaker {
 public:
  Snp() : lab_("Milan") { lab_.set_bytes(kMeasurement, ByteVector(kMeasurementSize, 0x11)); }
  std::string tee() const override { return "sev-snp"; }
  ByteVector make(Bytes report_data) const override {
    testing::SnpLab own = lab_;  // the keys are shared
    own.set_bytes(kReportData, report_data);
    return attest::serialize_evidence({"sev-snp", {{"report", own.signed_report()}}});
  }
  const testing::SnpLab& lab() const { return lab_; }

 private:
  testing::SnpLab lab_;
};

void put(const std::filesystem::path& path, const ByteVector& der) {
  std::ofstream(path, std::ios::binary) << as_text(testing::pem_of(der));
}

}  // namespace

std::unique_ptr<EvidenceMaker> simulated_maker(const std::filesystem::path& key,
                                               const Digest& measurement) {
  keystore::TerminalPassphrase unused;
  const auto loaded =
      keystore::load_private_key(key, {keystore::Role::kSimulatedRoot}, unused).value();
  return std::make_unique<Simulated>(loaded.key.signer().value(), measurement);
}

std::unique_ptr<EvidenceMaker> snp_maker(const std::filesystem::path& folder) {
  auto maker = std::make_unique<Snp>();
  std::filesystem::create_directories(folder / "endorsements");
  put(folder / "ark.pem", maker->lab().ark_der());
  put(folder / "endorsements" / "ark.pem", maker->lab().ark_der());
  put(folder / "endorsements" / "ask.pem", maker->lab().authority_der());
  put(folder / "endorsements" / "vcek.pem", maker->lab().leaf_der());
  std::ofstream(folder / "endorsements" / "ark.crl", std::ios::binary)
      << as_text(testing::mint_list({}, maker->lab().ark, maker->lab().ark_key));
  std::ofstream(folder / "evidence", std::ios::binary)
      << as_text(maker->make(ByteVector(kReportDataSize)));
  return maker;
}

}  // namespace sealpack::bench
