// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <cerrno>
#include <optional>

#include "formats/base/bytes.h"

// Frames between a test and the broker processes it runs: number (4 bytes), kind (1), size (4),
// body.
namespace sealpack::broker::testing {

struct Frame {
  std::uint32_t number = 0;
  std::uint8_t kind = 0;
  ByteVector body;
};

inline bool read_all(int file, MutableBytes out) {
  while (!out.empty()) {
    const ssize_t got = ::read(file, out.data(), out.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

inline bool write_all(int file, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(file, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return true;
}

inline bool write_frame(int file, const Frame& frame) {
  ByteVector bytes;
  const auto put = [&](std::uint64_t value) {
    for (unsigned i = 0; i < 4; ++i) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  put(frame.number);
  bytes.push_back(frame.kind);
  put(frame.body.size());
  bytes.insert(bytes.end(), frame.body.begin(), frame.body.end());
  return write_all(file, bytes);
}

// Nothing at the end, or in the middle of a frame.
inline std::optional<Frame> read_frame(int file) {
  std::array<std::uint8_t, 9> head{};
  if (!read_all(file, head)) return std::nullopt;
  const auto get = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i) value |= std::uint32_t{head[at + i]} << (8 * i);
    return value;
  };
  Frame frame{get(0), head[4], ByteVector(get(5))};
  if (!read_all(file, frame.body)) return std::nullopt;
  return frame;
}

}  // namespace sealpack::broker::testing
