// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/collateral_file.h"

#include <gtest/gtest.h>

#include "tests/attest/verify/dcap/dcap_fixture.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest::dcap {
namespace {

using testing::Accepted;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using Kind = MintDcap::Kind;

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string member(const std::string& name, std::string_view text) {
  return json_text(name) + ":" + json_text(text) + ",";
}

std::string pem(std::initializer_list<ByteVector> certificates) {
  std::string out;
  for (const ByteVector& der : certificates) out += as_text(testing::pem_of(der));
  return out;
}

// As dcap-qvl writes it.
std::string collateral_of(const MintDcap& platform, const std::string& more = "") {
  const Endorsements parts = platform.endorsements();
  const auto signature = [](const std::string& inner) {
    return to_hex(
        testing::mint_dcap_keys().signing.sign(crypto::HashAlgorithm::kSha256, as_bytes(inner)));
  };
  const std::string chain = pem({platform.signing_der(), platform.root_der()});
  return "{" +
         member("pck_crl_issuer_chain", pem({platform.platform_ca_der(), platform.root_der()})) +
         member("root_ca_crl", to_hex(parts.revocation_lists[0])) +
         member("pck_crl", to_hex(parts.revocation_lists[1])) +
         member("tcb_info_issuer_chain", chain) + member("tcb_info", platform.tcb_info) +
         member("tcb_info_signature", signature(platform.tcb_info)) +
         member("qe_identity_issuer_chain", chain) + member("qe_identity", platform.identity) +
         more + "\"qe_identity_signature\":" + json_text(signature(platform.identity)) + "}";
}

Result<Endorsements> parse(const std::string& text) {
  return parse_dcap_collateral(as_bytes(text));
}

TEST(CollateralFile, ASetEndorsesAQuote) {
  for (const Kind kind : {Kind::kSgx3, Kind::kTdx4}) {
    const MintDcap platform(kind);
    const auto endorsements = parse(collateral_of(platform));
    ASSERT_TRUE(endorsements.ok());
    EXPECT_EQ(endorsements->certificates.size(), 3U);  // those that occur twice once
    EXPECT_THAT(verdict_of(platform, platform.quote(), *endorsements), Accepted());
  }
}

TEST(CollateralFile, DocumentsStayAsTheyWereDelivered) {
  const MintDcap platform(Kind::kTdx4);
  const Endorsements parts = platform.endorsements();
  EXPECT_EQ(parse_dcap_collateral(parts.tcb_infos[0])->tcb_infos, parts.tcb_infos);
  EXPECT_EQ(parse_dcap_collateral(parts.enclave_identities[0])->enclave_identities,
            parts.enclave_identities);
}

TEST(CollateralFile, ASetMayHaveWholeDocumentsAndLessThanAll) {
  const MintDcap platform(Kind::kTdx4);
  const Endorsements parts = platform.endorsements();
  const auto endorsements = parse("{" + member("tcb_info", as_text(parts.tcb_infos[0])) +
                                  "\"version\":4,\"pck_crl\":null,\"pck_certificate_chain\":\"\"}");
  ASSERT_TRUE(endorsements.ok());
  EXPECT_EQ(endorsements->tcb_infos, parts.tcb_infos);
  EXPECT_TRUE(endorsements->certificates.empty());
}

TEST(CollateralFile, ListsMayBePem) {
  const MintDcap platform(Kind::kTdx4);
  const ByteVector list = platform.endorsements().revocation_lists[1];
  std::string text(as_text(testing::pem_of(list)));
  for (std::size_t at = 0; (at = text.find("CERTIFICATE", at)) != std::string::npos;) {
    text.replace(at, 11, "X509 CRL");
  }
  EXPECT_EQ(parse("{\"pck_crl\":" + json_text(text) + "}")->revocation_lists,
            std::vector<ByteVector>{list});
  EXPECT_FALSE(parse("{\"pck_crl\":" + json_text(text.substr(0, text.size() - 10)) + "}").ok());
}

TEST(CollateralFile, IsStrict) {
  const MintDcap platform(Kind::kTdx4);
  EXPECT_THAT(parse(collateral_of(platform, "\"tcb_inf\":\"\",")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("not known")));
  EXPECT_THAT(parse(collateral_of(platform, "\"tcb_info\":\"\",")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate")));
  EXPECT_THAT(parse(collateral_of(platform) + "x"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("left over")));
  EXPECT_THAT(parse("{}"), FailsWith(ErrorCode::kMalformed, HasSubstr("nothing")));
  EXPECT_THAT(parse(""), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse("[]"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse("{\"tcb_info\":\"{\",\"tcb_info_signature\":\"00\"}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("tcb_info")));
  EXPECT_THAT(parse("{\"tcb_info_issuer_chain\":\"x\"}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("tcb_info_issuer_chain")));
  EXPECT_THAT(parse("{\"root_ca_crl\":\"xyz\"}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("root_ca_crl")));
  EXPECT_THAT(parse("{\"tcbInfo\":{}}"), FailsWith(ErrorCode::kMalformed, HasSubstr("lacks")));
  EXPECT_THAT(parse(std::string((4U << 20U) + 1, ' ')),
              FailsWith(ErrorCode::kLimit, HasSubstr("4")));
}

// Text that would end the string it is put into becomes no other document.
TEST(CollateralFile, InnerTextCannotBringASignatureOfItsOwn) {
  const std::string signature(128, 'a');
  EXPECT_THAT(parse("{" + member("tcb_info", "{},\"signature\":\"" + signature + "\"") +
                    "\"tcb_info_signature\":\"" + signature + "\"}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate")));
}

}  // namespace
}  // namespace sealpack::attest::dcap
