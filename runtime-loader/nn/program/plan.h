// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "runtime-loader/nn/program/lowered.h"
#include "runtime-loader/nn/program/memory_plan.h"
#include "runtime-loader/nn/program/program.h"

// Where everything is and when: decided once, followed by every run.
namespace sealpack::nn::program {

// Spilled tensors are stored in blocks of this many bytes; the last of a tensor may be short.
inline constexpr std::uint64_t kSpillBlock = 16 << 10;

inline constexpr std::uint32_t kNoIndex = ~std::uint32_t{0};

// How a step is cut.
struct Cut {
  std::uint64_t strip_rows = 0;      // rows of a strip; rows() where it is not cut
  std::uint64_t resident_units = 0;  // of the weights, the first ones: kept from run to run
  std::uint64_t tile_units = 0;      // of the others, fetched at a time
};

// What is decided before anything is placed.
struct Choice {
  std::vector<bool> spilled;  // by tensor: roots that live in the spill store
  std::vector<Cut> cuts;      // by step
  std::uint64_t ahead = 0;    // bytes of the arena that fetching ahead may fill
  unsigned threads = 1;       // with scratch memory each
  bool is_least = false;      // no convenience: staging memory for one unit
};

// Where an operand of a step is.
struct Place {
  enum class Kind { kArena, kResident, kInput, kOutput, kConstant, kWindow };
  Kind kind = Kind::kArena;
  std::uint64_t offset = 0;  // in arena or resident memory
  std::uint32_t index = 0;   // of the input, output, constant, or window of the step
};

// The part in memory of a tensor in the spill store, as it moves with the strips of one step.
struct WindowPlan {
  std::uint32_t operand = 0;
  bool is_output = false;
  std::uint64_t offset = 0;       // in the arena
  std::uint64_t capacity = 0;     // bytes
  std::uint64_t first_block = 0;  // number of the tensor's first block
  std::uint64_t tensor_size = 0;
};

// Some units of weights that are used together.
struct TilePlan {
  Range units;
  bool is_resident = false;
  std::uint64_t offset = 0;  // in resident memory
};

struct StepPlan {
  std::vector<Place> inputs, outputs;
  std::vector<WindowPlan> windows;
  std::vector<Range> strips;
  std::vector<TilePlan> tiles;  // one without units where there are no weights
  std::uint64_t scratch_offset = 0, scratch_size = 0;
};

// Weights brought to the arena: from item `issue` on the memory is there, at item `use` it is read.
struct Fetch {
  std::uint32_t step = 0;
  Range units;
  std::uint64_t offset = 0, staging_offset = 0, staging_size = 0;
  std::uint32_t issue = 0, use = 0, last_use = 0;
};

// One piece of work.
struct Item {
  std::uint32_t step = 0, strip = 0, tile = 0;
  std::uint32_t fetch = kNoIndex;  // what it reads
};

struct Plan {
  std::vector<StepPlan> steps;
  std::vector<Item> items;
  std::vector<Fetch> fetches;
  std::uint64_t constants_size = 0, resident_size = 0, arena_size = 0;
  std::uint64_t block_count = 0;  // of the spill store
  unsigned threads = 1;
  bool spills = false;
  std::vector<std::uint64_t> needed;  // bytes of the arena, by item

  std::uint64_t peak() const { return constants_size + resident_size + arena_size; }
};

// The parts of the window over a spilled operand: what it covers for a strip.
Range window_cover(Range bytes, std::uint64_t tensor_size);
// Bytes that the window needs at most over all strips.
std::uint64_t window_capacity(const Step& step, std::size_t operand, bool is_output,
                              std::uint64_t strip_rows);
std::vector<Range> cut_rows(std::uint64_t rows, std::uint64_t strip_rows);

// Items, fetches and places for a choice.
Plan make_plan(const Lowered& lowered, const Choice& choice);

// The best plan within the limit, and costs.
struct Planned {
  Plan plan;
  ProgramCosts costs;
};
Result<Planned> find_plan(const Lowered& lowered, const CompileOptions& options);
ProgramCosts count_costs(const Lowered& lowered, const Plan& plan);

}  // namespace sealpack::nn::program
