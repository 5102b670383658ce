// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/collect/collect.h"

#include <map>
#include <optional>

#include "attest/evidence/collect/nitro_device.h"
#include "attest/evidence/collect/tsm_report.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::attest {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::testing::HasSubstr;

const ByteVector kQuestion(64, 0x5a);

// What the kernel does: each write counts up, and the report answers the last question.
class FakeEntry final : public TsmEntry {
 public:
  Result<std::optional<ByteVector>> read(const std::string& attribute) override {
    ++reads;
    if (attribute == "generation") return bytes(std::to_string(generation));
    if (attribute == "provider") return bytes(provider + "\n");
    if (attribute == "auxblob") return auxblob;
    if (attribute == "privlevel_floor") return privlevel_floor;
    if (attribute == "outblob") {
      if (busy > 0) {
        --busy;
        return Error(ErrorCode::kTryAgain, "busy");
      }
      if (intruders > 0) {  // another writer came between
        --intruders;
        ++generation;
        return bytes("for somebody else");
      }
      return std::optional(asked);
    }
    return std::optional<ByteVector>();
  }
  Status write(const std::string& attribute, Bytes value) override {
    ++generation;
    if (attribute == "privlevel") {
      privlevel = std::string(as_text(value));
      return done();
    }
    EXPECT_EQ(attribute, "inblob");
    asked = to_vector(value);
    return done();
  }
  void wait(unsigned) override { ++waits; }

  static std::optional<ByteVector> bytes(const std::string& text) {
    return to_vector(as_bytes(text));
  }
  std::string provider = "sev_guest";
  std::optional<ByteVector> auxblob;
  std::optional<ByteVector> privlevel_floor;
  std::optional<std::string> privlevel;
  ByteVector asked;
  std::uint64_t generation = 0;
  int busy = 0;
  int intruders = 0;
  int waits = 0;
  int reads = 0;
};

TEST(CollectTsm, GivesTheReportOverWhatWasAsked) {
  FakeEntry entry;
  entry.auxblob = ByteVector{1, 2, 3};
  const auto evidence = collect_tsm(entry, "sev-snp", kQuestion);
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(evidence->tee, "sev-snp");
  EXPECT_EQ(*evidence->find("report"), kQuestion);
  EXPECT_EQ(*evidence->find("certificates"), *entry.auxblob);
  EXPECT_THAT(parse_evidence(serialize_evidence(*evidence)), Succeeds());
}

TEST(CollectTsm, LeavesOutCertificatesThatTheHostDoesNotGive) {
  FakeEntry entry;
  EXPECT_EQ(collect_tsm(entry, "sev-snp", kQuestion)->items.size(), 1U);
  entry.auxblob = ByteVector();
  EXPECT_EQ(collect_tsm(entry, "sev-snp", kQuestion)->items.size(), 1U);
}

TEST(CollectTsm, AsksForTheLevelThatTheKernelRunsAt) {
  FakeEntry under_svsm;
  under_svsm.privlevel_floor = FakeEntry::bytes("2\n");
  EXPECT_THAT(collect_tsm(under_svsm, "sev-snp", kQuestion), Succeeds());
  EXPECT_EQ(under_svsm.privlevel, "2");
  EXPECT_EQ(under_svsm.waits, 0);
  FakeEntry highest;
  highest.privlevel_floor = FakeEntry::bytes("0\n");
  EXPECT_THAT(collect_tsm(highest, "sev-snp", kQuestion), Succeeds());
  EXPECT_EQ(highest.privlevel, std::nullopt);
}

TEST(CollectTsm, AsksAgainWhenSomebodyElseWroteMeanwhile) {
  FakeEntry entry;
  entry.intruders = 2;
  const auto evidence = collect_tsm(entry, "sev-snp", kQuestion);
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(*evidence->find("report"), kQuestion);
  EXPECT_EQ(entry.waits, 2);
}

TEST(CollectTsm, GivesUpAfterABoundedNumberOfAttempts) {
  FakeEntry contended;
  contended.intruders = 1 << 30;
  EXPECT_THAT(collect_tsm(contended, "sev-snp", kQuestion),
              FailsWith(ErrorCode::kTryAgain, HasSubstr("5 attempts")));
  EXPECT_EQ(contended.generation, 2U * kTsmAttempts);
  FakeEntry busy;
  busy.busy = 1 << 30;
  EXPECT_THAT(collect_tsm(busy, "sev-snp", kQuestion), Fails(ErrorCode::kTryAgain));
  EXPECT_EQ(busy.waits, static_cast<int>(kTsmAttempts) - 1);
}

TEST(CollectTsm, RefusesAnotherProviderThanTheTeeNeeds) {
  FakeEntry entry;
  EXPECT_THAT(collect_tsm(entry, "tdx", kQuestion),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("'sev_guest'")));
  EXPECT_THAT(collect_tsm(entry, "sgx", kQuestion), Fails(ErrorCode::kUsage));
  entry.provider = "tdx_guest";
  EXPECT_THAT(collect_tsm(entry, "tdx", kQuestion), Succeeds());
  entry.provider = "arm_cca_guest";
  EXPECT_THAT(collect_tsm(entry, "cca", kQuestion), Succeeds());
}

Result<Evidence> collect_from(const testing::TemporaryFolder& folder, const std::string& tee,
                              const ByteVector& question = kQuestion) {
  return collect({tee, question, folder.path()});
}

TEST(Collect, ReadsARecordedEntryOfConfigfs) {
  const testing::TemporaryFolder folder;
  folder.put("provider", "tdx_guest\n");
  folder.put("outblob", "a quote");
  folder.put("inblob", std::string(as_text(kQuestion)));
  folder.put("generation", "7\n");
  folder.put("event_log", "a log");
  const auto evidence = collect_from(folder, "tdx");
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(as_text(*evidence->find("quote")), "a quote");
  const auto with_log = collect({"tdx", kQuestion, folder.path(), true});
  ASSERT_THAT(with_log, Succeeds());
  EXPECT_EQ(as_text(*with_log->find("event-log")), "a log");
  EXPECT_THAT(collect_from(folder, "tdx", ByteVector(64, 1)),
              FailsWith(ErrorCode::kRefused, HasSubstr("inblob")));
}

TEST(Collect, RefusesARecordingWithoutAReport) {
  const testing::TemporaryFolder folder;
  folder.put("provider", "tdx_guest\n");
  EXPECT_THAT(collect_from(folder, "tdx"), FailsWith(ErrorCode::kIo, HasSubstr("outblob")));
  folder.put("outblob", "");
  EXPECT_THAT(collect_from(folder, "tdx"), Fails(ErrorCode::kIo));
  EXPECT_THAT(collect({"tdx", kQuestion, folder / "absent"}), Fails(ErrorCode::kIo));
}

TEST(Collect, ReadsARecordedGramine) {
  const testing::TemporaryFolder folder;
  folder.put("attestation_type", "dcap");
  folder.put("quote", "a quote");
  folder.put("user_report_data", std::string(as_text(kQuestion)));
  const auto evidence = collect_from(folder, "sgx");
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(as_text(*evidence->find("quote")), "a quote");
  EXPECT_THAT(collect_from(folder, "sgx", ByteVector(64, 1)), Fails(ErrorCode::kRefused));
  folder.put("attestation_type", "epid\n");
  EXPECT_THAT(collect_from(folder, "sgx"), FailsWith(ErrorCode::kUnsupported, HasSubstr("epid")));
  folder.put("attestation_type", "dcap\n");
  folder.put("quote", "");
  EXPECT_THAT(collect_from(folder, "sgx"), Fails(ErrorCode::kIo));
}

// {"Attestation": {"document": h'0102'}}
const char* const kAnswer = "a16b4174746573746174696f6ea168646f63756d656e74420102";

TEST(Collect, ReadsARecordedNitroAnswer) {
  const testing::TemporaryFolder folder;
  const ByteVector nonce(48, 9);
  folder.put("response", std::string(as_text(from_hex(kAnswer).value())));
  folder.put("request", std::string(as_text(nsm_attestation_request(nonce))));
  const auto evidence = collect_from(folder, "nitro", nonce);
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(*evidence->find("document"), (ByteVector{1, 2}));
  EXPECT_THAT(collect_from(folder, "nitro", ByteVector(48, 8)), Fails(ErrorCode::kRefused));
}

TEST(NitroDevice, AsksInCbor) {
  EXPECT_EQ(to_hex(nsm_attestation_request(ByteVector{1, 2})),
            "a16b4174746573746174696f6ea369757365725f64617461f6656e6f6e6365420102"
            "6a7075626c69635f6b6579f6");
  EXPECT_THAT(to_hex(nsm_attestation_request(ByteVector(48, 1))), HasSubstr("6e6f6e63655830"));
}

TEST(NitroDevice, ReadsAnswersStrictly) {
  const ByteVector answer = from_hex(kAnswer).value();
  EXPECT_THAT(parse_nsm_response(answer), Succeeds());
  for (std::size_t size = 0; size < answer.size(); ++size) {
    EXPECT_FALSE(parse_nsm_response(Bytes(answer).first(size)).ok()) << size;
  }
  ByteVector longer = answer;
  longer.push_back(0);
  EXPECT_THAT(parse_nsm_response(longer), Fails(ErrorCode::kMalformed));
  for (std::size_t i = 0; i < answer.size(); ++i) {
    ByteVector flipped = answer;
    flipped[i] ^= 0x80U;
    (void)parse_nsm_response(flipped);
  }
  // {"Error": "InvalidArgument"}
  EXPECT_THAT(
      parse_nsm_response(from_hex("a1654572726f726f496e76616c6964417267756d656e74").value()),
      FailsWith(ErrorCode::kIo, HasSubstr("'InvalidArgument'")));
}

TEST(Collect, RefusesReportDataOfAnotherSize) {
  for (const char* tee : {"sev-snp", "tdx", "cca", "sgx"}) {
    for (const std::size_t size : {0U, 32U, 63U, 65U}) {
      EXPECT_THAT(collect({tee, ByteVector(size, 1), "/nowhere"}), Fails(ErrorCode::kUsage))
          << tee << size;
    }
  }
  EXPECT_THAT(collect({"nitro", {}, "/nowhere"}), Fails(ErrorCode::kUsage));
  EXPECT_THAT(collect({"nitro", ByteVector(65, 1), "/nowhere"}), Fails(ErrorCode::kUsage));
}

TEST(Collect, HasNoCollectorForSimulatedEvidence) {
  EXPECT_THAT(collect({"simulated", kQuestion, {}}), Fails(ErrorCode::kUsage));
  EXPECT_THAT(collect({"quantum", kQuestion, {}}), Fails(ErrorCode::kUsage));
}

TEST(Collect, SaysWhatThisMachineLacks) {
  if (std::filesystem::exists("/sys/kernel/config/tsm/report") ||
      std::filesystem::exists("/dev/nsm") || std::filesystem::exists("/dev/attestation")) {
    GTEST_SKIP() << "this machine has a TEE";
  }
  for (const char* tee : {"sev-snp", "sgx", "nitro"}) {
    EXPECT_THAT(collect({tee, kQuestion, {}}), Fails(ErrorCode::kUnsupported)) << tee;
  }
}

}  // namespace
}  // namespace sealpack::attest
