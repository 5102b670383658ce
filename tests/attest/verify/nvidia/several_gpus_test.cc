// SPDX-License-Identifier: Apache-2.0
// Several GPUs of one machine: each proven, none counted twice, all under the same rules.
#include <gmock/gmock.h>

#include <functional>

#include "attest/evidence/gpu_nonce.h"
#include "attest/policy/judge.h"
#include "attest/policy/policy_file.h"
#include "attest/verify/chain_cache.h"
#include "tests/attest/verify/nvidia/gpu_maker.h"
#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::GpuMaker;
using testing::HasOnlyReason;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MintCertificate;
using testing::MintKey;
using testing::MintKeyType;
using testing::Refused;
using testing::SnpLab;

class SeveralGpus : public ::testing::Test {
 protected:
  SeveralGpus() { roots.nvidia = {gpus[0].root_key.digest()}; }

  Verdict run() const {
    Evidence evidence{"nvidia-gpu", {}};
    for (std::size_t i = 0; i < gpus.size(); ++i) gpus[i].add_to(evidence, i + 1);
    return verify_all(evidence);
  }
  Verdict verify_all(const Evidence& evidence) const {
    return verify({evidence, endorsements, roots, 1750000000, expected, std::nullopt, 0, cache});
  }

  static std::size_t count(const Verdict& verdict, std::string_view name) {
    const auto& claims = verdict.claims->claims;
    return static_cast<std::size_t>(std::count_if(
        claims.begin(), claims.end(), [&](const Claim& claim) { return claim.name == name; }));
  }

  std::vector<GpuMaker> gpus = [] {
    const GpuMaker first;
    return std::vector{first, first.sibling(0x5678)};
  }();
  Endorsements endorsements;
  Roots roots;
  std::optional<ByteVector> expected = gpus[0].nonce;
  ChainCache* cache = nullptr;
};

TEST_F(SeveralGpus, AreProvenTogetherAndCounted) {
  gpus[1].blocks[10].value = ByteVector(48, 0xAB);
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->report_data, gpus[0].nonce);
  EXPECT_EQ(verdict.claims->find("count")->value, (ByteVector{0, 0, 0, 0, 0, 0, 0, 2}));
  EXPECT_EQ(count(verdict, "ueid"), 2U);
  EXPECT_EQ(count(verdict, "measurements"), 2U);
  EXPECT_EQ(count(verdict, "measurement10"), 2U);
  EXPECT_EQ(count(verdict, "measurement11"), 1U);  // both say the same
  EXPECT_EQ(count(verdict, "driver_version"), 1U);
  EXPECT_TRUE(std::is_sorted(verdict.claims->claims.begin(), verdict.claims->claims.end()));
}

TEST_F(SeveralGpus, AreAtMostEightAndInAnyOrder) {
  while (gpus.size() < kMaxGpus) gpus.push_back(gpus[0].sibling(gpus.size()));
  ChainCache chains;
  cache = &chains;
  const Verdict one = run();
  ASSERT_THAT(one, Accepted());
  EXPECT_EQ(count(one, "ueid"), 8U);
  std::reverse(gpus.begin(), gpus.end());
  EXPECT_EQ(run().claims->claims, one.claims->claims);
}

TEST_F(SeveralGpus, OneAloneIsCountedToo) {
  gpus.pop_back();
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->find("count")->value, (ByteVector{0, 0, 0, 0, 0, 0, 0, 1}));
}

TEST_F(SeveralGpus, RefuseAllForOneThatIsNotProven) {
  gpus[1].signer = gpus[0].leaf_key;
  const Verdict verdict = run();
  EXPECT_THAT(verdict, Refused("nvidia.signature"));
  EXPECT_THAT(verdict.reasons.at(0).text, HasSubstr("GPU 2: "));
  gpus[1].signer = gpus[1].leaf_key;
  gpus[1].root_key = MintKey::generate(MintKeyType::kP384);
  EXPECT_THAT(run(), Refused("chain.root"));
}

TEST_F(SeveralGpus, HaveNothingOfOneAnother) {
  Evidence evidence{"nvidia-gpu", {}};
  for (std::size_t i = 0; i < gpus.size(); ++i) gpus[i].add_to(evidence, i + 1);
  for (const std::size_t part : {1U, 2U}) {
    Evidence swapped = evidence;
    std::swap(swapped.items[part].bytes, swapped.items[part + 3].bytes);
    EXPECT_THAT(verify_all(swapped), Refused("nvidia.signature")) << part;
    swapped.items[part].bytes = swapped.items[part + 3].bytes;
    EXPECT_THAT(verify_all(swapped), Refused("nvidia.signature")) << part;
  }
}

TEST_F(SeveralGpus, RefuseOneThatIsThereTwice) {
  gpus[1] = gpus[0];
  EXPECT_THAT(run(), Refused("nvidia.same-gpu"));
  // The chip certifies its own keys: as many as it likes.
  gpus[1].leaf_key = MintKey::generate(MintKeyType::kP384);
  gpus[1].signer = gpus[1].leaf_key;
  gpus[1].leaf.serial = 0x9999;
  EXPECT_THAT(run(), Refused("nvidia.same-gpu"));
  // And NVIDIA may have certified the chip again.
  gpus[1].boot_rom.serial = 77;
  EXPECT_THAT(run(), Refused("nvidia.same-gpu"));
}

// One chip in eight places would have the work of eight done.
TEST_F(SeveralGpus, AreNotLookedAtBehindOneThatIsRefused) {
  gpus.assign(kMaxGpus, gpus[0]);
  EXPECT_EQ(run().reasons.size(), 1U);
  for (GpuMaker& gpu : gpus) gpu.signer = MintKey::generate(MintKeyType::kP384);
  const Verdict verdict = run();
  EXPECT_THAT(verdict, Refused("nvidia.signature"));
  EXPECT_EQ(verdict.reasons.size(), 1U);
}

// A boot ROM's certificate has no path length: with its key, taken out of one chip, others could be
// certified.
TEST_F(SeveralGpus, RefuseBootRomsThatOneBootRomMade) {
  for (const char* name : {"GH100 A01 GSP BROM", "GB100 A01 FSP BROM"}) {
    MintCertificate real = gpus[0].boot_rom;
    real.subject = name;
    const MintKey key = MintKey::generate(MintKeyType::kP384);
    Evidence evidence{"nvidia-gpu", {}};
    for (std::size_t i = 0; i < gpus.size(); ++i) {
      gpus[i].add_to(evidence, i + 1);
      evidence.items.back().bytes = gpus[i].chain_below(real, key);
    }
    EXPECT_THAT(verify_all(evidence), Refused("nvidia.same-gpu")) << name;
    evidence.items.resize(3);
    EXPECT_THAT(verify_all(evidence), Accepted()) << name;
  }
}

TEST_F(SeveralGpus, RefuseOneThatWasAskedForAnotherNonce) {
  gpus[1].nonce = ByteVector(32, 1);
  const Verdict verdict = run();
  EXPECT_THAT(verdict, Refused("nvidia.nonce"));
  EXPECT_THAT(verdict.reasons.at(0).text, HasSubstr("GPU 2"));
  expected.reset();
  EXPECT_THAT(run(), Refused("nvidia.nonce"));
}

TEST_F(SeveralGpus, RefuseGapsInTheirNumbers) {
  Evidence evidence{"nvidia-gpu", {}};
  gpus[0].add_to(evidence, 1);
  gpus[1].add_to(evidence, 3);
  EXPECT_THAT(verify_all(evidence), Refused("evidence.item-missing"));
  evidence.items.erase(evidence.items.begin(), evidence.items.begin() + 3);
  EXPECT_THAT(verify_all(evidence), Refused("evidence.item-missing"));
  evidence.items.resize(1);
  EXPECT_THAT(verify_all(evidence), Refused("evidence.item-missing"));
}

// Else the rule for what one does not say would hold for the other alone.
TEST_F(SeveralGpus, RefuseOneThatSaysLessThanAnother) {
  const auto blocks = gpus[1].blocks;
  gpus[1].blocks.erase(gpus[1].blocks.begin() + 35);
  const Verdict verdict = run();
  EXPECT_THAT(verdict, Refused("nvidia.gpus-differ"));
  EXPECT_THAT(verdict.reasons.at(0).text, HasSubstr("measurement35"));
  gpus[1].blocks = blocks;
  gpus[1].fields.push_back({11, {0xAA}});
  EXPECT_THAT(run(), Refused("nvidia.gpus-differ"));
  gpus[0].fields.push_back({11, {0x55}});
  const Verdict both = run();
  ASSERT_THAT(both, Accepted());
  EXPECT_EQ(count(both, "nvdec"), 2U);
}

class SeveralGpusJudged : public SeveralGpus {
 protected:
  std::vector<Reason> judged(const std::string& more) const {
    const Verdict verdict = run();
    EXPECT_THAT(verdict, Accepted());
    const std::string text =
        "[[environment]]\ntee = \"nvidia-gpu\"\n[environment.claims]\n"
        "architecture = { accept = [\"hopper\"] }\n"
        "driver_version = { accept = [\"580.95.05\"] }\n"
        "vbios_version = { accept = [\"96.00.5E.00.01\"] }\n"
        "mode = { accept = [\"single-gpu\", \"multi-gpu\"] }\n"
        "revocation_unchecked = { ignore = \"not what is tested here\" }\n"
        "measurements = { ignore = \"each active measurement has a rule\" }\n" +
        more;
    const auto file = policy::parse_policy(text, "p.toml");
    if (!file.ok()) die(file.error().message().c_str());
    return policy::judge(*verdict.claims, file->policy);
  }
  static std::string ueid(const char* end) { return std::string(60, '0') + end; }
};

TEST_F(SeveralGpusJudged, AreAsManyAsThePolicySays) {
  EXPECT_THAT(judged("count = { accept = [2] }\n"), IsEmpty());
  EXPECT_THAT(judged("count = { minimum = 2 }\n"), IsEmpty());
  EXPECT_THAT(judged("count = { accept = [8] }\n"), HasOnlyReason("policy.not-accepted"));
  gpus.pop_back();
  EXPECT_THAT(judged("count = { minimum = 2 }\n"), HasOnlyReason("policy.below-minimum"));
}

TEST_F(SeveralGpusJudged, AreEachUnderTheSameRules) {
  const std::string rule = "count = { accept = [2] }\nmeasurement35 = { accept = [\"" +
                           to_hex(ByteVector(48, 36)) + "\"] }\n";
  EXPECT_THAT(judged(rule), IsEmpty());
  gpus[1].blocks[35].value = ByteVector(48, 0xDD);
  EXPECT_THAT(judged(rule), HasOnlyReason("policy.not-accepted"));
  for (GpuMaker& gpu : gpus) gpu.blocks.erase(gpu.blocks.begin() + 35);
  EXPECT_THAT(judged(rule), HasOnlyReason("policy.claim-missing"));
}

TEST_F(SeveralGpusJudged, AreEachWhatThePolicySays) {
  const GpuMaker good = gpus[1];
  const std::vector<std::function<void(GpuMaker&)>> others = {
      [](GpuMaker& gpu) { gpu.boot_rom.subject = "GB100 A01 GSP BROM"; },
      [](GpuMaker& gpu) { gpu.fields[0].value[4] = 2; },
      [](GpuMaker& gpu) { gpu.fields[1].value = to_vector(as_bytes("535.1")); },
      [](GpuMaker& gpu) { gpu.fields[4].value[0] = 2; },
  };
  for (const auto& change : others) {
    gpus[1] = good;
    change(gpus[1]);
    EXPECT_THAT(judged("count = { accept = [2] }\n"), HasOnlyReason("policy.not-accepted"));
    std::swap(gpus[0], gpus[1]);
    EXPECT_THAT(judged("count = { accept = [2] }\n"), HasOnlyReason("policy.not-accepted"));
    std::swap(gpus[0], gpus[1]);
  }
}

// Policies that were signed before GPUs were counted: for one GPU, as all evidence was then.
TEST_F(SeveralGpusJudged, AreRefusedByPoliciesThatDoNotCount) {
  const auto signed_before = [&](std::vector<bundle::ClaimRule> rules) {
    return policy::judge(*run().claims, {"", {{"nvidia-gpu", std::move(rules)}}});
  };
  std::vector<bundle::ClaimRule> rules;
  for (const char* name : {"architecture", "driver_version", "measurements", "mode",
                           "revocation_unchecked", "vbios_version"}) {
    rules.push_back({name, {}, 0, "not what is tested here"});
  }
  EXPECT_THAT(signed_before(rules), HasOnlyReason("policy.not-stated"));
  rules.insert(rules.begin() + 1, {"count", {}, 0, "any number of them"});
  EXPECT_THAT(signed_before(rules), IsEmpty());
}

TEST_F(SeveralGpusJudged, MayBeNamedOneByOne) {
  const std::string both = "[\"" + ueid("1234") + "\", \"" + ueid("5678") + "\"]";
  EXPECT_THAT(judged("count = { accept = [2] }\nueid = { require = " + both + " }\n"), IsEmpty());
  gpus[1] = gpus[0].sibling(0x9ABC);
  EXPECT_THAT(judged("count = { accept = [2] }\nueid = { accept = " + both + " }\n"),
              HasOnlyReason("policy.not-accepted"));
}

TEST(SeveralGpusBesideATee, AreAllBoundToItsEvidence) {
  const SnpLab lab{"Milan"};
  GpuMaker first;
  Roots roots = lab.roots;
  roots.nvidia = {first.root_key.digest()};
  Endorsements endorsements;
  endorsements.certificates = {lab.ark_der(), lab.authority_der(), lab.leaf_der()};
  Evidence evidence{"sev-snp", {{"report", lab.signed_report()}}};
  const ByteVector transcript{'t'};
  const ByteVector nonce = gpu_nonce(transcript, evidence);
  first.nonce = nonce;
  first.add_to(evidence);
  EXPECT_EQ(gpu_nonce(transcript, evidence), nonce);
  first.sibling(2).add_to(evidence, 2);
  // What GPUs say does not count, however many there are.
  EXPECT_EQ(gpu_nonce(transcript, evidence), nonce);
  const Verdict verdict =
      verify({evidence, endorsements, roots, SnpLab::kNow, lab.expected, nonce});
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->find("gpu_count")->value.back(), 2);
  EXPECT_EQ(verdict.claims->find("gpu_nonce")->value, nonce);
  // The second alone is no GPU without a number before it, and none is passed over.
  Evidence second = evidence;
  second.items.erase(second.items.begin() + 1, second.items.begin() + 4);
  EXPECT_THAT(verify({second, endorsements, roots, SnpLab::kNow, lab.expected, nonce}),
              Refused("evidence.item-missing"));
}

}  // namespace
}  // namespace sealpack::attest
