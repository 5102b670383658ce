// SPDX-License-Identifier: Apache-2.0
// HPKE (RFC 9180), base mode, single shot. The names are those of the RFC.
#include "keymgmt/crypto/hpke.h"

#include <algorithm>

#include "keymgmt/crypto/hpke_ephemeral.h"
#include "keymgmt/crypto/kdf_parts.h"

namespace sealpack::crypto {
namespace {

using internal::KeyKind;
using internal::require;

constexpr std::size_t kTagSize = 16;
constexpr std::size_t kNonceSize = 12;
constexpr std::string_view kVersion = "HPKE-v1";

// "KEM" || kem_id, and "HPKE" || kem_id || kdf_id || aead_id (section 4.1 and 5.1).
struct SuiteIds {
  ByteVector kem;
  ByteVector hpke;
};

SuiteIds suite_ids(EncryptionAlgorithm algorithm) {
  const std::uint8_t kem = algorithm == EncryptionAlgorithm::kX25519 ? 0x20 : 0x10;
  return {{'K', 'E', 'M', 0x00, kem}, {'H', 'P', 'K', 'E', 0x00, kem, 0x00, 0x01, 0x00, 0x02}};
}

SecretBytes labeled_extract(Bytes suite_id, Bytes salt, std::string_view label, Bytes input_key) {
  return internal::hkdf_extract_joined(HashName::kSha256, salt,
                                       {as_bytes(kVersion), suite_id, as_bytes(label), input_key});
}

SecretBytes labeled_expand(Bytes suite_id, const SecretBytes& prk, std::string_view label,
                           Bytes info, std::uint8_t size) {
  ByteVector labeled_info = {0x00, size};
  for (const Bytes part : {as_bytes(kVersion), suite_id, as_bytes(label), info}) {
    labeled_info.insert(labeled_info.end(), part.begin(), part.end());
  }
  SecretBytes out(size);
  hkdf_expand(HashName::kSha256, prk.reveal(), labeled_info, out.reveal_for_writing());
  return out;
}

// What single-shot encryption needs of the context: the nonce of sequence number 0 is base_nonce.
struct Context {
  SecretBytes key;
  SecretBytes base_nonce;
};

Context key_schedule(const EncryptionKey& recipient, const SecretBytes& dh, Bytes enc, Bytes info) {
  const SuiteIds ids = suite_ids(recipient.algorithm());
  const Bytes recipient_raw = recipient.spki().last(enc.size());
  ByteVector kem_context = to_vector(enc);
  kem_context.insert(kem_context.end(), recipient_raw.begin(), recipient_raw.end());
  const SecretBytes eae_prk = labeled_extract(ids.kem, {}, "eae_prk", dh.reveal());
  const SecretBytes shared_secret =
      labeled_expand(ids.kem, eae_prk, "shared_secret", kem_context, 32);

  const SecretBytes psk_id_hash = labeled_extract(ids.hpke, {}, "psk_id_hash", {});
  const SecretBytes info_hash = labeled_extract(ids.hpke, {}, "info_hash", info);
  ByteVector context = {0x00};  // mode_base
  for (const SecretBytes* part : {&psk_id_hash, &info_hash}) {
    context.insert(context.end(), part->reveal().begin(), part->reveal().end());
  }
  const SecretBytes secret = labeled_extract(ids.hpke, shared_secret.reveal(), "secret", {});
  return {labeled_expand(ids.hpke, secret, "key", context, 32),
          labeled_expand(ids.hpke, secret, "base_nonce", context, kNonceSize)};
}

ByteVector aead_seal(const Context& context, Bytes aad, Bytes plain) {
  const internal::CipherContextPtr cipher(EVP_CIPHER_CTX_new());
  ByteVector out(plain.size() + kTagSize);
  int size = 0;
  require(cipher != nullptr &&
              EVP_EncryptInit_ex2(cipher.get(), internal::aes256_gcm_algorithm(),
                                  context.key.reveal().data(), context.base_nonce.reveal().data(),
                                  nullptr) == 1 &&
              (aad.empty() || EVP_EncryptUpdate(cipher.get(), nullptr, &size, aad.data(),
                                                static_cast<int>(aad.size())) == 1) &&
              (plain.empty() || EVP_EncryptUpdate(cipher.get(), out.data(), &size, plain.data(),
                                                  static_cast<int>(plain.size())) == 1) &&
              EVP_EncryptFinal_ex(cipher.get(), out.data() + plain.size(), &size) == 1 &&
              EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize,
                                  out.data() + plain.size()) == 1,
          "AES-256-GCM encryption failed");
  return out;
}

// `ciphertext` has kTagSize bytes or more. False if the tag does not hold; `plain` is a secret that
// the caller drops then.
bool aead_open(const Context& context, Bytes aad, Bytes ciphertext, SecretBytes& plain) {
  const internal::CipherContextPtr cipher(EVP_CIPHER_CTX_new());
  std::array<std::uint8_t, kTagSize> tag;
  std::copy(ciphertext.end() - kTagSize, ciphertext.end(), tag.begin());
  int size = 0;
  std::uint8_t nothing = 0;
  return cipher != nullptr &&
         EVP_DecryptInit_ex2(cipher.get(), internal::aes256_gcm_algorithm(),
                             context.key.reveal().data(), context.base_nonce.reveal().data(),
                             nullptr) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1 &&
         (aad.empty() || EVP_DecryptUpdate(cipher.get(), nullptr, &size, aad.data(),
                                           static_cast<int>(aad.size())) == 1) &&
         (plain.size() == 0 ||
          EVP_DecryptUpdate(cipher.get(), plain.reveal_for_writing().data(), &size,
                            ciphertext.data(), static_cast<int>(plain.size())) == 1) &&
         EVP_DecryptFinal_ex(cipher.get(), &nothing, &size) == 1;
}

Error does_not_open() {
  return {ErrorCode::kKeyUnavailable, "the recipient's key does not open this"};
}

Error unsupported() {
  return {ErrorCode::kUnsupported, "HPKE takes X25519 and P-256 keys, not RSA keys"};
}

}  // namespace

KeyKind internal::kind_of(EncryptionAlgorithm algorithm) {
  switch (algorithm) {
    case EncryptionAlgorithm::kX25519:
      return KeyKind::kX25519;
    case EncryptionAlgorithm::kP256:
      return KeyKind::kP256;
    case EncryptionAlgorithm::kRsa:
      return KeyKind::kRsa;
  }
  die("unknown encryption algorithm");
}

Result<HpkeSealed> internal::hpke_seal_with_ephemeral(const EncryptionKey& recipient,
                                                      EVP_PKEY* ephemeral, Bytes info, Bytes aad,
                                                      Bytes plain) {
  if (plain.size() > SecretBytes::kMaxSize || aad.size() > SecretBytes::kMaxSize) {
    return Error(ErrorCode::kLimit, "HPKE here takes at most 64 KiB, not " +
                                        format_size(std::max(plain.size(), aad.size())));
  }
  const KeyKind kind = kind_of(recipient.algorithm());
  HpkeSealed sealed;
  sealed.enc = public_raw(kind, ephemeral);
  const SecretBytes dh =
      TRY(diffie_hellman(kind, ephemeral, recipient.spki().last(sealed.enc.size())));
  sealed.ciphertext = aead_seal(key_schedule(recipient, dh, sealed.enc, info), aad, plain);
  return sealed;
}

Result<HpkeSealed> hpke_seal(const EncryptionKey& recipient, Bytes info, Bytes aad, Bytes plain) {
  if (recipient.algorithm() == EncryptionAlgorithm::kRsa) return unsupported();
  const internal::PkeyPtr ephemeral =
      internal::generate_key(internal::kind_of(recipient.algorithm()));
  return internal::hpke_seal_with_ephemeral(recipient, ephemeral.get(), info, aad, plain);
}

Status check_encapsulated_key(const EncryptionKey& recipient, Bytes enc) {
  if (recipient.algorithm() == EncryptionAlgorithm::kRsa) return unsupported();
  if (!internal::import_public(internal::kind_of(recipient.algorithm()), enc).ok()) {
    return does_not_open();
  }
  return done();
}

Result<SecretBytes> hpke_open_with_shared_secret(const SecretBytes& shared_secret, Bytes enc,
                                                 const EncryptionKey& recipient, Bytes info,
                                                 Bytes aad, Bytes ciphertext) {
  TRY(check_encapsulated_key(recipient, enc));
  const internal::QuietErrors quiet;
  if (ciphertext.size() < kTagSize || ciphertext.size() > SecretBytes::kMaxSize + kTagSize ||
      aad.size() > SecretBytes::kMaxSize || shared_secret.size() != 32 ||
      shared_secret.equals(SecretBytes(32).reveal())) {
    return does_not_open();
  }
  SecretBytes plain(ciphertext.size() - kTagSize);
  if (!aead_open(key_schedule(recipient, shared_secret, enc, info), aad, ciphertext, plain)) {
    return does_not_open();
  }
  return plain;
}

}  // namespace sealpack::crypto
