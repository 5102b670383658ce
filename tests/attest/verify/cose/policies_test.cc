// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "attest/policy/judge.h"
#include "attest/policy/policy_file.h"
#include "tests/attest/verify/cose/cca_maker.h"
#include "tests/attest/verify/sample_files.h"
#include "tests/attest/verify/verdict_matchers.h"

// What the verifiers state and policies decide.
namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::CborMapMaker;
using testing::CborWriter;
using testing::CcaMaker;
using testing::HasOnlyReason;
using testing::HasReason;
using ::testing::IsEmpty;

std::vector<Reason> judged(const Verdict& verdict, const std::string& text) {
  EXPECT_THAT(verdict, Accepted());
  const auto file = policy::parse_policy(text, "p.toml");
  if (!file.ok()) die(file.error().message().c_str());
  return policy::judge(*verdict.claims, file->policy);
}

std::string rule(const std::string& claim, const std::string& value) {
  return claim + " = { accept = [" + value + "] }\n";
}
std::string quoted(Bytes bytes) {
  return '"' + to_hex(bytes) + '"';
}

std::string cca_policy(const std::string& measurements) {
  std::string text = "[[environment]]\ntee = \"cca\"\n[environment.claims]\n";
  text += rule("platform_implementation_id", quoted(ByteVector(32, 5)));
  text += rule("platform_lifecycle", "\"secured\"");
  text += rule("platform_measurement", measurements);
  for (std::uint8_t i = 0; i < 4; ++i) {
    text += rule("rem" + std::to_string(i), quoted(ByteVector(32, i)));
  }
  return text + rule("rim", quoted(ByteVector(32, 4))) + rule("rpv", quoted(ByteVector(64, 3)));
}

Verdict verdict_of(CcaMaker& maker) {
  Endorsements endorsements;
  endorsements.public_keys = {maker.platform_key.spki()};
  Roots roots;
  roots.cca = {maker.platform_key.digest()};
  const Evidence evidence{"cca", {{"token", maker.make()}}};
  return verify({evidence, endorsements, roots, 1750000000});
}

TEST(CcaPolicies, AcceptAPlatformAllOfWhoseComponentsAreAccepted) {
  CcaMaker maker;
  CborWriter components;
  components.array(2);
  for (const std::uint8_t i : {std::uint8_t{1}, std::uint8_t{8}}) {
    components.raw(CborMapMaker()
                       .put(2, CborWriter().bytes(ByteVector(32, i)))
                       .put(5, CborWriter().bytes(ByteVector(32, 2)))
                       .take());
  }
  maker.platform.put(2399, components);
  const Verdict verdict = verdict_of(maker);
  const std::string first = quoted(ByteVector(32, 1));
  const std::string second = quoted(ByteVector(32, 8));
  EXPECT_THAT(judged(verdict, cca_policy(first + ", " + second)), IsEmpty());
  EXPECT_THAT(judged(verdict, cca_policy(first)), HasOnlyReason("policy.not-accepted"));
  EXPECT_THAT(judged(verdict, cca_policy(second)), HasOnlyReason("policy.not-accepted"));
}

TEST(CcaPolicies, RefuseAPlatformThatIsNotSecured) {
  for (const std::int64_t state : {0x0000, 0x1000, 0x2000, 0x4000, 0x5000, 0x6000}) {
    CcaMaker maker;
    maker.platform.put(2395, CborWriter().number(state));
    EXPECT_THAT(judged(verdict_of(maker), cca_policy(quoted(ByteVector(32, 1)))),
                HasOnlyReason("policy.not-accepted"))
        << state;
  }
}

std::string nitro_policy(const std::string& age) {
  std::string text = "[[environment]]\ntee = \"nitro\"\n[environment.claims]\n";
  for (const char* pcr : {"pcr0", "pcr1", "pcr2"})
    text += std::string(pcr) + " = { ignore = \"a test\" }\n";
  return text + rule("debug", "false") + "age = { maximum = " + age + " }\n";
}

Verdict nitro_sample(const char* name, std::uint64_t now) {
  const Evidence evidence{"nitro", {{"document", testing::sample_bytes(name)}}};
  const Endorsements none;
  const Roots roots = vendor_roots();
  return verify({evidence, none, roots, now});
}

TEST(NitroPolicies, RefuseDebugModeEvenWhereNoPcrMatters) {
  constexpr const char* kDebug = "nitro/evervault-debug-mode-attestation-doc-bytes";
  SEALPACK_NEEDS_SAMPLE(kDebug);
  const auto reasons = judged(nitro_sample(kDebug, 1665582606), nitro_policy("60"));
  EXPECT_THAT(reasons, HasReason("policy.not-accepted"));
}

TEST(NitroPolicies, RefuseDocumentsThatAreTooOld) {
  constexpr const char* kValid = "nitro/evervault-valid-attestation-doc-bytes";
  SEALPACK_NEEDS_SAMPLE(kValid);
  const Verdict verdict = nitro_sample(kValid, 1665651600);  // 118 s old
  EXPECT_THAT(judged(verdict, nitro_policy("118")), IsEmpty());
  EXPECT_THAT(judged(verdict, nitro_policy("117")), HasOnlyReason("policy.above-maximum"));
}

}  // namespace
}  // namespace sealpack::attest
