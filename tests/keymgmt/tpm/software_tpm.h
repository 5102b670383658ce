// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/testing/temporary_folder.h"

namespace sealpack::testing {

// A TPM in a process (swtpm) with a state of its own.
class SoftwareTpm {
 public:
  // Whether swtpm is installed; tests skip aloud where it is not.
  static bool is_installed();

  SoftwareTpm();
  ~SoftwareTpm();
  SoftwareTpm(const SoftwareTpm&) = delete;
  SoftwareTpm& operator=(const SoftwareTpm&) = delete;

  // As tpm2-tss names it.
  std::string tcti() const { return "swtpm:path=" + socket(); }
  // Power off and on: PCRs are zero again, what was loaded is gone, NV memory stays.
  void restart();
  void stop();

 private:
  std::string socket() const { return (folder_ / "tpm").string(); }
  void start();

  TemporaryFolder folder_;
  pid_t process_ = -1;
};

}  // namespace sealpack::testing
