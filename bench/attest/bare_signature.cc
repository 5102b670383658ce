// SPDX-License-Identifier: Apache-2.0
#include "bench/attest/bare_signature.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>

#include "formats/base/error.h"

namespace sealpack::bench {
namespace {

template <auto kFree>
struct FreeWith {
  template <typename T>
  void operator()(T* pointer) const {
    kFree(pointer);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

ByteVector der_of(Bytes r_s) {
  const std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
  const std::size_t half = r_s.size() / 2;
  const int size = static_cast<int>(half);
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(r_s.data(), size, nullptr),
                 BN_bin2bn(r_s.data() + half, size, nullptr));
  unsigned char* der = nullptr;
  const int written = i2d_ECDSA_SIG(signature.get(), &der);
  if (written <= 0) die("bench: a signature that cannot be encoded");
  ByteVector out(der, der + written);
  OPENSSL_free(der);
  return out;
}

std::string name_of(SignatureKind kind, EVP_PKEY* key) {
  if (kind == SignatureKind::kEd25519) return "Ed25519";
  const std::string bits = std::to_string(EVP_PKEY_get_bits(key));
  return (kind == SignatureKind::kEcdsa ? "ECDSA P-" : "RSA-") + bits;
}

// Kept for the life of the program: what EVP_sha256() returns is looked up anew with every use.
const EVP_MD* fetch(crypto::HashAlgorithm hash) {
  const EVP_MD* algorithm = EVP_MD_fetch(nullptr, crypto::to_string(hash), nullptr);
  if (algorithm == nullptr) die("bench: OpenSSL lacks a hash");
  return algorithm;
}

}  // namespace

struct BareSignature::State {
  KeyPtr key;
  const EVP_MD* hash = nullptr;
  ByteVector message;
  ByteVector signature;
  std::string name;
};

BareSignature::BareSignature(SignatureKind kind, crypto::HashAlgorithm hash, Bytes spki,
                             Bytes message, Bytes signature) {
  auto state = std::make_shared<State>();
  const unsigned char* cursor = spki.data();
  state->key.reset(d2i_PUBKEY(nullptr, &cursor, static_cast<long>(spki.size())));
  if (!state->key) die("bench: a key that OpenSSL does not understand");
  state->hash = kind == SignatureKind::kEd25519 ? nullptr : fetch(hash);
  state->message = to_vector(message);
  state->signature = kind == SignatureKind::kEcdsa ? der_of(signature) : to_vector(signature);
  state->name = name_of(kind, state->key.get());
  state_ = std::move(state);
}

bool BareSignature::holds() const {
  const std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, state_->hash, nullptr, state_->key.get()) ==
             1 &&
         EVP_DigestVerify(context.get(), state_->signature.data(), state_->signature.size(),
                          state_->message.data(), state_->message.size()) == 1;
}

std::string BareSignature::description() const {
  return state_->name + " of " + std::to_string(state_->message.size()) + " bytes";
}

}  // namespace sealpack::bench
