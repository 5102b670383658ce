// SPDX-License-Identifier: Apache-2.0
#include "attest/files/roots_file.h"

#include "attest/verify/endorsements.h"
#include "keymgmt/x509/certificate.h"
#include "tests/attest/authority/mint.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::attest {
namespace {

const std::string kSignature(128, '0');

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::mint;
using ::sealpack::testing::MintKey;
using ::sealpack::testing::MintKeyType;
using ::sealpack::testing::pem_of;
using ::sealpack::testing::Succeeds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

Result<RootsFile> parse(const std::string& text) {
  return parse_roots(text, "roots.toml", [](const std::filesystem::path&) -> Result<ByteVector> {
    return Error(ErrorCode::kIo, "no files here");
  });
}

std::string digest_text(const char* byte) {
  std::string text = "\"sha256:";
  for (int i = 0; i < 32; ++i) text += byte;
  return text + "\"";
}

TEST(RootsFile, ReplacesWhatItListsAndKeepsTheRest) {
  const auto file = parse("amd = [" + digest_text("ab") + ", " + digest_text("cd") + "]\n");
  ASSERT_THAT(file, Succeeds());
  ASSERT_EQ(file->roots.amd.size(), 2U);
  EXPECT_EQ(file->roots.amd[0].bytes[0], 0xab);
  EXPECT_EQ(file->roots.intel, vendor_roots().intel);
  EXPECT_EQ(file->roots.nitro, vendor_roots().nitro);
  EXPECT_THAT(file->roots.simulated, IsEmpty());
}

TEST(RootsFile, BelievesNobodyWhereAListIsEmpty) {
  const auto file = parse("amd = []\nintel = []\n");
  ASSERT_THAT(file, Succeeds());
  EXPECT_THAT(file->roots.amd, IsEmpty());
  EXPECT_THAT(file->roots.intel, IsEmpty());
}

TEST(RootsFile, KnowsEveryList) {
  std::string text;
  for (const char* key : {"amd", "cca", "intel", "nitro", "nvidia", "psa", "simulated", "tpm",
                          "tpm_attestation_keys"}) {
    text += std::string(key) + " = [" + digest_text("ab") + "]\n";
  }
  const auto file = parse(text);
  ASSERT_THAT(file, Succeeds());
  const Roots& roots = file->roots;
  for (const auto& list : {roots.amd, roots.cca, roots.intel, roots.nitro, roots.nvidia, roots.psa,
                           roots.simulated, roots.tpm, roots.tpm_attestation_keys}) {
    EXPECT_EQ(list.size(), 1U);
  }
}

TEST(RootsFile, ReadsKeysAndCertificatesBesideIt) {
  const MintKey key = MintKey::generate(MintKeyType::kP256);
  const ByteVector root = mint({.subject = "root", .authority = true}, key, nullptr, key);
  const testing::TemporaryFolder folder;
  folder.put("root.pem", std::string(as_text(pem_of(root))));
  folder.put("device.der", std::string(as_text(key.spki())));
  const auto path = folder.put("roots.toml", "tpm = [\"root.pem\"]\npsa = [\"device.der\"]\n");
  const auto file = load_roots(path);
  ASSERT_THAT(file, Succeeds());
  EXPECT_THAT(file->roots.tpm, ElementsAre(key.digest()));
  EXPECT_THAT(file->roots.psa, ElementsAre(key.digest()));
  EXPECT_THAT(file->public_keys, ElementsAre(key.spki()));
}

TEST(RootsFile, RefusesFilesThatNameNoKey) {
  const testing::TemporaryFolder folder;
  folder.put("info.json", R"({"tcbInfo":{},"signature":")" + kSignature + R"("})");
  EXPECT_THAT(load_roots(folder.put("a.toml", "intel = [\"info.json\"]\n")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("besides certificates")));
  EXPECT_THAT(load_roots(folder.put("b.toml", "intel = [\"absent.pem\"]\n")),
              Fails(ErrorCode::kIo));
  // Nor what holds something besides.
  const MintKey key = MintKey::generate(MintKeyType::kP256);
  const ByteVector root = mint({.subject = "root", .authority = true}, key, nullptr, key);
  const ByteVector list = testing::mint_list({}, {.subject = "root", .authority = true}, key);
  Endorsements both;
  both.certificates = {root};
  both.revocation_lists = {list};
  folder.put("both.bin", std::string(as_text(serialize_endorsements(both))));
  EXPECT_THAT(load_roots(folder.put("c.toml", "intel = [\"both.bin\"]\n")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("besides certificates")));
}

TEST(RootsFile, HasAClosedSchema) {
  EXPECT_THAT(parse("arm = []\n"), FailsWith(ErrorCode::kMalformed, HasSubstr("'arm'")));
  EXPECT_THAT(parse("amd = \"x\"\n"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse("amd = [1]\n"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(
      parse("amd = [\"sha256:abcd\"]\n"),
      FailsWith(ErrorCode::kMalformed, AllOf(StartsWith("roots.toml:1:"), HasSubstr("32"))));
  EXPECT_THAT(parse("amd = [\"sha256:xy\"]\n"), Fails(ErrorCode::kMalformed));
}

TEST(RootsFile, BoundsItsLists) {
  std::string text = "tpm = [";
  for (int i = 0; i < 1025; ++i) text += digest_text("ab") + ",";
  EXPECT_THAT(parse(text + "]\n"), Fails(ErrorCode::kLimit));
}

std::string enrolment(const std::string& ak_name, const std::string& ek_name,
                      const std::string& more = "") {
  return "[[tpm_enrolments]]\nattestation_key = " + digest_text("ab") + "\nak_name = \"" + ak_name +
         "\"\nek_name = \"" + ek_name + "\"\n" + more;
}

TEST(RootsFile, KnowsTpmsThatWereEnrolled) {
  const std::string name = "000b" + std::string(64, '1');
  const std::string longer = "000c" + std::string(96, '2');
  const auto file = parse(enrolment(name, longer) + enrolment(longer, name));
  ASSERT_THAT(file, Succeeds());
  ASSERT_EQ(file->roots.tpm_enrolments.size(), 2U);
  const TpmEnrolment& first = file->roots.tpm_enrolments[0];
  EXPECT_EQ(first.ak_key.bytes[31], 0xab);
  EXPECT_EQ(to_hex(first.ak_name), name);
  EXPECT_EQ(to_hex(first.ek_name), longer);
  EXPECT_THAT(file->roots.tpm_attestation_keys, IsEmpty());
}

TEST(RootsFile, RefusesEnrolmentsThatAreIncomplete) {
  const std::string name = "000b" + std::string(64, '1');
  for (const std::string& text :
       {enrolment(name, ""), enrolment("", name), enrolment(name, name.substr(2)),
        enrolment(name, "000c" + std::string(64, '1')), enrolment(name, name, "name = \"x\"\n"),
        "[[tpm_enrolments]]\nak_name = \"" + name + "\"\nek_name = \"" + name + "\"\n",
        std::string("[[tpm_enrolments]]\n"), std::string("tpm_enrolments = 1\n")}) {
    EXPECT_THAT(parse(text), Fails(ErrorCode::kMalformed)) << text;
  }
  Endorsements keys;
  for (int i = 0; i < 2; ++i) {
    keys.public_keys.push_back(MintKey::generate(MintKeyType::kP256).spki());
  }
  const testing::TemporaryFolder folder;
  folder.put("keys.bin", std::string(as_text(serialize_endorsements(keys))));
  EXPECT_THAT(load_roots(folder.put("a.toml",
                                    "[[tpm_enrolments]]\nattestation_key = \"keys.bin\"\n"
                                    "ak_name = \"" +
                                        name + "\"\nek_name = \"" + name + "\"\n")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("one key")));
  std::string many;
  for (int i = 0; i < 1025; ++i) many += enrolment(name, name);
  EXPECT_THAT(parse(many), Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse(enrolment(name, name) + "[[tpm_enrolments]]\nattestation_key = \"absent\"\n"),
              FailsWith(ErrorCode::kIo, HasSubstr("attestation_key")));
}

}  // namespace
}  // namespace sealpack::attest
