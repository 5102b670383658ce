// SPDX-License-Identifier: Apache-2.0
#include "unpacker/verbs/file_writer.h"

#include <algorithm>
#include <iterator>

#include "formats/cli/interruption.h"
#include "formats/files/parallel.h"

namespace sealpack::unpacker {
namespace {

// Reads start and end where leaves do, so that no leaf is hashed and decrypted twice.
constexpr std::uint64_t kPublicUnit = 128 * bundle::kLeafSize;
constexpr std::uint64_t kSealedUnit = 128 * crypto::SegmentCipher::kPlainChunk;
constexpr std::size_t kMaxUnit = std::max(kPublicUnit, kSealedUnit);
// Files that are open at a time: well below the usual limit of 1024 descriptors.
constexpr std::size_t kOpenFiles = 256;

// One read and one write.
struct Unit {
  const OutputFile* out = nullptr;
  std::uint64_t out_offset = 0;
  std::uint32_t file = 0;
  std::uint64_t offset = 0;
  std::size_t size = 0;
};

// Cuts extents into units.
class Planner {
 public:
  explicit Planner(const bundle::Content& content) : content_(content) {
    for (const bundle::SealedFile& file : content.sealed_files) {
      std::vector<std::uint64_t> starts;
      std::uint64_t start = 0;
      for (const bundle::Segment& segment : file.segments) {
        starts.push_back(start);
        start += segment.size;
      }
      starts.push_back(start);
      segment_starts_.push_back(std::move(starts));
    }
  }

  void add(const OutputFile& out, const FileToWrite& file, std::vector<Unit>& units) const {
    std::uint64_t out_offset = 0;
    for (const bundle::Extent& extent : file.extents) {
      std::uint64_t offset = extent.offset;
      const std::uint64_t end = extent.offset + extent.size;
      while (offset < end) {
        const std::uint64_t stop = std::min(end, unit_end(extent.file, offset));
        units.push_back(
            {&out, out_offset, extent.file, offset, static_cast<std::size_t>(stop - offset)});
        out_offset += stop - offset;
        offset = stop;
      }
    }
  }

 private:
  std::uint64_t unit_end(std::uint32_t file, std::uint64_t offset) const {
    if (file < content_.public_files.size()) return (offset / kPublicUnit + 1) * kPublicUnit;
    const auto& starts = segment_starts_[file - content_.public_files.size()];
    const auto after = std::upper_bound(starts.begin(), starts.end(), offset);
    const std::uint64_t start = *std::prev(after);
    return std::min(*after, start + ((offset - start) / kSealedUnit + 1) * kSealedUnit);
  }

  const bundle::Content& content_;
  std::vector<std::vector<std::uint64_t>> segment_starts_;  // and the end of the last
};

class UnitWriter {
 public:
  UnitWriter(FileReader reader, const std::vector<Unit>& units, const WriteOptions& options)
      : reader_(std::move(reader)), units_(units), options_(options), buffer_(kMaxUnit) {}
  UnitWriter(const UnitWriter&) = delete;
  UnitWriter& operator=(const UnitWriter&) = delete;
  ~UnitWriter() { crypto::wipe(buffer_); }

  Status operator()(std::uint64_t index) {
    TRY(cli::Interruption::check());
    const Unit& unit = units_[static_cast<std::size_t>(index)];
    const MutableBytes bytes = MutableBytes(buffer_).first(unit.size);
    TRY(reader_.read(unit.file, unit.offset, bytes));
    TRY(unit.out->write_at(unit.out_offset, bytes));
    unit.out->start_writeback(unit.out_offset, unit.size);
    options_.progress(unit.size);
    return done();
  }

 private:
  FileReader reader_;
  const std::vector<Unit>& units_;
  const WriteOptions& options_;
  ByteVector buffer_;
};

}  // namespace

std::uint64_t FileToWrite::size() const {
  std::uint64_t size = 0;
  for (const bundle::Extent& extent : extents) size += extent.size;
  return size;
}

Status write_files(const VerifiedBundle& bundle, const std::vector<FileToWrite>& files,
                   const std::function<FileReader()>& make_reader, OutputFolder& folder,
                   const WriteOptions& options) {
  const Planner planner(bundle.content());
  for (std::size_t first = 0; first < files.size(); first += kOpenFiles) {
    const std::size_t count = std::min(kOpenFiles, files.size() - first);
    std::vector<OutputFile> outputs;
    outputs.reserve(count);  // units point into it
    std::vector<Unit> units;
    for (std::size_t i = 0; i < count; ++i) {
      TRY(cli::Interruption::check());
      const FileToWrite& file = files[first + i];
      outputs.push_back(TRY(folder.create_file(file.path, options.mode)));
      TRY(outputs.back().allocate(file.size()));
      planner.add(outputs.back(), file, units);
    }
    const auto threads =
        static_cast<unsigned>(std::min<std::uint64_t>(options.threads, units.size()));
    TRY(run_parallel(threads, units.size(),
                     [&] { return UnitWriter(make_reader(), units, options); }));
    for (OutputFile& output : outputs) TRY(output.commit());
  }
  return cli::Interruption::check();
}

}  // namespace sealpack::unpacker
