// SPDX-License-Identifier: Apache-2.0
// Estimates of `sealpack plan` against runs: plan_check MODEL.onnx...
//
// For each model: all of it and several divisions, each with several amounts of memory, planned as
// `sealpack plan` does and then run here, one thread, weights verified and decrypted as the loader
// does it. Prints every pair, Spearman's rank correlation and the mean relative error. Times are of
// the thread, so that other work on the machine disturbs little.
#include <time.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "formats/files/file_source.h"
#include "keymgmt/crypto/segment_cipher.h"
#include "keymgmt/crypto/sha256.h"
#include "runtime-loader/core/sealed_spill.h"
#include "runtime-loader/plan/calibrate.h"
#include "runtime-loader/plan/planner.h"
#include "runtime-loader/plan/subgraph.h"

namespace sealpack::plan {
namespace {

double thread_seconds() {
  timespec now{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// A file as the loader sees it: chunks copied, hashed and decrypted for every read.
class SealedFile final : public nn::WeightSource {
 public:
  static constexpr std::size_t kLanes = 16;
  using Cipher = crypto::SegmentCipher;

  explicit SealedFile(const BlockSource& source)
      : cipher_(Cipher::create(crypto::ContentKey::random(), {}, {})) {
    const std::uint64_t chunks = source.size() / Cipher::kPlainChunk + 1;
    sealed_.resize(static_cast<std::size_t>(chunks) * Cipher::kSealedChunk);
    ByteVector plain(Cipher::kPlainChunk);
    for (std::uint64_t i = 0; i < chunks; ++i) {
      const std::uint64_t at = i * Cipher::kPlainChunk;
      const auto size = static_cast<std::size_t>(
          std::min<std::uint64_t>(Cipher::kPlainChunk, source.size() - at));
      std::fill(plain.begin(), plain.end(), std::uint8_t{0});
      if (!source.read_at(at, MutableBytes(plain).first(size)).ok()) die("cannot read the model");
      cipher_.seal_chunk(i, plain, sealed_chunk(i));
    }
  }

  Status read(std::uint32_t, std::uint64_t offset, MutableBytes out) override {
    while (!out.empty()) {
      const std::uint64_t first = offset / Cipher::kPlainChunk;
      const std::uint64_t last = (offset + out.size() - 1) / Cipher::kPlainChunk;
      const auto count =
          static_cast<std::size_t>(std::min<std::uint64_t>(kLanes, last - first + 1));
      TRY(open(first, count));
      const auto skip = static_cast<std::size_t>(offset - first * Cipher::kPlainChunk);
      const std::size_t part = std::min(out.size(), count * Cipher::kPlainChunk - skip);
      std::memcpy(out.data(), plain_.data() + skip, part);
      out = out.subspan(part);
      offset += part;
    }
    return done();
  }

 private:
  MutableBytes sealed_chunk(std::uint64_t i) {
    return MutableBytes(sealed_).subspan(static_cast<std::size_t>(i) * Cipher::kSealedChunk,
                                         Cipher::kSealedChunk);
  }

  Status open(std::uint64_t first, std::size_t count) {
    std::memcpy(copy_.data(), sealed_chunk(first).data(), count * Cipher::kSealedChunk);
    std::array<Bytes, kLanes> messages;
    std::array<Digest, kLanes> digests;
    for (std::size_t i = 0; i < count; ++i) {
      messages[i] = Bytes(copy_).subspan(i * Cipher::kSealedChunk, Cipher::kSealedChunk);
    }
    hasher_.hash(std::span(messages).first(count), std::span(digests).first(count));
    for (std::size_t i = 0; i < count; ++i) {
      TRY(cipher_.open_chunk(
          first + i, messages[i],
          MutableBytes(plain_).subspan(i * Cipher::kPlainChunk, Cipher::kPlainChunk)));
    }
    return done();
  }

  Cipher cipher_;
  crypto::BatchHasher hasher_;
  ByteVector sealed_;
  ByteVector copy_ = ByteVector(kLanes * Cipher::kSealedChunk);
  ByteVector plain_ = ByteVector(kLanes * Cipher::kPlainChunk);
};

class Outside final : public loader::HostMemory {
 public:
  std::uint64_t size() const override { return bytes_.size(); }
  Status write(std::uint64_t offset, Bytes bytes) override {
    std::memcpy(bytes_.data() + offset, bytes.data(), bytes.size());
    return done();
  }
  Status read(std::uint64_t offset, MutableBytes out) override {
    std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return done();
  }

 private:
  ByteVector bytes_ = ByteVector(std::size_t{256} << 20U);
};

struct Model {
  std::string name;
  std::shared_ptr<const nn::Graph> graph;
  std::shared_ptr<SealedFile> weights;
};

Result<Model> load(const std::string& path) {
  std::shared_ptr<const BlockSource> source = TRY(FileSource::open(path));
  Model model;
  model.name = path;
  model.graph = std::make_shared<const nn::Graph>(
      TRY(nn::load_graph(*source, [](std::string_view) -> Result<std::uint64_t> {
        return Error(ErrorCode::kUnsupported, "external data");
      })));
  model.weights = std::make_shared<SealedFile>(*source);
  return model;
}

// Seconds of the thread for one run of a part; the least of several.
Result<double> run_part(const Model& model, nn::Graph graph, std::uint64_t limit) {
  constexpr int kRuns = 7;
  Outside outside;
  loader::SealedSpill spill(outside);
  HeapMemory memory;
  nn::CompileOptions options;
  options.memory_limit = limit;
  const nn::Program program = TRY(nn::Program::compile(
      std::make_shared<const nn::Graph>(std::move(graph)), *model.weights, options));
  nn::Instance instance = TRY(nn::Instance::create(program, {*model.weights, memory, &spill}));
  std::vector<std::vector<float>> storage;
  std::vector<nn::ConstTensor> inputs;
  std::vector<nn::Tensor> outputs;
  const auto allocate = [&](const nn::TensorType& type) {
    // Integers are 0: a valid index into anything.
    const bool is_float = type.dtype == nn::DType::kF32;
    storage.emplace_back(static_cast<std::size_t>(type.size()) / sizeof(float) + 1,
                         is_float ? 0.5F : 0.0F);
    return reinterpret_cast<std::uint8_t*>(storage.back().data());
  };
  storage.reserve(program.input_types().size() + program.output_types().size());
  for (const nn::TensorType& type : program.input_types()) inputs.push_back({type, allocate(type)});
  for (const nn::TensorType& type : program.output_types()) {
    outputs.push_back({type, allocate(type)});
  }
  double best = 1e9;
  for (int i = 0; i < kRuns; ++i) {
    const double start = thread_seconds();
    TRY(instance.run(inputs, outputs));
    best = std::min(best, thread_seconds() - start);
  }
  return best;
}

struct Pair {
  double estimated = 0;
  double measured = 0;
};

class Check {
 public:
  explicit Check(Calibration calibration) : calibration_(std::move(calibration)) {}

  Status add(const Model& model) {
    PlanOptions options;
    options.target = &target_;
    options.calibration = calibration_;
    const Planner planner = TRY(Planner::create({model.graph, model.weights}, options));
    types_ = TRY(infer_types(*model.graph, *model.weights, {}));
    std::vector<Candidate> candidates = enumerate(planner.flow(), 24);
    // All of it, and up to four others.
    const std::size_t stride = std::max<std::size_t>(1, (candidates.size() - 1) / 4);
    for (std::size_t i = 0; i < candidates.size(); i = i == 0 ? 1 : i + stride) {
      TRY(add_candidate(model, planner, candidates[i]));
    }
    return done();
  }

  // Whether the goals hold.
  bool report() const {
    double error = 0;
    for (const Pair& pair : pairs_) error += std::abs(pair.estimated / pair.measured - 1);
    error /= static_cast<double>(pairs_.size());
    const double rank = spearman();
    std::printf("%zu runs: Spearman %.3f (goal 0.9), mean error %.1f %% (goal 20 %%)\n",
                pairs_.size(), rank, 100 * error);
    return pairs_.size() >= 20 && rank >= 0.9 && error <= 0.2;
  }

 private:
  Status add_candidate(const Model& model, const Planner& planner, const Candidate& candidate) {
    const auto full = planner.evaluate(candidate, 0);
    if (!full.ok()) return done();  // weights that both halves would hold
    for (const std::uint64_t part : {1U, 2U, 4U}) {
      const std::uint64_t memory = part == 1 ? 0 : full->estimate.secure_peak / part;
      const auto choice = planner.evaluate(candidate, memory);
      if (!choice.ok()) continue;
      const double measured = TRY(measure(model, planner.flow(), *choice));
      pairs_.push_back({choice->estimate.latency, measured});
      std::printf("%-34s %-24s %10s  estimated %9.3f ms  measured %9.3f ms  %+5.0f %%\n",
                  model.name.c_str(), candidate.label.c_str(),
                  memory == 0 ? "no limit" : format_size(memory).c_str(),
                  1e3 * choice->estimate.latency, 1e3 * measured,
                  100 * (choice->estimate.latency / measured - 1));
    }
    return done();
  }

  Result<double> measure(const Model& model, const Dataflow& flow, const Choice& choice) const {
    if (choice.candidate.whole) return run_part(model, *model.graph, limit_of(choice));
    const Cut parts = TRY(cut_apart(flow, choice.candidate.secure));
    double seconds = 0;
    for (const Part* part : {&parts.before, &parts.secure, &parts.after}) {
      if (part->empty()) continue;
      seconds += TRY(run_part(model, TRY(part_graph(*model.graph, *part, types_)),
                              part == &parts.secure ? limit_of(choice) : ~std::uint64_t{0}));
    }
    return seconds;
  }

  static std::uint64_t limit_of(const Choice& choice) {
    return choice.memory == 0 ? ~std::uint64_t{0} : choice.memory - choice.estimate.crossing;
  }

  double spearman() const {
    const auto ranks = [&](double Pair::*member) {
      std::vector<std::size_t> order(pairs_.size());
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
      std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return pairs_[a].*member < pairs_[b].*member;
      });
      std::vector<double> rank(order.size());
      for (std::size_t i = 0; i < order.size(); ++i) rank[order[i]] = static_cast<double>(i);
      return rank;
    };
    const std::vector<double> a = ranks(&Pair::estimated);
    const std::vector<double> b = ranks(&Pair::measured);
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    const auto n = static_cast<double>(a.size());
    return 1 - 6 * sum / (n * (n * n - 1));
  }

  static constexpr Target target_ = {"check", 0, "", 0, "", 0, "", 0};
  Calibration calibration_;
  std::vector<std::optional<nn::TensorType>> types_;
  std::vector<Pair> pairs_;
};

Result<bool> run(std::span<char*> paths) {
  Check check(TRY(calibrate()));
  for (const char* path : paths) TRY(check.add(TRY(load(path))).within(path));
  return check.report();
}

}  // namespace
}  // namespace sealpack::plan

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: plan_check MODEL.onnx...\n");
    return 2;
  }
  const auto result =
      sealpack::plan::run(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  if (!result.ok()) {
    std::fprintf(stderr, "plan_check: %s\n", result.error().message().c_str());
    return 1;
  }
  return *result ? 0 : 1;
}
