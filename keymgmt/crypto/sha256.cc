// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/sha256.h"

#include "keymgmt/crypto/bulk_engine.h"
#include "keymgmt/crypto/openssl_handles.h"

namespace sealpack::crypto {

using internal::require;

Digest sha256(Bytes message) {
  Digest digest;
  require(EVP_Digest(message.data(), message.size(), digest.bytes.data(), nullptr,
                     internal::sha256_algorithm(), nullptr) == 1,
          "SHA-256 failed");
  return digest;
}

struct Sha256::State {
  internal::DigestContextPtr context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  require(state_->context != nullptr &&
              EVP_DigestInit_ex2(state_->context.get(), internal::sha256_algorithm(), nullptr) == 1,
          "SHA-256 failed");
}

Sha256::~Sha256() = default;

Sha256& Sha256::update(Bytes piece) {
  require(EVP_DigestUpdate(state_->context.get(), piece.data(), piece.size()) == 1,
          "SHA-256 was used after finish()");
  return *this;
}

Digest Sha256::finish() {
  Digest digest;
  require(EVP_DigestFinal_ex(state_->context.get(), digest.bytes.data(), nullptr) == 1,
          "SHA-256 was finished twice");
  return digest;
}

struct BatchHasher::State {
  std::unique_ptr<internal::HashMany> engine;
};

BatchHasher::BatchHasher()
    : BatchHasher(
          std::make_unique<State>(State{internal::make_hash_many(internal::Engine::kAutomatic)})) {}

BatchHasher::BatchHasher(std::unique_ptr<State> state) : state_(std::move(state)) {}
BatchHasher::~BatchHasher() = default;

void BatchHasher::hash(std::span<const Bytes> messages, std::span<Digest> digests) {
  require(messages.size() == digests.size(), "BatchHasher: counts differ");
  state_->engine->hash(messages, digests);
}

std::unique_ptr<BatchHasher> internal::EngineChooser::hasher(Engine engine) {
  auto state = std::make_unique<BatchHasher::State>(BatchHasher::State{make_hash_many(engine)});
  return std::unique_ptr<BatchHasher>(new BatchHasher(std::move(state)));
}

}  // namespace sealpack::crypto
