// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/checkpoint.h"

#include "formats/base/base64.h"
#include "tests/runtime-loader/core/core_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker {
namespace {

using loader::testing::digest;
using loader::testing::make_key;
using loader::testing::verifying_key;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;

class Checkpoints : public ::testing::Test {
 protected:
  std::string signed_text(const std::string& origin = "sealpack-log/ab/1") {
    return sign_checkpoint(origin, {17, digest(3)}, *key_.signer().value()).value().text;
  }
  Result<Checkpoint> verify(std::string_view text) {
    const crypto::VerifyingKey keys[] = {verifying_key(other_), verifying_key(key_)};
    return verify_checkpoint(text, keys);
  }
  crypto::PrivateKey key_ = make_key(crypto::KeyType::kEd25519);
  crypto::PrivateKey other_ = make_key(crypto::KeyType::kEd25519);
};

TEST_F(Checkpoints, SayWhatWasSigned) {
  const auto checkpoint = verify(signed_text());
  ASSERT_THAT(checkpoint, Succeeds());
  EXPECT_EQ(checkpoint->origin, "sealpack-log/ab/1");
  EXPECT_EQ(checkpoint->head.size, 17U);
  EXPECT_EQ(checkpoint->head.root, digest(3));
}

// c2sp.org/tlog-checkpoint and c2sp.org/signed-note, put together by hand.
TEST_F(Checkpoints, AreSignedNotes) {
  const std::string body = "sealpack-log/ab/1\n17\nAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n";
  const std::string text = signed_text();
  ASSERT_TRUE(text.starts_with(body + "\n\xe2\x80\x94 sealpack-log/ab/1 ")) << text;
  const std::string line = text.substr(text.rfind(' ') + 1);
  const ByteVector signature = from_base64(line.substr(0, line.size() - 1)).value();
  ASSERT_EQ(signature.size(), 68U);
  EXPECT_THAT(verifying_key(key_).verify(as_bytes(body), Bytes(signature).subspan(4)), Succeeds());
  const std::string name = verifier_key("sealpack-log/ab/1", verifying_key(key_)).value();
  ByteVector key = {1};
  const Bytes raw = Bytes(key_.spki()).last(32);
  key.insert(key.end(), raw.begin(), raw.end());
  EXPECT_EQ(name, "sealpack-log/ab/1+" + to_hex(Bytes(signature).first(4)) + "+" + to_base64(key));
}

TEST_F(Checkpoints, HoldNoByteThatMayChange) {
  const std::string text = signed_text();
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const int mask : {0x01, 0x20, 0x80}) {
      std::string changed = text;
      changed[i] = static_cast<char>(changed[i] ^ mask);
      EXPECT_FALSE(verify(changed).ok()) << i;
    }
    EXPECT_FALSE(verify(text.substr(0, i)).ok()) << i;
  }
}

TEST_F(Checkpoints, AreBelievedFromAKeyOfTheLogAlone) {
  const auto third = verifying_key(make_key(crypto::KeyType::kEd25519));
  EXPECT_THAT(verify_checkpoint(signed_text(), {&third, 1}), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(verify_checkpoint(signed_text(), {}), Fails(ErrorCode::kNotAuthentic));
}

TEST_F(Checkpoints, MayBeCountersigned) {
  const std::string mine = signed_text();
  const std::string witness =
      "\xe2\x80\x94 witness.example/w1 " + to_base64(ByteVector(76, 5)) + "\n";
  EXPECT_THAT(verify(mine + witness), Succeeds());
  const std::size_t at = mine.find("\n\n") + 2;
  const std::string others_alone = mine.substr(0, at) + witness;
  EXPECT_THAT(verify(others_alone), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(verify(mine + "witness without a dash\n"), Fails(ErrorCode::kMalformed));
  std::string crowd = mine;
  for (int i = 0; i < 16; ++i) crowd += witness;
  EXPECT_THAT(verify(crowd), Fails(ErrorCode::kMalformed));
}

TEST_F(Checkpoints, AreNotSignedUnderNamesThatNotesCannotHave) {
  for (const char* origin : {"", "a b", "a+b", "a\nb"}) {
    EXPECT_THAT(sign_checkpoint(origin, {1, digest(1)}, *key_.signer().value()),
                Fails(ErrorCode::kUsage))
        << origin;
  }
}

TEST_F(Checkpoints, AreSignedWithEd25519) {
  const auto ecdsa = make_key(crypto::KeyType::kEcdsaP256);
  EXPECT_THAT(sign_checkpoint("a", {1, digest(1)}, *ecdsa.signer().value()),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("Ed25519")));
}

}  // namespace
}  // namespace sealpack::broker
