// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "attest/verify/dcap/enclave_identity.h"
#include "tests/attest/verify/dcap/mint_dcap.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest::dcap {
namespace {

using testing::edited;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::MintDcap;
using Kind = MintDcap::Kind;

const std::string kSignature = "\"signature\":\"" + std::string(128, 'a') + "\"";

Result<SignedDocument> split(const std::string& text) {
  auto document = split_document(as_bytes(text), "tcbInfo");
  // Views into `text`: only whether it is read is asked here.
  return document;
}

TEST(SignedDocuments, TheInnerValueKeepsItsBytes) {
  const std::string inner = "{ \"a\" : [1, 2.50],\t\"b\":\"\\u0041\" }";
  for (const std::string& text : {"{\"tcbInfo\":" + inner + "," + kSignature + "}",
                                  " {" + kSignature + " , \"tcbInfo\" : \n" + inner + " } \n"}) {
    const auto document = split_document(as_bytes(text), "tcbInfo");
    ASSERT_TRUE(document.ok());
    EXPECT_EQ(as_text(document->inner), inner);
    EXPECT_EQ(document->signature, ByteVector(64, 0xaa));
  }
}

TEST(SignedDocuments, AreStrict) {
  const std::string good = "{\"tcbInfo\":{}," + kSignature + "}";
  ASSERT_TRUE(split(good).ok());
  EXPECT_THAT(split("{\"tcbInfo\":{}}"), FailsWith(ErrorCode::kMalformed, HasSubstr("lacks")));
  EXPECT_THAT(split("{" + kSignature + "}"), FailsWith(ErrorCode::kMalformed, HasSubstr("lacks")));
  EXPECT_THAT(split("{\"tcbInfo\":{},\"tcbInfo\":{}," + kSignature + "}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate")));
  EXPECT_THAT(split("{\"tcbInfo\":{}," + kSignature + "," + kSignature + "}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate")));
  EXPECT_THAT(split("{\"tcbInfo\":{\"a\":1,\"a\":2}," + kSignature + "}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate")));
  EXPECT_THAT(split("{\"tcbInfo\":{\"a\":1,\"\\u0061\":2}," + kSignature + "}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate")));
  EXPECT_THAT(split("{\"tcbInfo\":[]," + kSignature + "}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("not an object")));
  EXPECT_THAT(split("{\"enclaveIdentity\":{}," + kSignature + "}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("beside")));
  EXPECT_THAT(split(good + "{}"), FailsWith(ErrorCode::kMalformed, HasSubstr("left over")));
  EXPECT_THAT(split("{\"tcbInfo\":{},\"signature\":\"aa\"}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("64")));
  EXPECT_THAT(split("{\"tcbInfo\":{},\"signature\":null}"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(split(""), Fails(ErrorCode::kMalformed));
}

TEST(SignedDocuments, AreBoundedInDepthAndSize) {
  const std::string deep = std::string(20, '[') + std::string(20, ']');
  EXPECT_THAT(split("{\"tcbInfo\":{\"a\":" + deep + "}," + kSignature + "}"),
              FailsWith(ErrorCode::kLimit, HasSubstr("nesting")));
  EXPECT_THAT(split("{\"tcbInfo\":{}," + kSignature + "}" + std::string(kMaxDocumentSize, ' ')),
              FailsWith(ErrorCode::kLimit, HasSubstr("1")));
}

TEST(SignedDocuments, TimesHaveOneForm) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:00Z"), 0U);
  EXPECT_EQ(parse_time("2025-06-19T10:32:27Z"), 1750329147U);
  EXPECT_EQ(parse_time("2024-02-29T23:59:59Z"), 1709251199U);
  for (const char* text :
       {"2025-06-19T10:32:27", "2025-06-19 10:32:27Z", "2025-06-19T10:32:27+00:00",
        "2025-06-19T10:32:27.000Z", "2025-02-29T00:00:00Z", "2025-13-01T00:00:00Z",
        "2025-00-01T00:00:00Z", "2025-06-00T00:00:00Z", "2025-06-31T00:00:00Z",
        "2025-06-19T24:00:00Z", "2025-06-19T10:60:27Z", "2025-06-19T10:32:60Z",
        "1969-12-31T23:59:59Z", "2025-06-19T10:32:2:Z", "+025-06-19T10:32:27Z", ""}) {
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
  }
}

Result<TcbInfo> info(const std::string& text) {
  return parse_tcb_info(as_bytes(text));
}
Result<EnclaveIdentity> identity(const std::string& text) {
  return parse_enclave_identity(as_bytes(text));
}

TEST(TcbInfoDocument, IsRead) {
  const TcbInfo read = info(MintDcap(Kind::kTdx4).tcb_info).value();
  EXPECT_EQ(read.tee, Tee::kTdx);
  EXPECT_EQ(read.header.evaluation, 18U);
  EXPECT_EQ(read.header.issue_date, 1748736000U);
  EXPECT_EQ(to_hex(read.fmspc), "90c06f000000");
  ASSERT_EQ(read.levels.size(), 3U);
  EXPECT_EQ(read.levels[1].pce_svn, 11);
  EXPECT_EQ(read.levels[1].tdx_components[0], 4);
  EXPECT_EQ(read.levels[1].advisories.size(), 2U);
  ASSERT_EQ(read.module_identities.size(), 1U);
  EXPECT_EQ(read.module_identities[0].levels[2].status, TcbStatus::kRevoked);
}

TEST(TcbInfoDocument, LacksNothing) {
  for (const Kind kind : {Kind::kSgx3, Kind::kTdx4}) {
    const std::string good = MintDcap(kind).tcb_info;
    for (const char* key :
         {"\"id\":\"", "\"version\"", "\"issueDate\"", "\"nextUpdate\"", "\"fmspc\"", "\"pceId\"",
          "\"tcbType\"", "\"tcbEvaluationDataNumber\"", "\"tcbLevels\":[{\"tcb\":{\"sgx"}) {
      std::string text = good;
      const std::size_t at = text.find(key);
      text.insert(at + 1, "x");
      EXPECT_THAT(info(text), FailsWith(ErrorCode::kMalformed, HasSubstr("lacks"))) << key;
    }
  }
  EXPECT_THAT(info(edited(MintDcap(Kind::kTdx4).tcb_info, "\"tdxModule\"", "\"tdxModul\"")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("tdxModule")));
}

TEST(TcbInfoDocument, KeepsSgxAndTdxApart) {
  EXPECT_THAT(info(edited(MintDcap(Kind::kTdx4).tcb_info, "\"id\":\"TDX\"", "\"id\":\"SGX\"")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("TDX components")));
  EXPECT_THAT(info(edited(MintDcap(Kind::kSgx3).tcb_info, "\"id\":\"SGX\"", "\"id\":\"TDX\"")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("levels without")));
  EXPECT_THAT(info(edited(MintDcap(Kind::kSgx3).tcb_info, "\"id\":\"SGX\"", "\"id\":\"sgx\"")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("id is")));
}

TEST(TcbInfoDocument, NumbersAreInTheirRange) {
  const std::string good = MintDcap(Kind::kSgx3).tcb_info;
  for (const char* svn : {"65536", "-1", "1e1", "13.0", "\"13\"", "18446744073709551616"}) {
    EXPECT_THAT(info(edited(good, "\"pcesvn\":13", std::string("\"pcesvn\":") + svn)),
                Fails(ErrorCode::kMalformed))
        << svn;
  }
  EXPECT_THAT(info(edited(good, "[{\"svn\":5}", "[{\"svn\":256}")), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(info(edited(good, "DataNumber\":18", "DataNumber\":4294967296")),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(info(edited(good, "90C06F000000", "90C06F0000")), Fails(ErrorCode::kMalformed));
}

TEST(TcbInfoDocument, RefusesDuplicatesEverywhere) {
  const std::string good = MintDcap(Kind::kTdx4).tcb_info;
  for (const char* key : {"\"fmspc\":\"90C06F000000\"", "\"pcesvn\":13", "\"isvsvn\":6",
                          "\"id\":\"TDX_01\"", "\"tcbType\":0"}) {
    EXPECT_THAT(info(edited(good, key, std::string(key) + "," + key)),
                FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate")))
        << key;
  }
  const std::size_t from = good.find("{\"id\":\"TDX_01\"");
  const std::size_t to = good.find("],\"tcbLevels\":[{\"tcb\":{\"sgx");
  std::string twice = good;
  twice.insert(to, "," + good.substr(from, to - from));
  EXPECT_THAT(info(twice), FailsWith(ErrorCode::kMalformed, HasSubstr("two TDX modules")));
}

TEST(TcbInfoDocument, AdvisoriesAreBounded) {
  const std::string good = MintDcap(Kind::kSgx3).tcb_info;
  const std::string two = "[\"INTEL-SA-00837\",\"INTEL-SA-00960\"]";
  std::string many = "[\"x\"";
  for (int i = 0; i < 256; ++i) many += ",\"x\"";
  EXPECT_THAT(info(edited(good, two, many + "]")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("advisories")));
  EXPECT_THAT(info(edited(good, two, "[\"" + std::string(65, 'x') + "\"]")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("advisories")));
  EXPECT_THAT(info(edited(good, two, "[\"\"]")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("advisories")));
  EXPECT_THAT(info(edited(good, two, "[1]")), Fails(ErrorCode::kMalformed));
}

TEST(TcbInfoDocument, TruncatedAnywhereIsRefused) {
  const std::string good = MintDcap(Kind::kTdx4).tcb_info;
  for (std::size_t size = 0; size < good.size(); ++size) {
    ASSERT_FALSE(info(good.substr(0, size)).ok()) << size;
  }
}

TEST(EnclaveIdentityDocument, IsRead) {
  const EnclaveIdentity read = identity(MintDcap(Kind::kTdx4).identity).value();
  EXPECT_EQ(read.id, "TD_QE");
  EXPECT_EQ(read.isv_prod_id, 2);
  EXPECT_EQ(read.attributes_mask[0], 0xfb);
  ASSERT_EQ(read.levels.size(), 3U);
  EXPECT_EQ(find_level(read.levels, 0xffff), &read.levels[0]);
  EXPECT_EQ(find_level(read.levels, 7), &read.levels[1]);
  EXPECT_EQ(find_level(read.levels, 4), nullptr);
}

TEST(EnclaveIdentityDocument, LacksNothingAndHasNothingTwice) {
  const std::string good = MintDcap(Kind::kSgx3).identity;
  for (const char* key : {"\"id\"", "\"miscselect\"", "\"miscselectMask\"", "\"attributes\"",
                          "\"attributesMask\"", "\"mrsigner\"", "\"isvprodid\"", "\"tcbLevels\"",
                          "\"issueDate\"", "\"tcbEvaluationDataNumber\""}) {
    std::string text = good;
    text.insert(text.find(key) + 1, "x");
    EXPECT_THAT(identity(text), FailsWith(ErrorCode::kMalformed, HasSubstr("lacks"))) << key;
  }
  EXPECT_THAT(identity(edited(good, "\"isvprodid\":1", "\"isvprodid\":1,\"isvprodid\":1")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate")));
  EXPECT_THAT(identity(edited(good, "\"QE\"", "\"QE2\"")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("id is")));
  EXPECT_THAT(identity(edited(good, "UpToDate", "ConfigurationNeeded")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("tcbStatus")));
}

}  // namespace
}  // namespace sealpack::attest::dcap
