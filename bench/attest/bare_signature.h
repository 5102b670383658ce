// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "keymgmt/crypto/hash.h"

namespace sealpack::bench {

// How a signature is made; ECDSA signatures are r || s, as evidence has them.
enum class SignatureKind { kEcdsa, kRsaPkcs1, kEd25519 };

// A signature with OpenSSL and nothing else around it: key and signature are decoded beforehand, so
// that verifying it is what no verifier of evidence can do without.
class BareSignature {
 public:
  // Dies for what OpenSSL does not understand. Ed25519 ignores `hash`.
  BareSignature(SignatureKind kind, crypto::HashAlgorithm hash, Bytes spki, Bytes message,
                Bytes signature);
  bool holds() const;
  // "ECDSA P-384 of 672 bytes"
  std::string description() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace sealpack::bench
