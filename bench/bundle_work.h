// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/bundle_setup.h"
#include "formats/files/file_source.h"

// The verbs' work as functions, each for a process of its own.
namespace sealpack::bench {

struct OpenFile {
  std::shared_ptr<const FileSource> source;
  unpacker::OpenBundle bundle;
};
Result<OpenFile> open_file(const std::filesystem::path& path, const Keys& keys);

Status build(const std::filesystem::path& model, const std::filesystem::path& out, Keys keys,
             unsigned threads);
Status verify(const std::filesystem::path& bundle, const Keys& keys, unsigned threads);
Status unseal(const std::filesystem::path& bundle, const std::filesystem::path& out,
              const Keys& keys, unsigned threads);

// Prints "milliseconds X" for each of `count` reads of 1 MiB at pseudo-random places of an opened
// bundle, each by a new reader and with nothing of the file in the page cache.
Status read_tensors(const std::filesystem::path& bundle, const Keys& keys, int count);

// Prints "milliseconds X" for each of `count` replacements of the release by a newly signed one.
Status reseal(const std::filesystem::path& bundle, Keys keys, int count);

}  // namespace sealpack::bench
