// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "formats/base/bytes.h"

namespace sealpack::attest {

// Files of kernels and of Gramine: their size is unknown until they are read, and a write is one
// system call.

// kIo with the errno in words; kTryAgain for EBUSY, EAGAIN, EINTR and ETIMEDOUT; kLimit.
Result<ByteVector> read_attribute(const std::filesystem::path& path, std::uint64_t limit);
Status write_attribute(const std::filesystem::path& path, Bytes bytes);

// Without its line end.
std::string line_of(Bytes content);

// Compares with what was recorded under that path, if there is such a file. kRefused.
Status check_recorded(const std::filesystem::path& path, Bytes expected);

}  // namespace sealpack::attest
