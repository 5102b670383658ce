// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "formats/base/bytes.h"

namespace sealpack::crypto {

namespace internal {
struct EngineChooser;
}

Digest sha256(Bytes message);

// SHA-256 over pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  Sha256& update(Bytes piece);
  Digest finish();  // the object may not be used afterwards

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Hashes many independent messages at once. Where the build has libipsec-mb and the processor
// passes its self-test this is its multi-buffer SHA-256, several times the speed of one at a time;
// else OpenSSL. Same digests always: messages longer than libipsec-mb takes (65,534 bytes; it fails
// silently beyond) go to OpenSSL, and every job's status is checked. One object per thread;
// construct once, use often, with batches of 16 messages or more.
class BatchHasher {
 public:
  BatchHasher();
  ~BatchHasher();
  BatchHasher(const BatchHasher&) = delete;
  BatchHasher& operator=(const BatchHasher&) = delete;

  // digests[i] = SHA-256(messages[i]); both spans have the same count.
  void hash(std::span<const Bytes> messages, std::span<Digest> digests);

 private:
  friend struct internal::EngineChooser;
  struct State;
  explicit BatchHasher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// "libipsec-mb avx512", "openssl": which engine the bulk paths use, for `--version` and benchmarks.
const char* bulk_engine();

}  // namespace sealpack::crypto
