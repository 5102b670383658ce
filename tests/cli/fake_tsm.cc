// SPDX-License-Identifier: Apache-2.0
// Stands in for configfs-tsm of a guest on SEV-SNP, for one process, where it is loaded before the
// C library: below /sys/kernel/config/tsm/report that process sees the folder $FAKE_TSM. Entries
// get their attributes as the kernel gives them, and whoever listens at $FAKE_TSM/processor signs.
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

namespace {

constexpr std::string_view kReports = "/sys/kernel/config/tsm/report";
constexpr const char* kAttributes[] = {"generation", "inblob", "outblob", "provider"};

template <typename Function>
Function* real(const char* name, Function*) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

bool is_report(std::string_view path) {
  return path.starts_with(kReports);
}
std::string shown(std::string_view path) {
  if (!is_report(path)) return std::string(path);
  return ::getenv("FAKE_TSM") + std::string(path.substr(kReports.size()));
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
void write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// The processor's report over the report data in `entry`; none where nobody listens.
std::string report_over(const std::string& report_data) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = ::getenv("FAKE_TSM") + std::string("/processor");
  std::copy_n(path.begin(), std::min(path.size(), sizeof address.sun_path - 1), address.sun_path);
  const int line = ::socket(AF_UNIX, SOCK_STREAM, 0);
  std::string report;
  if (::connect(line, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      ::send(line, report_data.data(), report_data.size(), 0) > 0) {
    char piece[4096];
    for (ssize_t got = 0; (got = ::recv(line, piece, sizeof piece, 0)) > 0;) {
      report.append(piece, static_cast<std::size_t>(got));
    }
  }
  ::close(line);
  return report;
}

// Each write counts the generation up; the report is made when it is read.
void before_open(const std::string& path, int flags) {
  constexpr int kWrites = 3;  // O_WRONLY | O_RDWR
  const std::string entry = path.substr(0, path.rfind('/') + 1);
  if (path.ends_with("/inblob") && (flags & kWrites) != 0) {
    write(path, "");
    write(entry + "generation", std::to_string(std::stoul(read(entry + "generation")) + 1) + "\n");
  }
  if (path.ends_with("/outblob")) write(path, report_over(read(entry + "inblob")));
}

}  // namespace

extern "C" {

int stat(const char* path, void* out) noexcept {
  return real("stat", &stat)(shown(path).c_str(), out);
}

int access(const char* path, int mode) noexcept {
  return real("access", &access)(shown(path).c_str(), mode);
}

int open64(const char* path, int flags, unsigned mode) {
  if (is_report(path)) before_open(shown(path), flags);
  return real("open64", &open64)(shown(path).c_str(), flags, mode);
}

char* mkdtemp(char* name) noexcept {
  std::string folder = shown(name);
  if (real("mkdtemp", &mkdtemp)(folder.data()) == nullptr) return nullptr;
  if (!is_report(name)) return std::copy(folder.begin(), folder.end(), name), name;
  for (const char* attribute : kAttributes) write(folder + "/" + attribute, "");
  write(folder + "/generation", "0\n");
  write(folder + "/provider", "sev_guest\n");
  const std::string_view given(name);
  std::copy(folder.end() - 6, folder.end(), name + given.size() - 6);
  return name;
}

int rmdir(const char* path) noexcept {
  const std::string folder = shown(path);
  for (const char* attribute : kAttributes) {
    if (is_report(path)) ::unlink((folder + "/" + attribute).c_str());
  }
  return real("rmdir", &rmdir)(folder.c_str());
}

}  // extern "C"
