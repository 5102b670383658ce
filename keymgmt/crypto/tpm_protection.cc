// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/tpm_protection.h"

#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <cstring>

#include "keymgmt/crypto/evp_private.h"
#include "keymgmt/crypto/hash_algorithm.h"
#include "keymgmt/crypto/pkcs8.h"

namespace sealpack::crypto {
namespace {

using internal::KeyKind;
using internal::require;

// Labels end with a zero byte that counts.
ByteVector with_zero(std::string_view label) {
  ByteVector out = to_vector(as_bytes(label));
  out.push_back(0);
  return out;
}

ByteVector big_endian(std::uint32_t number) {
  return {static_cast<std::uint8_t>(number >> 24U), static_cast<std::uint8_t>(number >> 16U),
          static_cast<std::uint8_t>(number >> 8U), static_cast<std::uint8_t>(number)};
}

bool set_oaep(EVP_PKEY_CTX* context, HashAlgorithm hash, std::string_view label) {
  const ByteVector named = with_zero(label);
  auto* owned = static_cast<unsigned char*>(OPENSSL_memdup(named.data(), named.size()));
  const EVP_MD* md = internal::evp_of(hash);
  if (owned == nullptr || EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_oaep_md(context, md) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md(context, md) != 1 ||
      EVP_PKEY_CTX_set0_rsa_oaep_label(context, owned, static_cast<int>(named.size())) != 1) {
    OPENSSL_free(owned);
    return false;
  }
  return true;
}

TpmSeed seed_for_rsa(EVP_PKEY* key, HashAlgorithm hash, std::string_view label) {
  const internal::PkeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  TpmSeed out{SecretBytes::random(hash_size(hash)), {}};
  out.encrypted.resize(static_cast<std::size_t>(EVP_PKEY_get_size(key)));
  std::size_t size = out.encrypted.size();
  require(context != nullptr && EVP_PKEY_encrypt_init(context.get()) == 1 &&
              set_oaep(context.get(), hash, label) &&
              EVP_PKEY_encrypt(context.get(), out.encrypted.data(), &size, out.seed.reveal().data(),
                               out.seed.size()) == 1 &&
              size == out.encrypted.size(),
          "RSA-OAEP encryption failed");
  return out;
}

// KDFe (section 11.4.10.3) over the x coordinates; one block suffices.
SecretBytes kdfe(HashAlgorithm hash, const SecretBytes& shared, std::string_view label,
                 Bytes ephemeral_x, Bytes recipient_x) {
  SecretBytes out(hash_size(hash));
  const internal::DigestContextPtr context(EVP_MD_CTX_new());
  const ByteVector counter = big_endian(1);
  const ByteVector named = with_zero(label);
  require(
      context != nullptr && EVP_DigestInit_ex(context.get(), internal::evp_of(hash), nullptr) == 1,
      "OpenSSL lacks a hash");
  for (const Bytes part :
       {Bytes(counter), shared.reveal(), Bytes(named), ephemeral_x, recipient_x}) {
    require(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1, "hashing failed");
  }
  require(EVP_DigestFinal_ex(context.get(), out.reveal_for_writing().data(), nullptr) == 1,
          "hashing failed");
  return out;
}

Result<SecretBytes> agree(EVP_PKEY* own, EVP_PKEY* peer, std::size_t size) {
  const internal::PkeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr));
  SecretBytes shared(size);
  std::size_t written = size;
  if (context != nullptr && EVP_PKEY_derive_init(context.get()) == 1 &&
      EVP_PKEY_derive_set_peer(context.get(), peer) == 1 &&
      EVP_PKEY_derive(context.get(), shared.reveal_for_writing().data(), &written) == 1 &&
      written == size) {
    return shared;
  }
  return Error(ErrorCode::kMalformed, "no shared secret with that public key");
}

Result<TpmSeed> seed_for_curve(const internal::PublicKey& recipient, EVP_PKEY* key,
                               HashAlgorithm hash, std::string_view label) {
  const std::size_t size = recipient.raw.size() / 2;  // of a coordinate; the point has a 4 in front
  const internal::PkeyPtr ephemeral = internal::generate_key(recipient.kind);
  const SecretBytes shared = TRY(agree(ephemeral.get(), key, size));
  ByteVector own = internal::public_raw(recipient.kind, ephemeral.get());
  SecretBytes seed =
      kdfe(hash, shared, label, Bytes(own).subspan(1, size), recipient.raw.subspan(1, size));
  return TpmSeed{std::move(seed), std::move(own)};
}

}  // namespace

Result<TpmSeed> make_tpm_seed(Bytes spki, HashAlgorithm hash, std::string_view label) {
  const internal::QuietErrors quiet;
  const internal::PublicKey recipient = TRY(internal::parse_spki(spki));
  const internal::PkeyPtr key = TRY(internal::import_public_spki(spki));
  switch (recipient.kind) {
    case KeyKind::kRsa:
      return seed_for_rsa(key.get(), hash, label);
    case KeyKind::kP256:
    case KeyKind::kP384:
    case KeyKind::kP521:
      return seed_for_curve(recipient, key.get(), hash, label);
    case KeyKind::kEd25519:
    case KeyKind::kX25519:
      break;
  }
  return Error(ErrorCode::kUnsupported, "TPMs have no keys on Curve25519");
}

SecretBytes tpm_kdfa(HashAlgorithm hash, const SecretBytes& key, std::string_view label,
                     Bytes context_u, Bytes context_v, std::size_t size) {
  require(size <= hash_size(hash), "KDFa gives at most one block here");
  const ByteVector named = with_zero(label);
  const ByteVector bits = big_endian(static_cast<std::uint32_t>(size * 8));
  ByteVector message = big_endian(1);
  for (const Bytes part : {Bytes(named), context_u, context_v, Bytes(bits)}) {
    message.insert(message.end(), part.begin(), part.end());
  }
  ByteVector block = tpm_hmac(hash, key, message);
  SecretBytes out = SecretBytes::copy_of(Bytes(block).first(size));
  wipe(block);
  return out;
}

ByteVector tpm_hmac(HashAlgorithm hash, const SecretBytes& key, Bytes message) {
  ByteVector out(hash_size(hash));
  unsigned size = 0;
  require(HMAC(internal::evp_of(hash), key.reveal().data(), static_cast<int>(key.size()),
               message.data(), message.size(), out.data(), &size) != nullptr &&
              size == out.size(),
          "HMAC failed");
  return out;
}

ByteVector aes_cfb_encrypt(const SecretBytes& key, Bytes plain) {
  require(key.size() == 16 || key.size() == 32, "an AES key has 16 or 32 bytes");
  static EVP_CIPHER* const short_key = EVP_CIPHER_fetch(nullptr, "AES-128-CFB", nullptr);
  static EVP_CIPHER* const long_key = EVP_CIPHER_fetch(nullptr, "AES-256-CFB", nullptr);
  const EVP_CIPHER* algorithm = key.size() == 16 ? short_key : long_key;
  const internal::CipherContextPtr context(EVP_CIPHER_CTX_new());
  const std::array<std::uint8_t, 16> zero_iv{};
  ByteVector out(plain.size());
  int size = 0;
  require(algorithm != nullptr && context != nullptr &&
              EVP_EncryptInit_ex2(context.get(), algorithm, key.reveal().data(), zero_iv.data(),
                                  nullptr) == 1 &&
              (plain.empty() || EVP_EncryptUpdate(context.get(), out.data(), &size, plain.data(),
                                                  static_cast<int>(plain.size())) == 1),
          "AES-CFB failed");
  return out;
}

Result<SecretBytes> ecdh_p256_scalar(const PrivateKey& key) {
  if (key.type() != KeyType::kEcdhP256) {
    return Error(ErrorCode::kUnsupported, "not a P-256 key that opens");
  }
  const internal::PrivateMaterial material = TRY(internal::parse_pkcs8(key.to_pkcs8().reveal()));
  return internal::export_private(KeyKind::kP256, material.key.get());
}

}  // namespace sealpack::crypto
