// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/key_ref.h"

#include <gtest/gtest.h>

#include "keymgmt/keystore/keygen.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::keystore {
namespace {

using crypto::KeyType;
using ::sealpack::testing::Fails;
using ::sealpack::testing::Succeeds;
using ::sealpack::testing::TemporaryFolder;

std::string make(const TemporaryFolder& folder, Role role, KeyType type) {
  return generate_key_pair(role, type, folder / "k", "", nullptr)->private_path.string();
}

TEST(KeyRefFile, Signs) {
  const TemporaryFolder folder;
  const std::string path = make(folder, Role::kPublisher, KeyType::kEd25519);
  FilePassphrase unused("/none");
  const auto signer = open_signer(path, {Role::kPublisher, Role::kAuthority}, unused);
  ASSERT_THAT(signer, Succeeds());
  EXPECT_THAT((*signer)->public_key().verify(as_bytes("m"), (*signer)->sign(as_bytes("m")).value()),
              Succeeds());
  EXPECT_THAT(open_signer(path, {Role::kAuthority}, unused), Fails(ErrorCode::kUsage));
  EXPECT_THAT(open_unwrapper(path, {}, unused), Fails(ErrorCode::kUnsupported));
}

TEST(KeyRefFile, Unwraps) {
  for (const KeyType type : {KeyType::kX25519, KeyType::kEcdhP256, KeyType::kRsa3072}) {
    const TemporaryFolder folder;
    const std::string path = make(folder, Role::kDevice, type);
    FilePassphrase unused("/none");
    const auto unwrapper = open_unwrapper(path, {Role::kDevice}, unused);
    ASSERT_THAT(unwrapper, Succeeds());
    EXPECT_EQ(unwrapper->role, Role::kDevice);
    EXPECT_EQ(unwrapper->key.index(), 0U);
    EXPECT_FALSE(open_signer(path, {}, unused).ok());
  }
}

TEST(KeyRefFile, GivesAWrappingKey) {
  const TemporaryFolder folder;
  FilePassphrase unused("/none");
  const auto unwrapper =
      open_unwrapper(make(folder, Role::kRecipient, KeyType::kAes256), {Role::kRecipient}, unused);
  ASSERT_THAT(unwrapper, Succeeds());
  EXPECT_EQ(unwrapper->key.index(), 1U);
}

}  // namespace
}  // namespace sealpack::keystore
