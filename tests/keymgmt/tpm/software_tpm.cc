// SPDX-License-Identifier: Apache-2.0
#include "tests/keymgmt/tpm/software_tpm.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

namespace sealpack::testing {
namespace {

constexpr const char* kProgram = "/usr/bin/swtpm";

// Whether somebody listens there. Not by connecting: swtpm takes one connection, and that would be
// it.
bool listens(const std::string& path) {
  std::ifstream sockets("/proc/net/unix");
  std::string line;
  while (std::getline(sockets, line)) {
    // Num RefCount Protocol Flags Type St Inode Path; __SO_ACCEPTCON is 0x10000.
    if (line.ends_with(" " + path) && line.find(" 00010000 ") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

bool SoftwareTpm::is_installed() {
  return ::access(kProgram, X_OK) == 0;
}

SoftwareTpm::SoftwareTpm() {
  start();
}

SoftwareTpm::~SoftwareTpm() {
  stop();
}

void SoftwareTpm::start() {
  std::filesystem::create_directories(folder_ / "state");
  const std::string state = "dir=" + (folder_ / "state").string();
  const std::string server = "type=unixio,path=" + socket();
  const std::string control = "type=unixio,path=" + socket() + ".ctrl";
  process_ = ::fork();
  ASSERT_GE(process_, 0);
  if (process_ == 0) {
    const int nowhere = ::open("/dev/null", O_RDWR);
    ::dup2(nowhere, 1);
    ::dup2(nowhere, 2);
    ::execl(kProgram, kProgram, "socket", "--tpm2", "--tpmstate", state.c_str(), "--server",
            server.c_str(), "--ctrl", control.c_str(), "--flags", "not-need-init,startup-clear",
            nullptr);
    ::_exit(127);
  }
  for (int i = 0; i < 500; ++i) {
    if (listens(socket()) && listens(socket() + ".ctrl")) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << "swtpm does not answer";
}

void SoftwareTpm::stop() {
  if (process_ < 0) return;
  ::kill(process_, SIGTERM);
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = -1;
  std::error_code ignored;
  std::filesystem::remove(socket(), ignored);
  std::filesystem::remove(socket() + ".ctrl", ignored);
}

void SoftwareTpm::restart() {
  stop();
  start();
}

}  // namespace sealpack::testing
