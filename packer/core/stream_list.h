// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "formats/bundle/layout.h"
#include "formats/bundle/tree.h"
#include "keymgmt/crypto/segment_cipher.h"
#include "packer/core/assembly.h"
#include "packer/core/piece_reader.h"

namespace sealpack::packer {

// One stream to write: a public file or a segment. Made before the threads start; each group of
// leaves is then written by one of them.
struct Stream {
  Stream(const PieceReader& source, std::uint64_t stored_size)
      : reader(&source), builder(stored_size), groups_left(group_count()) {}

  std::uint64_t group_count() const {
    return (builder.shape().leaf_count() + bundle::kFanOut - 1) / bundle::kFanOut;
  }

  const PieceReader* reader;
  bool sealed = false;
  std::uint64_t plain_offset = 0;  // in the file
  std::uint64_t plain_size = 0;
  std::uint64_t data_offset = 0;
  std::uint64_t tree_offset = 0;
  ByteVector context;

  bundle::TreeBuilder builder;
  std::atomic<std::uint64_t> groups_left;
  // Made when the first group is reached and dropped with the last, so that few exist at a time.
  std::once_flag cipher_once;
  std::unique_ptr<crypto::SegmentCipher> cipher;
  crypto::SegmentHeader header;
  Digest root;
};

// All streams of a bundle in the order of the manifest, and the way from a unit of work, which is a
// group of leaves, to them. The arguments must outlive it.
class StreamList {
 public:
  StreamList(const Assembly& assembly, const bundle::Content& content,
             const bundle::Layout& layout);

  std::uint64_t unit_count() const { return unit_count_; }
  // The stream that `unit` belongs to and the group in it.
  std::pair<Stream*, std::uint64_t> find(std::uint64_t unit) const;

  // Salts, commitments and roots, once every unit is written.
  void fill_in(bundle::Content& content) const;

 private:
  Stream& add(const models::OutputFile& file, const std::vector<models::InputFile>& inputs,
              std::uint64_t stored_size);

  std::vector<std::unique_ptr<PieceReader>> readers_;
  const models::OutputFile* reader_of_ = nullptr;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<std::uint64_t> first_units_;
  std::uint64_t unit_count_ = 0;
};

}  // namespace sealpack::packer
