// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "keymgmt/crypto/sha256.h"
#include "keymgmt/tpm/tpm.h"
#include "tests/attest/verify/tpm/minted_tpm.h"
#include "tests/attest/verify/verdict_matchers.h"
#include "tests/keymgmt/tpm/software_tpm.h"

// Quotes of a TPM that somebody else wrote.
namespace sealpack::attest {
namespace {

using crypto::HashAlgorithm;
using testing::Accepted;
using testing::item;
using testing::MintedLog;
using testing::Refused;
using testing::SoftwareTpm;

class SwtpmQuotes : public ::testing::Test {
 protected:
  static constexpr tpm::PcrMask kPcrs = 0x2ff;  // 0 to 7 and 9

  void SetUp() override {
    if (!SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
    process.emplace();
    tpm::TpmOptions options;
    options.tcti = process->tcti();
    auto opened = tpm::Tpm::open(options);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    device = *std::move(opened);
    log.boot(true);
    extend_as_logged();
    const tpm::PublicArea ak = device->attestation_key().value();
    roots.tpm_enrolments = {{crypto::sha256(ak.spki().value()), tpm::name_of(ak),
                             tpm::name_of(device->endorsement_key())}};
  }

  void extend_as_logged() {
    const EventLog events = parse_event_log(log.bytes(), EventLogKind::kTpm).value();
    for (const LoggedEvent& event : events.events) {
      Digest digest;
      const Bytes bytes = *event.digest(HashAlgorithm::kSha256);
      std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
      ASSERT_TRUE(device->extend_pcr(event.index, digest).ok());
    }
  }

  Evidence quote(Bytes qualifying) {
    const tpm::Quote quote = device->quote(kPcrs, qualifying).value();
    std::vector<PcrValue> values;
    for (const tpm::PcrValue& value : quote.values) {
      values.push_back({HashAlgorithm::kSha256, static_cast<std::uint8_t>(value.index),
                        to_vector(value.value.bytes)});
    }
    return {"tpm",
            {{"tpm-quote", quote.quoted},
             {"tpm-signature", quote.signature},
             {"tpm-pcrs", serialize_pcr_values(values)},
             {"ak-public", tpm::serialize_public(device->attestation_key().value())},
             {"event-log", log.bytes()}}};
  }
  Verdict verify(const Evidence& evidence) const {
    return attest::verify({evidence, {}, roots, 1800000000, nonce});
  }

  std::optional<SoftwareTpm> process;
  std::unique_ptr<tpm::Tpm> device;
  MintedLog log;
  Roots roots;
  ByteVector nonce = ByteVector(32, 0x5e);
};

TEST_F(SwtpmQuotes, ProveTheBootAndTheEndorsementKey) {
  const Verdict verdict = verify(quote(nonce));
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->find("ek_name")->value, tpm::name_of(device->endorsement_key()));
  EXPECT_EQ(verdict.claims->find("ak_name")->value,
            tpm::name_of(device->attestation_key().value()));
  EXPECT_EQ(verdict.claims->find("secure_boot")->value, ByteVector{1});
  EXPECT_EQ(to_hex(verdict.claims->find("pcr_selection")->value), "ff0200");
}

TEST_F(SwtpmQuotes, AreRefusedAfterSomethingElseWasMeasured) {
  ASSERT_TRUE(device->extend_pcr(9, Digest{{1}}).ok());
  EXPECT_THAT(verify(quote(nonce)), Refused("eventlog.pcr"));
}

TEST_F(SwtpmQuotes, AreRefusedForAnotherChallenge) {
  EXPECT_THAT(verify(quote(ByteVector(32, 0x5f))), Refused("tpm.report-data"));
}

TEST_F(SwtpmQuotes, AreRefusedOfAnotherTpm) {
  SoftwareTpm other_process;
  tpm::TpmOptions options;
  options.tcti = other_process.tcti();
  device = tpm::Tpm::open(options).value();
  extend_as_logged();
  EXPECT_THAT(verify(quote(nonce)), Refused("tpm.ak-untrusted"));
}

TEST_F(SwtpmQuotes, AreRefusedAfterARestartWithoutMeasurements) {
  device.reset();
  process->restart();
  tpm::TpmOptions options;
  options.tcti = process->tcti();
  device = tpm::Tpm::open(options).value();
  Evidence evidence = quote(nonce);
  std::erase_if(evidence.items, [](const auto& one) { return one.kind == "event-log"; });
  EXPECT_THAT(verify(evidence), Refused("tpm.carte-blanche"));
}

}  // namespace
}  // namespace sealpack::attest
