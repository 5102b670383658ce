// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/evidence.h"

#include <gmock/gmock.h>

#include "attest/evidence/gpu_items.h"
#include "formats/bundle/message_writer.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;

Evidence sample() {
  return {"sev-snp", {{"report", {1, 2, 3}}, {"certificates", {4}}}};
}

TEST(Evidence, SurvivesTheRoundTrip) {
  const auto again = parse_evidence(serialize_evidence(sample()));
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(*again, sample());
}

TEST(Evidence, FindsAnItemByItsKind) {
  const Evidence evidence = sample();
  ASSERT_NE(evidence.find("certificates"), nullptr);
  EXPECT_EQ(*evidence.find("certificates"), ByteVector{4});
  EXPECT_EQ(evidence.find("quote"), nullptr);
}

TEST(Evidence, RefusesItemsOutOfOrderTwiceUnknownOrEmpty) {
  Evidence swapped = sample();
  std::swap(swapped.items[0], swapped.items[1]);
  EXPECT_THAT(parse_evidence(serialize_evidence(swapped)), Fails(ErrorCode::kMalformed));
  Evidence twice = sample();
  twice.items[1] = twice.items[0];
  EXPECT_THAT(parse_evidence(serialize_evidence(twice)), Fails(ErrorCode::kMalformed));
  Evidence unknown = sample();
  unknown.items[0].kind = "weather";
  EXPECT_THAT(parse_evidence(serialize_evidence(unknown)), Fails(ErrorCode::kMalformed));
  Evidence empty = sample();
  empty.items[0].bytes.clear();
  EXPECT_THAT(parse_evidence(serialize_evidence(empty)), Fails(ErrorCode::kMalformed));
}

TEST(Evidence, CountsGpusByTheirGreatestNumber) {
  EXPECT_EQ(count_gpus(sample()), 0U);
  EXPECT_EQ(gpu_kind(1, "report"), "gpu-report");
  EXPECT_EQ(gpu_kind(2, "report"), "gpu2-report");
  Evidence evidence = sample();
  evidence.items.push_back({"gpu-request", {1}});
  EXPECT_EQ(count_gpus(evidence), 1U);
  evidence.items.push_back({"gpu8-certificates", {1}});
  EXPECT_EQ(count_gpus(evidence), kMaxGpus);
  EXPECT_THAT(parse_evidence(serialize_evidence(evidence)), Succeeds());
  for (const EvidenceItem& item : evidence.items) {
    EXPECT_EQ(is_gpu_kind(item.kind), item.kind.starts_with("gpu")) << item.kind;
  }
}

TEST(Evidence, HasNoOtherGpusThanTheFirstEight) {
  for (const char* kind : {"gpu9-report", "gpu1-report", "gpu0-report", "gpu02-report", "gpu2"}) {
    const Evidence evidence{"nvidia-gpu", {{kind, {1}}}};
    EXPECT_THAT(parse_evidence(serialize_evidence(evidence)), Fails(ErrorCode::kMalformed)) << kind;
  }
}

TEST(Evidence, RefusesEveryTruncation) {
  const ByteVector bytes = serialize_evidence(sample());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto parsed = parse_evidence(Bytes(bytes).first(size));
    // Cut between two items it is shorter evidence, and whole.
    EXPECT_TRUE(!parsed.ok() || parsed->items.size() < sample().items.size()) << size;
  }
}

TEST(Evidence, RefusesAnotherVersionAndTooManyBytes) {
  EXPECT_THAT(parse_evidence(bundle::MessageWriter().u64(1, 2).text(2, "sgx").take()),
              Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(parse_evidence(ByteVector(kMaxEvidenceSize + 1)), Fails(ErrorCode::kLimit));
}

}  // namespace
}  // namespace sealpack::attest
