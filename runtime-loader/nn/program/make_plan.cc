// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/program/plan.h"

namespace sealpack::nn::program {

using Home = PlanTensor::Home;

Range window_cover(Range bytes, std::uint64_t tensor_size) {
  const std::uint64_t last = (bytes.last + kSpillBlock - 1) / kSpillBlock * kSpillBlock;
  return {bytes.first / kSpillBlock * kSpillBlock, std::min(last, tensor_size)};
}

std::uint64_t window_capacity(const Step& step, std::size_t operand, bool is_output,
                              std::uint64_t strip_rows) {
  const std::uint64_t size = is_output ? step.output_sizes[operand] : step.input_sizes[operand];
  std::uint64_t capacity = 0;
  for (std::uint64_t first = 0; first < step.rows() && capacity < size; first += strip_rows) {
    const Range rows{first, std::min(step.rows(), first + strip_rows)};
    const Range bytes =
        is_output ? step.output_bytes(operand, rows) : step.input_bytes(operand, rows);
    capacity = std::max(capacity, window_cover(bytes, size).count());
  }
  return capacity;
}

std::vector<Range> cut_rows(std::uint64_t rows, std::uint64_t strip_rows) {
  std::vector<Range> strips;
  for (std::uint64_t first = 0; first < rows; first += strip_rows) {
    strips.push_back({first, std::min(rows, first + strip_rows)});
  }
  if (strips.empty()) strips.push_back({0, 0});
  return strips;
}

namespace {

class PlanMaker {
 public:
  PlanMaker(const Lowered& lowered, const Choice& choice) : lowered_(lowered), choice_(choice) {}

  Plan make() {
    plan_.threads = choice_.threads;
    plan_.constants_size = lowered_.constants_size();
    plan_.steps.resize(lowered_.steps.size());
    first_item_.resize(lowered_.steps.size());
    for (std::uint32_t i = 0; i < lowered_.steps.size(); ++i) add_items(i);
    find_lives();
    for (std::uint32_t i = 0; i < lowered_.steps.size(); ++i) add_step_blocks(i);
    add_tensor_blocks();
    Placement placement = place_blocks(blocks_);
    place_fetches(placement);
    plan_.arena_size = std::max(placement.size(), least_arena());
    plan_.needed = needed_at(blocks_, plan_.items.size());
    write_places();
    return std::move(plan_);
  }

 private:
  const Step& step(std::uint32_t i) const { return *lowered_.steps[i]; }
  TensorId root(TensorId id) const { return lowered_.tensors[id].root; }
  bool is_spilled(TensorId id) const { return choice_.spilled[root(id)]; }
  // Resident weights that are a tensor: nothing to do in a run.
  bool is_resident_load(std::uint32_t i) const {
    return step(i).is_load && choice_.cuts[i].resident_units == step(i).weights->unit_count();
  }

  std::uint32_t add_block(std::uint64_t size, std::uint32_t first, std::uint32_t last) {
    blocks_.push_back({size, first, last, 0});
    return static_cast<std::uint32_t>(blocks_.size() - 1);
  }

  void add_tiles(std::uint32_t i) {
    StepPlan& planned = plan_.steps[i];
    if (!step(i).weights) {
      planned.tiles.push_back({});
      return;
    }
    const PackedWeights& weights = *step(i).weights;
    const Cut& cut = choice_.cuts[i];
    const std::uint64_t count = weights.unit_count();
    if (cut.resident_units > 0) {
      planned.tiles.push_back({{0, cut.resident_units}, true, plan_.resident_size});
      plan_.resident_size += align_up(weights.packed_size({0, cut.resident_units}));
    }
    for (std::uint64_t unit = cut.resident_units; unit < count; unit += cut.tile_units) {
      planned.tiles.push_back({{unit, std::min(count, unit + cut.tile_units)}, false, 0});
    }
  }

  void add_items(std::uint32_t i) {
    add_tiles(i);
    StepPlan& planned = plan_.steps[i];
    planned.strips = cut_rows(step(i).rows(), choice_.cuts[i].strip_rows);
    first_item_[i] = static_cast<std::uint32_t>(plan_.items.size());
    if (is_resident_load(i)) return;
    const bool is_kept = planned.tiles.size() == 1;  // one fetch serves all strips
    for (std::uint32_t strip = 0; strip < planned.strips.size(); ++strip) {
      for (std::uint32_t tile = 0; tile < planned.tiles.size(); ++tile) {
        Item item{i, strip, tile, kNoIndex};
        const auto index = static_cast<std::uint32_t>(plan_.items.size());
        const bool streams =
            planned.tiles[tile].units.count() > 0 && !planned.tiles[tile].is_resident;
        if (streams && (strip == 0 || !is_kept)) {
          plan_.fetches.push_back({i, planned.tiles[tile].units, 0, 0, 0, index, index, index});
        }
        if (streams) {
          item.fetch = static_cast<std::uint32_t>(plan_.fetches.size() - 1);
          plan_.fetches.back().last_use = index;
        }
        plan_.items.push_back(item);
      }
    }
  }

  std::uint32_t last_item(std::uint32_t i) const {
    const std::size_t end = i + 1 < first_item_.size() ? first_item_[i + 1] : plan_.items.size();
    return static_cast<std::uint32_t>(end == first_item_[i] ? end : end - 1);
  }

  // From the step that makes a tensor to the last that reads it; where an output lies over a dying
  // input the two are one.
  void find_lives() {
    const std::size_t count = lowered_.tensors.size();
    made_.assign(count, kNoIndex);
    last_read_.assign(count, 0);
    joined_.resize(count);
    for (TensorId id = 0; id < count; ++id) joined_[id] = id;
    for (std::uint32_t i = 0; i < lowered_.steps.size(); ++i) {
      for (const TensorId id : step(i).outputs) {
        if (made_[root(id)] == kNoIndex) made_[root(id)] = i;
        last_read_[root(id)] = std::max(last_read_[root(id)], i);
      }
      for (const TensorId id : step(i).inputs) last_read_[root(id)] = i;
    }
    for (std::uint32_t i = 0; i < lowered_.steps.size(); ++i) join_in_place(i);
  }

  bool is_in_arena(TensorId id) const {
    return lowered_.tensors[id].home == Home::kMemory && !choice_.spilled[id] &&
           made_[id] != kNoIndex && !(step(made_[id]).is_load && is_resident_load(made_[id]));
  }

  void join_in_place(std::uint32_t i) {
    const Step& s = step(i);
    if (s.in_place < 0) return;
    const TensorId in = root(s.inputs[static_cast<std::size_t>(s.in_place)]);
    const TensorId out = root(s.outputs[0]);
    const auto uses = std::count_if(s.inputs.begin(), s.inputs.end(),
                                    [&](TensorId id) { return root(id) == in; });
    if (uses != 1 || last_read_[in] != i || made_[out] != i || !is_in_arena(in) ||
        !is_in_arena(out) || lowered_.tensors[in].is_weights ||
        lowered_.tensors[in].size != lowered_.tensors[out].size) {
      return;
    }
    joined_[out] = joined_[in];
  }

  void add_step_blocks(std::uint32_t i) {
    const Step& s = step(i);
    StepPlan& planned = plan_.steps[i];
    const std::uint32_t first = first_item_[i], last = last_item(i);
    for (const bool is_output : {false, true}) {
      const auto& operands = is_output ? s.outputs : s.inputs;
      for (std::uint32_t k = 0; k < operands.size(); ++k) {
        if (!is_spilled(operands[k])) continue;
        const std::uint64_t size = is_output ? s.output_sizes[k] : s.input_sizes[k];
        const std::uint64_t capacity = window_capacity(s, k, is_output, choice_.cuts[i].strip_rows);
        planned.windows.push_back(
            {k, is_output, 0, capacity, spill_block(root(operands[k])), size});
        window_blocks_.push_back(add_block(capacity, first, last));
      }
    }
    planned.scratch_size = s.scratch(choice_.threads);
    if (is_resident_load(i)) planned.scratch_size = 0;
    scratch_blocks_.push_back(add_block(planned.scratch_size, first, last));
  }

  // The number of the first block of a spilled tensor.
  std::uint64_t spill_block(TensorId id) {
    spill_first_.resize(lowered_.tensors.size(), ~std::uint64_t{0});
    if (spill_first_[id] == ~std::uint64_t{0}) {
      spill_first_[id] = plan_.block_count;
      plan_.block_count += (lowered_.tensors[id].size + kSpillBlock - 1) / kSpillBlock;
      plan_.spills = true;
    }
    return spill_first_[id];
  }

  void add_tensor_blocks() {
    tensor_block_.assign(lowered_.tensors.size(), kNoIndex);
    for (TensorId id = 0; id < lowered_.tensors.size(); ++id) {
      if (lowered_.tensors[id].root != id || !is_in_arena(id)) continue;
      const std::uint32_t first = first_item_[made_[id]], last = last_item(last_read_[id]);
      std::uint32_t& block = tensor_block_[joined_[id]];
      if (block == kNoIndex) {
        block = add_block(lowered_.tensors[id].size, first, last);
      } else {
        blocks_[block].first = std::min(blocks_[block].first, first);
        blocks_[block].last = std::max(blocks_[block].last, last);
      }
    }
  }

  // Tiles of weights, and the staging memory that the fetches of a step share.
  void place_fetches(Placement& placement) {
    std::uint32_t earliest = 0;
    for (std::size_t f = 0; f < plan_.fetches.size(); ++f) {
      Fetch& fetch = plan_.fetches[f];
      if (step(fetch.step).is_load) {
        const TensorId out = root(step(fetch.step).outputs[0]);
        fetch.offset = blocks_[tensor_block_[joined_[out]]].offset;
        earliest = fetch.use;
        continue;
      }
      const bool is_first = f == 0 || plan_.fetches[f - 1].step != fetch.step;
      if (is_first) measure_staging(f);
      place_fetch(placement, f, earliest, is_first);
      earliest = fetch.issue;
    }
  }

  // The staging memory of a step, from the first of its fetches to the last.
  void measure_staging(std::size_t f) {
    const PackedWeights& weights = *step(plan_.fetches[f].step).weights;
    staging_ = {};
    for (std::size_t i = f; i < plan_.fetches.size(); ++i) {
      const Fetch& fetch = plan_.fetches[i];
      if (fetch.step != plan_.fetches[f].step) break;
      staging_.size = std::max(staging_.size, choice_.is_least ? weights.least_staging(fetch.units)
                                                               : weights.good_staging(fetch.units));
      staging_.last = fetch.use;
    }
  }

  // As many items before its use as there is room for.
  void place_fetch(Placement& placement, std::size_t f, std::uint32_t earliest, bool is_first) {
    constexpr std::uint32_t kMostAhead = 64;
    Fetch& fetch = plan_.fetches[f];
    Block tile{step(fetch.step).weights->packed_size(fetch.units), fetch.use, fetch.last_use, 0};
    Block staging = staging_;
    const auto place = [&](std::uint32_t issue) {
      tile.first = staging.first = issue;
      tile.offset = placement.find(tile.size, tile.first, tile.last);
      std::uint64_t end = tile.offset + align_up(tile.size);
      if (is_first && staging.size > 0) {
        Placement both = placement;
        both.add(tile);
        staging.offset = both.find(staging.size, staging.first, staging.last);
        end = std::max(end, staging.offset + align_up(staging.size));
      }
      return end <= choice_.ahead;
    };
    std::uint32_t low = std::max(earliest, fetch.use - std::min(fetch.use, kMostAhead));
    std::uint32_t high = fetch.use;
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      if (place(middle)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    place(low);
    fetch.issue = low;
    fetch.offset = tile.offset;
    add_placed(placement, tile);
    if (is_first && staging.size > 0) {
      staging_ = staging;
      add_placed(placement, staging);
    }
    fetch.staging_offset = staging_.offset;
    fetch.staging_size = staging_.size;
  }

  void add_placed(Placement& placement, const Block& block) {
    if (block.size == 0) return;
    placement.add(block);
    blocks_.push_back(block);
  }

  // Packing the resident weights borrows the arena.
  std::uint64_t least_arena() const {
    std::uint64_t size = 0;
    for (std::uint32_t i = 0; i < lowered_.steps.size(); ++i) {
      const Range resident{0, choice_.cuts[i].resident_units};
      if (resident.count() > 0) size = std::max(size, step(i).weights->least_staging(resident));
    }
    return align_up(size);
  }

  Place place_of(std::uint32_t i, TensorId id, std::uint32_t operand, bool is_output) const {
    const TensorId from = root(id);
    const PlanTensor& tensor = lowered_.tensors[from];
    switch (tensor.home) {
      case Home::kInput:
        return {Place::Kind::kInput, 0, tensor.index};
      case Home::kOutput:
        return {Place::Kind::kOutput, 0, tensor.index};
      case Home::kConstant:
        return {Place::Kind::kConstant, 0, tensor.index};
      case Home::kMemory:
        break;
    }
    if (choice_.spilled[from]) {
      const auto& windows = plan_.steps[i].windows;
      const auto found =
          std::find_if(windows.begin(), windows.end(), [&](const WindowPlan& window) {
            return window.operand == operand && window.is_output == is_output;
          });
      return {Place::Kind::kWindow, 0, static_cast<std::uint32_t>(found - windows.begin())};
    }
    if (!is_in_arena(from)) {
      return {Place::Kind::kResident, plan_.steps[made_[from]].tiles[0].offset, 0};
    }
    return {Place::Kind::kArena, blocks_[tensor_block_[joined_[from]]].offset, 0};
  }

  void write_places() {
    std::size_t window = 0;
    for (std::uint32_t i = 0; i < lowered_.steps.size(); ++i) {
      StepPlan& planned = plan_.steps[i];
      for (WindowPlan& each : planned.windows)
        each.offset = blocks_[window_blocks_[window++]].offset;
      planned.scratch_offset = blocks_[scratch_blocks_[i]].offset;
      const Step& s = step(i);
      for (std::uint32_t k = 0; k < s.inputs.size(); ++k) {
        planned.inputs.push_back(place_of(i, s.inputs[k], k, false));
      }
      for (std::uint32_t k = 0; k < s.outputs.size(); ++k) {
        planned.outputs.push_back(place_of(i, s.outputs[k], k, true));
      }
    }
  }

  const Lowered& lowered_;
  const Choice& choice_;
  Plan plan_;
  std::vector<Block> blocks_;
  std::vector<std::uint32_t> first_item_, made_, last_read_, window_blocks_, scratch_blocks_;
  std::vector<std::uint32_t> tensor_block_;
  Block staging_;  // of the step whose fetches are being placed
  std::vector<TensorId> joined_;
  std::vector<std::uint64_t> spill_first_;
};

}  // namespace

Plan make_plan(const Lowered& lowered, const Choice& choice) {
  return PlanMaker(lowered, choice).make();
}

}  // namespace sealpack::nn::program
