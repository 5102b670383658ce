// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/chooser.h"

#include <algorithm>
#include <numeric>

namespace sealpack::nn::program {
namespace {

constexpr std::uint64_t kGoodTile = 384 << 10;  // bytes: long enough to read and to compute with
constexpr std::uint64_t kNothing = ~std::uint64_t{0};

std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

Chooser::Chooser(const Lowered& lowered, const CompileOptions& options)
    : lowered_(lowered), options_(options) {
  const std::size_t count = lowered.tensors.size();
  std::vector<std::size_t> first(count, kNothing), last(count, 0);
  readers_.resize(count);
  for (std::size_t i = 0; i < lowered.steps.size(); ++i) {
    for (const auto* operands : {&step(i).inputs, &step(i).outputs}) {
      for (const TensorId id : *operands) {
        first[root(id)] = std::min<std::uint64_t>(first[root(id)], i);
        last[root(id)] = i;
        ++readers_[root(id)];
      }
    }
  }
  live_.resize(lowered.steps.size());
  for (TensorId id = 0; id < count; ++id) {
    const bool is_ours = lowered.tensors[id].home == PlanTensor::Home::kMemory &&
                         lowered.tensors[id].root == id && first[id] != kNothing;
    for (std::size_t i = first[id]; is_ours && i <= last[id]; ++i) live_[i].push_back(id);
  }
}

Choice Chooser::unlimited() const {
  Choice choice;
  choice.threads = std::max(1U, options_.threads);
  choice.spilled.resize(lowered_.tensors.size());
  for (const auto& each : lowered_.steps) {
    const std::uint64_t units = each->weights ? each->weights->unit_count() : 0;
    choice.cuts.push_back({std::max<std::uint64_t>(1, each->rows()), units, 1});
  }
  return choice;
}

bool Chooser::may_spill(TensorId id) const {
  return options_.may_spill && !lowered_.tensors[id].is_weights;
}

bool Chooser::touches_spilled(const Choice& choice, std::size_t i) const {
  const auto is_spilled = [&](TensorId id) { return choice.spilled[root(id)]; };
  return std::any_of(step(i).inputs.begin(), step(i).inputs.end(), is_spilled) ||
         std::any_of(step(i).outputs.begin(), step(i).outputs.end(), is_spilled);
}

// Rows whose output fills a block of the spill store: fewer save no memory.
std::uint64_t Chooser::least_strip(std::size_t i) const {
  const Step& s = step(i);
  const std::uint64_t rows = std::max<std::uint64_t>(1, s.rows());
  const std::uint64_t row_size = std::max<std::uint64_t>(1, s.output_sizes[0] / rows);
  const std::uint64_t fill = (kSpillBlock + row_size - 1) / row_size;
  // Strips times tiles stay a number that a schedule can list.
  const std::uint64_t tiles = s.weights ? s.weights->unit_count() : 1;
  const std::uint64_t most =
      std::clamp<std::uint64_t>(65536 / std::max<std::uint64_t>(1, tiles), 16, 4096);
  return std::min(rows, round_up(std::max({std::uint64_t{1}, fill, rows / most}), s.row_granule()));
}

Choice Chooser::minimal() const {
  Choice choice = unlimited();
  choice.is_least = true;
  choice.threads = 1;
  for (TensorId id = 0; id < lowered_.tensors.size(); ++id) {
    const PlanTensor& tensor = lowered_.tensors[id];
    choice.spilled[id] = tensor.root == id && tensor.home == PlanTensor::Home::kMemory &&
                         may_spill(id) && readers_[id] > 0 && tensor.size > 0;
  }
  for (std::size_t i = 0; i < lowered_.steps.size(); ++i) {
    Cut& cut = choice.cuts[i];
    cut.resident_units = 0;
    if (step(i).is_load) cut.tile_units = step(i).weights->unit_count();
    if (touches_spilled(choice, i)) cut.strip_rows = least_strip(i);
  }
  return choice;
}

std::uint64_t Chooser::windows(const Choice& choice, std::size_t i,
                               std::uint64_t strip_rows) const {
  std::uint64_t size = 0;
  for (std::size_t k = 0; k < step(i).inputs.size(); ++k) {
    if (choice.spilled[root(step(i).inputs[k])]) {
      size += align_up(window_capacity(step(i), k, false, strip_rows));
    }
  }
  for (std::size_t k = 0; k < step(i).outputs.size(); ++k) {
    if (choice.spilled[root(step(i).outputs[k])]) {
      size += align_up(window_capacity(step(i), k, true, strip_rows));
    }
  }
  return size;
}

// Activations in memory while the step runs.
std::uint64_t Chooser::live(const Choice& choice, std::size_t i) const {
  std::uint64_t size = 0;
  for (const TensorId id : live_[i]) {
    if (choice.spilled[id]) continue;
    size += align_up(lowered_.tensors[id].size);
  }
  const Step& s = step(i);
  if (s.in_place >= 0) {
    const TensorId in = root(s.inputs[static_cast<std::size_t>(s.in_place)]);
    const TensorId out = root(s.outputs[0]);
    const bool dies =
        i + 1 == live_.size() || !std::binary_search(live_[i + 1].begin(), live_[i + 1].end(), in);
    const bool is_here = std::binary_search(live_[i].begin(), live_[i].end(), in) &&
                         std::binary_search(live_[i].begin(), live_[i].end(), out);
    const auto uses = std::count_if(s.inputs.begin(), s.inputs.end(),
                                    [&](TensorId id) { return root(id) == in; });
    const bool same = lowered_.tensors[in].size == lowered_.tensors[out].size;
    if (dies && is_here && same && uses == 1 && !choice.spilled[in] && !choice.spilled[out]) {
      size -= align_up(lowered_.tensors[out].size);
    }
  }
  return size;
}

Range Chooser::streamed(const Choice& choice, std::size_t i) const {
  if (!step(i).weights) return {0, 0};
  return {choice.cuts[i].resident_units, step(i).weights->unit_count()};
}

// Memory for up to `tiles` tiles of so many units of the weights that are not resident.
std::uint64_t Chooser::streams(const Choice& choice, std::size_t i, std::uint64_t tile_units,
                               std::uint64_t tiles) const {
  const Range left = streamed(choice, i);
  if (left.count() == 0 || step(i).is_load) return 0;
  const Range tile{left.first, std::min(left.last, left.first + tile_units)};
  const PackedWeights& weights = *step(i).weights;
  const std::uint64_t one = align_up(weights.packed_size(tile));
  return (tile.last < left.last ? tiles : 1) * one + align_up(weights.good_staging(tile));
}

// What the step needs at least: one tile at a time.
std::uint64_t Chooser::needs(const Choice& choice, std::size_t i) const {
  std::uint64_t size = live(choice, i) + align_up(step(i).scratch(choice.threads));
  if (touches_spilled(choice, i)) size += windows(choice, i, least_strip(i));
  return size + streams(choice, i, 1, 1);
}

// Spills the tensor that helps step `i` best; false if none does.
bool Chooser::spill_for(Choice& choice, std::size_t i, std::uint64_t limit) const {
  const std::uint64_t before = needs(choice, i);
  TensorId best = kNoTensor;
  std::uint64_t best_cost = kNothing, best_left = kNothing;
  for (const TensorId id : live_[i]) {
    if (choice.spilled[id] || !may_spill(id)) continue;
    choice.spilled[id] = true;
    const std::uint64_t after = needs(choice, i);
    choice.spilled[id] = false;
    if (after >= before) continue;
    const std::uint64_t left = std::max(after, limit) - limit;
    const std::uint64_t cost = lowered_.tensors[id].size * readers_[id];
    if (left < best_left || (left == best_left && cost < best_cost)) {
      best = id;
      best_cost = cost;
      best_left = left;
    }
  }
  if (best == kNoTensor) return false;
  choice.spilled[best] = true;
  return true;
}

bool Chooser::spill_enough(Choice& choice, std::uint64_t limit) const {
  for (std::size_t i = 0; i < lowered_.steps.size(); ++i) {
    while (needs(choice, i) > limit) {
      if (!spill_for(choice, i, limit)) return false;
    }
  }
  return true;
}

// What the step needs to fetch the next tile while it works on one.
std::uint64_t Chooser::wants(const Choice& choice, std::size_t i) const {
  return needs(choice, i) - streams(choice, i, 1, 1) + streams(choice, i, 1, 2);
}

// Keeps weights from run to run while every step still has what it wants: first those that take
// longest to fetch for what is computed with them. Returns their size.
std::uint64_t Chooser::keep_weights(Choice& choice, std::uint64_t limit) const {
  std::vector<std::size_t> order;
  std::vector<std::uint64_t> free;  // of the limit, by step
  for (std::size_t i = 0; i < lowered_.steps.size(); ++i) {
    if (step(i).weights) order.push_back(i);
    free.push_back(limit - std::min(limit, wants(choice, i)));
  }
  const auto density = [&](std::size_t i) {
    return static_cast<double>(step(i).weights->stored_size()) /
           static_cast<double>(1 + step(i).multiply_adds);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return density(a) > density(b); });
  std::uint64_t kept = 0;
  for (const std::size_t i : order) {
    free[i] = kNothing;
    const std::uint64_t others = *std::min_element(free.begin(), free.end());
    const std::uint64_t units = units_to_keep(choice, i, limit - kept, others);
    choice.cuts[i].resident_units = units;
    const std::uint64_t size = align_up(step(i).weights->packed_size({0, units}));
    kept += size;
    free[i] = limit - std::min(limit, wants(choice, i) + kept - size);
    for (std::uint64_t& each : free) each -= std::min(each, size);
  }
  return kept;
}

// As many units of a step's weights as fit into `limit` with the step itself, and into `others`.
std::uint64_t Chooser::units_to_keep(Choice& choice, std::size_t i, std::uint64_t limit,
                                     std::uint64_t others) const {
  const PackedWeights& weights = *step(i).weights;
  const auto fits = [&](std::uint64_t units) {
    const std::uint64_t size = align_up(weights.packed_size({0, units}));
    choice.cuts[i].resident_units = units;
    const std::uint64_t own = wants(choice, i);
    choice.cuts[i].resident_units = 0;
    return size <= others && size + own <= limit;
  };
  std::uint64_t low = 0, high = weights.unit_count();
  if (fits(high)) return high;
  if (step(i).is_load) return 0;
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

// Longer strips and tiles for one step, where there is memory left.
void Chooser::widen(Choice& choice, std::size_t i, std::uint64_t available) const {
  Cut& cut = choice.cuts[i];
  const bool has_strips = touches_spilled(choice, i);
  cut.strip_rows = has_strips ? least_strip(i) : std::max<std::uint64_t>(1, step(i).rows());
  cut.tile_units = 1;
  const std::uint64_t fixed = align_up(step(i).scratch(choice.threads)) +
                              (has_strips ? windows(choice, i, cut.strip_rows) : 0);
  const std::uint64_t left = available - std::min(available, fixed);
  const std::uint64_t count = streamed(choice, i).count();
  if (step(i).is_load) {
    cut.tile_units = std::max<std::uint64_t>(1, count);
  } else if (count > 0 && has_strips && streams(choice, i, count) <= left / 2) {
    cut.tile_units = count;  // else every strip would fetch it again
  } else if (count > 0) {
    const auto tile_size = [&](std::uint64_t units) {
      const std::uint64_t first = cut.resident_units;
      return step(i).weights->packed_size({first, first + units});
    };
    while (cut.tile_units < count && streams(choice, i, cut.tile_units + 1) <= left &&
           tile_size(cut.tile_units + 1) <= kGoodTile) {
      ++cut.tile_units;
    }
  }
  if (!has_strips) return;
  const std::uint64_t for_windows =
      available - std::min(available, align_up(step(i).scratch(choice.threads)) +
                                          streams(choice, i, cut.tile_units));
  std::uint64_t low = cut.strip_rows, high = std::max(low, step(i).rows()) + 1;
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (windows(choice, i, middle) <= for_windows ? low : high) = middle;
  }
  const std::uint64_t granule = step(i).row_granule();
  if (low < step(i).rows()) low = std::max(low / granule * granule, cut.strip_rows);
  cut.strip_rows = low;
}

std::optional<Choice> Chooser::within(std::uint64_t limit, unsigned threads) const {
  const std::uint64_t constants = lowered_.constants_size();
  if (constants >= limit) return std::nullopt;
  const std::uint64_t room = limit - constants;
  Choice choice = unlimited();
  choice.threads = threads;
  for (Cut& cut : choice.cuts) cut.resident_units = 0;
  if (!spill_enough(choice, room)) return std::nullopt;
  const std::uint64_t kept = keep_weights(choice, room);
  choice.ahead = room - kept;
  for (std::size_t i = 0; i < lowered_.steps.size(); ++i) {
    const std::uint64_t used = live(choice, i);
    widen(choice, i, choice.ahead - std::min(choice.ahead, used));
  }
  return choice;
}

}  // namespace sealpack::nn::program
