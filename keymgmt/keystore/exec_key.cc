// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/exec_key.h"

namespace sealpack::keystore {

namespace {

constexpr std::size_t kMaxSpki = 1024;
constexpr std::size_t kMaxSignature = 96;
constexpr std::size_t kMaxUnwrapped = 512;

std::string named(const ExecProgram& program) {
  return "program " + printable(program.path);
}

class ExecSigner : public crypto::Signer {
 public:
  ExecSigner(ExecProgram program, crypto::VerifyingKey key)
      : program_(std::move(program)), key_(std::move(key)) {}

  const crypto::VerifyingKey& public_key() const override { return key_; }

  Result<ByteVector> sign(Bytes message) const override {
    const crypto::SecretBytes answer =
        TRY(run_exec_program(program_, "sign", message, kMaxSignature));
    ByteVector signature = to_vector(answer.reveal());
    if (signature.size() != crypto::signature_size(key_.algorithm())) {
      return Error(ErrorCode::kMalformed,
                   named(program_) + ": a signature of this key has " +
                       std::to_string(crypto::signature_size(key_.algorithm())) + " bytes, not " +
                       std::to_string(signature.size()))
          .with_hint("ECDSA signatures are r || s of fixed size, not DER");
    }
    if (key_.algorithm() != crypto::SignatureAlgorithm::kEd25519) {
      signature =
          TRY(crypto::ecdsa_with_low_s(key_.algorithm(), signature).within(named(program_)));
    }
    if (!key_.verify(message, signature).ok()) {
      return Error(ErrorCode::kNotAuthentic,
                   named(program_) + ": the signature does not hold under its public key");
    }
    return signature;
  }

 private:
  ExecProgram program_;
  crypto::VerifyingKey key_;
};

class ExecDecryptor : public crypto::Decryptor {
 public:
  ExecDecryptor(ExecProgram program, crypto::EncryptionKey key)
      : program_(std::move(program)), key_(std::move(key)) {}

  const crypto::EncryptionKey& public_key() const override { return key_; }

  Result<crypto::SecretBytes> hpke_open(Bytes /*enc*/, Bytes /*info*/, Bytes /*aad*/,
                                        Bytes /*ciphertext*/) const override {
    return Error(ErrorCode::kUnsupported, named(program_) + ": exec: keys do not open HPKE slots");
  }

  Result<crypto::SecretBytes> rsa_oaep_unwrap(Bytes wrapped) const override {
    return run_exec_program(program_, "unwrap-rsa-oaep-sha256", wrapped, kMaxUnwrapped);
  }

 private:
  ExecProgram program_;
  crypto::EncryptionKey key_;
};

}  // namespace

Result<std::unique_ptr<crypto::Signer>> open_exec_signer(const ExecProgram& program) {
  const crypto::SecretBytes spki = TRY(run_exec_program(program, "public-key", {}, kMaxSpki));
  crypto::VerifyingKey key =
      TRY(crypto::VerifyingKey::from_spki(spki.reveal()).within(named(program)));
  return std::unique_ptr<crypto::Signer>(std::make_unique<ExecSigner>(program, std::move(key)));
}

Result<std::unique_ptr<crypto::Decryptor>> open_exec_decryptor(const ExecProgram& program) {
  const crypto::SecretBytes spki = TRY(run_exec_program(program, "public-key", {}, kMaxSpki));
  crypto::EncryptionKey key =
      TRY(crypto::EncryptionKey::from_spki(spki.reveal()).within(named(program)));
  if (key.algorithm() != crypto::EncryptionAlgorithm::kRsa) {
    return Error(ErrorCode::kUnsupported, named(program) + ": exec: unwraps with RSA keys alone");
  }
  return std::unique_ptr<crypto::Decryptor>(
      std::make_unique<ExecDecryptor>(program, std::move(key)));
}

}  // namespace sealpack::keystore
