// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "attest/policy/judge.h"
#include "attest/policy/policy_file.h"
#include "attest/verify/chain_cache.h"
#include "tests/attest/authority/mint_ocsp.h"
#include "tests/attest/verify/nvidia/gpu_maker.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::GpuMaker;
using testing::HasOnlyReason;
using ::testing::IsEmpty;
using testing::mint;
using testing::mint_list;
using testing::MintCertificate;
using testing::MintKey;
using testing::MintKeyType;
using testing::MintOcsp;
using testing::MintOcspStatus;
using testing::Refused;
using testing::RefusedAlsoFor;

// A GPU, and answers about its boot ROM and NVIDIA's two authorities above it, each by a responder
// of its issuer. Each test changes one thing.
class GpuRevocation : public ::testing::Test {
 protected:
  GpuRevocation() {
    roots.nvidia = {gpu.root_key.digest()};
    gpu.boot_rom.serial = 11;
    gpu.provisioner.serial = 12;
    gpu.identity.serial = 13;
    evidence = {"nvidia-gpu", {}};
    gpu.add_to(evidence);
  }

  ByteVector answer(const MintCertificate& about, const MintKey& key, const MintCertificate& issuer,
                    const MintKey& issuer_key, const MintOcsp& what) const {
    const ByteVector responder =
        mint({.subject = "Responder of " + issuer.subject, .extensions = {testing::ocsp_signing()}},
             responder_key, &issuer, issuer_key);
    return mint_ocsp(what, mint(about, key, &issuer, issuer_key),
                     mint(issuer, issuer_key, nullptr, issuer_key), responder, responder_key);
  }
  ByteVector about_boot_rom(const MintOcsp& what = {}) const {
    return answer(gpu.boot_rom, gpu.boot_rom_key, gpu.provisioner, gpu.provisioner_key, what);
  }
  ByteVector about_provisioner(const MintOcsp& what = {}) const {
    return answer(gpu.provisioner, gpu.provisioner_key, gpu.identity, gpu.identity_key, what);
  }
  ByteVector about_identity(const MintOcsp& what = {}) const {
    return answer(gpu.identity, gpu.identity_key, gpu.root, gpu.root_key, what);
  }
  void supply(const std::vector<ByteVector>& responses) { endorsements.ocsp_responses = responses; }
  Verdict run() const {
    return verify({evidence, endorsements, roots, now, gpu.nonce, std::nullopt, 0, cache});
  }
  bool is_unchecked() const {
    const Verdict verdict = run();
    EXPECT_THAT(verdict, Accepted());
    return verdict.claims && verdict.claims->find("revocation_unchecked") != nullptr;
  }

  GpuMaker gpu;
  MintKey responder_key = MintKey::generate(MintKeyType::kP384);
  Evidence evidence;
  Endorsements endorsements;
  Roots roots;
  std::uint64_t now = 1750000000;
  ChainCache* cache = nullptr;
};

TEST_F(GpuRevocation, IsCheckedWithAnAnswerAboutEachCertificateThatNvidiaIssued) {
  supply({about_boot_rom(), about_provisioner(), about_identity()});
  EXPECT_FALSE(is_unchecked());
}

TEST_F(GpuRevocation, IsUncheckedWithoutOneOfTheAnswers) {
  EXPECT_TRUE(is_unchecked());
  const std::vector<ByteVector> all{about_boot_rom(), about_provisioner(), about_identity()};
  for (std::size_t missing = 0; missing < all.size(); ++missing) {
    std::vector<ByteVector> some = all;
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(missing));
    supply(some);
    EXPECT_TRUE(is_unchecked()) << missing;
  }
}

TEST_F(GpuRevocation, OfOneOfSeveralGpusIsUncheckedForAll) {
  supply({about_boot_rom(), about_provisioner(), about_identity()});
  EXPECT_FALSE(is_unchecked());
  GpuMaker second = gpu.sibling(0x5678);
  second.boot_rom.serial = 99;
  second.add_to(evidence, 2);
  EXPECT_TRUE(is_unchecked());
  supply({about_boot_rom({.status = MintOcspStatus::kRevoked})});
  EXPECT_THAT(run(), RefusedAlsoFor("chain.revoked"));
}

TEST_F(GpuRevocation, IsUncheckedWhereTheAnswersAreAboutAnotherGpu) {
  GpuMaker other = gpu;
  other.boot_rom.serial = 99;
  const ByteVector about_other =
      answer(other.boot_rom, other.boot_rom_key, gpu.provisioner, gpu.provisioner_key, {});
  supply({about_other, about_provisioner(), about_identity()});
  EXPECT_TRUE(is_unchecked());
}

TEST_F(GpuRevocation, IsUncheckedWhereTheSameSerialIsOfAnotherIssuer) {
  const ByteVector about_other =
      answer(gpu.boot_rom, gpu.boot_rom_key, gpu.identity, gpu.identity_key, {});
  supply({about_other, about_provisioner(), about_identity()});
  EXPECT_TRUE(is_unchecked());
}

TEST_F(GpuRevocation, IsCheckedWithListsInPlaceOfAnswers) {
  supply({about_boot_rom()});
  endorsements.revocation_lists = {mint_list({}, gpu.root, gpu.root_key)};
  EXPECT_TRUE(is_unchecked());
  endorsements.revocation_lists.push_back(mint_list({}, gpu.identity, gpu.identity_key));
  EXPECT_FALSE(is_unchecked());
  supply({});
  EXPECT_TRUE(is_unchecked()) << "nothing about the chip";
}

TEST_F(GpuRevocation, RefusesListsInPlaceOfAnswersThatAreNotCurrent) {
  supply({about_boot_rom(), about_provisioner()});
  endorsements.revocation_lists = {mint_list({.next_update = now - 1}, gpu.root, gpu.root_key)};
  EXPECT_THAT(run(), Refused("chain.revocation-stale"));
}

TEST_F(GpuRevocation, RefusesWhatIsRevokedOrOnHold) {
  for (const auto& [status, code] :
       {std::pair{MintOcspStatus::kRevoked, "chain.revoked"},
        std::pair{MintOcspStatus::kOnHold, "chain.on-hold"},
        std::pair{MintOcspStatus::kUnknown, "chain.revocation-unknown"}}) {
    supply({about_boot_rom({.status = status}), about_provisioner(), about_identity()});
    EXPECT_THAT(run(), RefusedAlsoFor(code));
    supply({about_boot_rom(), about_provisioner({.status = status}), about_identity()});
    EXPECT_THAT(run(), RefusedAlsoFor(code));
    supply({about_identity({.status = status})});
    EXPECT_THAT(run(), RefusedAlsoFor(code));
  }
}

TEST_F(GpuRevocation, RefusesStaleAnswers) {
  supply({about_boot_rom({.next_update = now}), about_provisioner(), about_identity()});
  EXPECT_THAT(run(), Refused("chain.revocation-stale"));
  supply({about_boot_rom({.this_update = now + 1})});
  EXPECT_THAT(run(), Refused("chain.revocation-stale"));
}

TEST_F(GpuRevocation, RefusesAnswersByTheChipItself) {
  const ByteVector boot_rom =
      mint(gpu.boot_rom, gpu.boot_rom_key, &gpu.provisioner, gpu.provisioner_key);
  const ByteVector provisioner =
      mint(gpu.provisioner, gpu.provisioner_key, nullptr, gpu.provisioner_key);
  supply({mint_ocsp({}, boot_rom, provisioner, boot_rom, gpu.boot_rom_key), about_provisioner(),
          about_identity()});
  EXPECT_THAT(run(), RefusedAlsoFor("chain.ocsp-responder"));
}

TEST_F(GpuRevocation, RefusesAnswersThatCannotBeRead) {
  supply({about_boot_rom(), about_provisioner(), about_identity(), ByteVector{0x30, 0x00}});
  EXPECT_THAT(run(), Refused("nvidia.ocsp-response"));
  supply({testing::mint_ocsp_refusal()});
  EXPECT_THAT(run(), Refused("nvidia.ocsp-response"));
}

TEST_F(GpuRevocation, IsJudgedTheSameWithAMemory) {
  ChainCache remembered;
  cache = &remembered;
  supply({about_boot_rom(), about_provisioner(), about_identity()});
  EXPECT_FALSE(is_unchecked());
  EXPECT_FALSE(is_unchecked());
  EXPECT_EQ(remembered.counts().hits, 1U);
  endorsements.ocsp_responses[0] = about_boot_rom({.status = MintOcspStatus::kRevoked});
  EXPECT_THAT(run(), RefusedAlsoFor("chain.revoked"));
  supply({});
  EXPECT_TRUE(is_unchecked());
}

// The answers of requests that were accepted are found again one by one, whatever is added.
TEST_F(GpuRevocation, IsJudgedTheSameWithAMemoryAndAnAnswerMore) {
  ChainCache remembered;
  cache = &remembered;
  supply({about_boot_rom(), about_provisioner(), about_identity()});
  EXPECT_FALSE(is_unchecked());
  endorsements.ocsp_responses.push_back(about_boot_rom({.this_update = now}));
  EXPECT_FALSE(is_unchecked());
  endorsements.ocsp_responses.push_back(about_boot_rom({.status = MintOcspStatus::kOnHold}));
  EXPECT_THAT(run(), Refused("chain.on-hold"));
  endorsements.ocsp_responses.back() = {1, 2, 3};
  EXPECT_THAT(run(), Refused("nvidia.ocsp-response"));
}

TEST_F(GpuRevocation, ThatIsUncheckedNeedsAPolicyThatIgnoresIt) {
  std::string text =
      "[[environment]]\ntee = \"nvidia-gpu\"\n[environment.claims]\n"
      "architecture = { accept = [\"hopper\"] }\n"
      "count = { accept = [1] }\n"
      "driver_version = { accept = [\"580.95.05\"] }\n"
      "vbios_version = { accept = [\"96.00.5E.00.01\"] }\n"
      "mode = { accept = [\"single-gpu\"] }\n"
      "measurements = { ignore = \"not what is tested here\" }\n";
  const auto judged = [&] {
    const auto file = policy::parse_policy(text, "p.toml");
    if (!file.ok()) die(file.error().message().c_str());
    const Verdict verdict = run();
    EXPECT_THAT(verdict, Accepted());
    return policy::judge(*verdict.claims, file->policy);
  };
  EXPECT_THAT(judged(), HasOnlyReason("policy.not-stated"));
  text += "revocation_unchecked = { ignore = \"no network reaches this site\" }\n";
  EXPECT_THAT(judged(), IsEmpty());
  supply({about_boot_rom(), about_provisioner(), about_identity()});
  EXPECT_THAT(judged(), IsEmpty());
}

}  // namespace
}  // namespace sealpack::attest
