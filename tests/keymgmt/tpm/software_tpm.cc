// SPDX-License-Identifier: Apache-2.0
#include "tests/keymgmt/tpm/software_tpm.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

namespace sealpack::testing {
namespace {

constexpr const char* kProgram = "/usr/bin/swtpm";

bool answers(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const bool there =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return there;
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
    if (answers(socket() + ".ctrl")) return;
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
