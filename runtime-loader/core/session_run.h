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

 private:
  LoadedModel() = default;
  Status compile(const LoadOptions& options, const Services& services, LoadFailure& failure);
  Status describe(const SecureModel& model, const bundle::AnswerRule& rule,
                  const Narrowing& narrowing);

  std::shared_ptr<const nn::Graph> graph_;
  std::unique_ptr<BundleWeights> weights_;
  std::unique_ptr<SealedSpill> spill_;
  std::optional<nn::Program> program_;
  std::optional<nn::Instance> instance_;
  ModelInfo info_;
  std::vector<Port> graph_inputs_;
  std::vector<Port> graph_outputs_;
  std::vector<std::string> returned_;
  std::uint64_t answers_per_run_ = 0;
  std::uint64_t spilled_ = 0;  // bytes that a run stores outside
};

// Inputs copied into secure memory, room for the outputs, and how far the run is.
class Run {
 public:
  static Result<Run> begin(LoadedModel& model, nn::Memory& memory);
  Run(Run&&) noexcept = default;
  Run& operator=(Run&&) = delete;

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
  explicit Run(LoadedModel& model) : model_(&model), before_(model.counters()) {}
  LoadedModel* model_;
  RunCounters before_;
  std::vector<SecureBlock> inputs_;
  std::vector<SecureBlock> outputs_;
  std::vector<bool> given_;
  bool started_ = false;
  bool finished_ = false;
};

}  // namespace sealpack::loader::internal
