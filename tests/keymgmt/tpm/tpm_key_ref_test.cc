// SPDX-License-Identifier: Apache-2.0
// KEYREF tpm:PATH: keys that are made in a TPM and used by commands.
#include <gtest/gtest.h>

#include "keymgmt/keystore/key_ref.h"
#include "keymgmt/keystore/tpm_key.h"
#include "tests/keymgmt/tpm/software_tpm.h"
#include "tests/keymgmt/tpm/tpm_command.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::keystore {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::SoftwareTpm;
using testing::Succeeds;
using testing::TemporaryFolder;

class TpmKeyRefTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
    device_.emplace();
  }
  std::string make(Role role) {
    const auto files = generate_tpm_key(role, device_->tcti(), folder_ / to_string(role), "",
                                        unused_, Overwrite::kRefuse);
    EXPECT_THAT(files, Succeeds());
    return "tpm:" + files->key_path.string() + "?tcti=" + device_->tcti();
  }

  std::optional<SoftwareTpm> device_;
  TemporaryFolder folder_;
  FilePassphrase unused_{"/none"};
};

TEST_F(TpmKeyRefTest, Signs) {
  const std::string key_ref = make(Role::kGrantor);
  for (int i = 0; i < 2; ++i) {
    const auto signer = open_signer(key_ref, {Role::kGrantor}, unused_);
    ASSERT_THAT(signer, Succeeds());
    const auto signature = (*signer)->sign(as_bytes("message"));
    ASSERT_THAT(signature, Succeeds());
    const auto key = load_public_key(folder_ / "grantor.pub", std::nullopt);
    ASSERT_THAT(key, Succeeds());
    EXPECT_THAT(key->verifying_key().verify(as_bytes("message"), *signature), Succeeds());
    device_->restart();
  }
  EXPECT_THAT(open_signer(key_ref, {Role::kPublisher}, unused_), Fails(ErrorCode::kUsage));
  EXPECT_THAT(open_unwrapper(key_ref, {}, unused_), Fails(ErrorCode::kUnsupported));
}

TEST_F(TpmKeyRefTest, UnwrapsForABroker) {
  const std::string key_ref = make(Role::kBroker);
  const auto unwrapper = open_unwrapper(key_ref, {Role::kBroker}, unused_);
  ASSERT_THAT(unwrapper, Succeeds());
  EXPECT_EQ(unwrapper->role, Role::kBroker);
  const auto& key = *std::get<0>(unwrapper->key);
  const auto sealed = *crypto::hpke_seal(key.public_key(), as_bytes("info"), as_bytes("aad"),
                                         as_bytes("content key"));
  const auto open = [&](Bytes enc, Bytes ciphertext) {
    return key.hpke_open(enc, as_bytes("info"), as_bytes("aad"), ciphertext);
  };
  const auto plain = open(sealed.enc, sealed.ciphertext);
  ASSERT_THAT(plain, Succeeds());
  EXPECT_TRUE(plain->equals(as_bytes("content key")));
  ByteVector changed = sealed.ciphertext;
  changed.back() ^= 1U;
  EXPECT_THAT(open(sealed.enc, changed), Fails(ErrorCode::kKeyUnavailable));
  // A point that is not on the curve never reaches the TPM.
  ByteVector off_curve = sealed.enc;
  off_curve.back() ^= 1U;
  EXPECT_THAT(open(off_curve, sealed.ciphertext), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(key.rsa_oaep_unwrap(sealed.ciphertext), Fails(ErrorCode::kUnsupported));
}

TEST_F(TpmKeyRefTest, AnotherTpmIsNotTheKeys) {
  (void)make(Role::kBroker);
  SoftwareTpm other;
  const std::string moved = "tpm:" + (folder_ / "broker.tpmkey").string() + "?tcti=" + other.tcti();
  EXPECT_THAT(open_unwrapper(moved, {}, unused_),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("another TPM")));
}

// Its owner changed it after the key was made.
TEST_F(TpmKeyRefTest, APasswordOfTheTpmIsReadFromAFile) {
  const std::string signer = make(Role::kGrantor);
  const std::string opener = make(Role::kBroker);
  ASSERT_EQ(testing::tpm_code(
                device_->command(testing::tpm_change_auth(testing::kTpmEndorsement, "for keys"))),
            0U);
  EXPECT_THAT(open_signer(signer, {}, unused_), Fails(ErrorCode::kIo)) << "there is no such file";
  const auto put = [&](const char* name, const char* password) {
    const auto path = folder_.put(name, password);
    std::filesystem::permissions(path, std::filesystem::perms{0600});
    return path;
  };
  FilePassphrase wrong(put("wrong", "another\n"));
  EXPECT_THAT(open_signer(signer, {}, wrong), Fails(ErrorCode::kRefused));
  std::unique_ptr<crypto::Signer> key;
  {
    FilePassphrase right(put("right", "for keys\n"));
    key = *open_signer(signer, {}, right);
  }
  // The password was needed to load the key, and is not asked for again.
  std::filesystem::remove(folder_ / "right");
  EXPECT_THAT(key->sign(as_bytes("message")), Succeeds());
  key.reset();
  FilePassphrase right(put("right", "for keys\n"));
  EXPECT_THAT(open_unwrapper(opener, {}, right), Succeeds());
  EXPECT_THAT(
      generate_tpm_key(Role::kLog, device_->tcti(), folder_ / "log", "", right, Overwrite::kRefuse),
      Succeeds());
}

// The TPM serves everybody whom the machine lets near it.
TEST_F(TpmKeyRefTest, AFileThatOthersMayReadIsRefused) {
  const std::string key_ref = make(Role::kGrantor);
  for (const unsigned mode : {0640U, 0604U, 0620U}) {
    std::filesystem::permissions(folder_ / "grantor.tpmkey", std::filesystem::perms{mode});
    EXPECT_THAT(open_signer(key_ref, {}, unused_),
                FailsWith(ErrorCode::kRefused, HasSubstr("other users")));
  }
  std::filesystem::permissions(folder_ / "grantor.tpmkey", std::filesystem::perms{0600});
  EXPECT_THAT(open_signer(key_ref, {}, unused_), Succeeds());
}

TEST_F(TpmKeyRefTest, AHalfPairIsNotLeft) {
  folder_.put("log.pub", "in the way");
  EXPECT_FALSE(generate_tpm_key(Role::kLog, device_->tcti(), folder_ / "log", "", unused_,
                                Overwrite::kRefuse)
                   .ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "log.tpmkey"));
}

TEST_F(TpmKeyRefTest, OtherFilesAreNotKeys) {
  const auto path = folder_.put("x.tpmkey",
                                "-----BEGIN PUBLIC KEY-----\nAAAA\n"
                                "-----END PUBLIC KEY-----\n");
  EXPECT_THAT(open_unwrapper("tpm:" + path.string(), {}, unused_),
              FailsWith(ErrorCode::kUsage, HasSubstr("not a SEALPACK TPM KEY")));
  EXPECT_THAT(open_signer("tpm:/none", {}, unused_), Fails(ErrorCode::kIo));
}

TEST(TpmKeyRef, NamesAPathAndATpm) {
  EXPECT_EQ(parse_tpm_key_ref("tpm:/etc/k.tpmkey").path, "/etc/k.tpmkey");
  EXPECT_EQ(parse_tpm_key_ref("tpm:/etc/k.tpmkey").tcti, "");
  const TpmKeyRef other = parse_tpm_key_ref("tpm:k?tcti=swtpm:host=h,port=1");
  EXPECT_EQ(other.path, "k");
  EXPECT_EQ(other.tcti, "swtpm:host=h,port=1");
}

}  // namespace
}  // namespace sealpack::keystore
