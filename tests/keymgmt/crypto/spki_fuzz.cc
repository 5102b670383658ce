// SPDX-License-Identifier: Apache-2.0
// Public keys from strangers: what parses is canonical, so its bytes come back and name one key.
#include <cstdlib>

#include "keymgmt/crypto/evp_private.h"
#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/signature.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;          // NOLINT: a fuzz target
  using namespace sealpack::crypto;  // NOLINT
  const Bytes input(data, size);
  const auto verifying = VerifyingKey::from_spki(input);
  const auto encryption = EncryptionKey::from_spki(input);
  if (verifying.ok()) {
    if (to_vector(verifying->spki()) != to_vector(input)) std::abort();
    const ByteVector signature(signature_size(verifying->algorithm()), 1);
    if (verifying->verify(input, signature).ok()) std::abort();
  }
  if (encryption.ok() && to_vector(encryption->spki()) != to_vector(input)) std::abort();
  if (verifying.ok() || encryption.ok()) {
    const auto kind = internal::parse_spki(input).value().kind;
    const auto key = internal::import_public_spki(input);
    if (!key.ok() || internal::public_spki(kind, key->get()) != to_vector(input)) std::abort();
  }
  return 0;
}
