// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/collect/attribute.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "formats/files/file_source.h"

namespace sealpack::attest {
namespace {

Error attribute_error(const std::string& what, const std::filesystem::path& path, int number) {
  const std::string text = what + " " + printable(path.string());
  if (number == EBUSY || number == EAGAIN || number == EINTR || number == ETIMEDOUT) {
    return Error(ErrorCode::kTryAgain, text + ": busy");
  }
  return io_error(text, number);
}

}  // namespace

Result<ByteVector> read_attribute(const std::filesystem::path& path, std::uint64_t limit) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return attribute_error("cannot open", path, errno);
  ByteVector content;
  std::array<std::uint8_t, 4096> piece{};
  for (;;) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0) return attribute_error("cannot read", path, errno);
    if (got == 0) return content;
    content.insert(content.end(), piece.begin(), piece.begin() + got);
    if (content.size() > limit) {
      return Error(ErrorCode::kLimit,
                   printable(path.string()) + " has more than " + format_size(limit));
    }
  }
}

Status write_attribute(const std::filesystem::path& path, Bytes bytes) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0) return attribute_error("cannot open", path, errno);
  const ssize_t put = ::write(file.get(), bytes.data(), bytes.size());
  if (put < 0) return attribute_error("cannot write", path, errno);
  if (static_cast<std::size_t>(put) != bytes.size()) {
    return Error(ErrorCode::kIo, printable(path.string()) + " took " + std::to_string(put) +
                                     " of " + std::to_string(bytes.size()) + " bytes");
  }
  return done();
}

std::string line_of(Bytes content) {
  std::string text(as_text(content));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) text.pop_back();
  return text;
}

Status check_recorded(const std::filesystem::path& path, Bytes expected) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return done();
  const ByteVector recorded = TRY(read_attribute(path, expected.size() + 4096));
  if (!std::equal(recorded.begin(), recorded.end(), expected.begin(), expected.end())) {
    return Error(ErrorCode::kRefused,
                 printable(path.string()) + " was recorded for something else than what is asked");
  }
  return done();
}

}  // namespace sealpack::attest
