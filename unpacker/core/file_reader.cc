// SPDX-License-Identifier: Apache-2.0
#include "unpacker/core/file_reader.h"

#include <algorithm>

namespace sealpack::unpacker {
namespace {

using crypto::SegmentCipher;

// Below it a multi-buffer hash is no faster than one leaf at a time, and its tables are larger than
// the leaves.
constexpr std::size_t kLeastToHashAtOnce = 8;

// The stored bytes that one tree covers.
struct Stream {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t tree_offset = 0;
  Digest root;
};

// The part of [start, start + size) that lies in [offset, offset + wanted), relative to start.
struct Overlap {
  std::uint64_t skip = 0;
  std::uint64_t size = 0;
  std::uint64_t at = 0;  // in the wanted range
};
Overlap overlap(std::uint64_t start, std::uint64_t size, std::uint64_t offset,
                std::uint64_t wanted) {
  const std::uint64_t begin = std::max(start, offset);
  const std::uint64_t end = std::min(start + size, offset + wanted);
  if (begin >= end) return {};
  return {begin - start, end - begin, begin - offset};
}

}  // namespace

struct FileReader::State {
  State(const VerifiedBundle& verified, const crypto::ContentKey* content_key,
        std::size_t leaf_count)
      : bundle(&verified),
        key(content_key),
        batch(std::clamp(leaf_count, std::size_t{1}, kMostLeaves)),
        leaves(batch) {
    if (batch >= kLeastToHashAtOnce) hasher.emplace();
  }

  Status use_tree(const Stream& stream) {
    if (!tree || tree_of != stream.offset) {
      tree.emplace(bundle->source(), stream.tree_offset, stream.size, stream.root);
      tree_of = stream.offset;
    }
    return done();
  }

  // Reads `count` <= batch leaves into the buffer and compares them with the signed tree.
  Status load_leaves(const Stream& stream, std::uint64_t first, std::size_t count) {
    TRY(use_tree(stream));
    std::array<MutableBytes, kMostLeaves> pieces;
    std::array<Bytes, kMostLeaves> messages;
    std::array<Digest, kMostLeaves> digests;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t size = tree->shape().leaf_size(first + i);
      pieces[i] = leaves.leaf(i, size);
      messages[i] = leaves.tagged(i, size);
    }
    TRY(bundle->source().read_scattered(stream.offset + first * bundle::kLeafSize,
                                        std::span(pieces).first(count)));
    if (hasher) {
      hasher->hash(std::span(messages).first(count), std::span(digests).first(count));
    } else {
      for (std::size_t i = 0; i < count; ++i) digests[i] = crypto::sha256(messages[i]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (TRY(tree->leaf(first + i)) != digests[i]) {
        return Error(ErrorCode::kNotAuthentic,
                     "bytes of the bundle are not those that were signed");
      }
    }
    return done();
  }

  Stream public_stream(std::uint32_t file) const {
    const bundle::PublicFile& entry = bundle->content().public_files[file];
    return {bundle->layout().public_offsets[file], entry.size,
            bundle->layout().public_tree_offsets[file], entry.root};
  }
  Stream segment_stream(std::uint32_t sealed_file, std::size_t segment) const {
    const auto& place = bundle->layout().segments[sealed_file][segment];
    return {place.data_offset, place.sealed_size, place.tree_offset,
            bundle->content().sealed_files[sealed_file].segments[segment].root};
  }

  Status read_public(std::uint32_t file, std::uint64_t offset, MutableBytes out) {
    const Stream stream = public_stream(file);
    const std::uint64_t last = (offset + out.size() - 1) / bundle::kLeafSize;
    for (std::uint64_t leaf = offset / bundle::kLeafSize; leaf <= last; leaf += batch) {
      const std::size_t count = std::min<std::uint64_t>(batch, last - leaf + 1);
      TRY(load_leaves(stream, leaf, count));
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t size = tree->shape().leaf_size(leaf + i);
        const Overlap part = overlap((leaf + i) * bundle::kLeafSize, size, offset, out.size());
        const Bytes from = leaves.leaf(i, size).subspan(part.skip, part.size);
        std::copy(from.begin(), from.end(), out.subspan(part.at).begin());
      }
    }
    return done();
  }

  Status use_cipher(std::uint32_t sealed_file, std::size_t index) {
    const std::uint64_t number = bundle->layout().segments[sealed_file][index].number;
    if (cipher && cipher_of == number) return done();
    const bundle::Content& content = bundle->content();
    const bundle::Segment& segment = content.sealed_files[sealed_file].segments[index];
    crypto::SegmentHeader header;
    header.salt = segment.salt;
    header.commitment = segment.commitment;
    cipher.reset();
    cipher = TRY(SegmentCipher::open(
        *key, header, bundle::segment_context(content.uuid, number, segment.kind, segment.size)));
    cipher_of = number;
    return done();
  }

  // Decrypts leaf `i` of the buffer, chunk `chunk` of a segment, to where `out` wants it.
  Status open_chunk(std::size_t i, std::uint64_t chunk, std::uint64_t segment_size,
                    std::uint64_t offset, MutableBytes out) {
    const std::uint64_t start = chunk * SegmentCipher::kPlainChunk;
    const std::uint64_t size =
        std::min<std::uint64_t>(SegmentCipher::kPlainChunk, segment_size - start);
    const Overlap part = overlap(start, size, offset, out.size());
    const MutableBytes sealed =
        leaves.leaf(i, static_cast<std::size_t>(size) + SegmentCipher::kTagSize);
    if (part.size == size) return cipher->open_chunk(chunk, sealed, out.subspan(part.at, size));
    // In place: the ciphertext was compared with the tree already and is not needed again.
    const MutableBytes plain = sealed.first(static_cast<std::size_t>(size));
    TRY(cipher->open_chunk(chunk, sealed, plain));
    std::copy_n(plain.begin() + static_cast<std::ptrdiff_t>(part.skip), part.size,
                out.subspan(part.at).begin());
    crypto::wipe(plain);
    return done();
  }

  Status read_segment(std::uint32_t sealed_file, std::size_t index, std::uint64_t offset,
                      MutableBytes out) {
    TRY(use_cipher(sealed_file, index));
    const Stream stream = segment_stream(sealed_file, index);
    const std::uint64_t size = bundle->content().sealed_files[sealed_file].segments[index].size;
    const std::uint64_t last = (offset + out.size() - 1) / SegmentCipher::kPlainChunk;
    for (std::uint64_t chunk = offset / SegmentCipher::kPlainChunk; chunk <= last; chunk += batch) {
      const std::size_t count = std::min<std::uint64_t>(batch, last - chunk + 1);
      TRY(load_leaves(stream, chunk, count));
      for (std::size_t i = 0; i < count; ++i) TRY(open_chunk(i, chunk + i, size, offset, out));
    }
    return done();
  }

  Status read_sealed(std::uint32_t sealed_file, std::uint64_t offset, MutableBytes out) {
    if (key == nullptr) {
      return Error(ErrorCode::kKeyUnavailable, "a sealed file cannot be read without its key");
    }
    const auto& segments = bundle->content().sealed_files[sealed_file].segments;
    const auto& places = bundle->layout().segments[sealed_file];
    const auto after = std::upper_bound(
        places.begin(), places.end(), offset,
        [](std::uint64_t wanted, const auto& place) { return wanted < place.plain_offset; });
    for (auto i = static_cast<std::size_t>(after - places.begin() - 1); i < places.size(); ++i) {
      const Overlap part = overlap(places[i].plain_offset, segments[i].size, offset, out.size());
      if (part.size == 0) break;
      TRY(read_segment(sealed_file, i, part.skip, out.subspan(part.at, part.size)));
    }
    return done();
  }

  Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out) {
    const bundle::Content& content = bundle->content();
    const std::size_t public_count = content.public_files.size();
    if (file >= public_count + content.sealed_files.size()) {
      return Error(ErrorCode::kUsage, "the bundle has no file " + std::to_string(file));
    }
    const std::uint64_t size = file < public_count
                                   ? content.public_files[file].size
                                   : bundle->layout().sealed_sizes[file - public_count];
    if (offset > size || out.size() > size - offset) {
      return Error(ErrorCode::kUsage, "range outside the file");
    }
    if (out.empty()) return done();
    if (file < public_count) return read_public(file, offset, out);
    return read_sealed(file - static_cast<std::uint32_t>(public_count), offset, out);
  }

  Status read_original(const bundle::OriginalFile& original, std::uint64_t offset,
                       MutableBytes out) {
    if (offset > original.size || out.size() > original.size - offset) {
      return Error(ErrorCode::kUsage, "range outside the file");
    }
    std::uint64_t start = 0;
    for (const bundle::Extent& extent : original.extents) {
      const Overlap part = overlap(start, extent.size, offset, out.size());
      start += extent.size;
      if (part.size == 0) continue;
      TRY(read(extent.file, extent.offset + part.skip, out.subspan(part.at, part.size)));
    }
    return done();
  }

  const VerifiedBundle* bundle;
  const crypto::ContentKey* key;
  std::size_t batch;  // leaves read at once
  bundle::LeafBuffer leaves;
  std::optional<crypto::BatchHasher> hasher;
  std::optional<bundle::TreeReader> tree;
  std::uint64_t tree_of = 0;  // offset of the stream that `tree` is for
  std::optional<SegmentCipher> cipher;
  std::uint64_t cipher_of = 0;  // number of the segment that `cipher` is for
};

FileReader::FileReader(const VerifiedBundle& bundle, std::size_t leaves)
    : state_(std::make_unique<State>(bundle, nullptr, leaves)) {}
FileReader::FileReader(const OpenBundle& bundle, std::size_t leaves)
    : state_(std::make_unique<State>(bundle.verified(), &bundle.key(), leaves)) {}
FileReader::~FileReader() = default;
FileReader::FileReader(FileReader&&) noexcept = default;
FileReader& FileReader::operator=(FileReader&&) noexcept = default;

std::size_t FileReader::memory_needed(std::size_t leaves) {
  constexpr std::size_t kHasher = 220U << 10U;  // of libipsec-mb
  constexpr std::size_t kOneLeaf = 16448;       // as LeafBuffer lays them out
  constexpr std::size_t kTree = 4 * bundle::kNodeSize;
  return leaves * kOneLeaf + kTree + (leaves >= kLeastToHashAtOnce ? kHasher : 0);
}

Status FileReader::read(std::uint32_t file, std::uint64_t offset, MutableBytes out) {
  Status status = state_->read(file, offset, out);
  // Nothing half-proven leaves: what was read before the failure is taken back.
  if (!status.ok()) crypto::wipe(out);
  return status;
}

Status FileReader::read_original(const bundle::OriginalFile& original, std::uint64_t offset,
                                 MutableBytes out) {
  Status status = state_->read_original(original, offset, out);
  if (!status.ok()) crypto::wipe(out);
  return status;
}

Status FileReader::check_public(std::uint32_t public_file, std::uint64_t first_leaf,
                                std::uint64_t count) {
  const Stream stream = state_->public_stream(public_file);
  for (std::uint64_t i = 0; i < count; i += state_->batch) {
    TRY(state_->load_leaves(stream, first_leaf + i,
                            std::min<std::uint64_t>(state_->batch, count - i)));
  }
  return done();
}

Status FileReader::check_segment(std::uint32_t sealed_file, std::size_t segment,
                                 std::uint64_t first_leaf, std::uint64_t count) {
  const Stream stream = state_->segment_stream(sealed_file, segment);
  for (std::uint64_t i = 0; i < count; i += state_->batch) {
    TRY(state_->load_leaves(stream, first_leaf + i,
                            std::min<std::uint64_t>(state_->batch, count - i)));
  }
  return done();
}

}  // namespace sealpack::unpacker
