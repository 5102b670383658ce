// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "formats/base/bytes.h"
#include "formats/files/output_file.h"

namespace sealpack::keystore {

// Files that people pass on by mail or paste: one PEM block in strict form whose label says what is
// in it.
struct ArmoredFile {
  std::string label;
  ByteVector content;
};
inline constexpr std::size_t kMaxArmoredSize = 128U << 10U;

Result<ArmoredFile> load_armored(const std::filesystem::path& path);  // kIo, kMalformed, kLimit
// kUsage when the file is something else than `label` says.
Result<ByteVector> load_armored(const std::filesystem::path& path, std::string_view label);
Status store_armored(const std::filesystem::path& path, std::string_view label, Bytes content,
                     mode_t mode, Overwrite overwrite);

}  // namespace sealpack::keystore
