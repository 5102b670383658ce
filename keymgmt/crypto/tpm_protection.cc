// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/tpm_protection.h"

#include <openssl/rsa.h>

#include <algorithm>
#include <cstring>

#include "keymgmt/crypto/evp_private.h"
#include "keymgmt/crypto/kdf.h"
#include "keymgmt/crypto/pkcs8.h"
#include "keymgmt/crypto/rsa_oaep.h"

namespace sealpack::crypto {
namespace {

using internal::KeyKind;
using internal::require;

constexpr std::size_t kSeedSize = 32;
constexpr std::size_t kAesKeySize = 16;

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

Result<TpmSeed> seed_for_rsa(const EncryptionKey& recipient, std::string_view label) {
  const internal::PkeyPtr key = TRY(internal::import_public_spki(recipient.spki()));
  const internal::PkeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  const ByteVector oaep_label = with_zero(label);
  auto* owned = static_cast<unsigned char*>(OPENSSL_memdup(oaep_label.data(), oaep_label.size()));
  TpmSeed out{SecretBytes::random(kSeedSize), {}};
  out.encrypted.resize(static_cast<std::size_t>(EVP_PKEY_get_size(key.get())));
  std::size_t size = out.encrypted.size();
  require(context != nullptr && owned != nullptr && EVP_PKEY_encrypt_init(context.get()) == 1 &&
              internal::set_oaep(context.get()) &&
              EVP_PKEY_CTX_set0_rsa_oaep_label(context.get(), owned,
                                               static_cast<int>(oaep_label.size())) == 1 &&
              EVP_PKEY_encrypt(context.get(), out.encrypted.data(), &size, out.seed.reveal().data(),
                               kSeedSize) == 1 &&
              size == out.encrypted.size(),
          "RSA-OAEP encryption failed");
  return out;
}

// KDFe (section 11.4.10.3) with SHA-256 over the x coordinates; one block suffices.
SecretBytes kdfe(const SecretBytes& shared, std::string_view label, Bytes ephemeral_x,
                 Bytes recipient_x) {
  SecretBytes out(kSeedSize);
  const internal::DigestContextPtr context(EVP_MD_CTX_new());
  const ByteVector counter = big_endian(1);
  const ByteVector named = with_zero(label);
  require(context != nullptr &&
              EVP_DigestInit_ex(context.get(), internal::sha256_algorithm(), nullptr) == 1,
          "OpenSSL lacks SHA-256");
  for (const Bytes part :
       {Bytes(counter), shared.reveal(), Bytes(named), ephemeral_x, recipient_x}) {
    require(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1, "SHA-256 failed");
  }
  require(EVP_DigestFinal_ex(context.get(), out.reveal_for_writing().data(), nullptr) == 1,
          "SHA-256 failed");
  return out;
}

Result<TpmSeed> seed_for_p256(const EncryptionKey& recipient, std::string_view label) {
  constexpr std::size_t kPoint = 65;
  const Bytes point = recipient.spki().last(kPoint);
  const internal::PkeyPtr ephemeral = internal::generate_key(KeyKind::kP256);
  const SecretBytes shared = TRY(internal::diffie_hellman(KeyKind::kP256, ephemeral.get(), point));
  ByteVector own = internal::public_raw(KeyKind::kP256, ephemeral.get());
  SecretBytes seed = kdfe(shared, label, Bytes(own).subspan(1, 32), point.subspan(1, 32));
  return TpmSeed{std::move(seed), std::move(own)};
}

}  // namespace

Result<TpmSeed> make_tpm_seed(const EncryptionKey& key, std::string_view label) {
  const internal::QuietErrors quiet;
  switch (key.algorithm()) {
    case EncryptionAlgorithm::kRsa:
      return seed_for_rsa(key, label);
    case EncryptionAlgorithm::kP256:
      return seed_for_p256(key, label);
    case EncryptionAlgorithm::kX25519:
      break;
  }
  return Error(ErrorCode::kUnsupported, "TPMs have no X25519 keys");
}

SecretBytes tpm_kdfa(const SecretBytes& key, std::string_view label, Bytes context_u,
                     Bytes context_v, std::size_t size) {
  require(size <= Digest::kSize, "KDFa gives at most 32 bytes here");
  const ByteVector named = with_zero(label);
  const ByteVector bits = big_endian(static_cast<std::uint32_t>(size * 8));
  ByteVector message = big_endian(1);
  for (const Bytes part : {Bytes(named), context_u, context_v, Bytes(bits)}) {
    message.insert(message.end(), part.begin(), part.end());
  }
  Digest block = hmac_sha256(key.reveal(), message);
  SecretBytes out = SecretBytes::copy_of(Bytes(block.bytes).first(size));
  wipe(block.bytes);
  return out;
}

ByteVector aes128_cfb_encrypt(const SecretBytes& key, Bytes plain) {
  require(key.size() == kAesKeySize, "an AES-128 key has 16 bytes");
  static EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "AES-128-CFB", nullptr);
  const internal::CipherContextPtr context(EVP_CIPHER_CTX_new());
  const std::array<std::uint8_t, 16> zero_iv{};
  ByteVector out(plain.size());
  int size = 0;
  require(algorithm != nullptr && context != nullptr &&
              EVP_EncryptInit_ex2(context.get(), algorithm, key.reveal().data(), zero_iv.data(),
                                  nullptr) == 1 &&
              (plain.empty() || EVP_EncryptUpdate(context.get(), out.data(), &size, plain.data(),
                                                  static_cast<int>(plain.size())) == 1),
          "AES-128-CFB failed");
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
