// SPDX-License-Identifier: Apache-2.0
// Whose report it is: endorsement keys, chips, security versions and products.
#include <gtest/gtest.h>

#include "keymgmt/crypto/der.h"
#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using crypto::internal::der_element;
using crypto::internal::der_unsigned;
using crypto::internal::DerTag;
using testing::Accepted;
using testing::lab_key;
using testing::MintKey;
using testing::MintKeyType;
using testing::Refused;
using testing::RefusedAlsoFor;
using testing::SnpLab;

constexpr auto kVlek = SnpLab::Kind::kVlek;

bool is_claimed(const Verdict& verdict, std::string_view name) {
  return verdict.claims && verdict.claims->find(name) != nullptr &&
         verdict.claims->find(name)->value == ByteVector{1};
}

TEST(SnpLeaf, RefusesALeasedKeyForAChipsReport) {
  SnpLab lab("Milan", kVlek);
  lab.set_u32(0x048, 0);
  EXPECT_THAT(lab.run(), Refused("snp.leaf-name"));
}

TEST(SnpLeaf, RefusesAChipsKeyForALeasedKeysReport) {
  SnpLab lab("Milan");
  lab.set_u32(0x048, 1U << 2U);
  EXPECT_THAT(lab.run(), Refused("snp.leaf-name"));
}

TEST(SnpLeaf, RefusesALeasedKeyUnderAChipKeysName) {
  // A VLEK renamed has no HWID, so that the chip could not be compared.
  SnpLab lab("Milan", kVlek);
  lab.set_u32(0x048, 0);
  lab.leaf.subject = "SEV-VCEK";
  const Verdict verdict = lab.run();
  EXPECT_THAT(verdict, RefusedAlsoFor("snp.hwid"));
  EXPECT_THAT(verdict, RefusedAlsoFor("snp.csp-id"));
}

TEST(SnpLeaf, RefusesAChipKeyUnderALeasedKeysName) {
  SnpLab lab("Milan");
  lab.set_u32(0x048, 1U << 2U);
  lab.leaf.subject = "SEV-VLEK";
  const Verdict verdict = lab.run();
  EXPECT_THAT(verdict, RefusedAlsoFor("snp.hwid"));
  EXPECT_THAT(verdict, RefusedAlsoFor("snp.csp-id"));
}

TEST(SnpLeaf, RefusesALeafUnderTheOtherKindsAuthority) {
  SnpLab lab("Milan");
  lab.authority.subject = "SEV-VLEK-Milan";
  EXPECT_THAT(lab.run(), Refused("snp.issuer-name"));
}

TEST(SnpLeaf, RefusesNamesThatOnlyResembleIt) {
  for (const char* name : {"VCEK", "SEV-VCEK ", "sev-vcek", "SEV-VCEK2", "SEV-Milan", ""}) {
    SnpLab lab("Milan");
    lab.leaf.subject = name;
    EXPECT_THAT(lab.run(), Refused("snp.leaf-missing")) << name;
  }
}

TEST(SnpLeaf, RefusesEvidenceWithoutAnyCertificate) {
  SnpLab lab("Milan");
  lab.with_chain = false;
  EXPECT_THAT(lab.run(), Refused("snp.leaf-missing"));
}

TEST(SnpLeaf, RefusesKeysOnAnotherCurve) {
  SnpLab lab("Milan");
  lab.leaf_key = lab.signing_key = MintKey::generate(MintKeyType::kP256);
  EXPECT_THAT(lab.run(), Refused("snp.leaf-key"));
}

TEST(SnpLeaf, RefusesMissingExtensions) {
  for (const char* oid : {"2", "3.1", "3.2", "3.3", "3.8"}) {
    SnpLab lab("Milan");
    lab.remove_extension(oid);
    EXPECT_THAT(lab.run(), Refused("snp.leaf-extension")) << oid;
  }
}

TEST(SnpLeaf, RefusesAMissingFmcOnTurinAlone) {
  SnpLab turin("Turin");
  turin.remove_extension("3.9");
  EXPECT_THAT(turin.run(), Refused("snp.leaf-extension"));
  SnpLab milan("Milan");
  milan.leaf.extensions.push_back({"1.3.6.1.4.1.3704.1.3.9", false, der_unsigned(0)});
  EXPECT_THAT(milan.run(), Refused("snp.leaf-extension"));
}

TEST(SnpLeaf, RefusesSecurityVersionsThatAreNoDerIntegers) {
  const ByteVector kBad[] = {{10},
                             {0x02, 0x01},
                             {0x04, 0x01, 10},
                             {0x02, 0x02, 0, 10},
                             {0x02, 0x01, 0x8A},
                             {0x02, 0x02, 1, 10},
                             {0x02, 0x01, 10, 0}};
  for (const ByteVector& bad : kBad) {
    SnpLab lab("Milan");
    lab.extension("3.1").value = bad;
    EXPECT_THAT(lab.run(), Refused("snp.leaf-extension")) << to_hex(bad);
  }
}

TEST(SnpLeaf, ReadsSecurityVersionsAbove127) {
  for (const unsigned version : {127U, 128U, 219U, 255U}) {
    SnpLab lab("Milan");
    lab.extension("3.8").value = der_unsigned(version);
    for (const std::size_t offset : {0x038U, 0x180U, 0x1E0U, 0x1F0U}) {
      lab.set_u8(offset + 7, static_cast<std::uint8_t>(version));
    }
    EXPECT_THAT(lab.run(), Accepted()) << version;
  }
}

TEST(SnpLeaf, RefusesUnknownProducts) {
  for (const char* name : {"Venice", "Milan2", "milan-B0", "", "Mil"}) {
    SnpLab lab("Milan");
    lab.extension("2").value = der_element(DerTag::kIa5String, {as_bytes(name)});
    EXPECT_THAT(lab.run(), Refused("snp.product")) << name;
  }
}

TEST(SnpLeaf, RefusesAProductNameThatIsNoText) {
  SnpLab lab("Milan");
  lab.extension("2").value = der_element(DerTag::kIa5String, {as_bytes("Milan\n")});
  EXPECT_THAT(lab.run(), Refused("snp.leaf-extension"));
}

TEST(SnpLeaf, RefusesALeasedKeyWithoutItsCloud) {
  SnpLab lab("Milan", kVlek);
  lab.remove_extension("5");
  EXPECT_THAT(lab.run(), Refused("snp.csp-id"));
}

TEST(SnpLeaf, ClaimsTheCloudOfALeasedKey) {
  SnpLab lab("Milan", kVlek);
  const Verdict verdict = lab.run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(as_text(verdict.claims->find("csp_id")->value), "CN=cloud.example");
  EXPECT_FALSE(is_claimed(verdict, "chip_id_masked"));
}

TEST(SnpLeaf, IsChosenAmongThoseOfOtherChipsAndVersions) {
  SnpLab lab("Milan");
  SnpLab other("Milan");
  other.leaf_key = lab_key(4);
  other.extension("4").value = ByteVector(64, 0x77);
  lab.more.certificates.push_back(other.leaf_der());
  SnpLab older("Milan");
  older.leaf_key = lab_key(5);
  older.extension("3.8").value = der_unsigned(218);
  lab.more.certificates.push_back(older.leaf_der());
  SnpLab twin("Milan");  // says the same of another key
  twin.leaf_key = lab_key(5);
  lab.more.certificates.push_back(twin.leaf_der());
  EXPECT_THAT(lab.run(), Accepted());
}

// Somebody else supplies them, and each costs a signature.
TEST(SnpLeaf, IsSoughtAmong64ThatFitAlike) {
  SnpLab lab("Milan");
  SnpLab twin("Milan");
  twin.leaf_key = lab_key(5);
  lab.with_chain = false;
  for (std::uint64_t i = 0; i < 63; ++i) {
    twin.leaf.serial = 1000 + i;
    lab.more.certificates.push_back(twin.leaf_der());
  }
  for (const ByteVector& der : {lab.leaf_der(), lab.authority_der(), lab.ark_der()}) {
    lab.more.certificates.push_back(der);
  }
  EXPECT_THAT(lab.run(), Accepted());
  twin.leaf.serial = 2000;
  lab.more.certificates.insert(lab.more.certificates.begin(), twin.leaf_der());
  EXPECT_THAT(lab.run(), Refused("snp.signature"));
}

TEST(SnpChip, RefusesAnotherChipsKey) {
  SnpLab lab("Milan");
  lab.set_u8(0x1A0, 0x11);
  EXPECT_THAT(lab.run(), Refused("snp.chip-id"));
  SnpLab last("Milan");
  last.set_u8(0x1DF, 0x11);
  EXPECT_THAT(last.run(), Refused("snp.chip-id"));
}

TEST(SnpChip, RefusesBytesBehindTurinsShortId) {
  SnpLab lab("Turin");
  lab.set_u8(0x1A8, 1);
  EXPECT_THAT(lab.run(), Refused("snp.chip-id"));
}

TEST(SnpChip, RefusesAMissingHwid) {
  SnpLab lab("Milan");
  lab.remove_extension("4");
  EXPECT_THAT(lab.run(), Refused("snp.hwid"));
}

TEST(SnpChip, RefusesAHwidOfAnotherSize) {
  for (const std::size_t size : {0U, 7U, 8U, 63U, 65U, 66U}) {
    SnpLab lab("Milan");
    lab.extension("4").value = ByteVector(size, 0xC0);
    EXPECT_THAT(lab.run(), Refused("snp.hwid")) << size;
  }
  SnpLab lab("Turin");
  lab.extension("4").value = ByteVector(64, 0xC0);
  EXPECT_THAT(lab.run(), Refused("snp.hwid"));
}

TEST(SnpChip, ReadsAHwidInBothEncodings) {
  for (const char* product : {"Milan", "Turin"}) {
    SnpLab lab(product);
    ByteVector& value = lab.extension("4").value;
    value = der_element(DerTag::kOctetString, {value});
    EXPECT_THAT(lab.run(), Accepted());
    value.push_back(0);
    EXPECT_THAT(lab.run(), Refused("snp.hwid"));
  }
}

TEST(SnpChip, SaysThatItsIdIsMasked) {
  SnpLab lab("Milan");
  lab.set_bytes(0x1A0, ByteVector(64));
  const Verdict verdict = lab.run();
  EXPECT_THAT(verdict, Accepted());
  EXPECT_TRUE(is_claimed(verdict, "chip_id_masked"));
  EXPECT_NE(verdict.claims->find("chip_id")->value, ByteVector(64))
      << "the key's certificate knows";
}

TEST(SnpTcb, ComparesEachComponent) {
  // Milan: bootloader, TEE, SNP, microcode. One lower and one higher than the key is for.
  for (const std::size_t component : {0U, 1U, 6U, 7U}) {
    for (const int step : {-1, 1}) {
      SnpLab lab("Milan");
      std::uint8_t& byte = lab.report[0x180 + component];
      byte = static_cast<std::uint8_t>(byte + step);
      EXPECT_THAT(lab.run(), RefusedAlsoFor("snp.tcb")) << component;
    }
  }
}

TEST(SnpTcb, ComparesEachComponentOfTurin) {
  for (const std::size_t component : {0U, 1U, 2U, 3U, 7U}) {
    SnpLab lab("Turin");
    --lab.report[0x180 + component];
    EXPECT_THAT(lab.run(), Refused("snp.tcb")) << component;
  }
}

TEST(SnpTcb, DoesNotReadTurinInMilansLayout) {
  SnpLab lab("Turin");
  lab.set_all_tcbs(ByteVector{10, 1, 0, 0, 0, 0, 23, 219});
  EXPECT_THAT(lab.run(), RefusedAlsoFor("snp.reserved"));
}

TEST(SnpTcb, ComparesWhatIsReportedAndNotWhatIsCurrent) {
  SnpLab lab("Milan");
  ++lab.report[0x038 + 7];  // CURRENT_TCB is newer
  const Verdict verdict = lab.run();
  EXPECT_THAT(verdict, Accepted());
  EXPECT_TRUE(is_claimed(verdict, "provisional"));
}

TEST(SnpTcb, RefusesAKeyForWhatIsCurrent) {
  SnpLab lab("Milan");
  ++lab.report[0x038 + 6];
  lab.extension("3.3").value = der_unsigned(24);
  EXPECT_THAT(lab.run(), Refused("snp.tcb"));
}

TEST(SnpTcb, RefusesMoreThanIsRunning) {
  SnpLab reported("Milan");
  --reported.report[0x038];  // CURRENT_TCB, and COMMITTED_TCB with it
  --reported.report[0x1E0];
  EXPECT_THAT(reported.run(), Refused("snp.tcb-order"));
  SnpLab committed("Milan");
  ++committed.report[0x1E0 + 1];
  EXPECT_THAT(committed.run(), Refused("snp.tcb-order"));
  SnpLab version("Milan");
  version.set_u8(0x1EC, 30);
  EXPECT_THAT(version.run(), Refused("snp.tcb-order"));
}

TEST(SnpTcb, ClaimsProvisionalFirmware) {
  SnpLab lab("Milan");
  lab.set_u8(0x1EC, 28);  // COMMITTED build
  EXPECT_TRUE(is_claimed(lab.run(), "provisional"));
}

TEST(SnpProduct, RefusesAnotherProcessorsKey) {
  SnpLab lab("Milan");
  lab.set_bytes(0x188, ByteVector{0x19, 0x11, 0x01});
  EXPECT_THAT(lab.run(), Refused("snp.product"));
}

TEST(SnpProduct, RefusesProcessorsThatAreNotKnown) {
  for (const auto& [family, model] :
       std::vector<std::pair<std::uint8_t, std::uint8_t>>{{0x17, 0x31},
                                                          {0x19, 0x20},
                                                          {0x19, 0x9F},
                                                          {0x19, 0xB0},
                                                          {0x1A, 0x12},
                                                          {0x1B, 0},
                                                          {0, 0}}) {
    SnpLab lab("Milan");
    lab.set_u8(0x188, family);
    lab.set_u8(0x189, model);
    EXPECT_THAT(lab.run(), Refused("snp.product")) << int{family} << " " << int{model};
  }
}

TEST(SnpProduct, KnowsBergamoAndSienaAsGenoa) {
  for (const char* name : {"Genoa", "Bergamo-A0", "Siena"}) {
    SnpLab lab("Genoa");
    lab.set_u8(0x189, 0xA0);
    lab.extension("2").value = der_element(DerTag::kIa5String, {as_bytes(name)});
    EXPECT_THAT(lab.run(), Accepted()) << name;
  }
}

}  // namespace
}  // namespace sealpack::attest
