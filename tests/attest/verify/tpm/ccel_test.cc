// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/ccel.h"

#include <gtest/gtest.h>

#include "attest/evidence/event_log_padding.h"
#include "tests/attest/verify/dcap/mint_dcap.h"
#include "tests/attest/verify/tpm/minted_tpm.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using crypto::HashAlgorithm;
using testing::Accepted;
using testing::MintDcap;
using testing::MintedLog;
using testing::Refused;

// A trust domain whose firmware measured what its log says.
class TdxWithLog : public ::testing::Test {
 protected:
  static constexpr std::size_t kRtmrsAt = 328;

  TdxWithLog() {
    log.add(1, kEvEfiVariableDriverConfig, testing::secure_boot_variable(1)).separator(1);
    log.separator(2).add(3, 13, "kernel_cmdline: quiet");
  }
  Verdict run(const ByteVector& event_log) {
    const auto values = log.values(HashAlgorithm::kSha384, {1, 2, 3, 4});
    for (std::size_t i = 0; i < 4; ++i) {
      std::copy(values[i].digest.begin(), values[i].digest.end(),
                dcap.body.begin() + static_cast<std::ptrdiff_t>(kRtmrsAt + 48 * i));
    }
    Evidence evidence{"tdx", {{"quote", dcap.quote()}}};
    if (!event_log.empty()) evidence.items.push_back({"event-log", event_log});
    const Endorsements endorsements = dcap.endorsements();
    const Roots roots = dcap.roots();
    return verify({evidence, endorsements, roots, testing::kDcapNow, {}});
  }

  MintDcap dcap{MintDcap::Kind::kTdx4};
  MintedLog log{{HashAlgorithm::kSha384}, EventLogKind::kCcel};
};

TEST_F(TdxWithLog, ProvesWhatTheLogSays) {
  const Verdict verdict = run(log.bytes());
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(as_text(verdict.claims->find("event_log")->value), "replayed");
  EXPECT_EQ(verdict.claims->find("secure_boot")->value, ByteVector{1});
}

TEST_F(TdxWithLog, SaysSoWithoutOne) {
  const Verdict verdict = run({});
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(as_text(verdict.claims->find("event_log")->value), "none");
  EXPECT_EQ(verdict.claims->find("secure_boot"), nullptr);
}

// A domain whose firmware measures nothing has registers of zeros, to which no log at all leads.
TEST_F(TdxWithLog, CountsNoLogOfNotesAlone) {
  log = MintedLog{{HashAlgorithm::kSha384}, EventLogKind::kCcel};
  log.add(1, kEvNoAction, testing::secure_boot_variable(1));
  const Verdict verdict = run(log.bytes());
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(as_text(verdict.claims->find("event_log")->value), "none");
  EXPECT_EQ(verdict.claims->find("secure_boot"), nullptr);
}

TEST_F(TdxWithLog, IsRefusedWhereTheLogLeadsElsewhere) {
  MintedLog other = log;
  other.add(3, 13, "one more");
  EXPECT_THAT(run(other.bytes()), Refused("eventlog.rtmr"));
}

TEST_F(TdxWithLog, IsRefusedWithALogOfAnotherKind) {
  MintedLog tpm;
  tpm.boot(true);
  EXPECT_THAT(run(tpm.bytes()), Refused("eventlog.malformed"));
  MintedLog sha256({HashAlgorithm::kSha256}, EventLogKind::kCcel);
  sha256.separator(1);
  EXPECT_THAT(run(sha256.bytes()), Refused("eventlog.bank"));
  EXPECT_THAT(run({1, 2, 3}), Refused("eventlog.malformed"));
}

TEST_F(TdxWithLog, IsRefusedWhenTypesWereChanged) {
  MintedLog relabelled({HashAlgorithm::kSha384}, EventLogKind::kCcel);
  relabelled.add(1, kEvEfiVariableDriverConfig, testing::secure_boot_variable(0),
                 testing::secure_boot_variable(1));
  relabelled.separator(1).separator(2).add(3, 13, "kernel_cmdline: quiet");
  EXPECT_THAT(run(relabelled.bytes()), Refused("eventlog.event-digest"));
}

TEST(PaddedLogs, AreCutAndStillRead) {
  for (const std::uint8_t padding : ByteVector{0x00, 0xff}) {
    MintedLog log({HashAlgorithm::kSha384}, EventLogKind::kCcel);
    // Data that end as the padding goes on.
    log.separator(1).add(3, 13, ByteVector(40, padding));
    ByteVector padded = log.bytes();
    padded.resize(256U << 10U, padding);
    const Bytes cut = without_padding(padded);
    EXPECT_LE(cut.size(), log.bytes().size() + 256);
    const auto read = parse_event_log(cut, EventLogKind::kCcel);
    ASSERT_TRUE(read.ok()) << read.error().message();
    EXPECT_EQ(read->events.size(), 2U);
  }
  MintedLog whole;
  whole.boot(true);
  EXPECT_EQ(to_vector(without_padding(whole.bytes())), whole.bytes());
  EXPECT_TRUE(without_padding({}).empty());
}

}  // namespace
}  // namespace sealpack::attest
