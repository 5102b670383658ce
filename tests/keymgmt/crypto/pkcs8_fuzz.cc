// SPDX-License-Identifier: Apache-2.0
// Private key files: what parses has one encoding of ours, which parses to the same key.
#include <cstdlib>

#include "keymgmt/crypto/private_key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;          // NOLINT: a fuzz target
  using namespace sealpack::crypto;  // NOLINT
  if (size > SecretBytes::kMaxSize) return 0;
  const Bytes input(data, size);
  for (const auto use : {PrivateKey::Use::kSign, PrivateKey::Use::kUnwrap}) {
    const auto key = PrivateKey::from_pkcs8(SecretBytes::copy_of(input), use);
    if (!key.ok()) continue;
    const SecretBytes der = key->to_pkcs8();
    const auto again = PrivateKey::from_pkcs8(der, use);
    if (!again.ok() || again->type() != key->type() || !again->to_pkcs8().equals(der.reveal()) ||
        to_vector(again->spki()) != to_vector(key->spki())) {
      std::abort();
    }
  }
  return 0;
}
