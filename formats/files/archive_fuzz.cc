// SPDX-License-Identifier: Apache-2.0
// The first byte chooses the kind of archive, the rest is the archive. What comes out keeps the
// limits, no name is absolute, and every file can be read to its end.
#include <cstdlib>

#include "formats/files/archive_inputs.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  if (size == 0) return 0;
  const auto kind = static_cast<ArchiveKind>(data[0] % 5);
  const auto source = std::make_shared<MemorySource>(to_vector({data + 1, size - 1}));
  InputOptions options;
  options.max_unpacked = std::uint64_t{1} << 20U;
  options.max_files = 100;
  const auto tree = open_archive(kind, "fuzz", source, options);
  if (!tree.ok()) return 0;
  std::uint64_t total = 0;
  for (const auto& file : tree->files) {
    ByteVector bytes(file.source->size());
    total += bytes.size();
    if (!file.source->read_at(0, bytes).ok()) std::abort();
    if (file.path.empty() || file.path.front() == '/') std::abort();
  }
  if (total > options.max_unpacked || tree->files.size() > options.max_files) std::abort();
  return 0;
}
