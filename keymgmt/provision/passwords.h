// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "keymgmt/tpm/tpm.h"

namespace sealpack::provision {

// Where the passwords of a TPM's hierarchies come from, if it has any: the first line of a file
// that its owner alone may read, or a question on the terminal. Never a command line.
struct PasswordFiles {
  std::string owner;
  std::string endorsement;
  bool ask = false;  // where no file is named; else it is an error, of `run` and of programs
};
tpm::PasswordSource password_source(PasswordFiles files);

}  // namespace sealpack::provision
