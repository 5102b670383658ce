// SPDX-License-Identifier: Apache-2.0
// Releases to real kinds of TEEs: evidence of minted processors, through the whole broker.
#include <map>

#include "attest/evidence/gpu_nonce.h"
#include "attest/policy/claim_names.h"
#include "attest/verify/endorsements.h"
#include "tests/attest/verify/dcap/mint_dcap.h"
#include "tests/attest/verify/nvidia/gpu_maker.h"
#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/keymgmt/broker/broker_setting.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::kDcapNow;
using sealpack::testing::MintDcap;
using sealpack::testing::SnpLab;
using sealpack::testing::Succeeds;
using namespace testing;

constexpr std::size_t kTdxReportData = 520;
constexpr std::size_t kReportData = 0x50;
constexpr std::size_t kMeasurement = 0x90;

// Accepts exactly what these claims say.
bundle::MeasurementPolicy policy_for(const attest::Claims& claims) {
  bundle::Environment environment{claims.tee, {}};
  std::map<std::string, std::set<ByteVector>> values;
  for (const attest::Claim& claim : claims.claims) {
    const auto* name = policy::find_claim(*policy::find_tee(claims.tee), claim.name);
    const bool needed =
        name != nullptr && (name->mandatory || name->mandatory_with_gpu || name->bad_news);
    if (needed) values[claim.name].insert(claim.value);
  }
  for (const auto& [name, accepted] : values) {
    bundle::ClaimRule& rule = environment.rules.emplace_back();
    rule.claim = name;
    const auto* known = policy::find_claim(*policy::find_tee(claims.tee), name);
    if (known->bad_news && known->kind == policy::ClaimKind::kFlag) {
      rule.ignore_because = "a test";
    } else {
      rule.accepted.assign(accepted.begin(), accepted.end());
    }
  }
  return {{}, {environment}};
}

class SnpReleases : public ::testing::Test {
 protected:
  SnpReleases() {
    *setting_.clock = SnpLab::kNow;
    EXPECT_THAT(setting_.apply(ConfirmClock{}), Succeeds());
    const auto verdict = lab_.run();
    EXPECT_TRUE(verdict.accepted());
    claims_ = *verdict.claims;
    for (const ByteVector& der : {lab_.ark_der(), lab_.authority_der(), lab_.leaf_der()}) {
      endorsements_.certificates.push_back(der);
    }
    endorsements_.revocation_lists = lab_.more.revocation_lists;
    const auto release =
        setting_.make_release(8, [&](bundle::Release& made) { made.policy = policy_for(claims_); });
    EXPECT_THAT(setting_.add(release), Succeeds());
    setting_.release = release;
  }
  void start(bool with_endorsements = true) {
    setting_.start([&](ServiceOptions& options) {
      options.lab = false;
      options.roots = lab_.roots;
      if (with_endorsements) options.endorsements = endorsements_;
    });
  }
  ByteVector device() const { return claims_.find("chip_id")->value; }

  // A request with a report over it; `evidence` may change it afterwards.
  ByteVector request(
      const std::function<void(loader::KeyRequest&)>& change = [](auto&) {},
      const ByteVector& endorsements = {}) {
    client_.emplace(setting_);
    client_->subject.tee = "sev-snp";
    loader::KeyRequest made = client_->request(challenge_of(*setting_.service, client_->subject));
    lab_.set_bytes(kReportData,
                   loader::report_data_for("sev-snp", loader::grant_transcript(made.terms)));
    made.evidence = attest::serialize_evidence({"sev-snp", {{"report", lab_.signed_report()}}});
    change(made);
    return serialize(ReleaseRequest{loader::serialize_key_request(made), endorsements});
  }
  Answer ask(
      const std::function<void(loader::KeyRequest&)>& change = [](auto&) {},
      const ByteVector& endorsements = {}) {
    return release_of(*setting_.service, request(change, endorsements));
  }

  SnpLab lab_{"Milan"};
  Setting setting_;
  attest::Claims claims_;
  attest::Endorsements endorsements_;
  std::optional<Client> client_;
};

TEST_F(SnpReleases, BringTheKeyWithTheBrokersEndorsements) {
  start();
  const Answer answer = ask();
  expect_key(setting_, *client_, answer);
  EXPECT_EQ(entries_of(*setting_.store).back().device, device());
}

TEST_F(SnpReleases, BringTheKeyWithEndorsementsThatTheClientSends) {
  start(false);
  EXPECT_NE(codes_of(ask()), "");
  const Answer answer = ask([](auto&) {}, attest::serialize_endorsements(endorsements_));
  expect_key(setting_, *client_, answer);
}

TEST_F(SnpReleases, BringTheKeyOnceTheEndorsementsAreThere) {
  start(false);
  EXPECT_NE(codes_of(ask()), "");
  setting_.service->set_endorsements(endorsements_);
  EXPECT_EQ(codes_of(ask()), "");
}

TEST_F(SnpReleases, RefuseAReportOfAnotherExchange) {
  start();
  const ByteVector recorded = [&] {
    ByteVector evidence;
    request([&](loader::KeyRequest& made) { evidence = made.evidence; });
    return evidence;
  }();
  EXPECT_EQ(codes_of(ask([&](loader::KeyRequest& made) { made.evidence = recorded; })),
            "snp.report-data");
}

TEST_F(SnpReleases, RefuseAnotherMeasurement) {
  start();
  lab_.set_u8(kMeasurement, 0xff);
  EXPECT_EQ(codes_of(ask()), "policy.not-accepted");
}

TEST_F(SnpReleases, EndWithTheRevocationOfTheProcessor) {
  start();
  EXPECT_EQ(codes_of(ask()), "");
  ASSERT_THAT(setting_.apply(Revoke{{RevokedKind::kDevice, device(), "stolen", 0}}), Succeeds());
  EXPECT_EQ(codes_of(ask()), "broker.revoked-device");
}

TEST_F(SnpReleases, AreForTheProcessorsOfTheLicence) {
  const auto license = [&](const ByteVector& licensed) {
    return setting_.apply(
        PutLicence{{setting_.release.authority, "test product", 1, 0, 0, 3600, {licensed}}});
  };
  start();
  ByteVector other = device();
  other[0] ^= 1;
  ASSERT_THAT(license(other), Succeeds());
  EXPECT_EQ(codes_of(ask()), "broker.licence-device");
  ASSERT_THAT(license(device()), Succeeds());
  EXPECT_EQ(codes_of(ask()), "");
  EXPECT_EQ(setting_.store->leases(SnpLab::kNow)->at(0).device, device());
}

// Two GPUs beside the processor, and a policy for exactly these.
class SnpReleasesWithGpus : public SnpReleases {
 protected:
  SnpReleasesWithGpus() {
    lab_.roots.nvidia = {gpus_[0].root_key.digest()};
    attest::Evidence evidence{"sev-snp", {{"report", lab_.signed_report()}}};
    add_gpus(evidence);
    const auto verdict = attest::verify({evidence, endorsements_, lab_.roots, SnpLab::kNow});
    EXPECT_TRUE(verdict.accepted());
    const auto release = setting_.make_release(
        9, [&](bundle::Release& made) { made.policy = policy_for(*verdict.claims); });
    EXPECT_THAT(setting_.add(release), Succeeds());
    setting_.release = release;
    start();
  }
  void add_gpus(attest::Evidence& evidence) const {
    for (std::size_t i = 0; i < gpus_.size(); ++i) gpus_[i].add_to(evidence, i + 1);
  }
  // With the GPUs as they are; they report over this exchange unless `transcript` is another's.
  Answer ask_with_gpus(std::optional<ByteVector> transcript = {}) {
    return ask([&](loader::KeyRequest& made) {
      auto evidence = attest::parse_evidence(made.evidence).value();
      const ByteVector nonce =
          attest::gpu_nonce(transcript.value_or(loader::grant_transcript(made.terms)), evidence);
      for (auto& gpu : gpus_) gpu.nonce = nonce;
      add_gpus(evidence);
      made.evidence = attest::serialize_evidence(evidence);
    });
  }

  std::vector<sealpack::testing::GpuMaker> gpus_ = [] {
    const sealpack::testing::GpuMaker first;
    return std::vector{first, first.sibling(0x5678)};
  }();
};

TEST_F(SnpReleasesWithGpus, BringTheKeyToAsManyAsThePolicySays) {
  const Answer answer = ask_with_gpus();
  expect_key(setting_, *client_, answer);
  gpus_.push_back(gpus_[0].sibling(0x9ABC));
  EXPECT_EQ(codes_of(ask_with_gpus()), "policy.not-accepted");
  gpus_.resize(1);
  EXPECT_EQ(codes_of(ask_with_gpus()), "policy.not-accepted");
  gpus_.clear();
  EXPECT_NE(codes_of(ask_with_gpus()), "");
}

TEST_F(SnpReleasesWithGpus, RefuseOneThatIsThereTwiceOrSpokeToSomebodyElse) {
  EXPECT_EQ(codes_of(ask_with_gpus(ByteVector{'t'})), "nvidia.nonce");
  gpus_[1] = gpus_[0];
  EXPECT_EQ(codes_of(ask_with_gpus()), "nvidia.same-gpu");
}

TEST_F(SnpReleasesWithGpus, EndWithTheRevocationOfOneOfThem) {
  ByteVector ueid(32);
  ueid[30] = 0x56, ueid[31] = 0x78;
  EXPECT_EQ(codes_of(ask_with_gpus()), "");
  ASSERT_THAT(setting_.apply(Revoke{{RevokedKind::kDevice, ueid, "stolen", 0}}), Succeeds());
  EXPECT_EQ(codes_of(ask_with_gpus()), "broker.revoked-device");
}

class TdxReleases : public ::testing::Test {
 protected:
  TdxReleases() {
    *setting_.clock = kDcapNow;
    EXPECT_THAT(setting_.apply(ConfirmClock{}), Succeeds());
    const attest::Evidence evidence{"tdx", {{"quote", platform_.quote()}}};
    const attest::Endorsements endorsements = platform_.endorsements();
    const attest::Roots roots = platform_.roots();
    const auto verdict = attest::verify(
        {.evidence = evidence, .endorsements = endorsements, .roots = roots, .now = kDcapNow});
    EXPECT_TRUE(verdict.accepted());
    setting_.release = setting_.make_release(
        8, [&](bundle::Release& made) { made.policy = policy_for(*verdict.claims); });
    EXPECT_THAT(setting_.add(setting_.release), Succeeds());
  }
  void start(std::uint32_t minimum) {
    setting_.start([&](ServiceOptions& options) {
      options.lab = false;
      options.roots = platform_.roots();
      options.endorsements = platform_.endorsements();
      options.minimum_tcb_evaluation = minimum;
    });
  }
  Answer ask() {
    client_.emplace(setting_);
    client_->subject.tee = "tdx";
    loader::KeyRequest made = client_->request(challenge_of(*setting_.service, client_->subject));
    const ByteVector data = loader::report_data_for("tdx", loader::grant_transcript(made.terms));
    std::copy(data.begin(), data.end(), platform_.body.begin() + kTdxReportData);
    made.evidence = attest::serialize_evidence({"tdx", {{"quote", platform_.quote()}}});
    return release_of(*setting_.service,
                      serialize(ReleaseRequest{loader::serialize_key_request(made), {}}));
  }

  MintDcap platform_{MintDcap::Kind::kTdx4};
  Setting setting_;
  std::optional<Client> client_;
};

TEST_F(TdxReleases, BringTheKeyToATrustDomain) {
  start(0);
  const Answer answer = ask();
  expect_key(setting_, *client_, answer);
}

// What a release admits may be too old for the broker: the evaluation number is 18 here.
TEST_F(TdxReleases, EndBelowTheBrokersLowestEvaluationNumber) {
  start(18);
  EXPECT_EQ(codes_of(ask()), "");
  start(19);
  EXPECT_EQ(codes_of(ask()), "dcap.tcb-info-evaluation dcap.qe-identity-evaluation");
}

}  // namespace
}  // namespace sealpack::broker
