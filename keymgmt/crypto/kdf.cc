// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/kdf.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>

#include "keymgmt/crypto/kdf_parts.h"
#include "keymgmt/crypto/openssl_handles.h"

namespace sealpack::crypto {
namespace {

using internal::require;

struct Hash {
  const char* name;
  std::size_t size;
};

Hash hash_of(HashName hash) {
  switch (hash) {
    case HashName::kSha256:
      return {"SHA256", 32};
    case HashName::kSha384:
      return {"SHA384", 48};
    case HashName::kSha512:
      return {"SHA512", 64};
  }
  die("unknown hash");
}

// HKDF is written over HMAC because OpenSSL's own refuses inputs that RFC 5869 allows (an empty
// key or salt), and so that the intermediate blocks stay in the secure heap.
class Hmac {
 public:
  Hmac(Hash hash, Bytes key) : size_(hash.size) {
    static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    context_.reset(EVP_MAC_CTX_new(algorithm));
    // OSSL_PARAM wants a mutable pointer but only reads through it.
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(hash.name), 0),
        OSSL_PARAM_construct_end()};
    const std::uint8_t nothing = 0;
    require(context_ != nullptr && EVP_MAC_init(context_.get(), key.empty() ? &nothing : key.data(),
                                                key.size(), parameters) == 1,
            "HMAC failed");
  }

  Hmac& update(Bytes piece) {
    require(piece.empty() || EVP_MAC_update(context_.get(), piece.data(), piece.size()) == 1,
            "HMAC failed");
    return *this;
  }

  void finish(MutableBytes out) {
    std::size_t size = 0;
    require(out.size() == size_ &&
                EVP_MAC_final(context_.get(), out.data(), &size, out.size()) == 1 && size == size_,
            "HMAC failed");
  }

 private:
  std::size_t size_;
  internal::MacContextPtr context_;
};

}  // namespace

SecretBytes internal::hkdf_extract_joined(HashName hash, Bytes salt,
                                          std::initializer_list<Bytes> parts) {
  // RFC 5869 section 2.2: no salt is a string of zeros, which HMAC's padding makes of an empty one.
  SecretBytes pseudorandom_key(hash_of(hash).size);
  Hmac mac(hash_of(hash), salt);
  for (const Bytes part : parts) mac.update(part);
  mac.finish(pseudorandom_key.reveal_for_writing());
  return pseudorandom_key;
}

SecretBytes hkdf_extract(HashName hash, Bytes salt, Bytes input_key) {
  return internal::hkdf_extract_joined(hash, salt, {input_key});
}

void hkdf_expand(HashName hash, Bytes pseudorandom_key, Bytes info, MutableBytes out) {
  const Hash properties = hash_of(hash);
  if (out.size() > 255 * properties.size) die("HKDF output exceeds 255 hash sizes");
  SecretBytes block(properties.size);
  for (std::uint8_t counter = 1; !out.empty(); ++counter) {
    Hmac mac(properties, pseudorandom_key);
    if (counter > 1) mac.update(block.reveal());
    mac.update(info).update({&counter, 1}).finish(block.reveal_for_writing());
    const std::size_t size = std::min(out.size(), properties.size);
    std::copy_n(block.reveal().begin(), size, out.begin());
    out = out.subspan(size);
  }
}

Digest hmac_sha256(Bytes key, Bytes message) {
  Digest digest;
  Hmac(hash_of(HashName::kSha256), key).update(message).finish(digest.bytes);
  return digest;
}

}  // namespace sealpack::crypto
