// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "tests/keymgmt/tpm/software_tpm.h"

namespace sealpack::testing {

// Sits on the wire between somebody and a TPM in software: keeps what crosses, and may answer in
// the TPM's place.
class TpmProxy {
 public:
  // A response, or nullopt for that of the TPM.
  using Answer = std::function<std::optional<ByteVector>(Bytes command)>;

  explicit TpmProxy(const SoftwareTpm& device, Answer answer = {});
  ~TpmProxy();
  TpmProxy(const TpmProxy&) = delete;
  TpmProxy& operator=(const TpmProxy&) = delete;

  std::string tcti() const { return "swtpm:path=" + (folder_ / "tpm").string(); }
  // All commands and responses so far, one behind the other.
  std::string crossed() const;
  std::vector<ByteVector> commands() const;

 private:
  void serve();
  void serve_one(int client);

  TemporaryFolder folder_;
  std::string device_;
  Answer answer_;
  int listener_ = -1;
  int stop_[2] = {-1, -1};
  mutable std::mutex mutex_;
  std::vector<ByteVector> commands_;
  std::string crossed_;
  std::thread thread_;
};

// A response without parameters.
ByteVector tpm_refusal(std::uint32_t code);

}  // namespace sealpack::testing
