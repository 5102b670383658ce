// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace sealpack::nn::program {

inline constexpr std::uint64_t kArenaAlignment = 64;

inline std::uint64_t align_up(std::uint64_t size) {
  return (size + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

// Bytes that are needed from item `first` to item `last` of a schedule, both included.
struct Block {
  std::uint64_t size = 0;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint64_t offset = 0;  // what place_blocks decides
};

// Blocks that have a place, none where another is at the same time.
class Placement {
 public:
  // Where `size` bytes are free from item `first` to item `last`: the smallest gap that holds them.
  std::uint64_t find(std::uint64_t size, std::uint32_t first, std::uint32_t last) const;
  void add(const Block& block);
  std::uint64_t size() const { return size_; }  // of it all

 private:
  std::vector<Block> placed_;  // ascending by offset
  std::uint64_t size_ = 0;
};

// Gives every block a place, in the best of several orders.
Placement place_blocks(std::vector<Block>& blocks);

// Bytes needed at each of `count` items: no placement can do with less than the largest.
std::vector<std::uint64_t> needed_at(const std::vector<Block>& blocks, std::size_t count);

}  // namespace sealpack::nn::program
