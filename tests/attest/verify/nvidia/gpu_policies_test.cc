// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "attest/policy/judge.h"
#include "attest/policy/policy_file.h"
#include "tests/attest/verify/nvidia/gpu_maker.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::GpuMaker;
using testing::HasOnlyReason;
using ::testing::IsEmpty;

class GpuPolicies : public ::testing::Test {
 protected:
  std::vector<Reason> judged() const {
    Roots roots;
    roots.nvidia = {gpu.root_key.digest()};
    Evidence evidence{"nvidia-gpu", {}};
    gpu.add_to(evidence);
    const Verdict verdict = verify({evidence, {}, roots, 1750000000, gpu.nonce});
    EXPECT_THAT(verdict, Accepted());
    const auto file = policy::parse_policy(kPolicy, "p.toml");
    if (!file.ok()) die(file.error().message().c_str());
    return policy::judge(*verdict.claims, file->policy);
  }

  // As it is made from two manifests: rules for active indices, with alternatives.
  const std::string kPolicy =
      "[[environment]]\ntee = \"nvidia-gpu\"\n[environment.claims]\n"
      "architecture = { accept = [\"hopper\"] }\n"
      "count = { accept = [1] }\n"
      "driver_version = { accept = [\"580.95.05\"] }\n"
      "vbios_version = { accept = [\"96.00.5E.00.01\"] }\n"
      "mode = { accept = [\"single-gpu\", \"multi-gpu\"] }\n"
      "revocation_unchecked = { ignore = \"not what is tested here\" }\n"
      "measurements = { ignore = \"each active measurement has a rule\" }\n"
      "measurement08 = { accept = [\"" +
      to_hex(ByteVector(48, 0xEE)) + "\", \"" + to_hex(ByteVector(48, 9)) +
      "\"] }\n"
      "measurement35 = { accept = [\"" +
      to_hex(ByteVector(48, 36)) + "\"] }\n";
  GpuMaker gpu;
};

TEST_F(GpuPolicies, AcceptAGpuWhoseActiveMeasurementsAreInTheManifests) {
  EXPECT_THAT(judged(), IsEmpty());
  gpu.blocks[10].value = ByteVector(48, 0xAB);  // index 10 is not active
  EXPECT_THAT(judged(), IsEmpty());
}

TEST_F(GpuPolicies, RefuseAGpuWithDeveloperToolsByItsMeasurements) {
  gpu.blocks[35].value = ByteVector(48, 0xDD);
  EXPECT_THAT(judged(), HasOnlyReason("policy.not-accepted"));
}

TEST_F(GpuPolicies, RefuseAGpuThatDoesNotStateAMeasurement) {
  gpu.blocks.erase(gpu.blocks.begin() + 35);
  EXPECT_THAT(judged(), HasOnlyReason("policy.claim-missing"));
}

TEST_F(GpuPolicies, RefuseAGpuWhoseLinksAreInTheClear) {
  gpu.fields[4].value = {2, 0};
  EXPECT_THAT(judged(), HasOnlyReason("policy.not-accepted"));
  gpu.fields.pop_back();
  EXPECT_THAT(judged(), HasOnlyReason("policy.not-accepted"));
}

}  // namespace
}  // namespace sealpack::attest
