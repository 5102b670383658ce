// SPDX-License-Identifier: Apache-2.0
// What the program says of itself, SIMULATED, and what becomes of the key that it signs with.
#include "attest/evidence/evidence.h"
#include "attest/verify/verify.h"
#include "formats/bundle/labels.h"
#include "runtime-loader/core/labels.h"
#include "tests/runtime-loader/tee/process_testing.h"

namespace sealpack::tee {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;

class EvidenceCase : public ProcessCase {
 protected:
  EvidenceCase() {
    setting.make_bundle([](bundle::Release& release) {
      release.policy = {};
      release.policy.environments = {{"simulated", {{"measurement", {}, 0, "a test"}}}};
    });
    write_bundle();
    config.owners[0].broker = sealpack::testing::verifying_key(broker);
  }
  Status start_with_key() {
    ProcessOptions how = options();
    how.evidence_key = &root;
    return start(how);
  }
  attest::Verdict judge(Bytes evidence, const ByteVector& report_data,
                        const crypto::PrivateKey& believed) const {
    const auto parsed = attest::parse_evidence(evidence);
    if (!parsed.ok()) die(parsed.error().message().c_str());
    attest::Roots roots;
    roots.simulated = {sealpack::testing::verifying_key(believed).digest()};
    attest::VerifyInput input{*parsed, {}, roots};
    input.report_data = report_data;
    return attest::verify(input);
  }
  // The whole exchange; `spoil` may change the request before it is granted.
  Status exchange(const std::function<void(loader::KeyRequest&)>& spoil = nullptr) {
    (void)TRY(client->launch(config));
    TRY(client->add_bundle({0, file->size(), "vendor", "model", 1700000000}, *file));
    return client->unlock(0, setting.challenge, [&](loader::KeyRequest request) {
      if (spoil) spoil(request);
      last = request;
      const auto signer = broker.signer().value();
      return loader::make_key_grant(request, setting.keys.content, {1700000001}, signer.get());
    });
  }

  crypto::PrivateKey root = sealpack::testing::make_key(crypto::KeyType::kEd25519);
  crypto::PrivateKey broker = sealpack::testing::make_key(crypto::KeyType::kEd25519);
  loader::KeyRequest last;
};

TEST_F(EvidenceCase, IsOverTheRequestAndNamesTheMeasurement) {
  ASSERT_THAT(start_with_key(), Succeeds());
  EXPECT_TRUE(backend->capabilities().evidence);
  EXPECT_TRUE(backend->capabilities().simulated);
  ASSERT_THAT(exchange(), Succeeds());
  const ByteVector bound =
      loader::report_data_for("simulated", loader::grant_transcript(last.terms));
  const attest::Verdict verdict = judge(last.evidence, bound, root);
  ASSERT_TRUE(verdict.accepted()) << verdict.reasons.at(0).text;
  const Digest launch = loader::launch_digest(loader::serialize_launch(config));
  const Digest expected = backend->expected_measurement(launch);
  EXPECT_EQ(verdict.claims->find("measurement")->value, to_vector(Bytes(expected.bytes)));
}

TEST_F(EvidenceCase, IsNotThereWithoutAKey) {
  ASSERT_THAT(start(), Succeeds());
  EXPECT_FALSE(backend->capabilities().evidence);
  const auto launched = client->launch(config);
  ASSERT_THAT(launched, Succeeds());
  EXPECT_TRUE(launched->evidence.empty());
  ASSERT_THAT(client->add_bundle({0, file->size(), "vendor", "model", 1700000000}, *file),
              Succeeds());
  (void)client->unlock(0, setting.challenge, [&](const loader::KeyRequest& request) {
    EXPECT_TRUE(request.evidence.empty());
    return Result<loader::KeyGrant>(Error(ErrorCode::kRefused, "no"));
  });
}

TEST_F(EvidenceCase, EndorsesTheKeyBornInside) {
  ASSERT_THAT(start_with_key(), Succeeds());
  const auto launched = client->launch(config);
  ASSERT_THAT(launched, Succeeds());
  const ByteVector statement =
      bundle::LengthPrefixed().add(loader::kEndorseKeyLabel).add(Bytes(launched->tee_key)).bytes();
  EXPECT_TRUE(
      judge(launched->evidence, loader::report_data_for("simulated", statement), root).accepted());
}

TEST_F(EvidenceCase, OfAnotherConfigurationNamesAnotherMeasurement) {
  ASSERT_THAT(start_with_key(), Succeeds());
  ASSERT_THAT(exchange(), Succeeds());
  const auto measurement = [&] {
    const ByteVector bound =
        loader::report_data_for("simulated", loader::grant_transcript(last.terms));
    return judge(last.evidence, bound, root).claims->find("measurement")->value;
  };
  const ByteVector first = measurement();
  config.answer.form = bundle::AnswerForm::kTop1;
  ASSERT_THAT(start_with_key(), Succeeds());
  ASSERT_THAT(exchange(), Succeeds());
  EXPECT_NE(measurement(), first);
}

// The host can take evidence of one exchange and show it in another; it is over the first.
TEST_F(EvidenceCase, IsGoodForOneExchangeAlone) {
  ASSERT_THAT(start_with_key(), Succeeds());
  ASSERT_THAT(exchange(), Succeeds());
  loader::GrantTerms other = last.terms;
  other.challenge.nonce[0] ^= 1U;
  const ByteVector bound = loader::report_data_for("simulated", loader::grant_transcript(other));
  const attest::Verdict verdict = judge(last.evidence, bound, root);
  ASSERT_FALSE(verdict.accepted());
  EXPECT_EQ(verdict.reasons[0].code, "simulated.report-data");
}

TEST_F(EvidenceCase, IsNotBelievedUnderAnotherRoot) {
  ASSERT_THAT(start_with_key(), Succeeds());
  ASSERT_THAT(exchange(), Succeeds());
  const ByteVector bound =
      loader::report_data_for("simulated", loader::grant_transcript(last.terms));
  EXPECT_FALSE(judge(last.evidence, bound, broker).accepted());
}

// What the host changes on the way, it changes for the worse.
TEST_F(EvidenceCase, ARelayedRequestBringsNoKey) {
  const crypto::PrivateKey thief = sealpack::testing::make_key(crypto::KeyType::kX25519);
  ASSERT_THAT(start_with_key(), Succeeds());
  const Status relayed = exchange([&](loader::KeyRequest& request) {
    request.terms.public_key = to_vector(thief.spki());
    // The broker would stop here: the evidence is over the key that the TEE made.
    const ByteVector bound =
        loader::report_data_for("simulated", loader::grant_transcript(request.terms));
    EXPECT_FALSE(judge(request.evidence, bound, root).accepted());
  });
  EXPECT_THAT(relayed, Fails(ErrorCode::kKeyUnavailable));
}

TEST_F(EvidenceCase, AKeyThatCannotSignEndsTheProgram) {
  const crypto::PrivateKey wrong = sealpack::testing::make_key(crypto::KeyType::kX25519);
  ProcessOptions how = options();
  how.evidence_key = &wrong;
  EXPECT_THAT(start(how), Fails(ErrorCode::kIo));
}

// The pipe is closed before the program reads anything that others wrote.
TEST_F(EvidenceCase, LeavesItsKeyInNoDescriptor) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root sees the descriptors of the program";
  ASSERT_THAT(start_with_key(), Succeeds());
  ASSERT_THAT(exchange(), Succeeds());
  std::set<std::string> names;
  std::error_code failed;
  const std::string folder_of_process = "/proc/" + std::to_string(backend->process()) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(folder_of_process, failed)) {
    names.insert(entry.path().filename().string());
  }
  ASSERT_FALSE(failed) << failed.message();
  EXPECT_TRUE(names.contains(std::to_string(kControlDescriptor)));
  EXPECT_FALSE(names.contains(std::to_string(kEvidenceKeyDescriptor)));
}

}  // namespace
}  // namespace sealpack::tee
