// SPDX-License-Identifier: Apache-2.0
#include "tests/keymgmt/tpm/software_tpm.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
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

std::filesystem::path SoftwareTpm::manufactured() {
  static const TemporaryFolder folder;
  static const bool made = [] {
    std::filesystem::create_directories(folder / "state");
    const std::string base = folder.path().string();
    folder.put("setup.conf",
               "create_certs_tool=/usr/bin/swtpm_localca\n"
               "create_certs_tool_config=" +
                   base +
                   "/ca.conf\n"
                   "create_certs_tool_options=" +
                   base +
                   "/ca.options\n"
                   "active_pcr_banks=sha256\n");
    folder.put("ca.conf", "statedir=" + base + "\nsigningkey=" + base + "/ca.key\nissuercert=" +
                              base + "/ca.pem\ncertserial=" + base + "/serial\n");
    folder.put("ca.options",
               "--platform-manufacturer X\n--platform-version 1\n"
               "--platform-model Y\n");
    const std::string command = "swtpm_setup --tpm2 --tpm-state " + base + "/state --config " +
                                base + "/setup.conf --create-ek-cert --rsa-keysize 3072 >" + base +
                                "/log 2>&1";
    if (std::system(command.c_str()) == 0) return true;
    std::cerr << content_of(folder / "log");
    return false;
  }();
  return made ? folder / "state" : std::filesystem::path();
}

std::filesystem::path SoftwareTpm::maker_certificates() {
  return manufactured().parent_path();
}

SoftwareTpm::SoftwareTpm() {
  start();
}

SoftwareTpm::SoftwareTpm(const std::filesystem::path& state) {
  std::filesystem::copy(state, folder_ / "state", std::filesystem::copy_options::recursive);
  start();
}

ByteVector SoftwareTpm::command(Bytes bytes) {
  const int line = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket().copy(address.sun_path, sizeof address.sun_path - 1);
  ByteVector out;
  if (::connect(line, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::write(line, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) {
    std::array<std::uint8_t, 4096> piece{};
    // A head of tag, size and code.
    while (out.size() < 10 || out.size() < (std::size_t{out[4]} << 8U | out[5])) {
      const ssize_t got = ::read(line, piece.data(), piece.size());
      if (got <= 0) break;
      out.insert(out.end(), piece.begin(), piece.begin() + got);
    }
  }
  ::close(line);
  return out;
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
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // of the test, by whoever lost patience
    const int nowhere = ::open("/dev/null", O_RDWR);
    ::dup2(nowhere, 1);
    ::dup2(nowhere, 2);
    ::execl(kProgram, kProgram, "socket", "--tpm2", "--tpmstate", state.c_str(), "--server",
            server.c_str(), "--ctrl", control.c_str(), "--flags", "not-need-init,startup-clear",
            nullptr);
    ::_exit(127);
  }
  for (int i = 0; i < 12'000; ++i) {  // two minutes and more
    if (listens(socket()) && listens(socket() + ".ctrl")) return;
    if (::waitpid(process_, nullptr, WNOHANG) == process_) {
      process_ = -1;
      FAIL() << "swtpm has ended";
    }
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
