// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/capi/boundary.h"
#include "runtime-loader/core/session.h"

// The caller's callbacks as the interfaces that the core asks for.
namespace sealpack::capi {

class CallbackCounters final : public loader::CounterStore {
 public:
  // kUsage for a kind that does not exist and missing functions.
  static Result<std::unique_ptr<CallbackCounters>> make(const sealpack_counters* counters);

  loader::CounterKind kind() const override {
    return static_cast<loader::CounterKind>(counters_.kind);
  }
  Result<loader::Floor> floor(const Digest& authority, const std::string& product) override;
  Status raise(const Digest& authority, const std::string& product,
               const loader::Floor& floor) override;

 private:
  explicit CallbackCounters(const sealpack_counters& counters) : counters_(counters) {}
  sealpack_counters counters_;
};

class CallbackSpill final : public loader::HostMemory {
 public:
  explicit CallbackSpill(const sealpack_spill& spill) : spill_(spill) {}
  std::uint64_t size() const override { return spill_.size; }
  Status write(std::uint64_t offset, Bytes bytes) override;
  Status read(std::uint64_t offset, MutableBytes out) override;

 private:
  sealpack_spill spill_;
};

class CallbackEvidence final : public loader::EvidenceCollector {
 public:
  explicit CallbackEvidence(const sealpack_environment& environment) : environment_(environment) {}
  Result<ByteVector> collect(Bytes report_data) override;

 private:
  sealpack_environment environment_;
};

// The key that the environment's hardware gave to it.
class CallbackDeviceKey final : public crypto::Decryptor {
 public:
  CallbackDeviceKey(const sealpack_environment& environment, crypto::EncryptionKey public_key)
      : environment_(environment), public_key_(std::move(public_key)) {}

  const crypto::EncryptionKey& public_key() const override { return public_key_; }
  Result<crypto::SecretBytes> hpke_open(Bytes enc, Bytes info, Bytes aad,
                                        Bytes ciphertext) const override;
  Result<crypto::SecretBytes> rsa_oaep_unwrap(Bytes wrapped) const override;

 private:
  sealpack_environment environment_;
  crypto::EncryptionKey public_key_;
};

// One exchange with the caller's key source, for the bundle of that number: a challenge, the
// request, the grant.
Status exchange_key(loader::Session& session, loader::BundleId bundle,
                    const sealpack_key_source& source);

}  // namespace sealpack::capi
