// SPDX-License-Identifier: Apache-2.0
#include "attest/files/evidence_file.h"
#include "attest/verify/verify.h"
#include "formats/base/base64.h"
#include "tests/attest/verify/sample_files.h"
#include "tests/attest/verify/verdict_matchers.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ByteVector request_and_report(std::uint8_t filling) {
  ByteVector bytes = {0x11, 0xe0, 1, 0xff};
  bytes.resize(37, filling);
  const ByteVector report = {0x11, 0x60, 0, 0, 1, 2, filling};
  bytes.insert(bytes.end(), report.begin(), report.end());
  return bytes;
}

// As nvattest writes a GPU.
std::string gpu(Bytes evidence, std::string_view chain = "a chain") {
  return R"({"version": "1.0", "arch": "HOPPER", "nonce": "00", "vbios_version": "96.00.A5.00.01",
    "driver_version": "590.12", "evidence": ")" +
         to_base64(evidence) + R"(", "certificate": ")" + to_base64(as_bytes(chain)) + "\"}";
}

std::string result(const std::string& gpus) {
  return R"({"evidences": [)" + gpus + R"(], "result_code": 0, "result_message": "Ok"})";
}

Result<Evidence> parsed(const std::string& json) {
  return parse_evidence_file(as_bytes(json), "gpu.json");
}

std::vector<std::string> kinds_of(const Evidence& evidence) {
  std::vector<std::string> kinds;
  for (const EvidenceItem& item : evidence.items) kinds.push_back(item.kind);
  return kinds;
}

TEST(NvattestImport, TakesTheBytesOfAGpuAndNothingThatTheHostSays) {
  const ByteVector both = request_and_report(7);
  for (const std::string& json : {result(gpu(both)), "[" + gpu(both) + "]\n"}) {
    const auto evidence = parsed(json);
    ASSERT_THAT(evidence, Succeeds()) << json;
    EXPECT_EQ(evidence->tee, "nvidia-gpu");
    EXPECT_THAT(kinds_of(*evidence), ElementsAre("gpu-request", "gpu-report", "gpu-certificates"));
    EXPECT_EQ(*evidence->find("gpu-report"), to_vector(Bytes(both).subspan(37)));
    EXPECT_EQ(as_text(*evidence->find("gpu-certificates")), "a chain");
  }
}

TEST(NvattestImport, NumbersSeveralGpus) {
  const auto evidence =
      parsed(result(gpu(request_and_report(1)) + "," + gpu(request_and_report(2))));
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(evidence->items.size(), 6U);
  EXPECT_EQ(evidence->find("gpu-report")->back(), 1);
  EXPECT_EQ(evidence->find("gpu2-report")->back(), 2);
  std::string many = gpu(request_and_report(1));
  for (int i = 0; i < 8; ++i) many += "," + gpu(request_and_report(1));
  EXPECT_THAT(parsed(result(many)), FailsWith(ErrorCode::kMalformed, HasSubstr("more than 8")));
}

TEST(NvattestImport, RefusesWhatIsNoGpu) {
  const std::string one = gpu(request_and_report(1));
  const std::vector<std::string> wrong = {
      "[]",
      "[1]",
      "[" + one,
      one,
      result(""),
      result("{}"),
      result(R"({"evidence": "EeAB"})"),
      "[" + gpu(ByteVector{1, 2, 3}) + "]",
      "[" + gpu(ByteVector{3, 0, 2, 0, 0, 0, 0, 0}) + "]",
      "[" + gpu(request_and_report(1), "") + "]",
      R"([{"evidence": "", "evidence": "", "certificate": ""}])",
      R"({"evidences": [)" + one + R"(], "evidences": [)" + one + "]}"};
  for (const std::string& json : wrong) {
    EXPECT_THAT(parsed(json), Fails(ErrorCode::kMalformed)) << json;
  }
}

// Of evidence in another form parts would be missing, or other GPUs passed over.
TEST(NvattestImport, TakesAGpusBytesInNoOtherForm) {
  const ByteVector both = request_and_report(1);
  const Evidence alone{"nvidia-gpu", {{"gpu-certificates", {1}}}};
  const Evidence without_report{"nvidia-gpu", {{"gpu-request", {1}}}};
  const Evidence whole = parsed(result(gpu(both))).value();
  for (const Evidence& one : {alone, without_report, whole}) {
    EXPECT_THAT(parsed(result(gpu(serialize_evidence(one)))), Fails(ErrorCode::kMalformed));
  }
  const std::string two = result(gpu(both) + "," + gpu(request_and_report(2)));
  for (const std::string& text : {two, to_hex(both), to_base64(both)}) {
    EXPECT_THAT(parsed(result(gpu(as_bytes(text)))), Fails(ErrorCode::kMalformed));
  }
}

TEST(NvattestImport, DoesNotReadItselfInsideItself) {
  std::string json = result(gpu(request_and_report(1)));
  while (json.size() < (1U << 19U)) json = result(gpu(as_bytes(json)));
  EXPECT_THAT(parsed(json), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parsed(R"({"more": )" + std::string(1U << 19U, '[')), Fails(ErrorCode::kLimit));
}

TEST(NvattestImport, ReadsWhatNvidiaSigned) {
  constexpr const char* kReport = "nvidia/nvsdk-hopperAttestationReport.txt";
  SEALPACK_NEEDS_SAMPLE(kReport);
  const ByteVector chain = testing::sample_bytes("nvidia/nvsdk-hopperCertChain.txt");
  const auto evidence = parsed(
      result(gpu(from_hex(as_text(testing::sample_bytes(kReport))).value(), as_text(chain))));
  ASSERT_THAT(evidence, Succeeds());
  constexpr std::uint64_t kNow = 1750000000;
  const Endorsements none;
  const Roots roots = vendor_roots();
  EXPECT_THAT(verify({*evidence, none, roots, kNow}), testing::Accepted());
}

}  // namespace
}  // namespace sealpack::attest
