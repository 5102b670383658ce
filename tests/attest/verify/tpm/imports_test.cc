// SPDX-License-Identifier: Apache-2.0
// Evidence of TPMs as other tools wrap it, edited until it is none.
#include <gmock/gmock.h>

#include "attest/files/azure_import.h"
#include "attest/files/tpm_import.h"
#include "tests/attest/verify/tpm/minted_tpm.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using crypto::HashAlgorithm;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::MintedLog;
using testing::MintedTpm;
using testing::Succeeds;

constexpr HashAlgorithm kSha256 = HashAlgorithm::kSha256;

// A protobuf message, as any writer may put it together.
class Wire {
 public:
  Wire& number(std::uint64_t field, std::uint64_t value) {
    return varint(field << 3U).varint(value);
  }
  Wire& bytes(std::uint64_t field, Bytes value) {
    varint(field << 3U | 2U).varint(value.size());
    out_.insert(out_.end(), value.begin(), value.end());
    return *this;
  }
  ByteVector take() const { return out_; }

 private:
  Wire& varint(std::uint64_t value) {
    for (; value > 0x7f; value >>= 7U) out_.push_back(static_cast<std::uint8_t>(value | 0x80U));
    out_.push_back(static_cast<std::uint8_t>(value));
    return *this;
  }
  ByteVector out_;
};

struct Import : public ::testing::Test {
  Import() {
    log.boot(true);
    values = log.values(kSha256, {0, 7});
    attest = testing::write_quote(tpm.fields_for(values));
  }
  ByteVector bank(const std::vector<PcrValue>& pcrs, std::uint64_t hash = tpm::kAlgSha256) const {
    Wire out;
    out.number(1, hash);
    for (const PcrValue& one : pcrs) {
      out.bytes(2, Wire().number(1, one.index).bytes(2, one.digest).take());
    }
    return out.take();
  }
  ByteVector quote(const ByteVector& pcrs) const {
    return Wire().bytes(1, attest).bytes(2, tpm.sign(attest)).bytes(3, pcrs).take();
  }
  Wire message() const { return Wire().bytes(1, tpm.area()); }
  static Result<ByteVector> pcrs_of(const Wire& wire) {
    const GoTpmAttestation read = TRY(parse_go_tpm_attestation(wire.take()));
    return *read.evidence.find("tpm-pcrs");
  }

  MintedTpm tpm;
  MintedLog log;
  std::vector<PcrValue> values;
  ByteVector attest;
};

using GoTpmAttestations = Import;

TEST_F(GoTpmAttestations, AreTakenApart) {
  const auto read = parse_go_tpm_attestation(message()
                                                 .bytes(2, quote(bank(values)))
                                                 .bytes(3, log.bytes())
                                                 .bytes(6, ByteVector{1})
                                                 .bytes(7, ByteVector{2})
                                                 .take());
  ASSERT_THAT(read, Succeeds());
  const Evidence& evidence = read->evidence;
  EXPECT_EQ(evidence.tee, "tpm");
  EXPECT_EQ(evidence.items.size(), 5U);
  EXPECT_EQ(*evidence.find("tpm-quote"), attest);
  EXPECT_EQ(*evidence.find("tpm-pcrs"), serialize_pcr_values(values));
  EXPECT_EQ(*evidence.find("ak-public"), tpm.area());
  EXPECT_EQ(*evidence.find("event-log"), log.bytes());
  EXPECT_EQ(read->certificates, (std::vector<ByteVector>{{1}, {2}}));
}

TEST_F(GoTpmAttestations, MayHaveValuesThatWereNotQuotedWhichAreLeftOut) {
  const auto all = log.values(kSha256, {0, 1, 2, 7, 9});
  EXPECT_EQ(pcrs_of(message().bytes(2, quote(bank(all)))).value(), serialize_pcr_values(values));
}

TEST_F(GoTpmAttestations, WithTwoQuotesOfABankAreRefused) {
  const ByteVector one = quote(bank(values));
  const ByteVector sha1 = quote(bank({}, tpm::kAlgSha1));
  EXPECT_THAT(pcrs_of(message().bytes(2, sha1).bytes(2, one)), Succeeds());
  EXPECT_THAT(pcrs_of(message().bytes(2, one).bytes(2, one)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("two quotes")));
  EXPECT_THAT(pcrs_of(message().bytes(2, sha1)), Fails(ErrorCode::kUnsupported));
}

TEST_F(GoTpmAttestations, WithPcrsThatAreNoneAreRefused) {
  const auto with = [&](const std::vector<PcrValue>& pcrs) {
    return pcrs_of(message().bytes(2, quote(bank(pcrs))));
  };
  EXPECT_THAT(with({values[0], values[0]}), FailsWith(ErrorCode::kMalformed, HasSubstr("twice")));
  EXPECT_THAT(with({values[0], {kSha256, 24, ByteVector(32)}}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("there are 24")));
  EXPECT_THAT(with({values[0], {kSha256, 7, ByteVector(31)}}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("31 bytes")));
}

TEST_F(GoTpmAttestations, WithFieldsTwiceOrUnknownAreRefused) {
  const ByteVector good = quote(bank(values));
  for (const Wire& wire :
       {message().bytes(1, tpm.area()).bytes(2, good), message().bytes(2, good).number(3, 1),
        message().bytes(2, good).bytes(10, {}),
        message().bytes(2, Wire().bytes(1, attest).bytes(1, attest).bytes(3, bank(values)).take()),
        message().bytes(2,
                        Wire().bytes(1, attest).bytes(4, attest).bytes(3, bank(values)).take())}) {
    EXPECT_THAT(pcrs_of(wire), Fails(ErrorCode::kMalformed));
  }
}

std::string json_of(Bytes bytes) {
  std::string out = "[";
  for (const std::uint8_t byte : bytes) out += (out.size() > 1 ? "," : "") + std::to_string(byte);
  return out + "]";
}

struct JsonImport : public Import {
  std::string json(const std::vector<PcrValue>& pcrs) const {
    std::string list;
    for (const PcrValue& one : pcrs) {
      list += (list.empty() ? "\"" : ",\"") + to_hex(one.digest) + "\"";
    }
    return R"({"message":)" + json_of(attest) + R"(,"signature":[1],"pcrs":[)" + list + "]}";
  }
  static Result<Evidence> azure(const std::string& members) {
    return parse_trustee_azure(as_bytes("{" + members + "}"));
  }
  std::string azure_quote() const { return "\"tpm_quote\":" + json(values); }
};

TEST_F(JsonImport, OfAzureNeedsOneOfEach) {
  const std::string report = ",\"hcl_report\":[1]";
  const auto snp = azure(azure_quote() + report + ",\"vcek\":[1],\"version\":2");
  ASSERT_THAT(snp, Succeeds());
  EXPECT_EQ(snp->tee, "azure-sev-snp");
  EXPECT_EQ(*snp->find("tpm-pcrs"), serialize_pcr_values(values));
  const auto tdx = azure(azure_quote() + report + ",\"td_quote\":[1]");
  ASSERT_THAT(tdx, Succeeds());
  EXPECT_EQ(tdx->tee, "azure-tdx");
  for (const char* more : {"", ",\"vcek\":[1],\"td_quote\":[1]", ",\"vcek\":[1],\"vcek\":[1]",
                           ",\"vcek\":[1],\"report\":[2]", ",\"vcek\":[1],\"surprise\":1"}) {
    EXPECT_THAT(azure(azure_quote() + report + more), Fails(ErrorCode::kMalformed)) << more;
  }
  EXPECT_THAT(azure(azure_quote() + ",\"vcek\":[1]"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(azure(azure_quote() + ",\"quote\":" + json(values) + report + ",\"vcek\":[1]"),
              Fails(ErrorCode::kMalformed));
  for (const char* version : {"0", "3"}) {
    EXPECT_THAT(azure(azure_quote() + report + ",\"vcek\":[1],\"version\":" + version),
                Fails(ErrorCode::kUnsupported));
  }
}

TEST_F(JsonImport, TakesThePcrsThatWereQuotedOrAllOfThem) {
  const auto with = [&](const std::vector<PcrValue>& pcrs) {
    return azure("\"tpm_quote\":" + json(pcrs) + ",\"hcl_report\":[1],\"vcek\":[1]");
  };
  std::vector<PcrValue> all;
  for (std::uint8_t i = 0; i < 24; ++i) all.push_back({kSha256, i, ByteVector(32, i)});
  all[0] = values[0];
  all[7] = values[1];
  const auto read = with(all);
  ASSERT_THAT(read, Succeeds());
  EXPECT_EQ(*read->find("tpm-pcrs"), serialize_pcr_values(values));
  all.push_back(all[0]);
  EXPECT_THAT(with(all), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(with({values[0]}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(with({values[0], values[1], values[1]}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(with({values[0], {kSha256, 7, ByteVector(20)}}), Fails(ErrorCode::kMalformed));
  attest = testing::write_quote(tpm.fields_for({{HashAlgorithm::kSha1, 0, ByteVector(20)}}));
  EXPECT_THAT(with({values[0]}), Fails(ErrorCode::kUnsupported));
}

TEST_F(JsonImport, OfATpmNeedsKeyAndQuote) {
  const auto tpm_of = [](const std::string& members) {
    return parse_trustee_tpm(as_bytes("{" + members + "}"));
  };
  const std::string key = "\"ak_public\":[1]";
  EXPECT_THAT(tpm_of(key + "," + azure_quote()), Succeeds());
  EXPECT_THAT(tpm_of(key), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(tpm_of(azure_quote()), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(tpm_of(key + "," + key + "," + azure_quote()), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(tpm_of(key + "," + azure_quote() + ",\"more\":1"), Fails(ErrorCode::kMalformed));
}

}  // namespace
}  // namespace sealpack::attest
