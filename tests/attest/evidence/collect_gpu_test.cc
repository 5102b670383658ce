// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/collect/collect_gpu.h"

#include <gmock/gmock.h>

#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::Succeeds;

CollectGpuRequest request(std::uint8_t answer, unsigned size) {
  CollectGpuRequest out;
  out.nonce = ByteVector(32, 0x77);
  out.nonce[0] = answer;
  out.nonce[1] = static_cast<std::uint8_t>(size >> 8U);
  out.nonce[2] = static_cast<std::uint8_t>(size);
  out.indices = {0};
  out.library = SEALPACK_FAKE_NVML;
  return out;
}

TEST(CollectGpu, TakesRequestReportAndCertificates) {
  const CollectGpuRequest asked = request(0, 4141);
  const auto gpu = collect_gpus(asked);
  ASSERT_THAT(gpu, Succeeds());
  const Evidence evidence{"nvidia-gpu", gpu->items};
  const ByteVector* sent = evidence.find("gpu-request");
  ASSERT_NE(sent, nullptr);
  ASSERT_EQ(sent->size(), 37U);
  EXPECT_EQ(ByteVector(sent->begin() + 4, sent->end() - 1), asked.nonce);
  EXPECT_EQ(*evidence.find("gpu-report"), ByteVector(4141 - 37, 0x60));
  EXPECT_EQ(as_text(*evidence.find("gpu-certificates")), "-----BEGIN CERTIFICATE-----\n");
}

TEST(CollectGpu, SaysWhatTheHostSaysOfItsSettings) {
  const auto gpu = collect_gpus(request(0, 4141));
  ASSERT_THAT(gpu, Succeeds());
  EXPECT_EQ(gpu->settings.confidential_computing, "on");
  EXPECT_EQ(gpu->settings.environment, "production");
  EXPECT_EQ(gpu->settings.developer_tools, "on");
  EXPECT_EQ(gpu->settings.multi_gpu, "unknown (7)");
}

TEST(CollectGpu, RefusesANonceOfAnotherSize) {
  CollectGpuRequest other = request(0, 4141);
  other.nonce.pop_back();
  EXPECT_THAT(collect_gpus(other), Fails(ErrorCode::kUsage));
  other.nonce = ByteVector(64);
  EXPECT_THAT(collect_gpus(other), Fails(ErrorCode::kUsage));
}

TEST(CollectGpu, RefusesAGpuThatIsNotThere) {
  CollectGpuRequest second = request(0, 4141);
  second.indices = {2};
  EXPECT_THAT(collect_gpus(second), FailsWith(ErrorCode::kUsage, HasSubstr("GPU 2")));
}

TEST(CollectGpu, TakesAllOfTheMachineOrThoseThatAreNamed) {
  CollectGpuRequest asked = request(0, 4141);
  asked.indices.clear();
  const auto all = collect_gpus(asked);
  ASSERT_THAT(all, Succeeds());
  const Evidence evidence{"nvidia-gpu", all->items};
  ASSERT_THAT(parse_evidence(serialize_evidence(evidence)), Succeeds());
  ASSERT_EQ(evidence.items.size(), 6U);
  EXPECT_EQ(evidence.find("gpu-report")->back(), 0x60);
  EXPECT_EQ(evidence.find("gpu2-report")->back(), 0x61);
  EXPECT_EQ(evidence.find("gpu2-request")->size(), 37U);
  asked.indices = {1};
  const auto second = collect_gpus(asked);
  ASSERT_THAT(second, Succeeds());
  ASSERT_EQ(second->items.size(), 3U);
  EXPECT_EQ(second->items[1].kind, "gpu-report");
  EXPECT_EQ(second->items[1].bytes.back(), 0x61);
}

TEST(CollectGpu, RefusesMoreThanEvidenceHasRoomFor) {
  CollectGpuRequest asked = request(0, 4141);
  asked.indices.assign(8, 0);
  EXPECT_THAT(collect_gpus(asked), Succeeds());
  asked.indices.push_back(1);
  EXPECT_THAT(collect_gpus(asked), FailsWith(ErrorCode::kLimit, HasSubstr("9 GPUs")));
}

TEST(CollectGpu, RefusesSizesThatTheAnswerCannotHave) {
  for (const unsigned size : {0U, 37U, 0x2001U, 0xFFFFU}) {
    EXPECT_THAT(collect_gpus(request(0, size)), Fails(ErrorCode::kIo)) << size;
  }
  EXPECT_THAT(collect_gpus(request(0, 0x2000)), Succeeds());
  EXPECT_THAT(collect_gpus(request(0, 38)), Succeeds());
}

TEST(CollectGpu, SaysWhyTheDriverGivesNone) {
  EXPECT_THAT(collect_gpus(request(3, 0)), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(collect_gpus(request(9, 0)), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(collect_gpus(request(19, 0)), Fails(ErrorCode::kTryAgain));
  EXPECT_THAT(collect_gpus(request(10, 0)), Fails(ErrorCode::kTryAgain));
  EXPECT_THAT(collect_gpus(request(15, 0)), FailsWith(ErrorCode::kIo, HasSubstr("15")));
}

TEST(CollectGpu, SaysWhereThereIsNoLibraryOrAnother) {
  CollectGpuRequest none = request(0, 4141);
  none.library = "/nonexistent/libnvidia-ml.so.1";
  EXPECT_THAT(collect_gpus(none), FailsWith(ErrorCode::kUnsupported, HasSubstr("cannot load")));
  none.library = "libc.so.6";
  EXPECT_THAT(collect_gpus(none), FailsWith(ErrorCode::kUnsupported, HasSubstr("nvmlInit_v2")));
}

}  // namespace
}  // namespace sealpack::attest
