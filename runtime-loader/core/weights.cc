// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/weights.h"

#include <algorithm>

#include "keymgmt/crypto/segment_cipher.h"

namespace sealpack::loader {

// A reader that one thread at a time holds. Made when it is first needed: a session without a
// prefetch thread has one.
//
// Proving costs the same for 16 leaves at once as for one, and weights are read in order, in pieces
// that end anywhere. So the last piece that was proven stays here for the read that goes on from
// it, and every piece is 16 leaves that lie together.
struct BundleWeights::Reader {
  Reader(const unpacker::OpenBundle& bundle, std::size_t leaves)
      : content(bundle.verified().content()), reader(bundle, leaves) {
    if (leaves == unpacker::FileReader::kMostLeaves) piece.resize(leaves * kLeaf);
  }
  ~Reader() { crypto::wipe(piece); }

  Status read(const ModelFile& file, std::uint64_t offset, MutableBytes out) {
    const ModelFileSource source(content, reader, file);
    if (piece.empty() || offset > source.size() || out.size() > source.size() - offset) {
      return source.read_at(offset, out);
    }
    MutableBytes rest = out;
    while (!rest.empty()) {
      const std::uint64_t start = offset / piece.size() * piece.size();
      const auto size =
          static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), source.size() - start));
      const auto skip = static_cast<std::size_t>(offset - start);
      const std::size_t taken = std::min(size - skip, rest.size());
      Status status = done();
      if (taken == size) {
        status = source.read_at(start, rest.first(size));
      } else {
        status = keep(source, file, start, size);
        if (status.ok()) std::copy_n(piece.begin() + static_cast<long>(skip), taken, rest.begin());
      }
      if (!status.ok()) {
        crypto::wipe(out);
        return status;
      }
      rest = rest.subspan(taken);
      offset += taken;
    }
    return done();
  }

 private:
  static constexpr std::size_t kLeaf = crypto::SegmentCipher::kPlainChunk;

  Status keep(const ModelFileSource& source, const ModelFile& file, std::uint64_t start,
              std::size_t size) {
    if (kept == file && kept_start == start) return done();
    kept.reset();
    TRY(source.read_at(start, MutableBytes(piece).first(size)));
    kept = file;
    kept_start = start;
    return done();
  }

  const bundle::Content& content;
  unpacker::FileReader reader;
  ByteVector piece;  // empty where memory is short
  std::optional<ModelFile> kept;
  std::uint64_t kept_start = 0;
};

BundleWeights::BundleWeights(const unpacker::OpenBundle& bundle, std::vector<ModelFile> files,
                             std::size_t leaves)
    : bundle_(&bundle), files_(std::move(files)), leaves_(leaves) {}

BundleWeights::~BundleWeights() = default;

Status BundleWeights::read(std::uint32_t file, std::uint64_t offset, MutableBytes out) {
  if (file >= files_.size()) {
    crypto::wipe(out);
    return Error(ErrorCode::kInternal, "the model has no file " + std::to_string(file));
  }
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    if (held_[i].test_and_set(std::memory_order_acquire)) continue;
    if (!readers_[i]) readers_[i] = std::make_unique<Reader>(*bundle_, leaves_);
    Status status = readers_[i]->read(files_[file], offset, out);
    held_[i].clear(std::memory_order_release);
    bytes_read_ += status.ok() ? out.size() : 0;
    return status;
  }
  die("weights are read by more than two threads");
}

}  // namespace sealpack::loader
