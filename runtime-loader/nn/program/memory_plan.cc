// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace sealpack::nn::program {
namespace {

bool meet(const Block& a, const Block& b) {
  return a.first <= b.last && b.first <= a.last;
}

// The smallest gap between the blocks around (ascending by offset) that holds `size`, or the end.
std::uint64_t best_gap(const std::vector<const Block*>& around, std::uint64_t size) {
  std::uint64_t end = 0, best = ~std::uint64_t{0}, best_size = ~std::uint64_t{0};
  for (const Block* block : around) {
    if (block->offset > end && block->offset - end >= size && block->offset - end < best_size) {
      best = end;
      best_size = block->offset - end;
    }
    end = std::max(end, block->offset + align_up(block->size));
  }
  return best != ~std::uint64_t{0} ? best : end;
}

}  // namespace

std::uint64_t place_blocks(std::vector<Block>& blocks) {
  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return blocks[a].size > blocks[b].size; });
  std::vector<const Block*> placed;  // ascending by offset
  std::vector<const Block*> around;
  std::uint64_t size = 0;
  for (const std::size_t index : order) {
    Block& block = blocks[index];
    if (block.size == 0) continue;
    around.clear();
    for (const Block* other : placed) {
      if (meet(*other, block)) around.push_back(other);
    }
    block.offset = best_gap(around, align_up(block.size));
    const auto place =
        std::upper_bound(placed.begin(), placed.end(), &block,
                         [](const Block* a, const Block* b) { return a->offset < b->offset; });
    placed.insert(place, &block);
    size = std::max(size, block.offset + align_up(block.size));
  }
  return size;
}

std::vector<std::uint64_t> needed_at(const std::vector<Block>& blocks, std::size_t count) {
  std::vector<std::uint64_t> needed(count + 1);
  for (const Block& block : blocks) {  // differences first
    if (block.size == 0) continue;
    needed[block.first] += align_up(block.size);
    needed[block.last + 1] -= align_up(block.size);
  }
  for (std::size_t i = 1; i <= count; ++i) needed[i] += needed[i - 1];
  needed.pop_back();
  return needed;
}

}  // namespace sealpack::nn::program
