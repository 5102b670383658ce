// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "formats/files/output_folder.h"
#include "unpacker/core/file_reader.h"

namespace sealpack::unpacker {

// A file to write: its extents joined (bundle::Extent).
struct FileToWrite {
  std::string path;
  std::vector<bundle::Extent> extents;
  std::uint64_t size() const;
};

struct WriteOptions {
  mode_t mode = 0644;
  unsigned threads = 1;
  std::function<void(std::uint64_t)> progress = [](std::uint64_t) {};  // from any thread
};

// Writes the files into `folder`, many threads at once, every byte proven before it is written.
// Where a cli::Interruption lives, a signal makes it fail. Each thread has a reader from
// `make_reader` and about 2 MiB, wiped at the end.
Status write_files(const VerifiedBundle& bundle, const std::vector<FileToWrite>& files,
                   const std::function<FileReader()>& make_reader, OutputFolder& folder,
                   const WriteOptions& options);

}  // namespace sealpack::unpacker
