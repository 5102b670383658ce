// SPDX-License-Identifier: Apache-2.0
#include "packer/core/rekey.h"

#include <mutex>

#include "unpacker/core/file_reader.h"

namespace sealpack::packer {
namespace {

// Readers are for one thread each; a source is read by many. Those that are not in use wait here.
class ReaderPool {
 public:
  explicit ReaderPool(const unpacker::OpenBundle& bundle) : bundle_(&bundle) {}

  Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out) {
    unpacker::FileReader reader = take();
    Status status = reader.read(file, offset, out);
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(reader));
    return status;
  }

 private:
  unpacker::FileReader take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return unpacker::FileReader(*bundle_);
    unpacker::FileReader reader = std::move(idle_.back());
    idle_.pop_back();
    return reader;
  }

  const unpacker::OpenBundle* bundle_;
  std::mutex mutex_;
  std::vector<unpacker::FileReader> idle_;
};

// One file of the bundle, verified and in plaintext.
class BundleFile : public BlockSource {
 public:
  BundleFile(std::shared_ptr<ReaderPool> pool, std::uint32_t file, std::uint64_t size)
      : pool_(std::move(pool)), file_(file), size_(size) {}
  std::uint64_t size() const override { return size_; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    return pool_->read(file_, offset, out);
  }

 private:
  std::shared_ptr<ReaderPool> pool_;
  std::uint32_t file_;
  std::uint64_t size_;
};

// One piece a segment: pieces are where segments may be cut.
SealedOutput sealed_output(const bundle::SealedFile& file, std::uint32_t input) {
  SealedOutput output;
  output.kind = file.kind;
  output.file.path = file.path;
  std::uint64_t offset = 0;
  bool in_header = true;
  for (const bundle::Segment& segment : file.segments) {
    output.file.pieces.emplace_back(models::SourceRange{input, offset, segment.size});
    in_header = in_header && segment.kind == bundle::SegmentKind::kHeader;
    if (in_header) output.file.header_size += segment.size;
    offset += segment.size;
  }
  return output;
}

}  // namespace

Assembly assembly_of(const unpacker::OpenBundle& bundle) {
  const bundle::Content& content = bundle.verified().content();
  const auto pool = std::make_shared<ReaderPool>(bundle);
  Assembly assembly;
  const auto add_input = [&](const std::string& path, std::uint64_t size) {
    const auto number = static_cast<std::uint32_t>(assembly.inputs.size());
    assembly.inputs.push_back({path, std::make_shared<BundleFile>(pool, number, size)});
    return number;
  };
  for (const bundle::PublicFile& file : content.public_files) {
    const std::uint32_t input = add_input(file.path, file.size);
    assembly.public_files.push_back({file.path, {models::SourceRange{input, 0, file.size}}, 0});
  }
  for (const bundle::SealedFile& file : content.sealed_files) {
    assembly.sealed_files.push_back(sealed_output(file, add_input(file.path, file.size())));
  }
  assembly.originals = content.originals;
  assembly.excluded = content.excluded;
  assembly.card = content.card;
  return assembly;
}

}  // namespace sealpack::packer
