// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/kdf.h"

#include "tests/keymgmt/crypto/hex.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::crypto {
namespace {

using sealpack::testing::hex;

// RFC 5869 appendix A.1 and A.3 (no salt, no info).
TEST(Hkdf, GivesTheValuesOfRfc5869) {
  const ByteVector input_key(22, 0x0b);
  const SecretBytes prk =
      hkdf_extract(HashName::kSha256, hex("000102030405060708090a0b0c"), input_key);
  EXPECT_EQ(to_hex(prk.reveal()),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
  ByteVector out(42);
  hkdf_expand(HashName::kSha256, prk.reveal(), hex("f0f1f2f3f4f5f6f7f8f9"), out);
  EXPECT_EQ(to_hex(out),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");

  const SecretBytes unsalted = hkdf_extract(HashName::kSha256, {}, input_key);
  hkdf_expand(HashName::kSha256, unsalted.reveal(), {}, out);
  EXPECT_EQ(to_hex(out),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Hkdf, HasTheSizeOfItsHash) {
  EXPECT_EQ(hkdf_extract(HashName::kSha384, {}, {}).size(), 48U);
  EXPECT_EQ(hkdf_extract(HashName::kSha512, {}, {}).size(), 64U);
}

TEST(HkdfDeathTest, EndsTheProcessBeyond255Blocks) {
  const SecretBytes prk = hkdf_extract(HashName::kSha256, {}, as_bytes("key"));
  ByteVector out(255 * 32);
  hkdf_expand(HashName::kSha256, prk.reveal(), {}, out);
  EXPECT_NE(out.back(), 0);
  out.push_back(0);
  EXPECT_DEATH(hkdf_expand(HashName::kSha256, prk.reveal(), {}, out), "255");
}

// RFC 4231 test case 2.
TEST(HmacSha256, GivesTheValueOfRfc4231) {
  EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?")).bytes),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

}  // namespace
}  // namespace sealpack::crypto
