// SPDX-License-Identifier: Apache-2.0
// Against SoftHSM 2: a token of its own per test, keys made by pkcs11-tool.
#include <gtest/gtest.h>
#include <p11-kit/p11-kit.h>
#include <stdlib.h>

#include <array>

#include "keymgmt/crypto/random.h"
#include "keymgmt/keystore/key_ref.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/temporary_folder.h"

#ifdef SEALPACK_SANITIZED
// SoftHSM 2.6 leaks a little at every C_SignInit, through frames that the fast unwinder cannot see.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libsofthsm2.so\n";
}
extern "C" const char* __asan_default_options() {
  return "fast_unwind_on_malloc=0";
}
#endif

namespace sealpack::keystore {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::sealpack::testing::TemporaryFolder;
using ::testing::HasSubstr;

constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";

// A person who is never there: PINs come from the file.
class Nobody : public PassphraseSource {
 public:
  Result<crypto::SecretBytes> passphrase(const std::string&) override {
    return Error(ErrorCode::kUsage, "asked for a PIN");
  }
  Result<crypto::SecretBytes> new_passphrase(const std::string& what) override {
    return passphrase(what);
  }
};

bool run(const std::string& command) {
  return ::system(("(" + command + ") >/dev/null 2>&1").c_str()) == 0;
}

class SoftHsm : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kModule) ||
        !run("command -v softhsm2-util && command -v pkcs11-tool")) {
      GTEST_SKIP() << "SoftHSM 2 and OpenSC are not installed";
    }
    std::filesystem::create_directory(folder_ / "tokens");
    folder_.put("softhsm2.conf", "directories.tokendir = " + (folder_ / "tokens").string() +
                                     "\nobjectstore.backend = file\nlog.level = ERROR\n");
    ASSERT_EQ(::setenv("SOFTHSM2_CONF", (folder_ / "softhsm2.conf").c_str(), 1), 0);
    make_token("vendor");
    put_pin("1234");
  }

  void make_token(const std::string& label) {
    ASSERT_TRUE(
        run("softhsm2-util --init-token --free --label " + label + " --pin 1234 --so-pin 4321"));
  }
  void put_pin(const std::string& pin) {
    std::filesystem::permissions(folder_.put("pin", pin + "\n"), std::filesystem::perms{0600});
  }
  void make_key(const std::string& type, const std::string& usage, int id,
                const std::string& label) {
    ASSERT_TRUE(run("pkcs11-tool --module " + std::string(kModule) +
                    " --token-label vendor --login --pin 1234 --keypairgen --key-type " + type +
                    " " + usage + " --id 0" + std::to_string(id) + " --label " + label));
  }
  // A P-256 pair whose private half has these attributes; what pkcs11-tool makes is sensitive.
  void make_key_with(bool sensitive, bool extractable, CK_BYTE id, std::string label) {
    CK_FUNCTION_LIST* module = p11_kit_module_load(kModule, 0);
    ASSERT_NE(module, nullptr);
    ASSERT_EQ(p11_kit_module_initialize(module), CKR_OK);
    std::array<CK_SLOT_ID, 8> slots{};
    CK_ULONG count = slots.size();
    ASSERT_EQ(module->C_GetSlotList(CK_TRUE, slots.data(), &count), CKR_OK);
    CK_SESSION_HANDLE session = 0;
    ASSERT_EQ(module->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr,
                                    &session),
              CKR_OK);
    std::array<CK_BYTE, 4> pin = {'1', '2', '3', '4'};
    ASSERT_EQ(module->C_Login(session, CKU_USER, pin.data(), pin.size()), CKR_OK);
    std::array<CK_BYTE, 10> curve = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL is_sensitive = sensitive ? CK_TRUE : CK_FALSE;
    CK_BBOOL is_extractable = extractable ? CK_TRUE : CK_FALSE;
    std::array<CK_ATTRIBUTE, 4> of_public = {{{CKA_TOKEN, &yes, 1},
                                              {CKA_ID, &id, 1},
                                              {CKA_EC_PARAMS, curve.data(), curve.size()},
                                              {CKA_VERIFY, &yes, 1}}};
    std::array<CK_ATTRIBUTE, 7> of_private = {{{CKA_TOKEN, &yes, 1},
                                               {CKA_PRIVATE, &yes, 1},
                                               {CKA_ID, &id, 1},
                                               {CKA_LABEL, label.data(), label.size()},
                                               {CKA_SIGN, &yes, 1},
                                               {CKA_SENSITIVE, &is_sensitive, 1},
                                               {CKA_EXTRACTABLE, &is_extractable, 1}}};
    CK_MECHANISM mechanism{};
    mechanism.mechanism = CKM_EC_KEY_PAIR_GEN;
    CK_OBJECT_HANDLE made[2] = {};
    EXPECT_EQ(module->C_GenerateKeyPair(session, &mechanism, of_public.data(), of_public.size(),
                                        of_private.data(), of_private.size(), &made[0], &made[1]),
              CKR_OK);
    module->C_CloseSession(session);
    p11_kit_module_finalize(module);
    p11_kit_module_release(module);
  }
  std::string uri(const std::string& path, const std::string& query = "") const {
    return "pkcs11:" + path + "?module-path=" + kModule +
           "&pin-source=file:" + (folder_ / "pin").string() + query;
  }

  TemporaryFolder folder_;
  Nobody nobody_;
};

TEST_F(SoftHsm, SignsWithEveryKindOfKey) {
  make_key("EC:prime256v1", "--usage-sign", 1, "p256");
  make_key("EC:secp384r1", "--usage-sign", 2, "p384");
  make_key("EC:edwards25519", "--usage-sign", 3, "ed");
  for (const char* label : {"p256", "p384", "ed"}) {
    const auto signer = open_signer(uri("token=vendor;object=" + std::string(label)), {}, nobody_);
    ASSERT_THAT(signer, Succeeds()) << label;
    for (int i = 0; i < 8;
         ++i) {  // half of all ECDSA signatures have a high S before it is put right
      const std::string message = "message " + std::to_string(i);
      const auto signature = (*signer)->sign(as_bytes(message));
      ASSERT_THAT(signature, Succeeds()) << label;
      EXPECT_THAT((*signer)->public_key().verify(as_bytes(message), *signature), Succeeds());
    }
  }
}

TEST_F(SoftHsm, FindsAKeyByItsId) {
  make_key("EC:prime256v1", "--usage-sign", 7, "p256");
  EXPECT_THAT(open_signer(uri("token=vendor;id=%07"), {}, nobody_), Succeeds());
  EXPECT_THAT(open_signer(uri("token=vendor;id=%08"), {}, nobody_),
              Fails(ErrorCode::kKeyUnavailable));
}

TEST_F(SoftHsm, UnwrapsRsaOaepWithSha256) {
  make_key("RSA:2048", "--usage-decrypt", 1, "rsa");
  const auto unwrapper = open_unwrapper(uri("token=vendor;object=rsa"), {}, nobody_);
  ASSERT_THAT(unwrapper, Succeeds());
  const auto& decryptor = *std::get<std::unique_ptr<crypto::Decryptor>>(unwrapper->key);
  const auto secret = crypto::random_array<32>();
  const auto wrapped = crypto::rsa_oaep_wrap(decryptor.public_key(), secret);
  ASSERT_THAT(wrapped, Succeeds());
  const auto unwrapped = decryptor.rsa_oaep_unwrap(*wrapped);
  ASSERT_THAT(unwrapped, Succeeds());
  EXPECT_TRUE(unwrapped->equals(secret));
  ByteVector changed = *wrapped;
  changed[100] ^= 1U;
  EXPECT_THAT(decryptor.rsa_oaep_unwrap(changed), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(decryptor.rsa_oaep_unwrap(Bytes(*wrapped).first(255)),
              Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(decryptor.rsa_oaep_unwrap(*wrapped), Succeeds()) << "unusable after a failure";
}

TEST_F(SoftHsm, OpensHpkeWithAP256Key) {
  make_key("EC:prime256v1", "--usage-derive", 1, "ecdh");
  const auto unwrapper = open_unwrapper(uri("token=vendor;object=ecdh"), {}, nobody_);
  ASSERT_THAT(unwrapper, Succeeds());
  const auto& decryptor = *std::get<std::unique_ptr<crypto::Decryptor>>(unwrapper->key);
  const auto sealed = crypto::hpke_seal(decryptor.public_key(), as_bytes("info"), as_bytes("aad"),
                                        as_bytes("content key"));
  ASSERT_THAT(sealed, Succeeds());
  const auto open = [&](Bytes enc, std::string_view info) {
    return decryptor.hpke_open(enc, as_bytes(info), as_bytes("aad"), sealed->ciphertext);
  };
  const auto opened = open(sealed->enc, "info");
  ASSERT_THAT(opened, Succeeds());
  EXPECT_TRUE(opened->equals(as_bytes("content key")));
  EXPECT_THAT(open(sealed->enc, "other"), Fails(ErrorCode::kKeyUnavailable));
  ByteVector off_curve = sealed->enc;
  off_curve[40] ^= 1U;
  EXPECT_THAT(open(off_curve, "info"), Fails(ErrorCode::kKeyUnavailable));
}

TEST_F(SoftHsm, SaysThatThePinIsWrongAndHowManyTriesAreLeft) {
  make_key("EC:prime256v1", "--usage-sign", 1, "p256");
  put_pin("9999");
  const auto signer = open_signer(uri("token=vendor;object=p256"), {}, nobody_);
  EXPECT_THAT(signer, FailsWith(ErrorCode::kKeyUnavailable, HasSubstr("the PIN is wrong")));
  EXPECT_THAT(signer, FailsWith(ErrorCode::kKeyUnavailable, HasSubstr("token 'vendor'")));
  EXPECT_EQ(signer.error().message().find("9999"), std::string::npos);
}

TEST_F(SoftHsm, RefusesAPinInTheUri) {
  for (const char* extra : {"&pin-value=1234", "&pin%2Dvalue=1234"}) {
    const auto signer = open_signer(uri("token=vendor;object=p256", extra), {}, nobody_);
    ASSERT_THAT(signer, Fails(ErrorCode::kUsage)) << extra;
    EXPECT_EQ(signer.error().message().find("1234"), std::string::npos);
  }
  const auto signer = open_signer(uri("token=vendor", "&pin-value=1234"), {}, nobody_);
  EXPECT_THAT(signer.error().hint(), HasSubstr("pin-source=file:"));
}

TEST_F(SoftHsm, RefusesAPinFileThatOthersCanRead) {
  std::filesystem::permissions(folder_ / "pin", std::filesystem::perms{0644});
  EXPECT_THAT(open_signer(uri("token=vendor;object=p256"), {}, nobody_),
              Fails(ErrorCode::kRefused));
}

TEST_F(SoftHsm, AsksForAPinThatNoFileGives) {
  EXPECT_THAT(open_signer("pkcs11:token=vendor?module-path=" + std::string(kModule), {}, nobody_),
              FailsWith(ErrorCode::kUsage, HasSubstr("asked for a PIN")));
}

TEST_F(SoftHsm, SaysWhatIsNotThere) {
  EXPECT_THAT(open_signer(uri("token=nobody;object=x"), {}, nobody_),
              FailsWith(ErrorCode::kKeyUnavailable, HasSubstr("no PKCS#11 token")));
  EXPECT_THAT(open_signer(uri("token=vendor;object=x"), {}, nobody_),
              FailsWith(ErrorCode::kKeyUnavailable, HasSubstr("no private key")));
  EXPECT_THAT(open_signer("pkcs11:token=vendor?module-path=/none.so", {}, nobody_),
              FailsWith(ErrorCode::kKeyUnavailable, HasSubstr("/none.so")));
}

TEST_F(SoftHsm, RefusesAUriThatNamesSeveral) {
  make_key("EC:prime256v1", "--usage-sign", 1, "one");
  make_key("EC:prime256v1", "--usage-sign", 2, "two");
  EXPECT_THAT(open_signer(uri("token=vendor"), {}, nobody_),
              FailsWith(ErrorCode::kUsage, HasSubstr("several private keys")));
  make_token("second");
  EXPECT_THAT(open_signer(uri("object=one"), {}, nobody_),
              FailsWith(ErrorCode::kUsage, HasSubstr("2 PKCS#11 tokens")));
}

TEST_F(SoftHsm, TakesTheSlotThatTheUriNamesAndNoOther) {
  make_key("EC:prime256v1", "--usage-sign", 1, "p256");
  const std::string key = "token=vendor;object=p256;";
  EXPECT_THAT(open_signer(uri(key + "slot-manufacturer=SoftHSM%20project"), {}, nobody_),
              Succeeds());
  for (const char* other : {"slot-manufacturer=nobody", "slot-description=nowhere", "slot-id=1"}) {
    EXPECT_THAT(open_signer(uri(key + other), {}, nobody_),
                FailsWith(ErrorCode::kKeyUnavailable, HasSubstr("no PKCS#11 token")))
        << other;
  }
}

// Whoever has the PIN for a moment would have the key for good.
TEST_F(SoftHsm, RefusesAKeyThatTheTokenShows) {
  make_key_with(false, true, 1, "readable");
  make_key_with(false, false, 2, "kept");
  make_key_with(true, true, 3, "wrapped");  // leaves the token in the clear neither
  EXPECT_THAT(open_signer(uri("token=vendor;object=readable"), {}, nobody_),
              FailsWith(ErrorCode::kRefused, HasSubstr("in the clear")));
  EXPECT_THAT(open_unwrapper(uri("token=vendor;object=readable"), {}, nobody_),
              Fails(ErrorCode::kRefused));
  EXPECT_THAT(open_signer(uri("token=vendor;object=kept"), {}, nobody_), Succeeds());
  EXPECT_THAT(open_signer(uri("token=vendor;object=wrapped"), {}, nobody_), Succeeds());
}

TEST_F(SoftHsm, RefusesOtherKindsOfKeys) {
  make_key("EC:secp256k1", "--usage-sign", 1, "k1");
  make_key("RSA:2048", "--usage-decrypt", 2, "rsa");
  EXPECT_THAT(open_signer(uri("token=vendor;object=k1"), {}, nobody_),
              Fails(ErrorCode::kUnsupported));
  EXPECT_FALSE(open_signer(uri("token=vendor;object=rsa"), {}, nobody_).ok());
}

TEST_F(SoftHsm, RefusesUrisThatAreNone) {
  for (const char* text :
       {"pkcs11:token=%zz", "pkcs11:token", "pkcs11:colour=red?module-path=/x.so"}) {
    EXPECT_THAT(open_signer(text, {}, nobody_), Fails(ErrorCode::kUsage)) << text;
  }
}

TEST(KeyRef, TakesAKeyInATpmByItsFile) {
  Nobody nobody;
  EXPECT_THAT(open_signer("tpm:nowhere.key", {}, nobody),
              FailsWith(ErrorCode::kIo, HasSubstr("nowhere.key")));
  EXPECT_THAT(open_unwrapper("tpm:nowhere.key", {}, nobody), Fails(ErrorCode::kIo));
  EXPECT_THAT(open_signer("", {}, nobody), Fails(ErrorCode::kUsage));
}

}  // namespace
}  // namespace sealpack::keystore
