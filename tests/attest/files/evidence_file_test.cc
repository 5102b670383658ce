// SPDX-License-Identifier: Apache-2.0
#include "attest/files/evidence_file.h"

#include "formats/files/file_source.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::attest {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::testing::HasSubstr;

ByteVector sgx_quote() {
  ByteVector quote = {3, 0, 2, 0, 0, 0, 0, 0};
  quote.resize(100, 7);
  return quote;
}

ByteVector tdx_quote(std::uint8_t version) {
  ByteVector quote = {version, 0, 2, 0, 0x81, 0, 0, 0};
  quote.resize(100, 9);
  return quote;
}

ByteVector snp_report(std::uint8_t version) {
  ByteVector report(1184);
  report[0] = version;
  report[0x34] = 1;
  return report;
}

// SPDM 1.1 GET_MEASUREMENTS, then MEASUREMENTS.
ByteVector gpu_report() {
  ByteVector bytes = {0x11, 0xe0, 1, 0xff};
  bytes.resize(37);
  const ByteVector report = {0x11, 0x60, 0, 0, 1, 2, 3};
  bytes.insert(bytes.end(), report.begin(), report.end());
  return bytes;
}

ByteVector bytes_of(const char* hex) {
  return from_hex(hex).value();
}

std::string tee_of(Bytes content) {
  const auto evidence = parse_evidence_file(content, "sample");
  return evidence.ok() ? evidence->tee : "none: " + evidence.error().message();
}

TEST(EvidenceFile, TellsTheManufacturersBytesApart) {
  EXPECT_EQ(tee_of(sgx_quote()), "sgx");
  EXPECT_EQ(tee_of(tdx_quote(4)), "tdx");
  EXPECT_EQ(tee_of(tdx_quote(5)), "tdx");
  for (std::uint8_t version = 2; version <= 5; ++version) {
    EXPECT_EQ(tee_of(snp_report(version)), "sev-snp") << int{version};
  }
  EXPECT_EQ(tee_of(gpu_report()), "nvidia-gpu");
  // COSE_Sign1 over {"a": 0} and over {10: 0}, with and without its tag; COSE_Mac0; tag 399.
  EXPECT_EQ(tee_of(bytes_of("8443a10126a044a161610040")), "nitro");
  EXPECT_EQ(tee_of(bytes_of("d28443a10126a044a161610040")), "nitro");
  EXPECT_EQ(tee_of(bytes_of("d28443a10126a043a10a0040")), "psa");
  EXPECT_EQ(tee_of(bytes_of("8443a10126a045bf616100ff40")), "nitro");  // up to a break
  EXPECT_EQ(tee_of(bytes_of("d18443a10126a043a10a0040")), "psa");
  EXPECT_EQ(tee_of(bytes_of("d9018fa0")), "cca");
}

TEST(EvidenceFile, SgxQuotesOfVersionFourAreOfSgx) {
  ByteVector quote = tdx_quote(4);
  quote[4] = 0;
  EXPECT_EQ(tee_of(quote), "sgx");
  quote[4] = 0x82;
  EXPECT_THAT(tee_of(quote), HasSubstr("none"));
}

TEST(EvidenceFile, KeepsEveryByteOfAQuote) {
  const auto evidence = parse_evidence_file(tdx_quote(4), "q");
  ASSERT_THAT(evidence, Succeeds());
  ASSERT_NE(evidence->find("quote"), nullptr);
  EXPECT_EQ(*evidence->find("quote"), tdx_quote(4));
}

TEST(EvidenceFile, DividesAReportFromTheCertificatesBehindIt) {
  ByteVector bytes = snp_report(3);
  bytes.insert(bytes.end(), {1, 2, 3});
  const auto evidence = parse_evidence_file(bytes, "r");
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(*evidence->find("report"), snp_report(3));
  EXPECT_EQ(*evidence->find("certificates"), (ByteVector{1, 2, 3}));
}

TEST(EvidenceFile, DividesARequestToAGpuFromItsAnswer) {
  const auto evidence = parse_evidence_file(gpu_report(), "g");
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(evidence->find("gpu-request")->size(), 37U);
  EXPECT_EQ(*evidence->find("gpu-report"), (ByteVector{0x11, 0x60, 0, 0, 1, 2, 3}));
}

TEST(EvidenceFile, ReadsTheSameAsHexBase64AndEnvelope) {
  const std::string hex = to_hex(gpu_report()) + "\n";
  EXPECT_EQ(tee_of(as_bytes(hex)), "nvidia-gpu");
  EXPECT_EQ(tee_of(as_bytes("0x" + hex)), "nvidia-gpu");
  EXPECT_EQ(tee_of(as_bytes("AwACAAAAAAAHBwcHBwcHBwcH")), "sgx");
  EXPECT_EQ(tee_of(as_bytes("BAACAIEAAAAJ\nCQkJ\n")), "tdx");
  const auto evidence = parse_evidence_file(snp_report(3), "r");
  ASSERT_THAT(evidence, Succeeds());
  const auto again = parse_evidence_file(serialize_evidence(*evidence), "e");
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(*again, *evidence);
}

TEST(EvidenceFile, ReadsAQuoteInJson) {
  const auto evidence = parse_evidence_file(
      as_bytes(R"( {"quote": "BAACAIEAAAAJCQkJ", "cc_eventlog": "AAEC"})"), "j");
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(evidence->tee, "tdx");
  EXPECT_EQ(*evidence->find("event-log"), (ByteVector{0, 1, 2}));
  EXPECT_EQ(tee_of(as_bytes(R"({"quote": "BAACAIEAAAAJCQkJ", "cc_eventlog": null})")), "tdx");
  EXPECT_EQ(tee_of(as_bytes(R"({"quote": "040002008100000009090909"})")), "tdx");
}

TEST(EvidenceFile, RefusesAMemberTwiceInJson) {
  for (const char* json :
       {R"({"quote": "BAACAIEAAAAJCQkJ", "quote": "AwACAAAAAAAHBwcHBwcHBwcH"})",
        R"({"quote": "BAACAIEAAAAJCQkJ", "cc_eventlog": "AAEC", "cc_eventlog": null})"}) {
    EXPECT_THAT(parse_evidence_file(as_bytes(json), "j"),
                FailsWith(ErrorCode::kMalformed, HasSubstr("twice")))
        << json;
  }
}

TEST(EvidenceFile, SaysWhatItIsThatIsNoEvidence) {
  ByteVector td_report(1024);
  td_report[0] = 0x81;
  EXPECT_THAT(parse_evidence_file(td_report, "x"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("TDREPORT")));
  EXPECT_THAT(parse_evidence_file(bytes_of("48434c4100"), "x"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("Azure's report alone")));
  EXPECT_THAT(parse_evidence_file(as_bytes("eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.AAAA"), "x"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("JSON Web Token")));
  EXPECT_THAT(parse_evidence_file(as_bytes(R"({"attestation_report": {}})"), "x"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("no form of evidence")));
}

TEST(EvidenceFile, RefusesWhatIsNoEvidence) {
  for (const char* text : {"", "x", "{}", "[]", "{\"quote\": 1}", "{\"quote\": \"AAAA\"}",
                           "{\"quote\": \"BAACAIEAAAAJCQkJ\", \"more\": 1}", "deadbeef", "AAAA",
                           "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"}) {
    EXPECT_THAT(parse_evidence_file(as_bytes(text), "x"), Fails(ErrorCode::kMalformed)) << text;
  }
  for (const char* hex :
       {"00", "ff00ff", "83010203", "d20000", "84", "d28443a10126a041a040", "d9ffff00"}) {
    EXPECT_THAT(parse_evidence_file(bytes_of(hex), "x"), Fails(ErrorCode::kMalformed)) << hex;
  }
  EXPECT_THAT(parse_evidence_file(ByteVector(1184), "x"), Fails(ErrorCode::kMalformed));
  ByteVector cut = snp_report(3);
  cut.pop_back();
  EXPECT_THAT(parse_evidence_file(cut, "x"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_evidence_file(bytes_of("08021203616263"), "x"), Fails(ErrorCode::kMalformed));
}

TEST(EvidenceFile, RefusesMoreThanEvidenceMayHave) {
  ByteVector large = sgx_quote();
  large.resize(kMaxEvidenceSize);
  EXPECT_THAT(parse_evidence_file(large, "x"), Fails(ErrorCode::kLimit));
}

TEST(EvidenceFile, SurvivesEveryByteFlipped) {
  for (const ByteVector& sample :
       {gpu_report(), tdx_quote(5), bytes_of("8443a10126a044a161610040"), bytes_of("d9018fa0")}) {
    for (std::size_t i = 0; i < sample.size(); ++i) {
      ByteVector flipped = sample;
      flipped[i] ^= 0xffU;
      (void)parse_evidence_file(flipped, "x");
    }
  }
}

TEST(SetItem, KeepsTheOrderAndReplaces) {
  Evidence evidence{"nvidia-gpu", {{"gpu-report", {1}}}};
  const ByteVector request = {2};
  const ByteVector chain = {3};
  const ByteVector report = {4};
  ASSERT_THAT(set_item(evidence, "gpu-certificates", chain), Succeeds());
  ASSERT_THAT(set_item(evidence, "gpu-request", request), Succeeds());
  ASSERT_THAT(set_item(evidence, "gpu-report", report), Succeeds());
  EXPECT_THAT(parse_evidence(serialize_evidence(evidence)), Succeeds());
  EXPECT_EQ(evidence.items.size(), 3U);
  EXPECT_EQ(*evidence.find("gpu-report"), report);
  ByteVector log = {1, 2, 3};
  log.resize(std::size_t{256} << 10U, 0xff);  // as a CCEL is
  ASSERT_THAT(set_item(evidence, "event-log", log), Succeeds());
  EXPECT_EQ(evidence.find("event-log")->size(), 3U + 256U);
  EXPECT_LE(log.size(), max_item_file_size("event-log"));
  EXPECT_EQ(max_item_file_size("quote"), kMaxEvidenceSize);
  EXPECT_THAT(set_item(evidence, "gpu", chain), Fails(ErrorCode::kUsage));
  EXPECT_THAT(set_item(evidence, "gpu-report", {}), Fails(ErrorCode::kUsage));
}

std::string text_of(const ByteVector& bytes) {
  return std::string(as_text(bytes));
}

TEST(EvidenceFolder, ReadsWhatConfigfsShows) {
  const testing::TemporaryFolder folder;
  folder.put("provider", "sev_guest\n");
  folder.put("outblob", text_of(snp_report(3)));
  folder.put("auxblob", "table");
  folder.put("generation", "1\n");
  folder.put("inblob", "");
  const auto evidence = load_evidence(folder.path());
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(evidence->tee, "sev-snp");
  EXPECT_EQ(*evidence->find("report"), snp_report(3));
  EXPECT_EQ(evidence->find("certificates")->size(), 5U);
}

TEST(EvidenceFolder, TakesAnEventLogButNoEmptyCertificates) {
  const testing::TemporaryFolder folder;
  folder.put("provider", "tdx_guest\n");
  folder.put("outblob", text_of(tdx_quote(4)));
  folder.put("auxblob", "");
  folder.put("event_log", "log");
  const auto evidence = load_evidence(folder.path());
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(evidence->items.size(), 2U);
  EXPECT_NE(evidence->find("event-log"), nullptr);
}

TEST(EvidenceFolder, ReadsItemsByKind) {
  const testing::TemporaryFolder folder;
  folder.put("tee", "nvidia-gpu\n");
  folder.put("gpu-request", "r");
  folder.put("gpu-report", "s");
  folder.put("gpu-certificates", "c");
  const auto evidence = load_evidence(folder.path());
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(evidence->items.size(), 3U);
}

TEST(EvidenceFolder, RefusesWhatDoesNotBelong) {
  const auto load_with = [](std::initializer_list<std::pair<const char*, const char*>> files) {
    const testing::TemporaryFolder folder;
    for (const auto& [name, content] : files) folder.put(name, content);
    return load_evidence(folder.path());
  };
  EXPECT_THAT(load_with({}), FailsWith(ErrorCode::kMalformed, HasSubstr("'provider'")));
  EXPECT_THAT(load_with({{"provider", "enclave"}, {"outblob", "x"}}),
              Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(load_with({{"provider", "sev_guest"}}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(load_with({{"provider", "sev_guest"}, {"outblob", ""}}),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(load_with({{"provider", "sev_guest"}, {"outblob", "x"}, {"notes", "x"}}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("'notes'")));
  EXPECT_THAT(load_with({{"tee", "tdx"}, {"letter", "x"}}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(load_with({{"tee", ""}, {"quote", "x"}}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(load_with({{"tee", "tdx"}, {"quote", ""}}), Fails(ErrorCode::kMalformed));
}

// Samples of other projects, in place.
TEST(EvidenceFile, KnowsRealSamples) {
  const std::filesystem::path vectors = std::filesystem::path(SEALPACK_VECTORS) / "attest";
  if (!std::filesystem::exists(vectors)) GTEST_SKIP() << "no samples in " << vectors;
  const std::pair<const char*, const char*> kSamples[] = {
      {"snp/ms-genoa_attestation_report.bin", "sev-snp"},
      {"snp/trustee-test-report.bin", "sev-snp"},
      {"sgx/phala-sgx_quote", "sgx"},
      {"sgx/trustee-occlum_quote.dat", "sgx"},
      {"tdx/phala-tdx_quote", "tdx"},
      {"tdx/gotdx-quote_v5_sample.dat", "tdx"},
      {"nitro/evervault-valid-attestation-doc-bytes", "nitro"},
      {"nvidia/nvsdk-hopperAttestationReport.txt", "nvidia-gpu"},
      {"psa/psatoken-tfm-psa-2_0_0_sign1.bin", "psa"},
      {"psa/psatoken-tfm-psa-iot-1_sign1.bin", "psa"},
      {"psa/psatoken-tfm-psa-2_0_0_mac0.bin", "psa"},
      {"cca/trustee-cca-example-token.cbor", "cca"},
      {"az-snp-vtpm/evidence-v0.json", "azure-sev-snp"},
      {"az-tdx-vtpm/evidence-v0.json", "azure-tdx"},
      {"tpm/trustee-tpm_evidence.json", "tpm"},
      {"tpm/gotpm-gce-cos-85-nonce9009.pb", "tpm"},
  };
  for (const auto& [name, tee] : kSamples) {
    const auto evidence = load_evidence(vectors / name);
    ASSERT_THAT(evidence, Succeeds()) << name;
    EXPECT_EQ(evidence->tee, tee) << name;
  }
}

}  // namespace
}  // namespace sealpack::attest
