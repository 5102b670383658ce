// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/simulated.h"

#include <gtest/gtest.h>

#include "keymgmt/crypto/private_key.h"
#include "tests/attest/verify/verdict_matchers.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::Fails;
using testing::Refused;
using testing::RefusedAlsoFor;

class Simulated : public ::testing::Test {
 protected:
  Simulated()
      : key(crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value()),
        root(key.signer().value()) {
    roots.simulated = {root->public_key().digest()};
    evidence =
        parse_evidence(make_simulated_evidence(measurement, report_data, *root).value()).value();
  }
  Verdict run() const { return verify({evidence, {}, roots, 1800000000, expected}); }
  SimulatedReport report() const { return parse_simulated_report(evidence.items[0].bytes).value(); }
  void put(const SimulatedReport& report) {
    evidence.items[0].bytes = serialize_simulated_report(report);
  }

  crypto::PrivateKey key;
  std::unique_ptr<crypto::Signer> root;
  Digest measurement{{1, 2, 3}};
  ByteVector report_data = ByteVector(64, 7);
  Roots roots;
  Evidence evidence;
  std::optional<ByteVector> expected = report_data;
};

TEST_F(Simulated, ProvesMeasurementAndRoot) {
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->tee, "simulated");
  EXPECT_EQ(verdict.claims->report_data, report_data);
  ASSERT_NE(verdict.claims->find("measurement"), nullptr);
  EXPECT_EQ(verdict.claims->find("measurement")->value, to_vector(measurement.bytes));
  ASSERT_NE(verdict.claims->find("root"), nullptr);
  EXPECT_EQ(verdict.claims->find("root")->value, to_vector(root->public_key().digest().bytes));
}

TEST_F(Simulated, WorksWithEveryKindOfSigner) {
  for (const auto type : {crypto::KeyType::kEcdsaP256, crypto::KeyType::kEcdsaP384}) {
    const auto other = crypto::PrivateKey::generate(type).value();
    const auto signer = other.signer().value();
    roots.simulated = {signer->public_key().digest()};
    evidence =
        parse_evidence(make_simulated_evidence(measurement, report_data, *signer).value()).value();
    EXPECT_THAT(run(), Accepted());
  }
}

TEST_F(Simulated, IsNotTakenForEvidenceOfATeeThatIsNotKnown) {
  for (const char* tee : {"", "Simulated", "simulated ", "sev", "sev-snp2"}) {
    evidence.tee = tee;
    EXPECT_THAT(run(), Refused("evidence.tee")) << tee;
  }
}

TEST_F(Simulated, IsNotBelievedWithoutARoot) {
  roots.simulated.clear();
  EXPECT_THAT(run(), Refused("simulated.root"));
}

TEST_F(Simulated, IsNotBelievedUnderTheManufacturersRoots) {
  roots = vendor_roots();
  EXPECT_THAT(run(), Refused("simulated.root"));
}

TEST_F(Simulated, IsNotBelievedUnderAnotherRole) {
  roots.psa = roots.cca = roots.amd = roots.tpm_attestation_keys = roots.simulated;
  roots.simulated.clear();
  EXPECT_THAT(run(), Refused("simulated.root"));
}

TEST_F(Simulated, RefusesAnotherInstallationsRoot) {
  const auto other = crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value();
  evidence = parse_evidence(
                 make_simulated_evidence(measurement, report_data, *other.signer().value()).value())
                 .value();
  EXPECT_THAT(run(), Refused("simulated.root"));
}

TEST_F(Simulated, RefusesAForeignSignatureUnderATrustedName) {
  const auto other = crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value();
  SimulatedReport forged = report();
  forged.signature = other.signer().value()->sign(simulated_transcript(forged)).value();
  put(forged);
  EXPECT_THAT(run(), Refused("simulated.signature"));
}

TEST_F(Simulated, RefusesAnotherMeasurementUnderTheSignature) {
  SimulatedReport changed = report();
  changed.measurement.bytes[31] ^= 1;
  put(changed);
  EXPECT_THAT(run(), Refused("simulated.signature"));
}

TEST_F(Simulated, RefusesASignatureWithoutTheLabel) {
  SimulatedReport changed = report();
  ByteVector unlabelled = simulated_transcript(changed);
  unlabelled.erase(unlabelled.begin(), unlabelled.begin() + 8 + kSimulatedLabel.size());
  changed.signature = root->sign(unlabelled).value();
  put(changed);
  EXPECT_THAT(run(), Refused("simulated.signature"));
}

TEST_F(Simulated, RefusesOtherReportData) {
  expected = ByteVector(64, 8);
  EXPECT_THAT(run(), Refused("simulated.report-data"));
}

TEST_F(Simulated, NeverPadsOrTruncatesReportData) {
  expected = ByteVector(63, 7);
  EXPECT_THAT(run(), Refused("simulated.report-data"));
  expected = ByteVector(65, 7);
  EXPECT_THAT(run(), Refused("simulated.report-data"));
  expected = ByteVector{};
  EXPECT_THAT(run(), Refused("simulated.report-data"));
}

TEST_F(Simulated, GivesAllReasonsTogether) {
  SimulatedReport changed = report();
  changed.signature[0] ^= 1;
  put(changed);
  roots.simulated.clear();
  expected = ByteVector(64, 8);
  const Verdict verdict = run();
  EXPECT_THAT(verdict, RefusedAlsoFor("simulated.root"));
  EXPECT_THAT(verdict, RefusedAlsoFor("simulated.signature"));
  EXPECT_THAT(verdict, RefusedAlsoFor("simulated.report-data"));
}

TEST_F(Simulated, RefusesEvidenceWithoutAReport) {
  evidence.items.clear();
  EXPECT_THAT(run(), Refused("evidence.item-missing"));
}

TEST_F(Simulated, RefusesItemsThatItHasNoUseFor) {
  evidence.items.push_back({"quote", {1}});
  EXPECT_THAT(run(), Refused("evidence.item-unknown"));
}

TEST_F(Simulated, RefusesWhatIsNoReport) {
  evidence.items[0].bytes = {1, 2, 3};
  EXPECT_THAT(run(), Refused("simulated.report"));
}

TEST_F(Simulated, RefusesARootThatIsNoKey) {
  SimulatedReport changed = report();
  changed.root_spki.pop_back();
  put(changed);
  EXPECT_THAT(run(), Refused("simulated.root"));
}

TEST_F(Simulated, RefusesEveryFlippedBit) {
  const ByteVector good = evidence.items[0].bytes;
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    evidence.items[0].bytes = good;
    evidence.items[0].bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(run().accepted()) << "bit " << bit;
  }
}

TEST_F(Simulated, RefusesEveryTruncation) {
  const ByteVector good = evidence.items[0].bytes;
  for (std::size_t size = 0; size < good.size(); ++size) {
    evidence.items[0].bytes = {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)};
    EXPECT_FALSE(run().accepted()) << size << " bytes";
  }
}

TEST_F(Simulated, IsNotMadeForReportDataThatNoTeeHasRoomFor) {
  EXPECT_THAT(make_simulated_evidence(measurement, ByteVector(65), *root),
              Fails(ErrorCode::kUsage));
  EXPECT_THAT(make_simulated_evidence(measurement, {}, *root), Fails(ErrorCode::kUsage));
}

TEST_F(Simulated, ReportsOfAnotherVersionAreNotUnderstood) {
  ByteVector bytes = evidence.items[0].bytes;
  ASSERT_EQ(bytes[1], 1);  // tag of field 1, then the version
  bytes[1] = 2;
  EXPECT_THAT(parse_simulated_report(bytes), Fails(ErrorCode::kUnsupported));
}

}  // namespace
}  // namespace sealpack::attest
