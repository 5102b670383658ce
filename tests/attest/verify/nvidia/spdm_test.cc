// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/nvidia/spdm.h"

#include <gmock/gmock.h>

#include "attest/evidence/gpu_items.h"
#include "tests/attest/verify/nvidia/gpu_maker.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Fails;
using testing::FailsWith;
using testing::GpuMaker;
using ::testing::HasSubstr;
using testing::Succeeds;

class Spdm : public ::testing::Test {
 protected:
  void refuses(const ByteVector& report, const char* why) {
    EXPECT_THAT(parse_spdm_report(report), FailsWith(ErrorCode::kMalformed, HasSubstr(why)));
  }
  GpuMaker gpu;
};

TEST_F(Spdm, ReadsTheNonceOfARequest) {
  const ByteVector request = gpu.request();
  ASSERT_EQ(request.size(), kGpuRequestSize);
  const auto nonce = parse_spdm_request(request);
  ASSERT_THAT(nonce, Succeeds());
  EXPECT_EQ(to_vector(*nonce), gpu.nonce);
}

TEST_F(Spdm, RefusesRequestsForLessOrWithoutASignature) {
  for (const ByteVector& head :
       {ByteVector{0x11, 0xE0, 0x00, 0xFF}, ByteVector{0x11, 0xE0, 0x01, 0x00},
        ByteVector{0x11, 0xE0, 0x01, 0x01}, ByteVector{0x10, 0xE0, 0x01, 0xFF},
        ByteVector{0x11, 0x60, 0x01, 0xFF}}) {
    gpu.request_head = head;
    EXPECT_THAT(parse_spdm_request(gpu.request()), Fails(ErrorCode::kMalformed)) << to_hex(head);
  }
}

TEST_F(Spdm, RefusesRequestsOfOtherSizes) {
  ByteVector request = gpu.request();
  request.push_back(0);
  EXPECT_THAT(parse_spdm_request(request), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_spdm_request(Bytes(request).first(36)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_spdm_request({}), Fails(ErrorCode::kMalformed));
}

TEST_F(Spdm, ReadsAReport) {
  const ByteVector bytes = gpu.report();
  const auto report = parse_spdm_report(bytes);
  ASSERT_THAT(report, Succeeds());
  ASSERT_EQ(report->measurements.size(), 64U);
  EXPECT_EQ(report->measurements[63].index, 64);
  EXPECT_EQ(to_vector(report->measurements[63].value), ByteVector(48, 64));
  EXPECT_EQ(report->opaque_version, 1U);
  EXPECT_EQ(to_vector(*report->find(20)), gpu.fwid);
  EXPECT_FALSE(report->find(21));
  EXPECT_EQ(to_vector(report->signed_part), gpu.unsigned_report());
  EXPECT_EQ(report->signature.size(), kSpdmSignatureSize);
}

TEST_F(Spdm, ReadsOpaqueDataInTheVersionedLayout) {
  gpu.opaque_head = to_vector(as_bytes("NVDAOD"));
  testing::append(gpu.opaque_head, ByteVector{0, 0, 2, 0, 0, 0});
  const ByteVector bytes = gpu.report();
  const auto report = parse_spdm_report(bytes);
  ASSERT_THAT(report, Succeeds());
  EXPECT_EQ(report->opaque_version, 2U);  // of the header; the field of the old layout says 1
  EXPECT_EQ(to_vector(*report->find(20)), gpu.fwid);
}

TEST_F(Spdm, RefusesLayoutsThatAreNewer) {
  gpu.opaque_head = to_vector(as_bytes("NVDAOD"));
  testing::append(gpu.opaque_head, ByteVector{0, 0, 3, 0, 0, 0});
  EXPECT_THAT(parse_spdm_report(gpu.report()), Fails(ErrorCode::kUnsupported));
  gpu.opaque_head[6] = 1;  // profile
  EXPECT_THAT(parse_spdm_report(gpu.report()), Fails(ErrorCode::kUnsupported));
  gpu.opaque_head.clear();
  gpu.fields[3].value = {3, 0};
  EXPECT_THAT(parse_spdm_report(gpu.report()), Fails(ErrorCode::kUnsupported));
  for (const std::size_t size : {0U, 9U}) {
    gpu.fields[3].value = ByteVector(size);
    EXPECT_THAT(parse_spdm_report(gpu.report()), Fails(ErrorCode::kMalformed));
  }
}

TEST_F(Spdm, ToleratesOneZeroByteAtTheEndAndNothingElse) {
  ByteVector report = gpu.report();
  report.push_back(0);
  EXPECT_THAT(parse_spdm_report(report), Succeeds());
  report.back() = 1;
  refuses(report, "byte after the signature");
  report.back() = 0;
  report.push_back(0);
  refuses(report, "left");
}

TEST_F(Spdm, RefusesEveryTruncation) {
  const ByteVector report = gpu.report();
  for (std::size_t size = 0; size < report.size(); ++size) {
    EXPECT_FALSE(parse_spdm_report(Bytes(report).first(size)).ok()) << size;
  }
}

TEST_F(Spdm, RefusesOtherVersionsAndMessages) {
  ByteVector report = gpu.report();
  ByteVector request = gpu.request();
  for (const std::uint8_t newer : std::initializer_list<std::uint8_t>{0x12, 0x13, 0x1F}) {
    report[0] = request[0] = newer;
    EXPECT_THAT(parse_spdm_report(report), Fails(ErrorCode::kUnsupported));
    EXPECT_THAT(parse_spdm_request(request), Fails(ErrorCode::kUnsupported));
  }
  for (const std::uint8_t none : std::initializer_list<std::uint8_t>{0x10, 0x01, 0x20, 0xFF}) {
    report[0] = request[0] = none;
    refuses(report, "SPDM version");
    EXPECT_THAT(parse_spdm_request(request), Fails(ErrorCode::kMalformed));
  }
  report = gpu.report();
  report[1] = 0x7F;  // ERROR
  refuses(report, "response code");
}

TEST_F(Spdm, RefusesBlocksThatDoNotAddUp) {
  ByteVector report = gpu.report();
  report[4] = 63;
  refuses(report, "left");
  report = gpu.report();
  report[4] = 65;
  refuses(report, "ends");
  report = gpu.report();
  report[8 + 2] ^= 1;  // size of the first block
  refuses(report, "disagree");
  report = gpu.report();
  report[7] = 0xFF;  // record of 16 MiB
  refuses(report, "ends");
  report = gpu.report();
  report[8 + 1] = 2;  // not DMTF's
  refuses(report, "measurement specification");
}

TEST_F(Spdm, RefusesIndicesThatAreNotAscending) {
  gpu.blocks[1].index = 1;
  refuses(gpu.report(), "ascending");
  gpu.blocks[1].index = 0;
  refuses(gpu.report(), "ascending");
}

TEST_F(Spdm, RefusesOpaqueFieldsThatAreTwiceTooManyOrCut) {
  gpu.fields.push_back({20, gpu.fwid});
  refuses(gpu.report(), "twice");
  gpu.fields.pop_back();
  for (std::uint16_t id = 1000; id < 1129; ++id) gpu.fields.push_back({id, {}});
  refuses(gpu.report(), "128");
}

}  // namespace
}  // namespace sealpack::attest
