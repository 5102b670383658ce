// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>

#include "runtime-loader/plan/candidates.h"
#include "runtime-loader/plan/cost_model.h"
#include "runtime-loader/plan/infer.h"
#include "runtime-loader/plan/plan_file.h"
#include "runtime-loader/plan/targets.h"
#include "runtime-loader/plan/worth.h"

namespace sealpack::plan {

// A model as the planner sees it.
struct PlannedModel {
  std::shared_ptr<const nn::Graph> graph;
  std::shared_ptr<nn::WeightSource> weights;
};

struct PlanOptions {
  const Target* target = nullptr;
  std::uint64_t memory = 0;  // bytes inside; 0 = not limited
  double switch_cost = 0;    // seconds
  Calibration calibration;
  SymbolSizes sizes;
  unsigned threads = 1;
  bool tries_less_memory = true;  // a half and a quarter of it as well
};

// One way to divide and to run a model.
struct Choice {
  Candidate candidate;
  // That of the division, and "-half" or "-quarter" where it is planned for less memory than was
  // asked: the same on every machine, however it was measured.
  std::string id;
  Estimate estimate;
  std::uint64_t memory = 0;        // limit it is planned for, 0 = none
  std::uint64_t least_memory = 0;  // with less it does not run
  std::uint64_t streamed = 0;      // bytes of weights decrypted again for each answer
  std::uint64_t spilled = 0;
  bool goes_back = false;  // something computed inside is computed with outside
  bool is_oracle = false;
  Worth worth = Worth::kNone;
  std::vector<std::string> taps;
};

struct PlanResult {
  std::vector<Choice> choices;     // best first: all of the model, then by share that is inside
  std::vector<Choice> left_out;    // run as well, but another is better or enough are listed
  std::size_t considered = 0;      // divisions tried
  std::size_t shares_weights = 0;  // left out: both halves would hold a weight
  std::size_t too_large = 0;       // left out: do not run in the memory
  std::string all_refused;         // why all of the model does not, if so
};

class Planner {
 public:
  // kUnsupported, kLimit: what the executor cannot run at all.
  static Result<Planner> create(PlannedModel model, PlanOptions options);

  const Dataflow& flow() const { return flow_; }
  std::uint64_t layer_count() const { return weighted_layers(flow_).size(); }

  // One candidate at a limit (0 = none). kLimit when it does not run in it.
  Result<Choice> evaluate(const Candidate& candidate, std::uint64_t memory) const;
  // All candidates with their memories; only choices that no other beats in everything remain, at
  // most `shown` of them. All of the model is always first, if it runs.
  Result<PlanResult> search(const std::vector<Candidate>& candidates, std::size_t shown) const;
  // For files that people choose from.
  PlanFile file_of(const Choice& choice, const std::string& model, const Digest& digest) const;

 private:
  Planner(PlannedModel model, PlanOptions options);
  Status prepare();

  struct Sums {  // of steps of the whole program
    double compute = 0;
    std::uint64_t multiply_adds = 0;
  };
  Sums sums_of(const Part& part) const;
  std::uint64_t parameters_of(const Part& part) const;
  std::uint64_t bytes_of(const std::vector<std::uint32_t>& values) const;
  std::uint64_t blocks_of(const std::vector<std::uint32_t>& values) const;
  std::uint64_t own_beside(std::uint64_t model) const;
  std::uint64_t room_under(std::uint64_t memory) const;

  PlannedModel model_;
  PlanOptions options_;
  Dataflow flow_;
  std::vector<std::optional<nn::TensorType>> types_;
  nn::ProgramCosts whole_;  // without a limit
  std::uint64_t multiply_adds_ = 0;
  std::uint64_t parameters_ = 0;
};

}  // namespace sealpack::plan
