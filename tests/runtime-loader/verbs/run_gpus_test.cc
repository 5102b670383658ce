// SPDX-License-Identifier: Apache-2.0
// LOADER-FORMATS.md [L-2.1.3]. That a broker believes what is made so: tee_release_test.cc.
#include "runtime-loader/verbs/run_gpus.h"

#include <gmock/gmock.h>

#include "attest/evidence/gpu_items.h"
#include "attest/evidence/gpu_nonce.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;

constexpr std::size_t kNonceOffset = 4;  // in a GPU's request
constexpr std::size_t kNonceSize = 32;

ByteVector nonce_of(const KeyRequest& request) {
  return attest::gpu_nonce(grant_transcript(request.terms),
                           attest::parse_evidence(request.evidence).value());
}

// One whose GPUs are asked for a nonce that begins with `first` and, as a size of reports, one
// between 64 bytes and 8 KiB: by that the library in the driver's place decides what to answer.
KeyRequest request_for(std::uint8_t first, std::size_t evidence_size = 1184) {
  KeyRequest request;
  request.terms.tee = "sev-snp";
  request.terms.role = "model";
  const attest::Evidence evidence{"sev-snp", {{"report", ByteVector(evidence_size, 7)}}};
  request.evidence = attest::serialize_evidence(evidence);
  for (unsigned tries = 0; tries < 1U << 20U; ++tries) {
    request.terms.challenge.nonce = ByteVector(32, 1);
    for (unsigned i = 0; i < 4; ++i) {
      request.terms.challenge.nonce[i] = static_cast<std::uint8_t>(tries >> 8U * i);
    }
    const ByteVector nonce = attest::gpu_nonce(grant_transcript(request.terms), evidence);
    const unsigned size = static_cast<unsigned>(nonce[1]) << 8U | nonce[2];
    if (nonce[0] == first && size > 64 && size < 8192) return request;
  }
  ADD_FAILURE() << "no request has such a nonce";
  return request;
}

TEST(GpusOfARun, AreAskedForWhatBindsThemToTheRequest) {
  const KeyRequest request = request_for(0);
  const auto made = with_gpus(request, SEALPACK_FAKE_NVML);
  ASSERT_THAT(made, Succeeds());
  EXPECT_EQ(made->terms, request.terms);
  const attest::Evidence before = attest::parse_evidence(request.evidence).value();
  const attest::Evidence after = attest::parse_evidence(made->evidence).value();
  EXPECT_EQ(after.tee, "sev-snp");
  EXPECT_EQ(after.items[0], before.items[0]);
  ASSERT_EQ(attest::count_gpus(after), 2U);
  EXPECT_EQ(after.items.size(), 1 + 2 * 3U);
  for (const std::size_t gpu : {1U, 2U}) {
    const ByteVector* asked = after.find(attest::gpu_kind(gpu, "request"));
    ASSERT_NE(asked, nullptr);
    const auto begin = asked->begin() + kNonceOffset;
    EXPECT_EQ(ByteVector(begin, begin + kNonceSize), nonce_of(request));
  }
  // What the broker computes leaves the GPUs' items out.
  EXPECT_EQ(nonce_of(*made), nonce_of(request));
}

TEST(GpusOfARun, ThatDoNotAnswerEndIt) {
  EXPECT_THAT(with_gpus(request_for(3), SEALPACK_FAKE_NVML), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(with_gpus(request_for(0), "none.so"), Fails(ErrorCode::kUnsupported));
}

TEST(GpusOfARun, NeedRoomBesideTheEvidence) {
  const KeyRequest full = request_for(0, attest::kMaxEvidenceSize - 100);
  EXPECT_THAT(with_gpus(full, SEALPACK_FAKE_NVML), Fails(ErrorCode::kLimit));
}

}  // namespace
}  // namespace sealpack::loader
