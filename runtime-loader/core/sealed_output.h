// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/signature.h"

namespace sealpack::loader {

inline constexpr std::uint64_t kMaxSealedOutputSize = std::uint64_t{1} << 32U;

// Bytes that leave a TEE for their owner alone: answers, caches, checkpoints. One segment as in a
// bundle, behind a header that the TEE's key signs (docs/LOADER-FORMATS.md §5).
struct OutputLabel {
  std::string kind;          // "answer", "checkpoint"; 1 to 64 bytes
  Digest release;            // of the bundle it was made with
  std::uint64_t number = 0;  // counts the outputs of a session from 1
  bool operator==(const OutputLabel&) const = default;
};

// The whole file. kUnsupported for an RSA owner; kLimit.
Result<ByteVector> seal_output(Bytes plain, const OutputLabel& label,
                               const crypto::EncryptionKey& owner, const crypto::Signer& tee_key);

struct OpenedOutput {
  OutputLabel label;
  ByteVector plain;  // the caller wipes
};
// The owner's side. kNotAuthentic when `tee_key` did not sign it or bytes were changed;
// kKeyUnavailable when it is for somebody else; kMalformed, kLimit.
Result<OpenedOutput> open_sealed_output(Bytes file, const crypto::Decryptor& owner,
                                        const crypto::VerifyingKey& tee_key);

}  // namespace sealpack::loader
