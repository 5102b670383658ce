// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/authority/mint_costly.h"

#include <openssl/rsa.h>

#include "tests/attest/authority/mint_state.h"

namespace sealpack::testing {

using crypto::internal::BignumPtr;
using crypto::internal::FreeWith;
using crypto::internal::PkeyPtr;
using crypto::internal::require;

MintKey mint_key_with_long_exponent(int bits) {
  const BignumPtr exponent(BN_new());
  require(
      exponent && BN_set_bit(exponent.get(), bits - 1) == 1 && BN_add_word(exponent.get(), 1) == 1,
      "no exponent");
  const std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  require(context && EVP_PKEY_keygen_init(context.get()) == 1 &&
              EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), 2048) == 1 &&
              EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), exponent.get()) == 1 &&
              EVP_PKEY_generate(context.get(), &key) == 1,
          "the test authority could not make a key");
  MintKey result;
  result.state =
      std::make_shared<const MintKey::State>(MintKey::State{MintKeyType::kRsa2048, PkeyPtr(key)});
  return result;
}

}  // namespace sealpack::testing
