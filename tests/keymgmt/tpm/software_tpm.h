// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

#include "formats/base/bytes.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::testing {

// A TPM in a process (swtpm) with a state of its own.
class SoftwareTpm {
 public:
  // Whether swtpm is installed; tests skip aloud where it is not.
  static bool is_installed();

  // A folder with the state of a TPM that a manufacturer made (swtpm_setup): endorsement keys of
  // the high range at persistent handles (RSA-3072, P-384), and certificates for them. Made once a
  // run; empty where swtpm_setup is not installed. `root`: the file with the maker's certificates.
  static std::filesystem::path manufactured();
  static std::filesystem::path maker_certificates();

  SoftwareTpm();
  explicit SoftwareTpm(const std::filesystem::path& state);  // a copy of it
  ~SoftwareTpm();
  SoftwareTpm(const SoftwareTpm&) = delete;
  SoftwareTpm& operator=(const SoftwareTpm&) = delete;

  // As tpm2-tss names it.
  std::string tcti() const { return "swtpm:path=" + socket(); }
  // Power off and on: PCRs are zero again, what was loaded is gone, NV memory stays.
  void restart();
  void stop();

  std::string socket() const { return (folder_ / "tpm").string(); }
  // Sends a command as it is, while nobody else is connected; the response.
  ByteVector command(Bytes bytes);

 private:
  void start();

  TemporaryFolder folder_;
  pid_t process_ = -1;
};

}  // namespace sealpack::testing
