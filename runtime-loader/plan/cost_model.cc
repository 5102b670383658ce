// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/cost_model.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace sealpack::plan {
namespace {

constexpr std::uint64_t kChunk = 16384;  // of plaintext (FORMAT.md §7)
constexpr std::size_t kFeatures = 5;
using Features = std::array<double, kFeatures>;

Features features_of(const nn::StepCost& step) {
  const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
  return {1.0, number(step.multiply_adds), number(step.moved),
          number(step.weights - std::min(step.weights, step.streamed)), number(step.streamed)};
}

std::array<double*, kFeatures> coefficients(Rates& rates) {
  return {&rates.step, &rates.multiply_add, &rates.moved, &rates.weight, &rates.streamed};
}
std::array<double, kFeatures> coefficients(const Rates& rates) {
  return {rates.step, rates.multiply_add, rates.moved, rates.weight, rates.streamed};
}

// Kinds that were never measured take the rates of the others.
const Rates& rates_of(const Calibration& calibration, std::string_view what) {
  const auto found = calibration.kinds.find(kind_of(what));
  if (found != calibration.kinds.end()) return found->second;
  const auto other = calibration.kinds.find("other");
  static const Rates kNone;
  return other == calibration.kinds.end() ? kNone : other->second;
}

// min |A x - 1|² + ridge |(x - start) / scale|², x >= 0, one coordinate after the other.
class Solver {
 public:
  void add_row(std::map<std::size_t, double> row) { rows_.push_back(std::move(row)); }

  void solve(std::vector<double>& x) const {
    constexpr int kRounds = 3000;
    constexpr double kRidge = 2e-3;
    const std::vector<double> start = x;
    std::vector<double> residual(rows_.size(), 1.0);
    std::vector<std::vector<std::pair<std::size_t, double>>> columns(x.size());
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      for (const auto& [column, value] : rows_[r]) {
        columns[column].emplace_back(r, value);
        residual[r] -= value * x[column];
      }
    }
    for (int round = 0; round < kRounds; ++round) {
      for (std::size_t c = 0; c < x.size(); ++c) {
        if (columns[c].empty()) continue;
        double slope = 0;
        double curve = 0;
        for (const auto& [row, value] : columns[c]) {
          slope += value * residual[row];
          curve += value * value;
        }
        if (start[c] > 0) {
          const double pull = kRidge / (start[c] * start[c]);
          slope += pull * (start[c] - x[c]);
          curve += pull;
        }
        if (curve == 0) continue;
        const double next = std::max(0.0, x[c] + slope / curve);
        const double change = next - x[c];
        if (change == 0) continue;
        for (const auto& [row, value] : columns[c]) residual[row] -= value * change;
        x[c] = next;
      }
    }
  }

 private:
  std::vector<std::map<std::size_t, double>> rows_;
};

}  // namespace

std::string kind_of(std::string_view what) {
  const auto has = [&](std::string_view word) { return what.find(word) != std::string_view::npos; };
  if (what.starts_with("conv")) {
    for (const char* word : {"winograd", "depthwise", "grouped"}) {
      if (has(word)) return std::string("conv ") + word;
    }
    return what.starts_with("conv 1x1") ? "conv 1x1" : "conv";
  }
  for (const char* kind :
       {"gemm", "product", "max pool", "average pool", "global average", "pointwise", "layer norm",
        "softmax", "lookup", "transpose", "permute", "concat", "copy", "load weights"}) {
    if (what == kind) return kind;
  }
  return "other";
}

const Calibration& default_calibration() {
  static const Calibration kDefault = [] {
    Calibration out;
    out.machine = "one AVX-512 server core (defaults, not this machine)";
    constexpr double kCore = 1.0 / 100e9;  // multiply-adds
    constexpr double kByte = 1.0 / 10e9;
    const Rates product = {1e-6, kCore, 0.3 * kByte, kByte, 2 * kByte};
    const Rates mover = {1e-6, 0, kByte, kByte, 2 * kByte};
    for (const char* kind : {"conv", "conv 1x1", "gemm", "product"}) out.kinds[kind] = product;
    out.kinds["conv grouped"] = {1e-6, 4 * kCore, kByte, kByte, 2 * kByte};
    out.kinds["conv depthwise"] = {1e-6, 8 * kCore, kByte, kByte, 2 * kByte};
    out.kinds["conv winograd"] = {2e-6, 0.5 * kCore, kByte, 4 * kByte, 20 * kByte};
    for (const char* kind :
         {"max pool", "average pool", "global average", "pointwise", "layer norm", "softmax",
          "lookup", "transpose", "permute", "concat", "copy", "load weights"}) {
      out.kinds[kind] = mover;
    }
    out.kinds["other"] = {2e-6, kCore, 10 * kByte, kByte, 2 * kByte};
    out.run = 2e-6;
    out.decrypt = 1.0 / 3e9;
    out.read = 20e-6;
    out.spill = 1.0 / 4e9;
    out.copy = 1.0 / 8e9;
    out.process_switch = 10e-6;
    return out;
  }();
  return kDefault;
}

ProgramTime time_of(const Calibration& calibration, const nn::ProgramCosts& costs) {
  ProgramTime time;
  time.compute = calibration.run;
  for (const nn::StepCost& step : costs.steps) {
    const Features features = features_of(step);
    const auto rates = coefficients(rates_of(calibration, step.what));
    for (std::size_t i = 0; i < kFeatures; ++i) time.compute += features[i] * rates[i];
    // A read begins and ends inside a chunk, which is verified and decrypted whole; and few chunks
    // hash slower than the sixteen of a batch.
    const std::uint64_t bytes = step.streamed + step.reads * kChunk;
    const double batches = static_cast<double>(step.reads) +
                           static_cast<double>(step.streamed) / static_cast<double>(16 * kChunk);
    time.stream += static_cast<double>(bytes) * calibration.decrypt + batches * calibration.read;
    time.spill += static_cast<double>(step.spilled) * calibration.spill;
  }
  return time;
}

double seconds(const ProgramTime& time) {
  return time.compute + time.stream + time.spill;
}

void fit(const std::vector<Measurement>& measurements, const Calibration& start,
         Calibration& calibration) {
  calibration.kinds = start.kinds;
  calibration.run = start.run;
  std::map<std::string, std::size_t> first;  // column of each kind
  std::vector<double> x = {start.run};
  for (auto& [kind, rates] : calibration.kinds) {
    first[kind] = x.size();
    const auto values = coefficients(std::as_const(rates));
    x.insert(x.end(), values.begin(), values.end());
  }
  Solver solver;
  for (const Measurement& measurement : measurements) {
    std::map<std::size_t, double> row = {{0, 1 / measurement.seconds}};
    for (const nn::StepCost& step : measurement.costs.steps) {
      const Features features = features_of(step);
      const auto kind = first.find(kind_of(step.what));
      const std::size_t column = kind == first.end() ? first.at("other") : kind->second;
      for (std::size_t i = 0; i < kFeatures; ++i) {
        if (features[i] != 0) row[column + i] += features[i] / measurement.seconds;
      }
    }
    solver.add_row(std::move(row));
  }
  solver.solve(x);
  calibration.run = x[0];
  for (auto& [kind, rates] : calibration.kinds) {
    const auto values = coefficients(rates);
    for (std::size_t i = 0; i < kFeatures; ++i) *values[i] = x[first[kind] + i];
  }
}

}  // namespace sealpack::plan
