// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "attest/evidence/gpu_items.h"
#include "attest/verify/chain_cache.h"
#include "attest/verify/nvidia/spdm.h"
#include "keymgmt/x509/certificate.h"
#include "tests/attest/verify/sample_files.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::Refused;
using testing::RefusedAlsoFor;
using testing::sample_bytes;

constexpr const char* kReport = "nvidia/nvsdk-hopperAttestationReport.txt";
constexpr const char* kInvalid = "nvidia/nvsdk-hopperAttestationReportInvalidSignature.txt";
constexpr const char* kChain = "nvidia/nvsdk-hopperCertChain.txt";
constexpr std::uint64_t kNow = 1750000000;

// Drivers give request and report in one; the samples are that in hex.
Evidence sample(const char* name) {
  const ByteVector both = from_hex(as_text(sample_bytes(name))).value();
  const Bytes bytes(both);
  return {"nvidia-gpu",
          {{"gpu-request", to_vector(bytes.first(kGpuRequestSize))},
           {"gpu-report", to_vector(bytes.subspan(kGpuRequestSize))},
           {"gpu-certificates", sample_bytes(kChain)}}};
}

Verdict run(const Evidence& evidence, const std::optional<ByteVector>& nonce = std::nullopt) {
  const Endorsements none;
  const Roots roots = vendor_roots();
  return verify({evidence, none, roots, kNow, nonce});
}

std::string text_of(const Verdict& verdict, std::string_view claim) {
  return std::string(as_text(verdict.claims->find(claim)->value));
}

TEST(GpuVectors, AcceptAReportOfAHopper) {
  SEALPACK_NEEDS_SAMPLE(kReport);
  const Evidence evidence = sample(kReport);
  const Verdict verdict = run(evidence);
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(text_of(verdict, "architecture"), "hopper");
  EXPECT_EQ(text_of(verdict, "hardware_model"), "GH100 A01 GSP BROM");
  EXPECT_EQ(text_of(verdict, "driver_version"), "535.86.09");
  EXPECT_EQ(text_of(verdict, "vbios_version"), "96.00.5E.00.01");
  EXPECT_EQ(text_of(verdict, "mode"), "unstated");
  EXPECT_EQ(to_hex(verdict.claims->find("fwid")->value).substr(0, 8), "faa77bfb");
  EXPECT_EQ(to_hex(verdict.claims->find("measurement01")->value).substr(0, 8), "c3f65ef7");
  EXPECT_EQ(to_hex(verdict.claims->find("ueid")->value),
            "000000000000000000000000455472bb690155accc29161a19c7fe6144a8ed92");
  EXPECT_EQ(to_hex(verdict.claims->report_data).substr(0, 8), "27a32824");
  EXPECT_THAT(run(evidence, verdict.claims->report_data), Accepted());
  EXPECT_THAT(run(evidence, ByteVector(32, 1)), Refused("nvidia.nonce"));
}

TEST(GpuVectors, RefuseAReportWithAnInvalidSignature) {
  SEALPACK_NEEDS_SAMPLE(kInvalid);
  EXPECT_THAT(run(sample(kInvalid)), RefusedAlsoFor("nvidia.signature"));
}

TEST(GpuVectors, HaveTheRootThatNvidiaPublishes) {
  SEALPACK_NEEDS_SAMPLE("nvidia/nvtrust-verifier_device_root.pem");
  const auto root =
      x509::Certificate::parse_pem(sample_bytes("nvidia/nvtrust-verifier_device_root.pem"));
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(vendor_roots().nvidia, std::vector<Digest>{root->front().key_digest()});
}

TEST(GpuVectors, TolerateTheZeroByteThatSomeDriversAppend) {
  SEALPACK_NEEDS_SAMPLE(kReport);
  Evidence evidence = sample(kReport);
  evidence.items[1].bytes.push_back(0);
  EXPECT_THAT(run(evidence), Accepted());
  evidence.items[1].bytes.back() = 1;
  EXPECT_THAT(run(evidence), Refused("nvidia.report"));
}

TEST(GpuVectors, RefuseEveryFlippedByteOfRequestAndReport) {
  SEALPACK_NEEDS_SAMPLE(kReport);
  Evidence evidence = sample(kReport);
  const Endorsements none;
  const Roots roots = vendor_roots();
  ChainCache cache;
  for (const std::size_t item : {0U, 1U}) {
    testing::expect_no_flip_accepted(evidence.items[item].bytes, [&] {
      return verify({evidence, none, roots, kNow, std::nullopt, std::nullopt, 0, &cache});
    });
  }
}

// Changing the text can leave the certificates as they are (the case of nothing, a line's end);
// what is accepted then is the same chain.
TEST(GpuVectors, AcceptNoOtherChainWhateverByteOfItsTextIsFlipped) {
  SEALPACK_NEEDS_SAMPLE(kReport);
  Evidence evidence = sample(kReport);
  const Endorsements none;
  const Roots roots = vendor_roots();
  const auto good = x509::Certificate::parse_pem(evidence.items[2].bytes).value();
  ByteVector& pem = evidence.items[2].bytes;
  for (std::size_t i = 0; i < pem.size(); i += 3) {
    const auto mask = static_cast<std::uint8_t>(1U << (i % 8));
    pem[i] ^= mask;
    if (verify({evidence, none, roots, kNow}).accepted()) {
      const auto found = x509::Certificate::parse_pem(pem);
      ASSERT_TRUE(found.ok());
      EXPECT_TRUE(std::equal(good.begin(), good.end() - 1, found->begin())) << "byte " << i;
    }
    pem[i] ^= mask;
  }
}

}  // namespace
}  // namespace sealpack::attest
