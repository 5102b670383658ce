// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "attest/verify/chain_cache.h"
#include "attest/verify/nvidia/gpu.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/attest/verify/nvidia/gpu_maker.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::GpuMaker;
using testing::MintKey;
using testing::MintKeyType;
using testing::MintList;
using testing::Refused;
using testing::RefusedAlsoFor;

class Gpu : public ::testing::Test {
 protected:
  Gpu() { roots.nvidia = {gpu.root_key.digest()}; }

  Verdict run() {
    evidence = {"nvidia-gpu", {}};
    gpu.add_to(evidence);
    return again();
  }
  Verdict again() const {
    return verify({evidence, endorsements, roots, now, expected, std::nullopt, 0, cache});
  }
  std::string text_of(std::string_view claim) {
    const Verdict verdict = run();
    EXPECT_THAT(verdict, Accepted());
    return verdict.claims ? std::string(as_text(verdict.claims->find(claim)->value)) : "";
  }

  GpuMaker gpu;
  Evidence evidence;
  Endorsements endorsements;
  Roots roots;
  std::uint64_t now = 1750000000;
  std::optional<ByteVector> expected = gpu.nonce;
  ChainCache* cache = nullptr;
};

TEST_F(Gpu, ProvesWhatTheReportSays) {
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->tee, "nvidia-gpu");
  EXPECT_EQ(verdict.claims->report_data, gpu.nonce);
  EXPECT_EQ(text_of("architecture"), "hopper");
  EXPECT_EQ(text_of("hardware_model"), "GH100 A01 GSP BROM");
  EXPECT_EQ(text_of("driver_version"), "580.95.05");
  EXPECT_EQ(text_of("vbios_version"), "96.00.5E.00.01");
  EXPECT_EQ(text_of("mode"), "single-gpu");
  EXPECT_EQ(verdict.claims->find("fwid")->value, gpu.fwid);
  EXPECT_EQ(verdict.claims->find("measurement00")->value, ByteVector(48, 1));
  EXPECT_EQ(verdict.claims->find("measurement63")->value, ByteVector(48, 64));
  EXPECT_EQ(verdict.claims->find("measurements")->value,
            to_vector(crypto::sha256(gpu.record()).bytes));
  ByteVector ueid(32);
  ueid[30] = 0x12, ueid[31] = 0x34;
  EXPECT_EQ(verdict.claims->find("ueid")->value, ueid);
  EXPECT_EQ(verdict.claims->find("revocation_unchecked")->value, ByteVector{1});
}

TEST_F(Gpu, RefusesASerialNumberThatIsNoUeid) {
  gpu.leaf.long_serial = ByteVector(32, 0x11);
  EXPECT_THAT(run(), Accepted());
  gpu.leaf.long_serial = ByteVector(33, 0x11);
  EXPECT_THAT(run(), Refused("nvidia.ueid"));
}

TEST_F(Gpu, KnowsBlackwellByItsBootRomsCertificate) {
  gpu.boot_rom.subject = "GB20X A01 GSP BROM";
  gpu.leaf.extensions = {{"2.23.133.5.4.1.1", false, testing::dice_tcb_info(gpu.fwid)}};
  EXPECT_EQ(text_of("architecture"), "blackwell");
}

TEST_F(Gpu, RefusesDevicesThatAreNoGpusItKnows) {
  for (const char* name :
       {"LS10 A01 FSP BROM", "GB100 A01 FSP BROM", "GA100 A01 GSP BROM", "", "gh100"}) {
    gpu.boot_rom.subject = name;
    EXPECT_THAT(run(), Refused("nvidia.architecture")) << name;
  }
}

TEST_F(Gpu, RefusesAnotherNonce) {
  expected = ByteVector(32, 8);
  EXPECT_THAT(run(), Refused("nvidia.nonce"));
  expected = ByteVector(31, 9);
  EXPECT_THAT(run(), Refused("nvidia.nonce"));
  expected = ByteVector{};
  EXPECT_THAT(run(), Refused("nvidia.nonce"));
}

TEST_F(Gpu, DoesNotTakeTheGpusOwnNonceForTheVerifiers) {
  expected = ByteVector(32, 0x55);
  EXPECT_THAT(run(), Refused("nvidia.nonce"));
}

TEST_F(Gpu, RefusesAReportForAnotherRequest) {
  run();
  GpuMaker other = gpu;
  other.nonce = ByteVector(32, 1);
  evidence.items[0].bytes = other.request();
  EXPECT_THAT(again(), RefusedAlsoFor("nvidia.signature"));
  EXPECT_THAT(again(), RefusedAlsoFor("nvidia.nonce"));
  expected = other.nonce;
  EXPECT_THAT(again(), Refused("nvidia.signature"));
}

TEST_F(Gpu, RefusesASignatureByAnotherKey) {
  gpu.signer = MintKey::generate(MintKeyType::kP384);
  EXPECT_THAT(run(), Refused("nvidia.signature"));
  gpu.signer = gpu.boot_rom_key;
  EXPECT_THAT(run(), Refused("nvidia.signature"));
}

TEST_F(Gpu, RefusesAKeyOnAnotherCurve) {
  gpu.leaf_key = MintKey::generate(MintKeyType::kP256);
  EXPECT_THAT(run(), Refused("nvidia.signature"));
}

TEST_F(Gpu, RefusesAKeyThatIsNotForSignatures) {
  const std::vector<testing::MintExtension> good = gpu.leaf.extensions;
  gpu.leaf.extensions.push_back({"2.5.29.15", true, {0x03, 0x02, 0x05, 0x20}});  // encipherment
  EXPECT_THAT(run(), Refused("nvidia.leaf"));
  gpu.leaf.extensions.back().value = {0x03, 0x02, 0x07, 0x80};
  EXPECT_THAT(run(), Accepted());
  gpu.leaf.extensions = good;
  gpu.leaf.authority = gpu.leaf.may_sign = true;
  EXPECT_THAT(run(), Refused("nvidia.leaf"));
}

TEST_F(Gpu, RefusesARootOfTheSameNameWithAnotherKey) {
  roots.nvidia = {MintKey::generate(MintKeyType::kP384).digest()};
  EXPECT_THAT(run(), Refused("chain.root"));
  roots = Roots{};
  EXPECT_THAT(run(), Refused("chain.root"));
  roots = vendor_roots();
  EXPECT_THAT(run(), Refused("chain.root"));
}

TEST_F(Gpu, RefusesChainsWithGapsAndThoseThatAreNone) {
  run();
  const std::string pem(as_text(evidence.items[2].bytes));
  const std::string end = "-----END CERTIFICATE-----";
  const std::size_t first = pem.find(end) + end.size() + 1;
  evidence.items[2].bytes = to_vector(as_bytes(pem.substr(0, first)));
  EXPECT_THAT(again(), Refused("chain.issuer"));
  // Starting with the boot ROM: not what signs reports.
  evidence.items[2].bytes = to_vector(as_bytes(pem.substr(first)));
  EXPECT_THAT(again(), RefusedAlsoFor("nvidia.leaf"));
  EXPECT_THAT(again(), RefusedAlsoFor("nvidia.signature"));
  evidence.items[2].bytes = to_vector(as_bytes("no certificates"));
  EXPECT_THAT(again(), Refused("nvidia.certificates"));
}

TEST_F(Gpu, RefusesALeafThatIsIssuedByALeafExpiredOrNotYetValid) {
  gpu.boot_rom.authority = false;
  EXPECT_THAT(run(), Refused("chain.authority"));
  gpu.boot_rom.authority = true;
  gpu.leaf.not_after = now - 1;
  EXPECT_THAT(run(), Refused("chain.expired"));
  gpu.leaf.not_after = now + 1;
  gpu.leaf.not_before = now + 1;
  EXPECT_THAT(run(), Refused("chain.not-yet-valid"));
}

TEST_F(Gpu, RefusesAGpuWhoseAuthorityASuppliedListRevokes) {
  gpu.identity.serial = 42;
  MintList list;
  list.revoked = {42};
  endorsements.revocation_lists = {testing::mint_list(list, gpu.root, gpu.root_key)};
  EXPECT_THAT(run(), Refused("chain.revoked"));
}

TEST_F(Gpu, NamesItsBoardAsManifestsDo) {
  EXPECT_EQ(run().claims->find("board"), nullptr);
  gpu.fields.push_back({17, to_vector(as_bytes(std::string_view("1010\0", 5)))});
  gpu.fields.push_back({15, to_vector(as_bytes(std::string_view("882\0\0", 5)))});
  EXPECT_EQ(run().claims->find("board"), nullptr);
  gpu.fields.push_back({18, to_vector(as_bytes("0200"))});
  EXPECT_EQ(text_of("board"), "1010_0200_882");
}

TEST_F(Gpu, SaysWhetherItsVideoDecoderIsOn) {
  EXPECT_EQ(run().claims->find("nvdec"), nullptr);
  gpu.fields.push_back({11, {0xAA}});
  EXPECT_EQ(text_of("nvdec"), "enabled");
  gpu.fields.back().value = {0x55};
  EXPECT_EQ(text_of("nvdec"), "disabled");
  gpu.fields.back().value = {0x00};
  EXPECT_EQ(run().claims->find("nvdec"), nullptr);
}

TEST_F(Gpu, RefusesOtherFirmwareThanItsCertificateIsFor) {
  gpu.fields[2].value = ByteVector(48, 0xFB);
  EXPECT_THAT(run(), Refused("nvidia.fwid"));
  gpu.fields[2].value = ByteVector(47, 0xFA);
  EXPECT_THAT(run(), Refused("nvidia.fwid"));
  gpu.fields[2].value = gpu.fwid;
  gpu.leaf.extensions.clear();
  EXPECT_THAT(run(), Refused("nvidia.fwid"));
  gpu.leaf.extensions = {{"2.23.133.5.4.1", false, {1, 2, 3}}};
  EXPECT_THAT(run(), Refused("nvidia.fwid"));
}

TEST_F(Gpu, TakesReportsOfDriversThatDoNotRepeatTheFirmware) {
  gpu.fields.erase(gpu.fields.begin() + 2);
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->find("fwid")->value, gpu.fwid);
}

TEST_F(Gpu, StatesTheModeOfTheGpuAndNoneWhereTheReportDoesNot) {
  gpu.fields[4].value = {1, 0};
  EXPECT_EQ(text_of("mode"), "multi-gpu");
  gpu.fields[4].value = {2};
  EXPECT_EQ(text_of("mode"), "protected-pcie");
  gpu.fields.pop_back();
  EXPECT_EQ(text_of("mode"), "unstated");
  gpu.fields.push_back({21, {0x55}});
  EXPECT_EQ(text_of("mode"), "unstated");
  gpu.fields.back().value = {0xAA};
  EXPECT_EQ(text_of("mode"), "protected-pcie");
}

TEST_F(Gpu, RefusesModesThatItDoesNotKnow) {
  for (const ByteVector& value :
       {ByteVector{3}, ByteVector{0, 1}, ByteVector{}, ByteVector{0xFF}}) {
    gpu.fields[4].value = value;
    EXPECT_THAT(run(), Refused("nvidia.mode")) << to_hex(value);
  }
}

// Nothing in a report says that developer tools are on: it shows in what is measured alone.
TEST_F(Gpu, StatesOtherMeasurementsForAGpuWithDeveloperTools) {
  const Verdict production = run();
  gpu.blocks[35].value = ByteVector(48, 0xDD);
  const Verdict devtools = run();
  ASSERT_THAT(devtools, Accepted());
  EXPECT_NE(devtools.claims->find("measurements")->value,
            production.claims->find("measurements")->value);
  EXPECT_NE(devtools.claims->find("measurement35")->value,
            production.claims->find("measurement35")->value);
  EXPECT_EQ(devtools.claims->find("measurement34")->value,
            production.claims->find("measurement34")->value);
}

TEST_F(Gpu, RefusesReportsThatDoNotSayTheirVersionsAsText) {
  for (const ByteVector& value :
       {ByteVector{}, ByteVector{0}, ByteVector{'5', 0x1B}, ByteVector{'5', 0, '6'}}) {
    gpu.fields[1].value = value;
    EXPECT_THAT(run(), Refused("nvidia.driver-version")) << to_hex(value);
  }
  gpu.fields.erase(gpu.fields.begin() + 1);
  EXPECT_THAT(run(), Refused("nvidia.driver-version"));
  gpu.fields[0].value.pop_back();
  EXPECT_THAT(run(), RefusedAlsoFor("nvidia.vbios-version"));
}

TEST_F(Gpu, RefusesMalformedRequestsAndReports) {
  gpu.request_head[3] = 1;  // one measurement only
  EXPECT_THAT(run(), Refused("nvidia.request"));
  gpu.request_head[3] = 0xFF;
  run();
  evidence.items[1].bytes.pop_back();
  EXPECT_THAT(again(), Refused("nvidia.report"));
}

TEST_F(Gpu, CallsWhatIsNewerUnsupported) {
  gpu.fields[3].value = {3, 0};  // version of the opaque data
  EXPECT_THAT(run(), Refused("nvidia.unsupported"));
  gpu.fields[3].value = {1, 0};
  run();
  evidence.items[0].bytes[0] = evidence.items[1].bytes[0] = 0x12;
  const Verdict verdict = again();
  EXPECT_THAT(verdict, Refused("nvidia.unsupported"));
  EXPECT_EQ(verdict.reasons.size(), 2U);
}

TEST_F(Gpu, DoesNotNumberMeasurementsThatAreNoDigests) {
  gpu.blocks[5].value = ByteVector(20, 1);
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->find("measurement05"), nullptr);
}

TEST_F(Gpu, RefusesEvidenceThatLacksAnItemOrHasAnother) {
  for (std::size_t i = 0; i < 3; ++i) {
    run();
    evidence.items.erase(evidence.items.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(again(), Refused("evidence.item-missing")) << i;
  }
  run();
  evidence.items.insert(evidence.items.begin(), EvidenceItem{"certificates", {1}});
  EXPECT_THAT(again(), Refused("evidence.item-unknown"));
}

TEST_F(Gpu, RefusesTheSameWithARememberedChain) {
  ChainCache chains;
  cache = &chains;
  run();
  for (int i = 0; i < 2; ++i) EXPECT_THAT(again(), Accepted());
  EXPECT_EQ(chains.counts().hits, 2U);
  evidence.items[1].bytes[100] ^= 1;
  EXPECT_THAT(again(), Refused("nvidia.signature"));
  evidence.items[1].bytes[100] ^= 1;
  roots = Roots{};
  EXPECT_THAT(again(), Refused("chain.root"));
}

TEST_F(Gpu, GivesAllReasonsTogether) {
  gpu.signer = MintKey::generate(MintKeyType::kP384);
  gpu.fields[4].value = {7};
  expected = ByteVector(32, 1);
  const Verdict verdict = run();
  for (const char* code : {"nvidia.signature", "nvidia.mode", "nvidia.nonce"}) {
    EXPECT_THAT(verdict, RefusedAlsoFor(code));
  }
}

TEST_F(Gpu, RefusesEveryFlippedByteOfRequestAndReport) {
  ChainCache chains;
  cache = &chains;
  run();
  for (const std::size_t item : {0U, 1U}) {
    ByteVector& bytes = evidence.items[item].bytes;
    // The slot, the last byte of the request, is signed like the rest.
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] ^= 0x10;
      EXPECT_FALSE(again().accepted()) << item << ' ' << i;
      bytes[i] ^= 0x10;
    }
  }
}

}  // namespace
}  // namespace sealpack::attest
