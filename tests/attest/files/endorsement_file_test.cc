// SPDX-License-Identifier: Apache-2.0
#include "attest/files/endorsement_file.h"

#include "attest/files/endorsement_folder.h"
#include "attest/verify/endorsements.h"
#include "keymgmt/crypto/device_signature.h"
#include "tests/attest/authority/mint_ocsp.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::attest {
namespace {

const std::string kSignature(128, '0');

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::mint;
using ::sealpack::testing::mint_list;
using ::sealpack::testing::MintKey;
using ::sealpack::testing::MintKeyType;
using ::sealpack::testing::pem_of;
using ::sealpack::testing::Succeeds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Made {
  MintKey key = MintKey::generate(MintKeyType::kP256);
  ByteVector certificate = mint({.subject = "a root", .authority = true}, key, nullptr, key);
  ByteVector list = mint_list({}, {.subject = "a root", .authority = true}, key);
};

Result<Endorsements> read(Bytes content) {
  Endorsements found;
  TRY(add_endorsement_file(content, "file", found));
  return found;
}
Result<Endorsements> read(std::string_view text) {
  return read(as_bytes(text));
}

std::size_t count(const Endorsements& all) {
  return all.certificates.size() + all.revocation_lists.size() + all.tcb_infos.size() +
         all.enclave_identities.size() + all.public_keys.size() + all.ocsp_responses.size();
}

TEST(EndorsementFile, TellsDerApartByItsShape) {
  const Made made;
  const auto certificate = read(made.certificate);
  ASSERT_THAT(certificate, Succeeds());
  EXPECT_THAT(certificate->certificates, ElementsAre(made.certificate));
  const auto list = read(made.list);
  ASSERT_THAT(list, Succeeds());
  EXPECT_THAT(list->revocation_lists, ElementsAre(made.list));
  const auto key = read(made.key.spki());
  ASSERT_THAT(key, Succeeds());
  EXPECT_THAT(key->public_keys, ElementsAre(made.key.spki()));
  for (const auto& one : {*certificate, *list, *key}) EXPECT_EQ(count(one), 1U);
}

TEST(EndorsementFile, ReadsHexOfDer) {
  const Made made;
  const auto list = read(to_hex(made.list) + "\n");
  ASSERT_THAT(list, Succeeds());
  EXPECT_THAT(list->revocation_lists, ElementsAre(made.list));
}

TEST(EndorsementFile, ReadsAllBlocksOfPem) {
  const Made made;
  const std::string pem(as_text(pem_of(made.certificate)));
  const auto found = read("a title\n" + pem + "\n" + pem + std::string(1, '\0'));
  ASSERT_THAT(found, Succeeds());
  EXPECT_EQ(found->certificates.size(), 2U);
}

TEST(EndorsementFile, RefusesPemThatItDoesNotKnow) {
  EXPECT_THAT(read("-----BEGIN CERTIFICATE-----\nMAA=\n"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(read("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(read("-----BEGIN POEM-----\nMAA=\n-----END POEM-----\n"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("'POEM'")));
  EXPECT_THAT(read("-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("private key")));
}

constexpr std::string_view kJwk =
    R"({"crv":"P-384","kty":"EC","x":"IShnxS4rlQiwpCCpBWDzlNLfqiG911FP8akBr-fh94uxHU5m-Kijivp2r2oxxN6M",)"
    R"("y":"hM4tr8mWQli1P61xh3T0ViDREbF26DGOEYfbAjWjGNN7pZf-6A4OTHYqEryz6m7U"})";

TEST(EndorsementFile, BoundsTheBlocksOfPem) {
  std::string text;
  for (int i = 0; i < 1025; ++i)
    text += "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
  EXPECT_THAT(read(text), Fails(ErrorCode::kLimit));
}

TEST(EndorsementFile, ReadsJsonWebKeys) {
  const auto one = read(kJwk);
  ASSERT_THAT(one, Succeeds());
  ASSERT_EQ(one->public_keys.size(), 1U);
  const auto key = crypto::DeviceKey::from_spki(one->public_keys[0]);
  ASSERT_THAT(key, Succeeds());
  EXPECT_EQ(key->type(), crypto::DeviceKey::Type::kEcdsaP384);
  const auto set = read("{\"keys\": [" + std::string(kJwk) + "]}");
  ASSERT_THAT(set, Succeeds());
  EXPECT_EQ(set->public_keys, one->public_keys);
}

TEST(EndorsementFile, RefusesJsonWebKeysThatAreNone) {
  for (const char* text :
       {R"({"kty":"EC"})", R"({"kty":"oct","k":"AAAA"})", R"({"kty":"EC","crv":"P-256","x":"AA"})",
        R"({"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"})", R"({"keys":{}})",
        R"({"kty":"EC","kty":"EC"})", R"({"kty":"RSA","n":"AQAB","e":"AQABAQAB"})"}) {
    EXPECT_FALSE(read(text).ok()) << text;
  }
  // In a set too, where it is one of many; an exponent that 32 bits would make 65537.
  const std::string twice = R"({"kty":"RSA","kty":"EC",)" + std::string(kJwk.substr(1));
  EXPECT_THAT(read("{\"keys\": [" + twice + "]}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("'kty'")));
  const std::string modulus = "gA" + std::string(340, 'A') + "E";
  EXPECT_THAT(read(R"({"kty":"RSA","e":"AQAB","n":")" + modulus + "\"}"), Succeeds());
  EXPECT_THAT(read(R"({"kty":"RSA","e":"AQABAAE","n":")" + modulus + "\"}"),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("32 bits")));
  std::string many = "{\"keys\": [" + std::string(kJwk);
  for (int i = 0; i < 64; ++i) many += "," + std::string(kJwk);
  EXPECT_THAT(read(many + "]}"), FailsWith(ErrorCode::kMalformed, HasSubstr("64 keys")));
  std::string with_private(kJwk);
  with_private.back() = ',';
  EXPECT_THAT(read(with_private + "\"d\":\"AAAA\"}"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("private")));
  // A point off the curve.
  std::string off(kJwk);
  off[off.find("IShn")] = 'J';
  EXPECT_FALSE(read(off).ok());
}

TEST(EndorsementFile, KeepsIntelsDocumentsAsTheyAre) {
  const std::string info = R"({"tcbInfo":{"id":"TDX" },"signature":")" + kSignature + R"("})";
  const auto found = read(info);
  ASSERT_THAT(found, Succeeds());
  ASSERT_EQ(found->tcb_infos.size(), 1U);
  EXPECT_EQ(as_text(found->tcb_infos[0]), info);
  const auto identity =
      read(R"({"enclaveIdentity":{"id":"QE"},"signature":")" + kSignature + R"("})");
  ASSERT_THAT(identity, Succeeds());
  EXPECT_EQ(identity->enclave_identities.size(), 1U);
  EXPECT_FALSE(read(R"({"tcbInfo":{}})").ok());
  EXPECT_FALSE(read(R"({"tcbInfo":{},"tcbInfo":{},"signature":")" + kSignature + R"("})").ok());
}

TEST(EndorsementFile, ReadsCollateralWithPemInside) {
  const Made made;
  std::string pem(as_text(pem_of(made.certificate)));
  for (std::size_t at = 0; (at = pem.find('\n', at)) != pem.npos; at += 2)
    pem.replace(at, 1, "\\n");
  const auto found =
      read("{\"qe_identity_issuer_chain\": \"" + pem +
           "\", \"qe_identity\": \"{}\", \"qe_identity_signature\": \"" + kSignature + "\"}");
  ASSERT_THAT(found, Succeeds());
  EXPECT_EQ(found->certificates.size(), 1U);
  EXPECT_EQ(found->enclave_identities.size(), 1U);
}

TEST(EndorsementFile, ReadsOcspResponses) {
  const ByteVector response = testing::mint_ocsp_refusal();
  const auto found = read(response);
  ASSERT_THAT(found, Succeeds());
  EXPECT_THAT(found->ocsp_responses, ElementsAre(response));
  EXPECT_EQ(count(*found), 1U);
}

TEST(EndorsementFile, SaysWhereManifestsBelong) {
  for (const char* text :
       {"<SoftwareIdentity/>",
        R"({"id":"X","rim":"PFNvZnR3YXJlSWRlbnRpdHkvPg==","rim_format":"TEXT"})"}) {
    const auto found = read(text);
    ASSERT_THAT(found, Fails(ErrorCode::kMalformed)) << text;
    EXPECT_THAT(found.error().hint(), HasSubstr("attest measure nvidia-rim"));
  }
}

TEST(EndorsementFile, ReadsAMessageOfEndorsements) {
  const Made made;
  Endorsements all;
  all.certificates = {made.certificate};
  all.public_keys = {made.key.spki()};
  const auto found = read(serialize_endorsements(all));
  ASSERT_THAT(found, Succeeds());
  EXPECT_EQ(count(*found), 2U);
}

TEST(EndorsementFile, RefusesEverythingElse) {
  for (const char* text :
       {"", "hello", "<!DOCTYPE html>", "{}", "[]", "{\"a\":1}", "deadbeef", "08"}) {
    EXPECT_FALSE(read(text).ok()) << text;
  }
  EXPECT_FALSE(read(ByteVector{0xff, 0x00}).ok());
  EXPECT_FALSE(read(ByteVector{0x30, 0x00}).ok());
  EXPECT_FALSE(read(ByteVector{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}).ok());
  ByteVector longer = Made().certificate;
  longer.push_back(0);
  EXPECT_FALSE(read(longer).ok());
}

TEST(EndorsementFile, SurvivesEveryByteFlipped) {
  const Made made;
  for (const ByteVector& sample : {made.certificate, made.list, made.key.spki()}) {
    for (std::size_t i = 0; i < sample.size(); ++i) {
      ByteVector flipped = sample;
      flipped[i] ^= 0xffU;
      (void)read(flipped);
    }
  }
}

TEST(EndorsementFolder, TakesEveryFileInIt) {
  const Made made;
  const testing::TemporaryFolder folder;
  folder.put("a.pem", std::string(as_text(pem_of(made.certificate))));
  folder.put("b.crl", std::string(as_text(made.list)));
  folder.put("c.jwk", std::string(kJwk));
  folder.put("README.md", "where these come from");
  folder.put(".hidden", "x");
  const auto found = load_endorsements(folder.path());
  ASSERT_THAT(found, Succeeds());
  EXPECT_EQ(count(*found), 3U);
  EXPECT_EQ(count(*load_endorsements(folder / "a.pem")), 1U);
}

TEST(EndorsementFolder, RefusesWhatIsNoEndorsementAndNamesIt) {
  const testing::TemporaryFolder folder;
  folder.put("notes.txt", "hello");
  EXPECT_THAT(load_endorsements(folder.path()),
              FailsWith(ErrorCode::kMalformed, HasSubstr("notes.txt")));
  const testing::TemporaryFolder nested;
  std::filesystem::create_directory(nested / "inside");
  EXPECT_THAT(load_endorsements(nested.path()), Fails(ErrorCode::kIo));
  EXPECT_THAT(load_endorsements(nested / "absent"), Fails(ErrorCode::kIo));
}

TEST(EndorsementFolder, IsBoundedInAll) {
  const testing::TemporaryFolder many;
  for (int i = 0; i < 1025; ++i) many.put(std::to_string(i), "");
  EXPECT_THAT(load_endorsements(many.path()), Fails(ErrorCode::kLimit));
  const testing::TemporaryFolder folder;
  const std::string half(kMaxEndorsementsSize / 2 + 1, ' ');
  const std::string pem(as_text(pem_of(Made().certificate)));
  folder.put("a.pem", pem + half);
  EXPECT_THAT(load_endorsements(folder.path()), Succeeds());
  folder.put("b.pem", pem + half);
  EXPECT_THAT(load_endorsements(folder.path()), Fails(ErrorCode::kLimit));
}

}  // namespace
}  // namespace sealpack::attest
