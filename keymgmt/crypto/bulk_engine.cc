// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/bulk_engine.h"

#include "keymgmt/crypto/openssl_handles.h"

namespace sealpack::crypto::internal {
namespace {

// A context for every call rather than a shared one: const methods run in parallel, the expanded
// key lives in ordinary memory only during the call (EVP_CIPHER_CTX_free wipes it), and on 16 KiB
// chunks this costs under a tenth of the speed of a context kept.
class OpensslAead final : public ChunkAead {
 public:
  explicit OpensslAead(Bytes key) : key_(SecretBytes::copy_of(key)) {}

  void seal(const Nonce& nonce, Bytes plain, MutableBytes sealed) const override {
    const CipherContextPtr context(EVP_CIPHER_CTX_new());
    int size = 0;
    require(
        context != nullptr &&
            EVP_EncryptInit_ex2(context.get(), aes256_gcm_algorithm(), key_.reveal().data(),
                                nonce.data(), nullptr) == 1 &&
            (plain.empty() || EVP_EncryptUpdate(context.get(), sealed.data(), &size, plain.data(),
                                                static_cast<int>(plain.size())) == 1) &&
            EVP_EncryptFinal_ex(context.get(), sealed.data() + plain.size(), &size) == 1 &&
            EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, SegmentCipher::kTagSize,
                                sealed.data() + plain.size()) == 1,
        "AES-256-GCM encryption failed");
  }

  bool open(const Nonce& nonce, Bytes sealed, MutableBytes plain) const override {
    const QuietErrors quiet;
    const CipherContextPtr context(EVP_CIPHER_CTX_new());
    std::array<std::uint8_t, SegmentCipher::kTagSize> tag;
    std::copy(sealed.end() - SegmentCipher::kTagSize, sealed.end(), tag.begin());
    int size = 0;
    require(
        context != nullptr &&
            EVP_DecryptInit_ex2(context.get(), aes256_gcm_algorithm(), key_.reveal().data(),
                                nonce.data(), nullptr) == 1 &&
            EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, SegmentCipher::kTagSize,
                                tag.data()) == 1 &&
            (plain.empty() || EVP_DecryptUpdate(context.get(), plain.data(), &size, sealed.data(),
                                                static_cast<int>(plain.size())) == 1),
        "AES-256-GCM decryption failed");
    std::uint8_t nothing = 0;
    return EVP_DecryptFinal_ex(context.get(), &nothing, &size) == 1;
  }

 private:
  SecretBytes key_;
};

class OpensslHash final : public HashMany {
 public:
  void hash(std::span<const Bytes> messages, std::span<Digest> digests) override {
    for (std::size_t i = 0; i < messages.size(); ++i) digests[i] = sha256(messages[i]);
  }
};

#ifndef SEALPACK_HAS_IPSEC_MB
}  // namespace
bool ipsec_mb_is_usable() {
  return false;
}
const char* ipsec_mb_architecture() {
  return "";
}
std::unique_ptr<ChunkAead> make_ipsec_mb_aead(Bytes) {
  return nullptr;
}
std::unique_ptr<HashMany> make_ipsec_mb_hash() {
  return nullptr;
}
namespace {
#endif

bool wants_ipsec_mb(Engine engine) {
  if (engine == Engine::kIpsecMb) {
    require(ipsec_mb_is_usable(), "libipsec-mb was asked for but is not usable");
  }
  return engine != Engine::kOpenssl && ipsec_mb_is_usable();
}

}  // namespace

std::unique_ptr<ChunkAead> make_chunk_aead(Engine engine, Bytes key) {
  if (wants_ipsec_mb(engine)) return make_ipsec_mb_aead(key);
  return std::make_unique<OpensslAead>(key);
}

std::unique_ptr<HashMany> make_hash_many(Engine engine) {
  if (wants_ipsec_mb(engine)) return make_ipsec_mb_hash();
  return std::make_unique<OpensslHash>();
}

}  // namespace sealpack::crypto::internal

namespace sealpack::crypto {

const char* bulk_engine() {
  return internal::ipsec_mb_is_usable() ? internal::ipsec_mb_architecture() : "openssl";
}

}  // namespace sealpack::crypto
