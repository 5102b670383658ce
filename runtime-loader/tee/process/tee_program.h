// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "formats/files/file_source.h"

namespace sealpack::tee {

// Whom the program runs as when the host is root.
struct ProgramUser {
  uid_t user = 0;
  gid_t group = 0;
};
// A name or a number of the user database; root is refused (kUsage).
Result<ProgramUser> find_user(const std::string& name);

// The `sealpack-tee` that belongs to this tool: beside it (in the build tree) or in
// ../libexec/sealpack. Never by PATH or the environment. kIo.
Result<std::filesystem::path> find_tee_program();

struct ProgramStart {
  int program = -1;       // open executable: what is hashed is what runs
  int control = -1;       // becomes kControlDescriptor
  int shared = -1;        // becomes kSharedDescriptor
  int evidence_key = -1;  // becomes kEvidenceKeyDescriptor; -1: none
  std::vector<int> bundles;
  int errors = -1;                  // becomes descriptor 2; -1: /dev/null
  std::optional<ProgramUser> user;  // root alone may set it
};

struct StartedProgram {
  pid_t process = -1;
  bool own_network = false;  // network and IPC namespaces of its own
};

// Starts it in a session of its own, with these descriptors and no others, no arguments, no
// environment, nothing of the caller's but its limits. kIo.
Result<StartedProgram> start_program(const ProgramStart& start);

// "exit status 16", "killed by signal 31": how a process ended. One that does not end within two
// seconds is killed.
std::string describe_end(pid_t process);

}  // namespace sealpack::tee
