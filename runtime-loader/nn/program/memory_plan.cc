// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace sealpack::nn::program {
namespace {

bool meet(const Block& block, std::uint32_t first, std::uint32_t last) {
  return block.first <= last && first <= block.last;
}

using Before = bool (*)(const Block&, const Block&);

Placement place_in_order(std::vector<Block>& blocks, Before before) {
  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return before(blocks[a], blocks[b]); });
  Placement placement;
  for (const std::size_t index : order) {
    Block& block = blocks[index];
    if (block.size == 0) continue;
    block.offset = placement.find(block.size, block.first, block.last);
    placement.add(block);
  }
  return placement;
}

}  // namespace

std::uint64_t Placement::find(std::uint64_t size, std::uint32_t first, std::uint32_t last) const {
  constexpr std::uint64_t kNone = ~std::uint64_t{0};
  size = align_up(size);
  std::uint64_t end = 0, best = kNone, best_size = kNone;
  for (const Block& block : placed_) {
    if (!meet(block, first, last)) continue;
    if (block.offset > end && block.offset - end >= size && block.offset - end < best_size) {
      best = end;
      best_size = block.offset - end;
    }
    end = std::max(end, block.offset + align_up(block.size));
  }
  return best != kNone ? best : end;
}

void Placement::add(const Block& block) {
  const auto at =
      std::upper_bound(placed_.begin(), placed_.end(), block,
                       [](const Block& a, const Block& b) { return a.offset < b.offset; });
  placed_.insert(at, block);
  size_ = std::max(size_, block.offset + align_up(block.size));
}

Placement place_blocks(std::vector<Block>& blocks) {
  static constexpr Before kOrders[] = {
      [](const Block& a, const Block& b) { return a.size > b.size; },
      [](const Block& a, const Block& b) {
        return a.last - a.first != b.last - b.first ? a.last - a.first > b.last - b.first
                                                    : a.size > b.size;
      },
      [](const Block& a, const Block& b) {
        return a.first != b.first ? a.first < b.first : a.size > b.size;
      },
  };
  Placement best;
  std::vector<Block> placed;
  for (const Before before : kOrders) {
    std::vector<Block> tried = blocks;
    Placement placement = place_in_order(tried, before);
    if (!placed.empty() && placement.size() >= best.size()) continue;
    best = std::move(placement);
    placed = std::move(tried);
  }
  blocks = std::move(placed);
  return best;
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
