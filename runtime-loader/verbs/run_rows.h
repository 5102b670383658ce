// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "runtime-loader/host/model.h"
#include "runtime-loader/host/public_part.h"
#include "runtime-loader/verbs/run_arrays.h"

namespace sealpack::loader {

// Runs a model over arrays, batch after batch.
class RowRunner {
 public:
  // `load` makes the model ready for shapes of its inputs (with the limits in force). `batch`: rows
  // in a run, 0: as the model says. `budget`: answers that are left, 0: not limited. Called with
  // the bytes of input that each run took: `progress`.
  struct Options {
    std::function<Status(const host::InputShapes&)> load;
    std::uint64_t batch = 0;
    std::uint64_t budget = 0;
    bool top1 = false;
    std::function<void(std::uint64_t)> progress;
    std::function<Status()> before_run = [] { return done(); };
    std::function<void()> answered;  // after each run
  };
  RowRunner(host::Model& model, std::vector<InputArray>& inputs, std::vector<OutputArray>& outputs,
            Options options)
      : model_(model), inputs_(inputs), outputs_(outputs), options_(std::move(options)) {}

  // All that the inputs hold: one array of each, or as many as a stream brings.
  Status run_all();

  std::uint64_t rows() const { return rows_; }
  std::uint64_t runs() const { return runs_; }
  const RunCounters& counters() const { return counters_; }

 private:
  // How the arrays at hand are cut.
  struct Cut {
    std::vector<bool> batched;  // by input; others are the same in every run
    std::uint64_t rows = 1;
    std::uint64_t batch = 1;
  };
  Status run_arrays();  // one array of each input to one array of each output
  Status prepare();
  Status name_inputs();
  Result<host::InputShapes> guess() const;
  bool takes(const host::InputShapes& shapes) const;
  Status load(const host::InputShapes& shapes);
  Result<Cut> cut() const;
  host::InputShapes shapes_for(const Cut& cut, std::uint64_t batch) const;
  Status check_budget(const Cut& cut) const;
  Status begin_outputs(const Cut& cut);
  Result<std::size_t> output_port(const OutputArray& output) const;
  Status run_once(const Cut& cut, std::uint64_t batch,
                  std::map<std::string, host::HostTensor>& tensors);
  Error mismatch(const InputArray& input, const Port& port) const;
  Error wrong_type(const InputArray& input, nn::DType wanted) const;

  host::Model& model_;
  std::vector<InputArray>& inputs_;
  std::vector<OutputArray>& outputs_;
  Options options_;
  bool loaded_ = false;
  host::InputShapes loaded_shapes_;
  std::uint64_t rows_ = 0;
  std::uint64_t runs_ = 0;
  RunCounters counters_;
};

}  // namespace sealpack::loader
