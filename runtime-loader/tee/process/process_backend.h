// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/crypto/private_key.h"
#include "runtime-loader/tee/backend.h"
#include "runtime-loader/tee/process/protocol.h"
#include "runtime-loader/tee/process/tee_program.h"

namespace sealpack::tee {

struct ProcessOptions {
  std::uint64_t cap = 0;  // secure bytes; 0: not limited
  unsigned threads = 1;
  std::uint64_t shared_bytes = std::uint64_t{64} << 20U;  // taken as they are touched
  std::uint64_t spill_bytes = std::uint64_t{1} << 30U;
  std::vector<int> bundles;  // open files; bundle n of the session is bundles[n]
  // Signs its evidence, which is SIMULATED: whoever has the key can say anything. Needed during
  // launch alone; nullptr: it makes no evidence.
  const crypto::PrivateKey* evidence_key = nullptr;
  std::string user;               // of root: whom it runs as; empty: nobody
  std::filesystem::path program;  // empty: find_tee_program()
  int errors = -1;                // where its descriptor 2 goes; -1: nowhere
};

// A TEE that is a process of this machine: SIMULATED. It holds what the operating system can hold
// for it, against everybody but root; docs/BACKENDS.md says what that is and is not.
class ProcessBackend final : public Backend {
 public:
  // kIo; kLimit when the cap does not hold the program itself, saying what would; and what
  // measure_program() refuses.
  static Result<std::unique_ptr<ProcessBackend>> launch(const ProcessOptions& options);
  ~ProcessBackend() override;  // ends the process
  ProcessBackend(const ProcessBackend&) = delete;
  ProcessBackend& operator=(const ProcessBackend&) = delete;

  const Capabilities& capabilities() const override { return capabilities_; }
  loader::SharedBuffer shared() override { return {shared_, capabilities_.shared_bytes}; }
  Result<ByteVector> step(Bytes message) override;
  Result<SecureRoom> secure_room() override;
  std::uint64_t least_cap(std::uint64_t model) const override;
  Result<Use> use() override;

  // The measurement that the program must report for this launch configuration.
  Digest expected_measurement(const Digest& launch) const;
  pid_t process() const { return process_; }
  // The host's end of the control channel, for tests that speak to the program themselves.
  int control() const { return control_.get(); }

 private:
  ProcessBackend() = default;
  Status map_shared(const ProcessOptions& options, FileDescriptor& memory);
  Status start(const ProcessOptions& options, FileDescriptor program, FileDescriptor memory);
  Status greet(const ProcessOptions& options);
  Status measure_switch();
  Result<ByteVector> exchange(Frame type, Bytes body);
  Error gone(const std::string& what);
  Error failed(Bytes body);

  Capabilities capabilities_;
  Digest program_digest_;
  Digest policy_digest_;
  pid_t process_ = -1;
  FileDescriptor control_;
  std::uint8_t* shared_ = nullptr;
  std::size_t mapped_ = 0;
  bool over_ = false;
  Traffic traffic_;
};

}  // namespace sealpack::tee
