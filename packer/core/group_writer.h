// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/files/output_file.h"
#include "keymgmt/crypto/sha256.h"
#include "packer/core/stream_list.h"

namespace sealpack::packer {

// Reads, encrypts, hashes and writes groups of leaves, with the buffers of one thread: about 1 MiB.
// Key and file must outlive it.
class GroupWriter {
 public:
  GroupWriter(const crypto::ContentKey& key, const OutputFile& out) : key_(&key), out_(&out) {}
  ~GroupWriter() { crypto::wipe(plain_); }
  GroupWriter(const GroupWriter&) = delete;
  GroupWriter& operator=(const GroupWriter&) = delete;

  // Writes leaves and node of a group; the last group of a stream also finishes its tree. Each
  // group once. kIo. Gives the stored bytes, for progress.
  Result<std::uint64_t> write(Stream& stream, std::uint64_t group);

 private:
  static constexpr std::size_t kBatch = 16;  // lanes of the widest multi-buffer SHA-256

  Status write_batch(Stream& stream, std::uint64_t first, std::size_t count, std::size_t slot);
  Status seal(Stream& stream, std::uint64_t first, std::size_t count);
  Status finish(Stream& stream);

  const crypto::ContentKey* key_;
  const OutputFile* out_;
  bundle::LeafBuffer leaves_{kBatch};
  crypto::BatchHasher hasher_;
  ByteVector plain_ = ByteVector(kBatch * crypto::SegmentCipher::kPlainChunk);
  std::array<Digest, bundle::kFanOut> digests_;
};

}  // namespace sealpack::packer
