// SPDX-License-Identifier: Apache-2.0
#include "formats/files/destination.h"

#include <fcntl.h>
#include <sys/random.h>

#include "formats/files/system_calls.h"

namespace sealpack {

Result<Destination> open_destination(const std::filesystem::path& path) {
  std::string text = path.string();
  Destination destination{{}, {}, printable(text)};
  if (text.find('\0') != std::string::npos) {
    return Error(ErrorCode::kUsage, destination.shown + " has a NUL byte in it");
  }
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  const std::filesystem::path trimmed(text);
  destination.name = trimmed.filename().string();
  if (destination.name.empty() || destination.name == "." || destination.name == "..") {
    return Error(ErrorCode::kUsage, destination.shown + " does not end in the name of an output");
  }
  const std::filesystem::path parent = trimmed.has_parent_path() ? trimmed.parent_path() : ".";
  destination.folder = FileDescriptor(uninterrupted([&] {
    return system_calls().openat(AT_FDCWD, parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  }));
  if (destination.folder.get() < 0) {
    return io_error("cannot open the folder " + printable(parent.string()), errno);
  }
  return destination;
}

Result<std::optional<mode_t>> type_of(const Destination& destination) {
  struct stat status {};
  if (system_calls().fstatat(destination.folder.get(), destination.name.c_str(), &status,
                             AT_SYMLINK_NOFOLLOW) == 0) {
    return std::optional<mode_t>(status.st_mode & S_IFMT);
  }
  if (errno == ENOENT) return std::optional<mode_t>();
  return io_error("cannot examine " + destination.shown, errno);
}

Result<std::string> temporary_name(const std::string& name) {
  constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  constexpr std::size_t kLongestName = 255;
  constexpr std::size_t kRandomSize = 6;
  std::uint8_t random[kRandomSize];
  if (::getentropy(random, sizeof random) != 0) return io_error("cannot get random bytes", errno);
  std::string suffix = ".partial-";
  for (const std::uint8_t byte : random) suffix += kAlphabet[byte % 64U];
  return "." + name.substr(0, kLongestName - 1 - suffix.size()) + suffix;
}

Error already_exists(const Destination& destination) {
  return Error(ErrorCode::kIo, destination.shown + " already exists");
}

}  // namespace sealpack
