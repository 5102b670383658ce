// SPDX-License-Identifier: Apache-2.0
// Encrypted private key files: the parser and the limits. Permitted costs above N = 2^10 are slow
// and teach nothing more, so inputs that state them are left out by their encoding.
#include <cstdlib>
#include <string_view>

#include "keymgmt/crypto/private_key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;          // NOLINT: a fuzz target
  using namespace sealpack::crypto;  // NOLINT
  const Bytes input(data, size);
  // An INTEGER of two bytes from 0x0800, or of three.
  for (std::size_t i = 0; i + 4 < size; ++i) {
    if (data[i] == 2 && ((data[i + 1] == 2 && data[i + 2] >= 8) || data[i + 1] == 3)) return 0;
  }
  const SecretBytes passphrase = SecretBytes::copy_of(as_bytes("NOT-A-SECRET"));
  const auto key = PrivateKey::from_encrypted_pkcs8(input, passphrase, PrivateKey::Use::kSign);
  if (key.ok() && !PrivateKey::from_pkcs8(key->to_pkcs8(), PrivateKey::Use::kSign).ok())
    std::abort();
  return 0;
}
