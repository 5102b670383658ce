// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/signature.h"

namespace sealpack::keystore {

// A key behind a program, for services that no PKCS#11 module speaks to (cloud KMS). The program is
// started by its path, without a shell, with one argument, the verb:
//   public-key               writes the SubjectPublicKeyInfo DER
//   sign                     reads the message; writes the signature: Ed25519 64 bytes, ECDSA r ||
//   s
//                            of fixed size (IEEE P1363) over SHA-256 (P-256) or SHA-384 (P-384)
//   unwrap-rsa-oaep-sha256   reads the wrapped secret; writes the secret (MGF1-SHA-256, empty
//   label)
// Input is its standard input to the end; the answer is the whole of its standard output, and exit
// status 0. Standard error is passed on. It runs without a terminal, in the current folder, in a
// process group of its own, with no variables but PATH and HOME and no other file open; it and what
// it started are killed at the deadline.
struct ExecProgram {
  std::string path;  // contains a slash: no search along PATH
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
};

// Both ask for the public key at once. kUsage for a path without a slash; kIo when the program
// cannot be started or fails; kTryAgain at the deadline; kLimit when it answers too much. What a
// program signs is verified before it is used (kNotAuthentic).
Result<std::unique_ptr<crypto::Signer>> open_exec_signer(const ExecProgram& program);
// RSA keys alone (kUnsupported): HPKE is not offered, because a program would see shared secrets.
Result<std::unique_ptr<crypto::Decryptor>> open_exec_decryptor(const ExecProgram& program);

// One run. Exposed for tests.
Result<crypto::SecretBytes> run_exec_program(const ExecProgram& program, const std::string& verb,
                                             Bytes input, std::size_t limit);

}  // namespace sealpack::keystore
