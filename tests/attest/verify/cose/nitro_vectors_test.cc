// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "attest/verify/chain_cache.h"
#include "keymgmt/x509/certificate.h"
#include "tests/attest/verify/sample_files.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::Refused;
using testing::RefusedAlsoFor;

constexpr const char* kValid = "nitro/evervault-valid-attestation-doc-bytes";
constexpr const char* kDebug = "nitro/evervault-debug-mode-attestation-doc-bytes";
constexpr std::uint64_t kValidFrom = 1665651479;   // 2022-10-13T08:57:59Z
constexpr std::uint64_t kValidUntil = 1665662282;  // 2022-10-13T11:58:02Z
constexpr std::uint64_t kDebugTime = 1665582606;   // 2022-10-12T13:50:06Z

Verdict run(const Evidence& evidence, std::uint64_t now,
            const std::optional<ByteVector>& report_data = std::nullopt,
            const Roots& roots = vendor_roots()) {
  const Endorsements none;
  return verify_nitro({evidence, none, roots, now, report_data});
}

Evidence sample(const char* name) {
  return {"nitro", {{"document", testing::sample_bytes(name)}}};
}

bool flag(const Verdict& verdict, std::string_view name) {
  return verdict.claims->find(name)->value == ByteVector{1};
}

TEST(NitroVectors, AcceptTheDocumentThroughoutItsCertificatesHours) {
  SEALPACK_NEEDS_SAMPLE(kValid);
  const Evidence evidence = sample(kValid);
  for (const std::uint64_t now : {kValidFrom, std::uint64_t{1665651482}, kValidUntil}) {
    EXPECT_THAT(run(evidence, now), Accepted()) << now;
  }
  const Verdict verdict = run(evidence, 1665651600);
  ASSERT_THAT(verdict, Accepted());
  EXPECT_FALSE(flag(verdict, "debug"));
  EXPECT_EQ(to_hex(verdict.claims->find("pcr0")->value).substr(0, 8), "f4d48b81");
  EXPECT_EQ(to_hex(verdict.claims->find("pcr8")->value).substr(0, 8), "8790eb3c");
  EXPECT_EQ(as_text(verdict.claims->find("module_id")->value),
            "i-020b6af9246d90e92-enc0183d09086c24190");
  EXPECT_EQ(to_hex(verdict.claims->find("age")->value), "0000000000000076");  // 118 s
  EXPECT_EQ(verdict.claims->find("public_key"), nullptr);
  EXPECT_THAT(run(evidence, 1665651600, verdict.claims->report_data), Accepted());
}

TEST(NitroVectors, RefuseTheDocumentBeforeAndAfter) {
  SEALPACK_NEEDS_SAMPLE(kValid);
  const Evidence evidence = sample(kValid);
  EXPECT_THAT(run(evidence, kValidFrom - 1), Refused("chain.not-yet-valid"));
  EXPECT_THAT(run(evidence, kValidUntil + 1), Refused("chain.expired"));
  EXPECT_THAT(run(evidence, 1800000000), Refused("chain.expired"));
}

TEST(NitroVectors, RefuseAnotherNonceAndNone) {
  SEALPACK_NEEDS_SAMPLE(kValid);
  EXPECT_THAT(run(sample(kValid), kValidFrom, ByteVector(48, 1)), Refused("nitro.nonce"));
  EXPECT_THAT(run(sample(kDebug), kDebugTime, ByteVector(48, 1)), Refused("nitro.nonce"));
  EXPECT_THAT(run(sample(kDebug), kDebugTime, ByteVector{}), Refused("nitro.nonce"));
}

TEST(NitroVectors, StateDebugModeForWhatItIs) {
  SEALPACK_NEEDS_SAMPLE(kDebug);
  const Verdict verdict = run(sample(kDebug), kDebugTime);
  ASSERT_THAT(verdict, Accepted());
  EXPECT_TRUE(flag(verdict, "debug"));
  EXPECT_TRUE(verdict.claims->report_data.empty());
  EXPECT_EQ(as_text(verdict.claims->find("user_data")->value), to_hex(as_bytes("hello, world!")));
}

TEST(NitroVectors, PinTheRootByItsKey) {
  SEALPACK_NEEDS_SAMPLE(kValid);
  Roots roots = vendor_roots();
  roots.nitro = roots.nvidia;
  EXPECT_THAT(run(sample(kValid), kValidFrom, std::nullopt, roots), Refused("chain.root"));
  EXPECT_THAT(run(sample(kValid), kValidFrom, std::nullopt, Roots{}), Refused("chain.root"));
}

TEST(NitroVectors, HaveTheRootThatAwsPublishes) {
  SEALPACK_NEEDS_SAMPLE("nitro/AWS_NitroEnclaves_Root-G1.pem");
  const auto root =
      x509::Certificate::parse_pem(testing::sample_bytes("nitro/AWS_NitroEnclaves_Root-G1.pem"));
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(to_hex(root->front().digest().bytes),
            "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b");
  EXPECT_EQ(vendor_roots().nitro, std::vector<Digest>{root->front().key_digest()});
}

TEST(NitroVectors, RefuseEveryFlippedByte) {
  SEALPACK_NEEDS_SAMPLE(kValid);
  Evidence evidence = sample(kValid);
  const Roots roots = vendor_roots();
  testing::expect_no_flip_accepted(evidence.items[0].bytes,
                                   [&] { return run(evidence, kValidFrom, std::nullopt, roots); });
}

}  // namespace
}  // namespace sealpack::attest
