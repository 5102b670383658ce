// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <optional>

#include "runtime-loader/nn/program/plan.h"
#include "runtime-loader/nn/services.h"

namespace sealpack::nn::program {

// Brings weights to the arena in the order of the schedule, ahead of their use on another thread
// where there is one.
class Fetcher {
 public:
  Fetcher(const Lowered& lowered, const Plan& plan, WeightSource& weights, Background& background)
      : lowered_(lowered), plan_(plan), weights_(weights), background_(background) {}
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;
  ~Fetcher() { stop(); }

  // From the first fetch on again.
  void restart(MutableBytes arena);
  // The run has come to `item`: memory of what earlier items used is free.
  void reach(std::uint32_t item);
  // Returns when `fetch` is there. A failure may be tried again.
  Status require(std::uint32_t fetch);
  // Returns when nothing is under way.
  void stop();

 private:
  Status fetch(std::uint32_t index);
  void run();

  const Lowered& lowered_;
  const Plan& plan_;
  WeightSource& weights_;
  Background& background_;
  MutableBytes arena_;
  std::atomic<std::uint32_t> reached_ = 0;        // the item the run has come to
  std::atomic<std::uint32_t> fetched_ = 0;        // how many are there
  std::atomic<std::uint32_t> wanted_ = kNoIndex;  // the job ends when this one is there
  std::atomic<bool> is_busy_ = false;
  bool is_started_ = false;       // a job has been started and not waited for
  std::optional<Error> failure_;  // of the job; read when it has ended
};

}  // namespace sealpack::nn::program
