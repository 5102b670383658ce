// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/key_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include "keymgmt/keystore/keygen.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::keystore {
namespace {

using crypto::KeyType;
using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::sealpack::testing::TemporaryFolder;
using ::testing::HasSubstr;

// The key of RFC 8410, section 10.1.
constexpr const char* kPlainPem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PUBLIC KEY-----\n";
const std::string kAuthority = std::string("sealpack-key: role=authority\n") + kPlainPem;

std::string read(const std::filesystem::path& path) {
  return sealpack::testing::content_of(path);
}

std::filesystem::path write_private(const TemporaryFolder& folder, const std::string& name,
                                    const std::string& text) {
  const std::filesystem::path path = folder.put(name, text);
  std::filesystem::permissions(path, std::filesystem::perms{0600});
  return path;
}

// Counts how often it is asked.
class FixedPassphrase : public PassphraseSource {
 public:
  explicit FixedPassphrase(std::string_view text) : text_(text) {}
  Result<crypto::SecretBytes> passphrase(const std::string&) override {
    ++asked;
    return crypto::SecretBytes::copy_of(as_bytes(text_));
  }
  Result<crypto::SecretBytes> new_passphrase(const std::string& what) override {
    return passphrase(what);
  }
  int asked = 0;

 private:
  std::string text_;
};

TEST(PublicKeyFile, ReadsRoleNameAndKey) {
  const auto key = parse_public_key(
      std::string("sealpack-key: role=publisher name=CI of ACME\n") + kPlainPem, std::nullopt);
  ASSERT_THAT(key, Succeeds());
  EXPECT_EQ(key->role, Role::kPublisher);
  EXPECT_EQ(key->name, "CI of ACME");
  EXPECT_EQ(key->spki.size(), 44U);
  EXPECT_EQ(key->digest, key->verifying_key().digest());
}

TEST(PublicKeyFile, ReturnsToTheSameText) {
  const auto key = parse_public_key(kAuthority, std::nullopt);
  ASSERT_THAT(key, Succeeds());
  EXPECT_EQ(serialize_public_key(key->role, key->name, key->spki).value(), kAuthority);
}

TEST(PublicKeyFile, TakesAPlainPemOnlyWhereARoleIsAssumed) {
  EXPECT_THAT(parse_public_key(kPlainPem, std::nullopt),
              FailsWith(ErrorCode::kUsage, HasSubstr("nothing says what this key is for")));
  const auto key = parse_public_key(kPlainPem, Role::kReviewer);
  ASSERT_THAT(key, Succeeds());
  EXPECT_EQ(key->role, Role::kReviewer);
}

TEST(PublicKeyFile, KeepsItsOwnRoleWhateverIsAssumed) {
  EXPECT_EQ(parse_public_key(kAuthority, Role::kPublisher)->role, Role::kAuthority);
}

TEST(PublicKeyFile, RefusesASigningKeyInAnUnwrappingRole) {
  EXPECT_FALSE(
      parse_public_key(std::string("sealpack-key: role=recipient\n") + kPlainPem, {}).ok());
}

TEST(PublicKeyFile, RefusesEveryTruncation) {
  for (std::size_t size = 0; size < kAuthority.size(); ++size) {
    EXPECT_FALSE(parse_public_key(kAuthority.substr(0, size), std::nullopt).ok()) << size;
  }
}

TEST(PublicKeyFile, RefusesTextThatAnotherReaderMightSkip) {
  const std::vector<std::string> wrong = {
      kAuthority + "\n",
      kAuthority + kPlainPem,
      "\n" + kAuthority,
      "comment\n" + kAuthority,
      " " + kAuthority,
      std::string("sealpack-key: role=authority \n") + kPlainPem,
      std::string("sealpack-key: role=authority name=\n") + kPlainPem,
      std::string("sealpack-key: role=authority name=a\x1b[31m\n") + kPlainPem,
      std::string("sealpack-key: role=authority colour=red\n") + kPlainPem,
      std::string("sealpack-key: role=Authority\n") + kPlainPem,
      std::string("sealpack-key: role=root\n") + kPlainPem,
      std::string("sealpack-key: role=authority\nsealpack-key: role=publisher\n") + kPlainPem,
      std::string("sealpack-key:role=authority\n") + kPlainPem,
      "sealpack-key: role=authority\r\n" + std::string(kPlainPem),
      "sealpack-key: role=authority\n-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
      "sealpack-key: role=authority\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END "
      "CERTIFICATE-----\n",
  };
  for (const std::string& text : wrong) {
    EXPECT_THAT(parse_public_key(text, Role::kAuthority), Fails(ErrorCode::kMalformed)) << text;
  }
}

TEST(PublicKeyFile, RefusesBase64WithASecondReading) {
  std::string loose = kAuthority;
  loose.replace(loose.find("ZuE="), 4, "ZuF=");  // the unused bits are not zero
  EXPECT_THAT(parse_public_key(loose, {}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("canonical")));
  std::string spaced = kAuthority;
  spaced.replace(spaced.find("MCow"), 4, "MC w");
  EXPECT_THAT(parse_public_key(spaced, {}), Fails(ErrorCode::kMalformed));
  std::string padded = kAuthority;
  padded.replace(padded.find("MCow"), 4, "MCo=");
  EXPECT_THAT(parse_public_key(padded, {}), Fails(ErrorCode::kMalformed));
}

TEST(PublicKeyFile, RefusesMoreThanItsLimit) {
  EXPECT_THAT(parse_public_key(kAuthority + std::string(kMaxKeyFileSize, 'x'), {}),
              Fails(ErrorCode::kLimit));
}

TEST(PublicKeyFile, TellsAPrivateKeyApart) {
  const auto key = parse_public_key(
      "sealpack-key: role=authority\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE "
      "KEY-----\n",
      {});
  ASSERT_THAT(key, Fails(ErrorCode::kMalformed));
  EXPECT_THAT(key.error().hint(), HasSubstr(".pub"));
}

TEST(KeyGeneration, MakesPairsThatOpenAgainForEveryRole) {
  const TemporaryFolder folder;
  for (const Role role : {Role::kAuthority, Role::kPublisher, Role::kReviewer, Role::kGrantor,
                          Role::kGrantSigner, Role::kLog, Role::kSimulatedRoot, Role::kRecipient,
                          Role::kEscrow, Role::kBroker, Role::kDevice}) {
    const auto made =
        generate_key_pair(role, std::nullopt, folder / to_string(role), "a key", nullptr);
    ASSERT_THAT(made, Succeeds());
    FixedPassphrase unused("");
    const auto loaded = load_private_key(made->private_path, {role}, unused);
    ASSERT_THAT(loaded, Succeeds());
    EXPECT_EQ(unused.asked, 0);
    EXPECT_EQ(loaded->name, "a key");
    const auto pub = load_public_key(*made->public_path, std::nullopt);
    ASSERT_THAT(pub, Succeeds());
    EXPECT_EQ(pub->role, role);
    EXPECT_EQ(pub->digest, *made->digest);
    EXPECT_EQ(pub->spki, to_vector(loaded->key.spki()));
    EXPECT_EQ(loaded->key.type(), signs(role) ? KeyType::kEd25519 : KeyType::kX25519);
  }
}

TEST(KeyGeneration, EncryptsUnderAPassphrase) {
  const TemporaryFolder folder;
  FixedPassphrase right("correct horse");
  const auto made =
      generate_key_pair(Role::kAuthority, KeyType::kEcdsaP384, folder / "k", "", &right);
  ASSERT_THAT(made, Succeeds());
  EXPECT_THAT(read(made->private_path), HasSubstr("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
  EXPECT_THAT(load_private_key(made->private_path, {}, right), Succeeds());
  FixedPassphrase wrong("incorrect horse");
  EXPECT_THAT(load_private_key(made->private_path, {}, wrong), Fails(ErrorCode::kKeyUnavailable));
}

TEST(KeyGeneration, MakesNoPublicFileForASymmetricKey) {
  const TemporaryFolder folder;
  const auto made =
      generate_key_pair(Role::kRecipient, KeyType::kAes256, folder / "k", "", nullptr);
  ASSERT_THAT(made, Succeeds());
  EXPECT_FALSE(made->public_path.has_value());
  EXPECT_FALSE(std::filesystem::exists(folder / "k.pub"));
}

TEST(KeyGeneration, RefusesTypesThatDoNotFitTheRole) {
  const TemporaryFolder folder;
  const std::vector<std::pair<Role, KeyType>> wrong = {{Role::kAuthority, KeyType::kX25519},
                                                       {Role::kAuthority, KeyType::kRsa3072},
                                                       {Role::kRecipient, KeyType::kEd25519},
                                                       {Role::kBroker, KeyType::kAes256},
                                                       {Role::kEscrow, KeyType::kAes256}};
  for (const auto& [role, type] : wrong) {
    EXPECT_THAT(generate_key_pair(role, type, folder / "k", "", nullptr), Fails(ErrorCode::kUsage));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(KeyGeneration, OverwritesNothingAndLeavesNoHalfPair) {
  const TemporaryFolder folder;
  folder.put("a.key", "precious");
  folder.put("b.pub", "precious");
  for (const char* name : {"a", "b"}) {
    FixedPassphrase passphrase("x");
    EXPECT_FALSE(generate_key_pair(Role::kAuthority, {}, folder / name, "", &passphrase).ok());
    EXPECT_EQ(passphrase.asked, 0) << "asked for a passphrase before it refused";
  }
  EXPECT_EQ(read(folder / "a.key"), "precious");
  EXPECT_EQ(read(folder / "b.pub"), "precious");
  EXPECT_FALSE(std::filesystem::exists(folder / "a.pub"));
  EXPECT_FALSE(std::filesystem::exists(folder / "b.key"));
}

TEST(KeyGeneration, RefusesANameThatSteersATerminal) {
  const TemporaryFolder folder;
  EXPECT_THAT(generate_key_pair(Role::kAuthority, {}, folder / "k", "a\nb", nullptr),
              Fails(ErrorCode::kUsage));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(PrivateKeyFile, IsReadableByItsOwnerAlone) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(0);
  const auto made = generate_key_pair(Role::kAuthority, {}, folder / "k", "", nullptr);
  ::umask(before);
  ASSERT_THAT(made, Succeeds());
  struct stat status {};
  ASSERT_EQ(::stat(made->private_path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST(PrivateKeyFile, RefusesModesThatOthersCanUse) {
  const TemporaryFolder folder;
  const auto made = generate_key_pair(Role::kAuthority, {}, folder / "k", "", nullptr);
  ASSERT_THAT(made, Succeeds());
  FixedPassphrase unused("");
  for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0610U, 0601U, 0644U, 0666U}) {
    ASSERT_EQ(::chmod(made->private_path.c_str(), mode), 0);
    const auto loaded = load_private_key(made->private_path, {}, unused);
    EXPECT_THAT(loaded, Fails(ErrorCode::kRefused)) << mode;
    if (!loaded.ok()) {
      EXPECT_THAT(loaded.error().hint(), HasSubstr("chmod 600"));
    }
  }
  ASSERT_EQ(::chmod(made->private_path.c_str(), 0400), 0);
  EXPECT_THAT(load_private_key(made->private_path, {}, unused), Succeeds());
}

TEST(PrivateKeyFile, RefusesAFileOfAnotherUser) {
  const TemporaryFolder folder;
  const auto made = generate_key_pair(Role::kAuthority, {}, folder / "k", "", nullptr);
  ASSERT_THAT(made, Succeeds());
  if (::chown(made->private_path.c_str(), ::geteuid() + 1, ::getegid()) != 0) {
    GTEST_SKIP() << "this needs the right to give files away";
  }
  FixedPassphrase unused("");
  EXPECT_THAT(load_private_key(made->private_path, {}, unused),
              FailsWith(ErrorCode::kRefused, HasSubstr("another user")));
}

TEST(PrivateKeyFile, RefusesWhatIsNoFile) {
  const TemporaryFolder folder;
  FixedPassphrase unused("");
  EXPECT_THAT(load_private_key(folder.path(), {}, unused), Fails(ErrorCode::kIo));
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(load_private_key(folder / "pipe", {}, unused), Fails(ErrorCode::kIo));
  EXPECT_THAT(load_private_key(folder / "none", {}, unused), Fails(ErrorCode::kIo));
}

TEST(PrivateKeyFile, RefusesAnotherRoleBeforeAskingForThePassphrase) {
  const TemporaryFolder folder;
  FixedPassphrase passphrase("x");
  const auto made = generate_key_pair(Role::kPublisher, {}, folder / "k", "", &passphrase);
  ASSERT_THAT(made, Succeeds());
  passphrase.asked = 0;
  EXPECT_THAT(load_private_key(made->private_path, {Role::kAuthority, Role::kReviewer}, passphrase),
              FailsWith(ErrorCode::kUsage, HasSubstr("role publisher, not authority or reviewer")));
  EXPECT_EQ(passphrase.asked, 0);
}

TEST(PrivateKeyFile, RefusesEveryTruncation) {
  const TemporaryFolder folder;
  const auto made = generate_key_pair(Role::kAuthority, {}, folder / "k", "", nullptr);
  const std::string text = read(made.value().private_path);
  FixedPassphrase unused("");
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto cut = write_private(folder, "cut.key", text.substr(0, size));
    EXPECT_FALSE(load_private_key(cut, {}, unused).ok()) << size;
  }
}

TEST(PrivateKeyFile, RefusesAKeyWhoseRoleLineWasExchanged) {
  const TemporaryFolder folder;
  const auto made = generate_key_pair(Role::kAuthority, {}, folder / "k", "", nullptr);
  std::string text = read(made.value().private_path);
  text.replace(text.find("authority"), 9, "recipient");
  FixedPassphrase unused("");
  EXPECT_FALSE(load_private_key(write_private(folder, "x.key", text), {}, unused).ok());
}

TEST(PrivateKeyFile, SaysWhatAPlainPkcs8FileLacks) {
  const TemporaryFolder folder;
  const auto made = generate_key_pair(Role::kAuthority, {}, folder / "k", "", nullptr);
  std::string text = read(made.value().private_path);
  text.erase(0, text.find('\n') + 1);
  FixedPassphrase unused("");
  const auto loaded = load_private_key(write_private(folder, "x.key", text), {}, unused);
  ASSERT_THAT(loaded, Fails(ErrorCode::kMalformed));
  EXPECT_THAT(loaded.error().hint(), HasSubstr("role=ROLE"));
}

TEST(Roles, HaveOneNameEach) {
  for (const char* name : {"authority", "publisher", "reviewer", "grantor", "grant-signer", "log",
                           "simulated-root", "recipient", "escrow", "broker", "device"}) {
    const auto role = parse_role(name);
    ASSERT_TRUE(role.has_value()) << name;
    EXPECT_STREQ(to_string(*role), name);
  }
  EXPECT_FALSE(parse_role("root").has_value());
  EXPECT_FALSE(parse_role("").has_value());
}

}  // namespace
}  // namespace sealpack::keystore
