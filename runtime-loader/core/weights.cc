// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/weights.h"

namespace sealpack::loader {

// A reader that one thread at a time holds. Made when it is first needed: a session without a
// prefetch thread has one.
struct BundleWeights::Reader {
  std::atomic_flag held = ATOMIC_FLAG_INIT;
  std::optional<unpacker::FileReader> reader;
};

BundleWeights::BundleWeights(const unpacker::OpenBundle& bundle, std::vector<ModelFile> files,
                             std::size_t leaves)
    : bundle_(&bundle), files_(std::move(files)), leaves_(leaves) {
  for (auto& reader : readers_) reader = std::make_unique<Reader>();
}

BundleWeights::~BundleWeights() = default;

std::uint64_t BundleWeights::memory_needed(std::size_t leaves) {
  return std::uint64_t{2} * unpacker::FileReader::memory_needed(leaves);
}

Status BundleWeights::read(std::uint32_t file, std::uint64_t offset, MutableBytes out) {
  if (file >= files_.size()) {
    crypto::wipe(out);
    return Error(ErrorCode::kInternal, "the model has no file " + std::to_string(file));
  }
  for (const auto& slot : readers_) {
    if (slot->held.test_and_set(std::memory_order_acquire)) continue;
    if (!slot->reader) slot->reader.emplace(*bundle_, leaves_);
    const bundle::Content& content = bundle_->verified().content();
    Status status = ModelFileSource(content, *slot->reader, files_[file]).read_at(offset, out);
    slot->held.clear(std::memory_order_release);
    bytes_read_ += status.ok() ? out.size() : 0;
    return status;
  }
  die("weights are read by more than two threads");
}

}  // namespace sealpack::loader
