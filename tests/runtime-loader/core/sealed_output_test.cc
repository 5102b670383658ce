// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/sealed_output.h"

#include <algorithm>

#include "tests/keymgmt/crypto/printing.h"
#include "tests/runtime-loader/core/core_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;
using testing::digest;
using testing::encryption_key;
using testing::make_key;
using testing::pattern;
using testing::verifying_key;

class SealedOutput : public ::testing::TestWithParam<crypto::KeyType> {
 protected:
  Result<ByteVector> seal(Bytes plain) {
    return seal_output(plain, label_, encryption_key(owner_), *tee_.signer().value());
  }
  Result<OpenedOutput> open(Bytes file) {
    return open_sealed_output(file, *owner_.decryptor().value(), verifying_key(tee_));
  }
  OutputLabel label_{"answer", digest(4), 17};
  crypto::PrivateKey owner_ = make_key(GetParam());
  crypto::PrivateKey tee_ = make_key(crypto::KeyType::kEd25519);
};

INSTANTIATE_TEST_SUITE_P(Owners, SealedOutput,
                         ::testing::Values(crypto::KeyType::kX25519, crypto::KeyType::kEcdhP256));

TEST_P(SealedOutput, OpensForItsOwner) {
  for (const std::size_t size : {0U, 1U, 16383U, 16384U, 16385U, 16400U * 128 + 5}) {
    const ByteVector plain = pattern(size, 1);
    const auto opened = open(seal(plain).value());
    ASSERT_THAT(opened, Succeeds());
    EXPECT_EQ(opened->plain, plain);
    EXPECT_EQ(opened->label, label_);
  }
}

TEST_P(SealedOutput, OpensForNobodyElse) {
  const ByteVector file = seal(pattern(100, 1)).value();
  const auto other = make_key(GetParam());
  EXPECT_THAT(open_sealed_output(file, *other.decryptor().value(), verifying_key(tee_)),
              Fails(ErrorCode::kKeyUnavailable));
}

TEST_P(SealedOutput, IsBelievedFromThatTeeAlone) {
  const ByteVector file = seal(pattern(100, 1)).value();
  const auto other = make_key(crypto::KeyType::kEd25519);
  EXPECT_THAT(open_sealed_output(file, *owner_.decryptor().value(), verifying_key(other)),
              Fails(ErrorCode::kNotAuthentic));
}

TEST_P(SealedOutput, HoldsNoBitThatMayChange) {
  const ByteVector plain = pattern(40, 1);
  testing::flip_every_bit(seal(plain).value(), [&](Bytes changed, std::size_t bit) {
    EXPECT_FALSE(open(changed).ok()) << bit;
  });
}

TEST_P(SealedOutput, IsRefusedWhenCutShortOrLengthened) {
  ByteVector file = seal(pattern(40, 1)).value();
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(open(Bytes(file).first(size)).ok()) << size;
  }
  file.push_back(0);
  EXPECT_THAT(open(file), Fails(ErrorCode::kMalformed));
}

TEST_P(SealedOutput, ShowsNothingOfItsContent) {
  const ByteVector plain(5000, 0x77);
  const ByteVector file = seal(plain).value();
  const ByteVector run(8, 0x77);
  EXPECT_EQ(std::search(file.begin(), file.end(), run.begin(), run.end()), file.end());
  EXPECT_NE(file, seal(plain).value());
}

TEST(SealedOutputOwner, HasNoRsaKey) {
  const auto owner = make_key(crypto::KeyType::kRsa3072);
  const auto tee = make_key(crypto::KeyType::kEd25519);
  EXPECT_THAT(
      seal_output({}, {"answer", digest(1), 1}, encryption_key(owner), *tee.signer().value()),
      Fails(ErrorCode::kUnsupported));
}

}  // namespace
}  // namespace sealpack::loader
