// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/rim/reference_manifest.h"

#include "attest/measure/rim/manifest_file.h"
#include "tests/attest/authority/mint_ocsp.h"
#include "tests/attest/measure/rim/manifest_fixture.h"

namespace sealpack::rim {
namespace {

using ::testing::ElementsAre;
using testing::Fails;
using testing::FailsWith;
using testing::HasOnlyReason;
using ::testing::HasSubstr;
using testing::Manifest;
using testing::mint_list;
using testing::MintKey;
using testing::MintKeyType;
using ::testing::SizeIs;
using testing::Succeeds;

TEST_F(Manifest, GivesTheAcceptedValuesOfActiveMeasurements) {
  const auto manifest = run();
  ASSERT_THAT(manifest, Succeeds());
  EXPECT_EQ(manifest->kind, ManifestKind::kVbios);
  EXPECT_EQ(manifest->version, "96.00.5E.00.01");
  EXPECT_EQ(manifest->product, "GH100");
  EXPECT_EQ(manifest->architecture, "hopper");
  EXPECT_EQ(manifest->tag_id, "0123");
  EXPECT_THAT(manifest->signers, SizeIs(3));
  ASSERT_THAT(manifest->measurements, SizeIs(3));
  EXPECT_EQ(manifest->measurements[0].index, 0U);
  EXPECT_THAT(manifest->measurements[0].values, ElementsAre(ByteVector(48)));
  EXPECT_EQ(manifest->measurements[1].index, 1U);
  EXPECT_THAT(manifest->measurements[1].values,
              ElementsAre(ByteVector(48, 0xA1), ByteVector(48, 0xB1)));
  EXPECT_EQ(manifest->measurements[2].index, 63U);
}

// What fuzzing reads is what is read behind the signature.
TEST_F(Manifest, SaysTheSameWhereNobodyVerifiedIt) {
  const auto genuine = run();
  ASSERT_THAT(genuine, Succeeds());
  const std::string forged = with(maker.text(), "b1b1", "b1b2");
  EXPECT_THAT(read(forged), Fails(ErrorCode::kNotAuthentic));
  const auto unverified = read_manifest_that_nobody_verified(as_bytes(forged));
  ASSERT_THAT(unverified, Succeeds());
  EXPECT_THAT(unverified->signers, SizeIs(0));
  EXPECT_EQ(unverified->measurements[0].values, genuine->measurements[0].values);
  EXPECT_NE(unverified->measurements[1].values, genuine->measurements[1].values);
}

TEST_F(Manifest, IsOfADriverOrAVbiosByItsVersion) {
  for (const char* driver : {"580.95.05", "545.00", "1000.1"}) {
    maker.meta = maker.meta_of(driver, "GB202");
    const auto manifest = run();
    ASSERT_THAT(manifest, Succeeds()) << driver;
    EXPECT_EQ(manifest->kind, ManifestKind::kDriver);
    EXPECT_EQ(manifest->architecture, "blackwell");
  }
  for (const char* other :
       {"58.1", "96.00.5e.00.01", "96.00.5E.00", "580", "580.95.05.1", "580.", "580.95x"}) {
    maker.meta = maker.meta_of(other, "GH100");
    EXPECT_THAT(run(), Fails(ErrorCode::kUnsupported)) << other;
  }
}

TEST_F(Manifest, RefusesOtherProductsPatchesAndSupplements) {
  maker.meta = maker.meta_of("545.00", "LS10");
  EXPECT_THAT(run(), FailsWith(ErrorCode::kUnsupported, HasSubstr("LS10")));
  maker.meta = maker.meta_of("545.00", "GH100");
  for (const char* name : {"corpus", "patch", "supplemental"}) {
    maker.root_attributes = std::string(" ") + name + "=\"true\"";
    EXPECT_THAT(run(), Fails(ErrorCode::kUnsupported)) << name;
  }
  maker.root_attributes = "";
  EXPECT_THAT(run(), Succeeds());
}

// All of these are signed: what is signed may still be what is not understood.
TEST_F(Manifest, RefusesMeasurementsThatContradictThemselves) {
  const std::string good = maker.resources;
  const std::string zero = to_hex(ByteVector(48));
  const std::pair<std::string, std::string> edits[] = {
      {"index=\"63\"", "index=\"64\""},
      {"index=\"63\"", "index=\"1\""},
      {"index=\"63\"", "index=\"063\""},
      {"index=\"63\"", "index=\"-1\""},
      {"index=\"63\" ", ""},
      {"active=\"True\"", "active=\"yes\""},
      {"active=\"True\" ", ""},
      {"alternatives=\"2\"", "alternatives=\"1\""},
      {"alternatives=\"2\"", "alternatives=\"3\""},
      {"alternatives=\"1\"", "alternatives=\"0\""},
      {"alternatives=\"2\"", "alternatives=\"99999\""},
      {"size=\"48\"", "size=\"32\""},
      {"type=\"Measurement\"", "type=\"Other\""},
      {"h:Hash1=", "h:Hash2="},
      {zero, zero + "00"},
      {zero, "zz" + zero.substr(2)},
      {"<r:Resource", "text<r:Resource"},
      {"<r:Resource", "<r:File></r:File><r:Resource"},
  };
  for (const auto& [from, to] : edits) {
    maker.resources = with(good, from, to);
    EXPECT_THAT(run(), Fails(ErrorCode::kMalformed)) << from << " -> " << to;
  }
  maker.resources = with(good, "active=\"True\"", "active=\"true\"");
  EXPECT_THAT(run(), Succeeds());
}

TEST_F(Manifest, RefusesAPayloadWithoutAnActiveMeasurement) {
  maker.resources.clear();
  EXPECT_THAT(run(), FailsWith(ErrorCode::kMalformed, HasSubstr("no active measurement")));
  maker.add(5, false, {ByteVector(48)});
  EXPECT_THAT(run(), Fails(ErrorCode::kMalformed));
}

TEST_F(Manifest, RefusesWhatIsThereTwiceOrNotAtAll) {
  const std::string meta = maker.meta;
  maker.meta = meta + meta;
  EXPECT_THAT(run(), FailsWith(ErrorCode::kMalformed, HasSubstr("two elements Meta")));
  maker.meta = "";
  EXPECT_THAT(run(), FailsWith(ErrorCode::kMalformed, HasSubstr("no element Meta")));
  maker.meta = meta + "<r:Payload></r:Payload>";
  EXPECT_THAT(run(), FailsWith(ErrorCode::kMalformed, HasSubstr("two elements Payload")));
  maker.meta = meta + "<r:Evidence></r:Evidence>";
  EXPECT_THAT(run(), Fails(ErrorCode::kMalformed));
  maker.meta = meta + "<r:Entity name=\"NVIDIA\"></r:Entity>";
  EXPECT_THAT(run(), Succeeds());
}

TEST_F(Manifest, RefusesHashesOfAnotherKind) {
  maker.hash_space = "http://www.w3.org/2001/04/xmlenc#sha256";
  EXPECT_THAT(run(), FailsWith(ErrorCode::kMalformed, HasSubstr("Hash0")));
}

TEST_F(Manifest, RefusesAnotherNamespaceThanSwids) {
  maker.swid = "http://example.org/swid";
  EXPECT_THAT(run(), Fails(ErrorCode::kMalformed));
}

TEST_F(Manifest, RefusesAnotherRoot) {
  EXPECT_THAT(run(), Succeeds());
  const std::string text = maker.text();
  maker.root_key = MintKey::generate(MintKeyType::kP384);
  EXPECT_THAT(read(text), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(reasons, HasOnlyReason("chain.root"));
}
TEST_F(Manifest, RefusesAnExpiredSigner) {
  maker.leaf.not_after = rules.now - 1;
  expect_reason("chain.expired");
  rules.now -= 1;
  EXPECT_THAT(run(), Succeeds()) << "at a time that the caller states";
}
TEST_F(Manifest, RefusesASignerThatIsAnAuthority) {
  maker.leaf.authority = true;
  expect_reason("rim.leaf");
  maker.leaf.may_sign = true;
  expect_reason("rim.leaf");
}
TEST_F(Manifest, RefusesASignerWhoseKeyIsNotForSignatures) {
  maker.leaf.extensions = {{"2.5.29.15", true, {0x03, 0x02, 0x05, 0x20}}};  // encipherment
  expect_reason("rim.leaf");
  maker.leaf.extensions[0].value = {0x03, 0x02, 0x07, 0x80};
  EXPECT_THAT(run(), Succeeds());
}
TEST_F(Manifest, RefusesASignerWhoseIssuerIsNone) {
  maker.authority.authority = false;
  expect_reason("chain.authority");
}

TEST_F(Manifest, RefusesARevokedSigner) {
  const std::vector<ByteVector> lists{
      mint_list({.revoked = {maker.leaf.serial}}, maker.authority, maker.authority_key)};
  rules.revocation_lists = lists;
  expect_reason("chain.revoked");
}
TEST_F(Manifest, AsksForRevocationWhereItMust) {
  rules.must_be_unrevoked = true;
  EXPECT_THAT(run(), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(reasons, testing::HasReason("chain.revocation-unknown"));
  const std::vector<ByteVector> lists{mint_list({}, maker.authority, maker.authority_key),
                                      mint_list({}, maker.root, maker.root_key)};
  rules.revocation_lists = lists;
  EXPECT_THAT(run(), Succeeds());
}

TEST(ManifestFile, IsTheDocumentOrWhatTheServiceAnswers) {
  const auto plain = unwrap_manifest(as_bytes("<a/>"));
  ASSERT_THAT(plain, Succeeds());
  EXPECT_EQ(as_text(*plain), "<a/>");
  const auto wrapped =
      unwrap_manifest(as_bytes(" {\"id\":\"X\",\"rim\":\"PGEvPg==\",\"rim_format\":\"TEXT\"}\n"));
  ASSERT_THAT(wrapped, Succeeds());
  EXPECT_EQ(as_text(*wrapped), "<a/>");
  for (const char* text : {"{}", "{\"rim\":1}", "{\"rim\":\"!\"}", "{\"rim\":\"PGEvPg==\"} x",
                           "{\"rim\":\"PGEvPg==\",\"rim\":\"PGEvPg==\"}"}) {
    EXPECT_THAT(unwrap_manifest(as_bytes(text)), Fails(ErrorCode::kMalformed)) << text;
  }
}

}  // namespace
}  // namespace sealpack::rim
