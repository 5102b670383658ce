// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/receipt.h"

#include "tests/keymgmt/crypto/printing.h"
#include "tests/runtime-loader/core/core_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;
using testing::digest;
using testing::make_key;
using testing::verifying_key;

Receipt full_receipt() {
  return {digest(1), digest(2), "scan reader", "1.4", 9,    "simulated", digest(3),
          digest(4), digest(5), "model",       true,  1700, 12,          {1, 2, 3}};
}

class Receipts : public ::testing::TestWithParam<crypto::KeyType> {
 protected:
  SignedReceipt sign(const Receipt& receipt) {
    return sign_receipt(receipt, *key_.signer().value()).value();
  }
  crypto::PrivateKey key_ = make_key(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Keys, Receipts,
                         ::testing::Values(crypto::KeyType::kEd25519, crypto::KeyType::kEcdsaP256));

TEST_P(Receipts, TellAnOutsiderWhatWasOpened) {
  const ByteVector bytes = serialize_receipt(sign(full_receipt()));
  const auto parsed = parse_receipt(bytes);
  ASSERT_THAT(parsed, Succeeds());
  const auto verified = verify_receipt(*parsed, verifying_key(key_));
  ASSERT_THAT(verified, Succeeds());
  EXPECT_EQ(*verified, full_receipt());
  EXPECT_EQ(verify_receipt(sign(Receipt{}), verifying_key(key_)).value(), Receipt{});
}

TEST_P(Receipts, AreForgedByNobody) {
  const SignedReceipt receipt = sign(full_receipt());
  const auto other = make_key(GetParam());
  EXPECT_THAT(verify_receipt(receipt, verifying_key(other)), Fails(ErrorCode::kNotAuthentic));
  SignedReceipt renamed = receipt;  // signed by one, said to be of another
  renamed.key = to_vector(other.spki());
  EXPECT_THAT(verify_receipt(renamed, verifying_key(key_)), Fails(ErrorCode::kNotAuthentic));
  SignedReceipt mixed = receipt;
  Receipt better = full_receipt();
  better.counter = 10;
  mixed.payload = sign(better).payload;
  EXPECT_THAT(verify_receipt(mixed, verifying_key(key_)), Fails(ErrorCode::kNotAuthentic));
}

TEST_P(Receipts, HoldNoBitThatMayChange) {
  testing::flip_every_bit(serialize_receipt(sign(full_receipt())),
                          [&](Bytes changed, std::size_t bit) {
                            const auto parsed = parse_receipt(changed);
                            if (!parsed.ok()) return;
                            EXPECT_FALSE(verify_receipt(*parsed, verifying_key(key_)).ok()) << bit;
                          });
}

TEST_P(Receipts, AreRefusedWhenCutShort) {
  const ByteVector bytes = serialize_receipt(sign(full_receipt()));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(parse_receipt(Bytes(bytes).first(size)).ok()) << size;
  }
}

TEST(Receipt, TakesNoLongNonce) {
  Receipt receipt = full_receipt();
  receipt.nonce.resize(65);
  const auto key = make_key(crypto::KeyType::kEd25519);
  EXPECT_THAT(sign_receipt(receipt, *key.signer().value()), Fails(ErrorCode::kUsage));
}

}  // namespace
}  // namespace sealpack::loader
