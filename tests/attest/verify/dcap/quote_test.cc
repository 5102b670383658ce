// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/quote.h"

#include <gtest/gtest.h>

#include "tests/attest/verify/dcap/mint_dcap.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest::dcap {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::MintDcap;
using Kind = MintDcap::Kind;

void set_u32(ByteVector& bytes, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

// Where sizes lie: signature data, the data around the QE report, the certification data.
constexpr std::size_t kSgx3Signature = 48 + 384;
constexpr std::size_t kSgx3Certification = kSgx3Signature + 4 + 128 + 384 + 64 + 2 + 32 + 2;
constexpr std::size_t kTdx4Signature = 48 + 584;
constexpr std::size_t kTdx4Outer = kTdx4Signature + 4 + 128 + 2;
constexpr std::size_t kTdx4Certification = kTdx4Outer + 4 + 384 + 64 + 2 + 32 + 2;

TEST(QuoteParser, ReadsEachLayout) {
  const Quote sgx = parse_quote(MintDcap(Kind::kSgx3).quote()).value();
  EXPECT_EQ(sgx.version, 3);
  EXPECT_EQ(sgx.tee, Tee::kSgx);
  ASSERT_TRUE(sgx.sgx);
  EXPECT_EQ(sgx.sgx->isv_prod_id, 7);
  EXPECT_FALSE(sgx.td);
  const ByteVector bytes = MintDcap(Kind::kTdx5).quote();
  const Quote tdx = parse_quote(bytes).value();
  EXPECT_EQ(tdx.tee, Tee::kTdx);
  ASSERT_TRUE(tdx.td && tdx.td->added);
  EXPECT_EQ(tdx.signed_part.size(), 54U + 648U);
  EXPECT_EQ(tdx.qe_report.isv_prod_id, 2);
  EXPECT_EQ(tdx.qe_authentication_data.size(), 32U);
  EXPECT_FALSE(parse_quote(MintDcap(Kind::kTdx5OfTdx10).quote())->td->added);
  EXPECT_TRUE(parse_quote(MintDcap(Kind::kSgx5).quote())->sgx);
}

// Offsets of sgx_report2_body_v1_5_ex_t, which end where the body does.
TEST(QuoteParser, ReadsTheExtensionOfTdx15) {
  MintDcap platform(Kind::kTdx5Extended);
  for (const std::size_t at :
       {648U, 649U, 680U, 681U, 729U, 777U, 785U, 801U, 817U, 829U, 877U, 884U}) {
    platform.body[at] = static_cast<std::uint8_t>(at);
  }
  const ByteVector bytes = platform.quote();
  const Quote quote = parse_quote(bytes).value();
  EXPECT_EQ(quote.signed_part.size(), 54U + 885U);
  ASSERT_TRUE(quote.td && quote.td->added && quote.td->extension);
  EXPECT_EQ(quote.td->added->tee_tcb_svn2[0], 6);
  const TdReport::Extension& extension = *quote.td->extension;
  EXPECT_EQ(extension.vm_id, 648U & 0xffU);
  EXPECT_EQ(extension.td_id.front(), 649U & 0xffU);
  EXPECT_EQ(extension.td_id.back(), 680U & 0xffU);
  EXPECT_EQ(extension.device_info.front(), 681U & 0xffU);
  EXPECT_EQ(extension.initial_service_td.front(), 729U & 0xffU);
  EXPECT_EQ(extension.initial_service_td_attributes.front(), 777U & 0xffU);
  EXPECT_EQ(extension.initial_cpu_svn.front(), 785U & 0xffU);
  EXPECT_EQ(extension.initial_tee_tcb_svn.front(), 801U & 0xffU);
  EXPECT_EQ(extension.initial_fmspc.front(), 817U & 0xffU);
  EXPECT_EQ(extension.current_service_td.front(), 829U & 0xffU);
  EXPECT_EQ(extension.current_service_td_attributes.front(), 877U & 0xffU);
  EXPECT_EQ(extension.current_service_td_attributes.back(), 884U & 0xffU);
  EXPECT_FALSE(parse_quote(MintDcap(Kind::kTdx5).quote())->td->extension);
}

TEST(QuoteParser, RefusesOtherVersionsAndKeys) {
  for (const auto& [version, error] :
       {std::pair{0U, ErrorCode::kMalformed}, std::pair{2U, ErrorCode::kMalformed},
        std::pair{6U, ErrorCode::kUnsupported}, std::pair{255U, ErrorCode::kUnsupported},
        std::pair{256U, ErrorCode::kMalformed}, std::pair{0xffffU, ErrorCode::kMalformed}}) {
    MintDcap platform(Kind::kSgx3);
    platform.version = static_cast<std::uint16_t>(version);
    EXPECT_THAT(parse_quote(platform.quote()), FailsWith(error, HasSubstr("version")));
  }
  for (const unsigned type : {0U, 1U, 3U, 0xffffU}) {
    MintDcap platform(Kind::kSgx3);
    platform.key_type = static_cast<std::uint16_t>(type);
    EXPECT_THAT(parse_quote(platform.quote()),
                FailsWith(ErrorCode::kUnsupported, HasSubstr("attestation key type")));
  }
}

TEST(QuoteParser, RefusesOtherTeesAndBodies) {
  MintDcap reserved(Kind::kSgx3);
  reserved.tee_type = 0x81;
  EXPECT_THAT(parse_quote(reserved.quote()),
              FailsWith(ErrorCode::kMalformed, HasSubstr("reserved")));
  MintDcap unknown(Kind::kSgx4);
  unknown.tee_type = 0x82;
  EXPECT_THAT(parse_quote(unknown.quote()),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("TEE type")));
  for (const unsigned type : {0U, 5U, 0xffffU}) {
    MintDcap platform(Kind::kTdx5);
    platform.body_type = static_cast<std::uint16_t>(type);
    EXPECT_THAT(parse_quote(platform.quote()),
                FailsWith(ErrorCode::kUnsupported, HasSubstr("body type")));
  }
  MintDcap size(Kind::kTdx5);
  size.body_type = 2;
  EXPECT_THAT(parse_quote(size.quote()), FailsWith(ErrorCode::kMalformed, HasSubstr("584")));
  size.body_type = 4;
  EXPECT_THAT(parse_quote(size.quote()), FailsWith(ErrorCode::kMalformed, HasSubstr("885")));
  MintDcap tee(Kind::kSgx5);
  tee.tee_type = 0x81;
  EXPECT_THAT(parse_quote(tee.quote()), FailsWith(ErrorCode::kMalformed, HasSubstr("TEE")));
  MintDcap domain(Kind::kTdx5);
  domain.tee_type = 0;
  EXPECT_THAT(parse_quote(domain.quote()), FailsWith(ErrorCode::kMalformed, HasSubstr("TEE")));
}

TEST(QuoteParser, RefusesOtherDataAroundTheQeReport) {
  MintDcap platform(Kind::kTdx4);
  platform.outer_certification_type = 5;
  EXPECT_THAT(parse_quote(platform.quote()),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("around the QE report")));
}

TEST(QuoteParser, RefusesSizesThatWrap) {
  const ByteVector sgx = MintDcap(Kind::kSgx3).quote();
  const ByteVector tdx = MintDcap(Kind::kTdx4).quote();
  for (const std::uint32_t size : {0xffffffffU, 0xfffffffcU, 0x80000000U, 0x7fffffffU}) {
    for (const std::size_t at : {kSgx3Signature, kSgx3Certification}) {
      ByteVector quote = sgx;
      set_u32(quote, at, size);
      EXPECT_THAT(parse_quote(quote), Fails(ErrorCode::kMalformed));
    }
    for (const std::size_t at : {kTdx4Signature, kTdx4Outer, kTdx4Certification}) {
      ByteVector quote = tdx;
      set_u32(quote, at, size);
      EXPECT_THAT(parse_quote(quote), Fails(ErrorCode::kMalformed));
    }
  }
}

TEST(QuoteParser, RefusesSizesThatAreOffByOne) {
  const ByteVector tdx = MintDcap(Kind::kTdx4).quote();
  for (const std::size_t at : {kTdx4Signature, kTdx4Outer, kTdx4Certification}) {
    for (const int by : {-1, 1}) {
      ByteVector quote = tdx;
      const std::uint32_t size = quote[at] + 256U * quote[at + 1];
      set_u32(quote, at, size + static_cast<std::uint32_t>(by));
      EXPECT_THAT(parse_quote(quote), Fails(ErrorCode::kMalformed)) << at << " " << by;
    }
  }
}

TEST(QuoteParser, QeAuthenticationDataEndsInsideItsBlock) {
  MintDcap platform(Kind::kTdx4);
  platform.qe_authentication = {};
  EXPECT_TRUE(parse_quote(platform.quote()).ok());
  ByteVector quote = platform.quote();
  quote[kTdx4Outer + 4 + 384 + 64] = 0xff;
  quote[kTdx4Outer + 4 + 384 + 65] = 0xff;
  EXPECT_THAT(parse_quote(quote), Fails(ErrorCode::kMalformed));
}

TEST(QuoteParser, IsBounded) {
  MintDcap platform(Kind::kSgx3);
  platform.padding = ByteVector(kMaxQuoteSize);
  EXPECT_THAT(parse_quote(platform.quote()), FailsWith(ErrorCode::kLimit, HasSubstr("128")));
}

}  // namespace
}  // namespace sealpack::attest::dcap
