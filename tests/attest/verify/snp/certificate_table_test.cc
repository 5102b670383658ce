// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/snp/certificate_table.h"

#include <gtest/gtest.h>

#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/verdict_matchers.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest::snp {
namespace {

using testing::Accepted;
using testing::certificate_table;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::kArkGuid;
using testing::kAskGuid;
using testing::kListGuid;
using testing::kVcekGuid;
using testing::kVlekGuid;
using testing::pem_of;
using testing::Refused;
using testing::RefusedAlsoFor;
using testing::SnpLab;
using testing::Succeeds;

constexpr const char* kOtherGuid = "00112233445566778899aabbccddeeff";

void put_u32(ByteVector& table, std::size_t offset, std::uint32_t value) {
  for (unsigned i = 0; i < 4; ++i) {
    table[offset + i] = static_cast<std::uint8_t>(value >> 8U * i);
  }
}

TEST(CertificateTable, GivesCertificatesAndLists) {
  const auto table = parse_certificate_table(certificate_table(
      {{kVcekGuid, {1}}, {kVlekGuid, {2, 2}}, {kAskGuid, {3}}, {kArkGuid, {4}}, {kListGuid, {5}}}));
  ASSERT_THAT(table, Succeeds());
  EXPECT_EQ(table->certificates, (std::vector<ByteVector>{{1}, {2, 2}, {3}, {4}}));
  EXPECT_EQ(table->revocation_lists, (std::vector<ByteVector>{{5}}));
}

TEST(CertificateTable, MayBeEmptyAndPadded) {
  EXPECT_THAT(parse_certificate_table(ByteVector(24)), Succeeds());
  EXPECT_THAT(parse_certificate_table(ByteVector(4096)), Succeeds());
}

TEST(CertificateTable, SkipsEntriesOfTheHost) {
  const auto table = parse_certificate_table(certificate_table({{kOtherGuid, {1}}}));
  ASSERT_THAT(table, Succeeds());
  EXPECT_TRUE(table->certificates.empty());
}

TEST(CertificateTable, TakesGuidsInEfiOrder) {
  const auto table =
      parse_certificate_table(certificate_table({{"8d75da6364e66445adc5f4b93be8accd", {1}}}));
  ASSERT_THAT(table, Succeeds());
  EXPECT_EQ(table->certificates.size(), 1U);
}

TEST(CertificateTable, RefusesEntriesOutsideOfIt) {
  const ByteVector good = certificate_table({{kVcekGuid, {1, 2, 3, 4}}});
  ByteVector bad = good;
  put_u32(bad, 20, 5);
  EXPECT_THAT(parse_certificate_table(bad),
              FailsWith(ErrorCode::kMalformed, HasSubstr("not inside")));
  bad = good;
  put_u32(bad, 16, 49);
  EXPECT_THAT(parse_certificate_table(bad), Fails(ErrorCode::kMalformed));
}

TEST(CertificateTable, RefusesSumsThatWrapIn32Bits) {
  ByteVector bad = certificate_table({{kVcekGuid, {1, 2, 3, 4}}});
  put_u32(bad, 16, 0xFFFFFFF0);
  put_u32(bad, 20, 0x40);  // ends at 0x30 in 32 bits
  EXPECT_THAT(parse_certificate_table(bad), Fails(ErrorCode::kMalformed));
}

TEST(CertificateTable, RefusesWrappingEntriesOfTheHostToo) {
  ByteVector bad = certificate_table({{kOtherGuid, {1, 2, 3, 4}}});
  put_u32(bad, 16, 0xFFFFFFF0);
  EXPECT_THAT(parse_certificate_table(bad), Fails(ErrorCode::kMalformed));
}

TEST(CertificateTable, RefusesEntriesInsideTheEntries) {
  ByteVector bad = certificate_table({{kVcekGuid, {1, 2, 3, 4}}});
  put_u32(bad, 16, 0);
  EXPECT_THAT(parse_certificate_table(bad), Fails(ErrorCode::kMalformed));
}

TEST(CertificateTable, RefusesATableWithoutEnd) {
  ByteVector bad = certificate_table({{kVcekGuid, {}}});
  bad.resize(24);
  EXPECT_THAT(parse_certificate_table(bad), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_certificate_table({}), Fails(ErrorCode::kMalformed));
}

TEST(CertificateTable, RefusesAnEndThatPointsSomewhere) {
  ByteVector bad(48);
  bad[16] = 24;
  EXPECT_THAT(parse_certificate_table(bad), Fails(ErrorCode::kMalformed));
}

TEST(CertificateTable, RefusesMoreEntriesThanAnybodyHas) {
  const std::vector<std::pair<std::string, ByteVector>> many(65, {kOtherGuid, {1}});
  EXPECT_THAT(parse_certificate_table(certificate_table(many)), Fails(ErrorCode::kLimit));
}

TEST(CertificateTable, SuppliesTheWholeChain) {
  SnpLab lab("Genoa");
  lab.with_chain = false;
  lab.table = certificate_table({{kVcekGuid, lab.leaf_der()},
                                 {kOtherGuid, {1, 2, 3}},
                                 {kAskGuid, lab.authority_der()},
                                 {kArkGuid, lab.ark_der()}});
  EXPECT_THAT(lab.run(), Accepted());
}

TEST(CertificateTable, SuppliesPemWhereTheHostWasGivenThat) {
  SnpLab lab("Genoa");
  lab.with_chain = false;
  lab.table = certificate_table({{kVcekGuid, pem_of(lab.leaf_der())},
                                 {kAskGuid, lab.authority_der()},
                                 {kArkGuid, lab.ark_der()}});
  EXPECT_THAT(lab.run(), Accepted());
}

TEST(CertificateTable, IsNeverTrustedForItsRoot) {
  SnpLab lab("Genoa");
  lab.with_chain = false;
  lab.ark_key = testing::lab_key(3);
  lab.table = certificate_table(
      {{kVcekGuid, lab.leaf_der()}, {kAskGuid, lab.authority_der()}, {kArkGuid, lab.ark_der()}});
  EXPECT_THAT(lab.run(), Refused("chain.root"));
}

TEST(CertificateTable, ThatIsMalformedRefusesTheEvidence) {
  SnpLab lab("Genoa");
  lab.table = ByteVector(23);
  EXPECT_THAT(lab.run(), Refused("snp.certificates"));
  lab.table = certificate_table({{kVcekGuid, {1, 2, 3}}});
  EXPECT_THAT(lab.run(), RefusedAlsoFor("snp.certificates"));
}

}  // namespace
}  // namespace sealpack::attest::snp
