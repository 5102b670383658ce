// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/sealed_spill.h"

#include <algorithm>

#include "keymgmt/crypto/random.h"
#include "keymgmt/crypto/segment_cipher.h"
#include "runtime-loader/core/labels.h"

namespace sealpack::loader {
namespace {

using crypto::SegmentCipher;

constexpr std::uint64_t kAlignment = 64;

std::uint64_t piece_count(std::uint64_t plain_size) {
  return (plain_size + SegmentCipher::kPlainChunk - 1) / SegmentCipher::kPlainChunk;
}

// Where a block is outside, and what only the inside knows of it.
struct Block {
  std::uint64_t offset = 0;
  std::uint64_t room = 0;
  std::uint64_t size = 0;         // of the plaintext
  std::uint64_t first_index = 0;  // nonce of its first piece: number and generation in one
};

}  // namespace

// Every piece ever stored has an index of its own in one stream, so its nonce never repeats, and an
// older or another piece fails its tag under the index that is expected.
struct SealedSpill::State {
  explicit State(HostMemory& host_memory)
      : outside(host_memory),
        cipher(SegmentCipher::create(crypto::ContentKey::random(),
                                     crypto::random_array<crypto::SegmentHeader::kSaltSize>(),
                                     as_bytes(kSpillLabel))),
        sealed(SegmentCipher::kSealedChunk) {
    if (outside.size() != 0) free[0] = outside.size();
  }

  // First fit; nullopt when no hole is large enough.
  std::optional<Block> take_room(std::uint64_t room) {
    for (auto hole = free.begin(); hole != free.end(); ++hole) {
      if (hole->second < room) continue;
      Block block;
      block.offset = hole->first;
      block.room = room;
      const std::uint64_t left = hole->second - room;
      free.erase(hole);
      if (left != 0) free[block.offset + room] = left;
      return block;
    }
    return std::nullopt;
  }

  void give_room(const Block& block) {
    auto hole = free.emplace(block.offset, block.room).first;
    const auto next = std::next(hole);
    if (next != free.end() && hole->first + hole->second == next->first) {
      hole->second += next->second;
      free.erase(next);
    }
    if (hole == free.begin()) return;
    const auto before = std::prev(hole);
    if (before->first + before->second != hole->first) return;
    before->second += hole->second;
    free.erase(hole);
  }

  HostMemory& outside;
  SegmentCipher cipher;
  ByteVector sealed;
  std::map<std::uint64_t, std::uint64_t> free;  // offset, size
  std::map<std::uint64_t, Block> blocks;
  std::uint64_t next_index = 0;
  std::uint64_t stored = 0;
  std::uint64_t loaded = 0;
};

SealedSpill::SealedSpill(HostMemory& outside) : state_(std::make_unique<State>(outside)) {}
SealedSpill::~SealedSpill() = default;

Status SealedSpill::store(std::uint64_t block, Bytes plain) {
  forget(block);
  const std::uint64_t pieces = piece_count(plain.size());
  const std::uint64_t room =
      (plain.size() + pieces * SegmentCipher::kTagSize + kAlignment - 1) / kAlignment * kAlignment;
  auto place = state_->take_room(room);
  if (!place) {
    return Error(ErrorCode::kLimit, "no room outside for a block of " + format_size(room) +
                                        ", the memory there has " +
                                        format_size(state_->outside.size()));
  }
  if (state_->next_index + pieces > SegmentCipher::kMaxChunks) {
    return Error(ErrorCode::kLimit, "the key for memory outside is used up");
  }
  place->size = plain.size();
  place->first_index = state_->next_index;
  state_->next_index += pieces;
  // Known from here on, so that a failure below leaves a block that does not open, and its room.
  state_->blocks[block] = *place;
  std::uint64_t offset = place->offset;
  for (std::uint64_t i = 0; i < pieces; ++i) {
    const std::size_t size = std::min(plain.size(), SegmentCipher::kPlainChunk);
    const MutableBytes sealed = MutableBytes(state_->sealed).first(size + SegmentCipher::kTagSize);
    state_->cipher.seal_chunk(place->first_index + i, plain.first(size), sealed);
    TRY(state_->outside.write(offset, sealed));
    plain = plain.subspan(size);
    offset += sealed.size();
  }
  state_->stored += place->size;
  return done();
}

Status SealedSpill::load(std::uint64_t block, MutableBytes plain) {
  const auto found = state_->blocks.find(block);
  if (found == state_->blocks.end() || found->second.size != plain.size()) {
    return Error(ErrorCode::kInternal, "no block " + std::to_string(block) + " of " +
                                           std::to_string(plain.size()) + " bytes was stored");
  }
  const auto fail = [&](Error error) {
    crypto::wipe(plain);
    return error;
  };
  std::uint64_t offset = found->second.offset;
  MutableBytes rest = plain;
  for (std::uint64_t i = 0; i < piece_count(plain.size()); ++i) {
    const std::size_t size = std::min(rest.size(), SegmentCipher::kPlainChunk);
    const MutableBytes sealed = MutableBytes(state_->sealed).first(size + SegmentCipher::kTagSize);
    Status read = state_->outside.read(offset, sealed);
    if (!read.ok()) return fail(std::move(read).take_error());
    if (!state_->cipher.open_chunk(found->second.first_index + i, sealed, rest.first(size)).ok()) {
      return fail({ErrorCode::kNotAuthentic, "memory outside does not hold block " +
                                                 std::to_string(block) + " as it was stored last"});
    }
    rest = rest.subspan(size);
    offset += sealed.size();
  }
  state_->loaded += plain.size();
  return done();
}

void SealedSpill::forget(std::uint64_t block) {
  const auto found = state_->blocks.find(block);
  if (found == state_->blocks.end()) return;
  state_->give_room(found->second);
  state_->blocks.erase(found);
}

std::uint64_t SealedSpill::bytes_stored() const {
  return state_->stored;
}
std::uint64_t SealedSpill::bytes_loaded() const {
  return state_->loaded;
}

}  // namespace sealpack::loader
