// SPDX-License-Identifier: Apache-2.0
#include "packer/core/group_writer.h"

#include <algorithm>

#include "keymgmt/crypto/random.h"

namespace sealpack::packer {

using bundle::kFanOut;
using bundle::kLeafSize;
using crypto::SegmentCipher;

Result<std::uint64_t> GroupWriter::write(Stream& stream, std::uint64_t group) {
  if (stream.sealed) {
    std::call_once(stream.cipher_once, [&] {
      const auto salt = crypto::random_array<crypto::SegmentHeader::kSaltSize>();
      stream.cipher =
          std::make_unique<SegmentCipher>(SegmentCipher::create(*key_, salt, stream.context));
      stream.header = stream.cipher->header();
    });
  }
  const bundle::TreeShape& shape = stream.builder.shape();
  const std::uint64_t first = group * kFanOut;
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(kFanOut, shape.leaf_count() - first));
  for (std::size_t i = 0; i < count; i += kBatch) {
    TRY(write_batch(stream, first + i, std::min(kBatch, count - i), i));
  }
  const auto node = stream.builder.add_group(group, std::span(digests_).first(count));
  if (shape.level_count() != 0) {
    TRY(out_->write_at(stream.tree_offset + shape.node_offset(0, group), node));
  }
  const std::uint64_t size = (count - 1) * kLeafSize + shape.leaf_size(first + count - 1);
  out_->start_writeback(stream.data_offset + first * kLeafSize, size);
  if (stream.groups_left.fetch_sub(1) == 1) TRY(finish(stream));
  return size;
}

Status GroupWriter::write_batch(Stream& stream, std::uint64_t first, std::size_t count,
                                std::size_t slot) {
  const bundle::TreeShape& shape = stream.builder.shape();
  std::array<Bytes, kBatch> tagged;
  std::array<Bytes, kBatch> pieces;
  if (stream.sealed) TRY(seal(stream, first, count));
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = shape.leaf_size(first + i);
    if (!stream.sealed) {
      TRY(stream.reader->read((first + i) * kLeafSize, leaves_.leaf(i, size)));
    }
    tagged[i] = leaves_.tagged(i, size);
    pieces[i] = leaves_.leaf(i, size);
  }
  hasher_.hash(std::span(tagged).first(count), std::span(digests_).subspan(slot, count));
  return out_->write_scattered(stream.data_offset + first * kLeafSize,
                               std::span(pieces).first(count));
}

Status GroupWriter::seal(Stream& stream, std::uint64_t first, std::size_t count) {
  const std::uint64_t start = first * SegmentCipher::kPlainChunk;
  const auto size = static_cast<std::size_t>(
      std::min<std::uint64_t>(count * SegmentCipher::kPlainChunk, stream.plain_size - start));
  const MutableBytes plain = MutableBytes(plain_).first(size);
  TRY(stream.reader->read(stream.plain_offset + start, plain));
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t offset = i * SegmentCipher::kPlainChunk;
    const Bytes chunk = plain.subspan(offset, std::min(SegmentCipher::kPlainChunk, size - offset));
    stream.cipher->seal_chunk(first + i, chunk,
                              leaves_.leaf(i, chunk.size() + SegmentCipher::kTagSize));
  }
  return done();
}

Status GroupWriter::finish(Stream& stream) {
  const bundle::TreeBuilder::Finished finished = stream.builder.finish();
  for (const auto& node : finished.upper_nodes) {
    TRY(out_->write_at(stream.tree_offset + node.offset, node.bytes));
  }
  stream.root = finished.root;
  stream.cipher.reset();
  return done();
}

}  // namespace sealpack::packer
