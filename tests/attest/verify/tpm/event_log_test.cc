// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/event_log.h"

#include "tests/attest/verify/tpm/parsed_log.h"
#include "tests/attest/verify/verdict_matchers.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using crypto::HashAlgorithm;
using testing::Fails;
using testing::HasOnlyReason;
using testing::MintedLog;
using testing::parsed;
using testing::replayed;
using testing::secure_boot_variable;

constexpr HashAlgorithm kSha256 = HashAlgorithm::kSha256;
const std::vector<std::uint8_t> kAllFirmware = {0, 1, 2, 3, 4, 5, 6, 7};

TEST(EventLogs, LeadToTheValuesOfEachBank) {
  MintedLog log({HashAlgorithm::kSha1, kSha256, HashAlgorithm::kSha384, HashAlgorithm::kSha512});
  log.boot(true);
  for (const auto bank :
       {HashAlgorithm::kSha1, kSha256, HashAlgorithm::kSha384, HashAlgorithm::kSha512}) {
    EXPECT_THAT(replayed(parsed(log), log.values(bank, kAllFirmware), bank), ::testing::IsEmpty());
  }
}

TEST(EventLogs, ThatLeadElsewhereAreRefused) {
  MintedLog log;
  log.boot(true);
  auto values = log.values(kSha256, kAllFirmware);
  values[4].digest[0] ^= 1U;
  EXPECT_THAT(replayed(parsed(log), values), HasOnlyReason("eventlog.pcr"));
}

TEST(EventLogs, MustSpeakOfEveryFirmwarePcrThatIsQuoted) {
  MintedLog log;
  log.add(0, 8, "version").separator(0);
  auto values = log.values(kSha256, {0, 7});
  values[1].digest = ByteVector(32, 9);
  EXPECT_THAT(replayed(parsed(log), values), HasOnlyReason("eventlog.pcr"));
}

TEST(EventLogs, SayNothingAboutWhatTheRunningSystemMeasures) {
  MintedLog log;
  log.boot(true);
  std::vector<PcrValue> values = log.values(kSha256, {0});
  values.push_back({kSha256, 10, ByteVector(32, 10)});
  EXPECT_THAT(replayed(parsed(log), values), ::testing::IsEmpty());
}

TEST(EventLogs, WithoutDigestsOfTheBankAreRefused) {
  MintedLog log({HashAlgorithm::kSha1});
  log.boot(true);
  std::vector<Reason> reasons;
  check_pcr_replay(parsed(log), kSha256, {}, reasons);
  EXPECT_THAT(reasons, HasOnlyReason("eventlog.bank"));
}

TEST(EventLogs, OfFirmwareThatDidNotCloseItsPcrsAreRefused) {
  constexpr std::uint8_t kZero[4] = {};
  for (std::uint8_t pcr = 0; pcr < 8; ++pcr) {
    MintedLog log;
    // A note is extended nowhere and closes nothing.
    log.add(pcr, 8, "version").add(pcr, kEvNoAction, kZero);
    EXPECT_THAT(replayed(parsed(log), log.values(kSha256, {pcr})),
                HasOnlyReason("eventlog.separator"));
  }
}

TEST(EventLogs, WithASeparatorThatReportsAnErrorAreRefused) {
  MintedLog log;
  constexpr std::uint8_t kError[] = {1, 0, 0, 0};
  log.add(2, kEvSeparator, kError).separator(2);
  EXPECT_THAT(replayed(parsed(log), log.values(kSha256, {2})), HasOnlyReason("eventlog.separator"));
  for (const std::uint8_t pcr : ByteVector{0, 2, 3, 4, 5, 6, 7}) {
    MintedLog relabelled;  // whatever its type says
    relabelled.add(pcr, 1, kError).separator(pcr);
    EXPECT_THAT(replayed(parsed(relabelled), relabelled.values(kSha256, {pcr})),
                HasOnlyReason("eventlog.separator"));
  }
}

TEST(EventLogs, MayMeasureABootOrderThatLooksLikeAnError) {
  MintedLog log;
  constexpr std::uint8_t kEntries[] = {1, 0, 0, 0};
  log.add(1, 0x80000002, as_bytes("BootOrder"), kEntries).separator(1);
  EXPECT_THAT(replayed(parsed(log), log.values(kSha256, {1})), ::testing::IsEmpty());
  MintedLog error;
  error.add(1, kEvSeparator, kEntries).separator(1);
  EXPECT_THAT(replayed(parsed(error), error.values(kSha256, {1})),
              HasOnlyReason("eventlog.separator"));
  // RTMR0 and RTMR1 have several PCRs' events.
  for (const std::uint8_t rtmr : {std::uint8_t{1}, std::uint8_t{2}}) {
    MintedLog ccel({HashAlgorithm::kSha384}, EventLogKind::kCcel);
    ccel.add(rtmr, 0x80000002, as_bytes("BootOrder"), kEntries);
    std::vector<Reason> reasons;
    check_events(parsed(ccel, EventLogKind::kCcel), HashAlgorithm::kSha384, reasons);
    EXPECT_THAT(reasons, ::testing::IsEmpty());
  }
}

TEST(EventLogs, MayCloseWithOnesToo) {
  MintedLog log;
  constexpr std::uint8_t kOnes[] = {0xff, 0xff, 0xff, 0xff};
  log.add(2, kEvSeparator, kOnes);
  EXPECT_THAT(replayed(parsed(log), log.values(kSha256, {2})), ::testing::IsEmpty());
}

TEST(EventLogs, WithOtherEventsRelabelledAsSeparatorsAreRefused) {
  MintedLog log;
  constexpr std::uint8_t kZero[4] = {};
  log.add(2, kEvSeparator, kZero, as_bytes("an option ROM"));
  EXPECT_THAT(replayed(parsed(log), log.values(kSha256, {2})),
              ::testing::AllOf(testing::HasReason("eventlog.event-digest"),
                               testing::HasReason("eventlog.separator")));
}

TEST(EventLogs, WithOtherEventsRelabelledAsStepsOfTheFirmwareAreRefused) {
  MintedLog log;
  log.add(4, kEvEfiAction, as_bytes("Calling EFI Application from Boot Option"),
          as_bytes("a boot loader"));
  log.separator(4);
  EXPECT_THAT(replayed(parsed(log), log.values(kSha256, {4})),
              HasOnlyReason("eventlog.event-digest"));
}

TEST(EventLogs, WithVariablesThatWereNotMeasuredAreRefused) {
  MintedLog log;
  log.add(7, kEvEfiVariableDriverConfig, secure_boot_variable(1), secure_boot_variable(0));
  log.separator(7);
  EXPECT_THAT(replayed(parsed(log), log.values(kSha256, {7})),
              HasOnlyReason("eventlog.event-digest"));
}

TEST(EventLogs, StartPcr0FromTheLocality) {
  for (const std::uint8_t locality : ByteVector{0, 3, 4}) {
    ByteVector data = to_vector(as_bytes(std::string_view("StartupLocality\0", 16)));
    data.push_back(locality);
    MintedLog log;
    log.add(0, kEvNoAction, data).separator(0);
    const EventLog one = parsed(log);
    EXPECT_EQ(one.startup_locality, locality);
    ByteVector value(32);
    value.back() = locality;
    const ByteVector zero = crypto::hash(kSha256, ByteVector(4));
    value.insert(value.end(), zero.begin(), zero.end());
    EXPECT_EQ(replay(one, kSha256).value().at(0), crypto::hash(kSha256, value));
  }
}

TEST(EventLogs, RefuseLocalitiesThatAreNoneOrComeLate) {
  const auto with = [](std::uint8_t locality) {
    ByteVector data = to_vector(as_bytes(std::string_view("StartupLocality\0", 16)));
    data.push_back(locality);
    return data;
  };
  MintedLog none;
  none.add(0, kEvNoAction, with(1));
  EXPECT_THAT(parse_event_log(none.bytes(), EventLogKind::kTpm), Fails(ErrorCode::kMalformed));
  MintedLog late;
  late.separator(0).add(0, kEvNoAction, with(3));
  EXPECT_THAT(parse_event_log(late.bytes(), EventLogKind::kTpm), Fails(ErrorCode::kMalformed));
  MintedLog twice;
  twice.add(0, kEvNoAction, with(3)).add(0, kEvNoAction, with(4));
  EXPECT_THAT(parse_event_log(twice.bytes(), EventLogKind::kTpm), Fails(ErrorCode::kMalformed));
  MintedLog elsewhere;
  elsewhere.add(1, kEvNoAction, with(3));
  EXPECT_THAT(parse_event_log(elsewhere.bytes(), EventLogKind::kTpm), Fails(ErrorCode::kMalformed));
  MintedLog ccel({HashAlgorithm::kSha384}, EventLogKind::kCcel);
  ccel.add(0, kEvNoAction, with(3));
  EXPECT_THAT(parse_event_log(ccel.bytes(), EventLogKind::kCcel), Fails(ErrorCode::kMalformed));
}

TEST(EventLogs, RefuseTypesThatTheSpecificationDoesNotHave) {
  MintedLog log;
  log.add(8, 0x0000abcd, "what?");
  EXPECT_THAT(parse_event_log(log.bytes(), EventLogKind::kTpm), Fails(ErrorCode::kUnsupported));
}

TEST(EventLogs, RefuseRegistersThatDoNotExist) {
  MintedLog log;
  log.add(24, 1, "beyond");
  EXPECT_THAT(parse_event_log(log.bytes(), EventLogKind::kTpm), Fails(ErrorCode::kMalformed));
  MintedLog ccel({HashAlgorithm::kSha384}, EventLogKind::kCcel);
  ccel.add(5, 1, "beyond");
  EXPECT_THAT(parse_event_log(ccel.bytes(), EventLogKind::kCcel), Fails(ErrorCode::kMalformed));
  MintedLog mrtd({HashAlgorithm::kSha384}, EventLogKind::kCcel);
  mrtd.add(0, 1, "into MRTD");
  EXPECT_THAT(parse_event_log(mrtd.bytes(), EventLogKind::kCcel), Fails(ErrorCode::kMalformed));
}

// Firmware that asks devices who they are (Firmware Profile 1.06) extends NV indices as well, and
// notes them by their handles.
TEST(EventLogs, MayNoteWhatWentIntoNvIndices) {
  MintedLog log;
  log.boot(true).add(0x01c40200, kEvNoAction, "NvIndexInstance");
  const EventLog one = parsed(log);
  EXPECT_THAT(replayed(one, log.values(kSha256, kAllFirmware)), ::testing::IsEmpty());
  EXPECT_FALSE(replay(one, kSha256).value().contains(0x01c40200));
}

TEST(EventLogs, RefuseDigestLengthsThatContradictTheirAlgorithm) {
  MintedLog log;
  log.boot(true);
  constexpr std::size_t kSizeOfSha256 = 32 + 28 + 2;
  for (const std::uint8_t size : ByteVector{0, 31, 33, 64, 255}) {
    ByteVector bytes = log.bytes();
    bytes[kSizeOfSha256] = size;
    EXPECT_THAT(parse_event_log(bytes, EventLogKind::kTpm), Fails(ErrorCode::kMalformed));
    bytes[kSizeOfSha256 + 1] = 0xff;
    EXPECT_THAT(parse_event_log(bytes, EventLogKind::kTpm), Fails(ErrorCode::kMalformed));
  }
}

TEST(EventLogs, RefuseAnAlgorithmTwice) {
  EXPECT_THAT(parse_event_log(MintedLog({kSha256, kSha256}).bytes(), EventLogKind::kTpm),
              Fails(ErrorCode::kMalformed));
}

TEST(EventLogs, DescribeThemselvesFirst) {
  const ByteVector good = MintedLog().bytes();
  constexpr std::size_t kIndex = 0;
  constexpr std::size_t kType = 4;
  constexpr std::size_t kDigest = 8;
  constexpr std::size_t kMajorVersion = 32 + 21;
  for (const std::size_t at : {kIndex, kType, kDigest, kMajorVersion}) {
    ByteVector bytes = good;
    bytes[at] ^= 1U;
    EXPECT_THAT(parse_event_log(bytes, EventLogKind::kTpm), Fails(ErrorCode::kUnsupported)) << at;
  }
  ByteVector longer = good;
  ++longer[28];  // its size
  longer.push_back(0);
  EXPECT_THAT(parse_event_log(longer, EventLogKind::kTpm), Fails(ErrorCode::kMalformed));
}

// One that has not, or one twice, can be read in two ways.
TEST(EventLogs, HaveADigestOfEachAlgorithmInEachEvent) {
  const auto with = [](const std::vector<std::uint8_t>& banks) {
    ByteVector bytes = MintedLog({kSha256, HashAlgorithm::kSha384}).bytes();
    const auto append = [&](const ByteVector& more) {
      bytes.insert(bytes.end(), more.begin(), more.end());
    };
    append({7, 0, 0, 0, 4, 0, 0, 0, static_cast<std::uint8_t>(banks.size()), 0, 0, 0});
    for (const std::uint8_t bank : banks) {
      append({bank, 0});
      append(ByteVector(bank == tpm::kAlgSha256 ? 32 : 48));
    }
    append({0, 0, 0, 0});
    return parse_event_log(bytes, EventLogKind::kTpm).ok();
  };
  constexpr std::uint8_t kOne = tpm::kAlgSha256;
  constexpr std::uint8_t kOther = tpm::kAlgSha384;
  EXPECT_TRUE(with({kOne, kOther}));
  EXPECT_TRUE(with({kOther, kOne}));
  EXPECT_FALSE(with({kOne}));
  EXPECT_FALSE(with({}));
  EXPECT_FALSE(with({kOne, kOne}));
  EXPECT_FALSE(with({kOne, kOther, kOther}));
  EXPECT_FALSE(with({kOne, tpm::kAlgSha512}));
}

TEST(EventLogs, OfSha1AloneInTheOldFormatAreNotRead) {
  ByteVector bytes = MintedLog().bytes();
  bytes[32 + 13] = '2';  // "Spec ID Event02"
  EXPECT_THAT(parse_event_log(bytes, EventLogKind::kTpm), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(parse_event_log(ByteVector(64), EventLogKind::kTpm), Fails(ErrorCode::kUnsupported));
}

TEST(EventLogs, EndWithTheirLastEvent) {
  MintedLog log;
  log.boot(true);
  ByteVector padded = log.bytes();
  padded.insert(padded.end(), 64, 0xff);
  EXPECT_THAT(parse_event_log(padded, EventLogKind::kTpm), Fails(ErrorCode::kUnsupported));
}

TEST(EventLogs, OfTrustDomainsMayBePadded) {
  MintedLog log({HashAlgorithm::kSha384}, EventLogKind::kCcel);
  log.separator(1);
  for (const std::uint8_t padding : ByteVector{0x00, 0xff}) {
    ByteVector padded = log.bytes();
    padded.insert(padded.end(), 100, padding);
    const auto read = parse_event_log(padded, EventLogKind::kCcel);
    ASSERT_TRUE(read.ok()) << read.error().message();
    EXPECT_EQ(read->events.size(), 1U);
    padded.back() ^= 1U;
    EXPECT_THAT(parse_event_log(padded, EventLogKind::kCcel), Fails(ErrorCode::kMalformed));
  }
}

TEST(EventLogs, AreReadWholeOrNotAtAll) {
  MintedLog log;
  log.boot(true);
  const std::size_t empty = MintedLog().bytes().size();
  std::size_t read = 0;
  for (std::size_t size = 0; size < log.bytes().size(); ++size) {
    const auto part = parse_event_log(Bytes(log.bytes()).first(size), EventLogKind::kTpm);
    if (part.ok()) ++read;
    EXPECT_TRUE(size >= empty || !part.ok());
  }
  EXPECT_EQ(read, parsed(log).events.size());  // after the head and each event but the last
}

TEST(Rtmrs, AreReproducedOrTheLogIsRefused) {
  MintedLog log({HashAlgorithm::kSha384}, EventLogKind::kCcel);
  log.separator(1).separator(2).add(3, 13, "kernel");
  const auto values = log.values(HashAlgorithm::kSha384, {1, 2, 3, 4});
  std::array<Bytes, 4> rtmrs;
  for (std::size_t i = 0; i < 4; ++i) rtmrs[i] = values[i].digest;
  std::vector<Reason> reasons;
  const EventLog one = parsed(log, EventLogKind::kCcel);
  check_rtmr_replay(one, rtmrs, reasons);
  EXPECT_THAT(reasons, ::testing::IsEmpty());

  const ByteVector other(48, 7);
  for (std::size_t i = 0; i < 3; ++i) {
    auto changed = rtmrs;
    changed[i] = other;
    reasons.clear();
    check_rtmr_replay(one, changed, reasons);
    EXPECT_THAT(reasons, HasOnlyReason("eventlog.rtmr"));
  }
  // One that the log does not speak of was extended all the same.
  MintedLog less({HashAlgorithm::kSha384}, EventLogKind::kCcel);
  less.separator(1).separator(2);
  reasons.clear();
  check_rtmr_replay(parsed(less, EventLogKind::kCcel), rtmrs, reasons);
  EXPECT_THAT(reasons, HasOnlyReason("eventlog.rtmr"));
  // RTMR3 belongs to the running system, until the log speaks of it.
  auto running = rtmrs;
  running[3] = other;
  reasons.clear();
  check_rtmr_replay(one, running, reasons);
  EXPECT_THAT(reasons, ::testing::IsEmpty());
  log.add(4, 13, "an image");
  check_rtmr_replay(parsed(log, EventLogKind::kCcel), running, reasons);
  EXPECT_THAT(reasons, HasOnlyReason("eventlog.rtmr"));
}

}  // namespace
}  // namespace sealpack::attest
