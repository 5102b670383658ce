// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to the session: a model that is loaded, and one run of it.

#include <memory>

#include "runtime-loader/core/session.h"
#include "runtime-loader/core/weights.h"
#include "runtime-loader/nn/program/program.h"

namespace sealpack::loader::internal {

// A block of secure memory, given back (and wiped) at the end.
class SecureBlock {
 public:
  static Result<SecureBlock> allocate(nn::Memory& memory, std::uint64_t size);
  SecureBlock(SecureBlock&& other) noexcept
      : memory_(other.memory_), bytes_(std::exchange(other.bytes_, {})) {}
  SecureBlock& operator=(SecureBlock&&) = delete;
  ~SecureBlock() {
    if (bytes_.data() != nullptr) memory_->release(bytes_);
  }
  MutableBytes bytes() const { return bytes_; }

 private:
  SecureBlock(nn::Memory& memory, MutableBytes bytes) : memory_(&memory), bytes_(bytes) {}
  nn::Memory* memory_;
  MutableBytes bytes_;
};

// Why loading failed with kLimit: the smallest limit that would do, 0 if that is not the reason.
struct LoadFailure {
  std::uint64_t least_limit = 0;
};

// The program of a bundle's model with its memory. In the order in which it must be taken apart,
// last first.
class LoadedModel {
 public:
  // `rule` and `narrowing` decide what of its outputs leaves.
  static Result<std::unique_ptr<LoadedModel>> load(const unpacker::OpenBundle& bundle,
                                                   const LoadOptions& options,
                                                   const bundle::AnswerRule& rule,
                                                   const Narrowing& narrowing,
                                                   const Services& services, LoadFailure& failure);

  const ModelInfo& info() const { return info_; }
  ModelInfo& info() { return info_; }
  nn::Instance& instance() { return *instance_; }
  // In the order of the graph; the names are those of info().
  const std::vector<Port>& graph_inputs() const { return graph_inputs_; }
  const std::vector<Port>& graph_outputs() const { return graph_outputs_; }
  bool is_returned(const std::string& output) const;
  // Answers that one run counts for.
  std::uint64_t answers_per_run() const { return answers_per_run_; }
  RunCounters counters() const;  // since it was loaded

  // Room for the tensors of a run, taken when the model is loaded: a model that is loaded can run.
  const std::vector<SecureBlock>& input_blocks() const { return input_blocks_; }
  const std::vector<SecureBlock>& output_blocks() const { return output_blocks_; }
  void wipe_blocks();

 private:
  LoadedModel() = default;
  Status take_blocks(nn::Memory& memory);
  Status compile(const LoadOptions& options, const Services& services, LoadFailure& failure);
  Status describe(const SecureModel& model, const bundle::AnswerRule& rule,
                  const Narrowing& narrowing);

  std::shared_ptr<const nn::Graph> graph_;
  std::unique_ptr<BundleWeights> weights_;
  std::unique_ptr<SealedSpill> spill_;
  std::optional<nn::Program> program_;
  std::vector<SecureBlock> input_blocks_;
  std::vector<SecureBlock> output_blocks_;
  std::optional<nn::Instance> instance_;
  ModelInfo info_;
  std::vector<Port> graph_inputs_;
  std::vector<Port> graph_outputs_;
  std::vector<std::string> returned_;
  std::vector<nn::TensorType> single_outputs_;  // with every open dimension 1; may be empty
  std::uint64_t answers_per_run_ = 0;
  std::uint64_t spilled_ = 0;  // bytes that a run stores outside
};

// How far one run of a model is. Its inputs and outputs lie in the model's blocks, which are wiped
// at its end.
class Run {
 public:
  explicit Run(LoadedModel& model)
      : model_(&model), before_(model.counters()), given_(model.graph_inputs().size()) {}
  Run(Run&& other) noexcept
      : model_(std::exchange(other.model_, nullptr)),
        before_(other.before_),
        given_(std::move(other.given_)),
        started_(other.started_),
        finished_(other.finished_) {}
  Run& operator=(Run&&) = delete;
  ~Run() {
    if (model_ != nullptr) model_->wipe_blocks();
  }

  // kUsage for a name that is not an input or was given; kMalformed for another type or size;
  // kRefused for a float that is not finite, which could carry a trap into the answer.
  Status add_input(const InputTensor& input);
  std::vector<Port> missing() const;
  bool started() const { return started_; }
  bool finished() const { return finished_; }
  Status start();
  Result<bool> advance();
  // The answer, shaped unless the public part computes on; only the outputs of info().outputs.
  Result<std::vector<Answer::Tensor>> answer(const bundle::AnswerRule& rule) const;
  RunCounters counters() const;
  void abandon();

 private:
  LoadedModel* model_;
  RunCounters before_;
  std::vector<bool> given_;
  bool started_ = false;
  bool finished_ = false;
};

}  // namespace sealpack::loader::internal
