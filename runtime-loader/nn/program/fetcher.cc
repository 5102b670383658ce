// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/fetcher.h"

namespace sealpack::nn::program {

void Fetcher::restart(MutableBytes arena) {
  stop();
  arena_ = arena;
  fetched_ = 0;
  reached_ = 0;
  failure_.reset();
}

void Fetcher::stop() {
  if (!is_started_) return;
  wanted_ = 0;
  background_.wait();
  is_started_ = false;
  wanted_ = kNoIndex;
}

Status Fetcher::fetch(std::uint32_t index) {
  const Fetch& planned = plan_.fetches[index];
  const PackedWeights& weights = *lowered_.steps[planned.step]->weights;
  const MutableBytes staging = arena_.subspan(planned.staging_offset, planned.staging_size);
  return weights.fetch(weights_, planned.units, staging,
                       reinterpret_cast<float*>(arena_.data() + planned.offset));
}

// Fetches until the next one has no memory yet.
void Fetcher::run() {
  for (;;) {
    const std::uint32_t next = fetched_.load(std::memory_order_relaxed);
    const std::uint32_t wanted = wanted_.load(std::memory_order_acquire);
    if (next == plan_.fetches.size() || (wanted != kNoIndex && next > wanted) ||
        plan_.fetches[next].issue > reached_.load(std::memory_order_acquire)) {
      break;
    }
    auto status = fetch(next);
    if (!status.ok()) {
      failure_ = std::move(status).take_error();
      break;
    }
    fetched_.store(next + 1, std::memory_order_release);
  }
  is_busy_.store(false, std::memory_order_release);
}

void Fetcher::reach(std::uint32_t item) {
  reached_.store(item, std::memory_order_release);
  if (is_busy_.load(std::memory_order_acquire)) return;
  if (is_started_) {
    background_.wait();
    is_started_ = false;
  }
  const std::uint32_t next = fetched_.load(std::memory_order_acquire);
  if (failure_ || next == plan_.fetches.size() || plan_.fetches[next].issue > item) return;
  is_busy_.store(true, std::memory_order_release);
  is_started_ = true;
  background_.start([this] { run(); });
}

Status Fetcher::require(std::uint32_t index) {
  if (fetched_.load(std::memory_order_acquire) > index) return done();
  wanted_.store(index, std::memory_order_release);
  if (is_started_) {
    background_.wait();
    is_started_ = false;
  }
  wanted_.store(kNoIndex, std::memory_order_release);
  if (failure_ && fetched_ <= index) {
    Error error = std::move(*failure_);
    failure_.reset();
    return error;
  }
  while (fetched_ <= index) {
    TRY(fetch(fetched_));
    ++fetched_;
  }
  return done();
}

}  // namespace sealpack::nn::program
