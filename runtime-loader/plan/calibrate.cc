// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/calibrate.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "keymgmt/crypto/segment_cipher.h"
#include "keymgmt/crypto/sha256.h"
#include "runtime-loader/plan/infer.h"
#include "runtime-loader/plan/micro_programs.h"

namespace sealpack::plan {
namespace {

// Seconds that this thread has computed: other work on the machine does not count.
double now() {
  timespec time{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Tensors for the inputs or outputs of a program.
class Tensors {
 public:
  explicit Tensors(const std::vector<nn::TensorType>& types) {
    for (const nn::TensorType& type : types) {
      // Floats of 0.5: nothing denormal, nothing special.
      std::vector<float> values(static_cast<std::size_t>(type.size() + 3) / sizeof(float) + 16,
                                0.5F);
      storage_.push_back(std::move(values));
    }
    for (std::size_t i = 0; i < types.size(); ++i) {
      auto* data = reinterpret_cast<std::uint8_t*>(storage_[i].data());
      tensors_.push_back({types[i], data});
      constants_.push_back({types[i], data});
    }
  }
  std::span<const nn::Tensor> tensors() const { return tensors_; }
  std::span<const nn::ConstTensor> constants() const { return constants_; }

 private:
  std::vector<std::vector<float>> storage_;
  std::vector<nn::Tensor> tensors_;
  std::vector<nn::ConstTensor> constants_;
};

// Takes the place of what the caches near a core hold: in a large model, what a step needs was
// used a whole run ago.
void evict() {
  static std::vector<std::uint8_t> other(std::size_t{4} << 20U);
  constexpr std::size_t kLine = 64;
  for (std::size_t i = 0; i < other.size(); i += kLine) ++other[i];
}

// The fastest of several runs: what the work takes when nothing else happens.
Result<Measurement> measure(const std::shared_ptr<const nn::Graph>& graph, std::uint64_t limit) {
  constexpr double kLongEnough = 15e-3;
  constexpr int kMostRuns = 40;
  constexpr std::uint64_t kLarge = std::uint64_t{512} << 10U;
  MicroWeights weights;
  HeapMemory memory;
  HeapSpill spill;
  nn::CompileOptions options;
  options.memory_limit = limit;
  const nn::Program program = TRY(nn::Program::compile(graph, weights, options));
  nn::Instance instance = TRY(nn::Instance::create(program, {weights, memory, &spill}));
  const Tensors inputs(program.input_types());
  const Tensors outputs(program.output_types());
  Measurement measurement;
  measurement.costs = program.costs();
  measurement.seconds = 1e9;
  const double start = now();
  for (int i = 0; i < kMostRuns && (i < 3 || (now() - start) < kLongEnough); ++i) {
    if (program.costs().unlimited_peak >= kLarge) evict();
    const double run = now();
    TRY(instance.run(inputs.constants(), outputs.tensors()));
    measurement.seconds = std::min(measurement.seconds, (now() - run));
  }
  return measurement;
}

// Seconds a byte to copy, hash and decrypt the chunks of a sealed load, and to encrypt and decrypt
// alone.
struct BulkRates {
  double load = 0;   // a byte of a long read
  double read = 0;   // a read, beyond that
  double spill = 0;  // a byte
};

class BulkMeter {
 public:
  BulkRates measure() {
    BulkRates rates;
    const double start = now();
    for (std::size_t i = 0; i < kChunks; ++i) {
      cipher_.seal_chunk(i, plain_chunk(i % kLanes), sealed_chunk(i));
    }
    rates.spill = (now() - start) / static_cast<double>(kChunks * Cipher::kPlainChunk);
    const double one = load(1);
    const double batch = load(kLanes);
    const double chunk = std::max(0.0, (batch - one) / static_cast<double>(kLanes - 1));
    rates.load = chunk / static_cast<double>(Cipher::kPlainChunk);
    rates.read = one - chunk;
    return rates;
  }

 private:
  using Cipher = crypto::SegmentCipher;
  static constexpr std::size_t kLanes = 16;
  static constexpr std::size_t kChunks = 32 * kLanes;  // 8 MiB, more than the caches near a core

  MutableBytes plain_chunk(std::size_t i) {
    return MutableBytes(plain_).subspan(i * Cipher::kPlainChunk, Cipher::kPlainChunk);
  }
  MutableBytes sealed_chunk(std::size_t i) {
    return MutableBytes(sealed_).subspan(i * Cipher::kSealedChunk, Cipher::kSealedChunk);
  }

  // Seconds for a read of `count` chunks, when nothing else happens.
  double load(std::size_t count) {
    std::vector<double> times;
    for (std::size_t first = 0; first + count <= kChunks; first += kLanes) {
      const double start = now();
      std::memcpy(copy_.data(), sealed_chunk(first).data(), count * Cipher::kSealedChunk);
      std::array<Bytes, kLanes> messages;
      std::array<Digest, kLanes> digests;
      for (std::size_t i = 0; i < count; ++i) {
        messages[i] = Bytes(copy_).subspan(i * Cipher::kSealedChunk, Cipher::kSealedChunk);
      }
      hasher_.hash(std::span(messages).first(count), std::span(digests).first(count));
      for (std::size_t i = 0; i < count; ++i) {
        if (!cipher_.open_chunk(first + i, messages[i], plain_chunk(i)).ok()) {
          die("a chunk that was just sealed does not open");
        }
      }
      times.push_back(now() - start);
    }
    const auto quarter = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 4);
    std::nth_element(times.begin(), quarter, times.end());
    return *quarter;
  }

  Cipher cipher_ = Cipher::create(crypto::ContentKey::random(), {}, {});
  crypto::BatchHasher hasher_;
  ByteVector sealed_ = ByteVector(kChunks * Cipher::kSealedChunk);
  ByteVector plain_ = ByteVector(kLanes * Cipher::kPlainChunk);
  ByteVector copy_ = ByteVector(kLanes * Cipher::kSealedChunk);
};

double measure_copy() {
  constexpr std::size_t kSize = std::size_t{8} << 20U;
  const ByteVector from(kSize, 1);
  ByteVector to(kSize);
  double best = 1e9;
  for (int round = 0; round < 4; ++round) {
    const double start = now();
    std::memcpy(to.data(), from.data(), kSize);
    best = std::min(best, (now() - start));
  }
  return best / static_cast<double>(kSize);
}

// One byte to another process and back.
Result<double> measure_switch() {
  constexpr int kRounds = 500;
  int there[2];
  int back[2];
  const Error failed(ErrorCode::kIo, "cannot make a pipe to measure a process switch");
  if (::pipe(there) != 0) return failed;
  if (::pipe(back) != 0) {
    (void)::close(there[0]);
    (void)::close(there[1]);
    return failed;
  }
  char byte = 0;
  const pid_t child = ::fork();
  if (child == 0) {
    (void)::close(there[1]);
    while (::read(there[0], &byte, 1) == 1 && ::write(back[1], &byte, 1) == 1) {
    }
    ::_exit(0);
  }
  const auto start = std::chrono::steady_clock::now();
  bool ok = child > 0;
  for (int i = 0; i < kRounds && ok; ++i) {
    ok = ::write(there[1], &byte, 1) == 1 && ::read(back[0], &byte, 1) == 1;
  }
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const int end : {there[0], there[1], back[0], back[1]}) (void)::close(end);
  if (child > 0) (void)::waitpid(child, nullptr, 0);
  if (!ok) return Error(ErrorCode::kIo, "cannot measure a process switch");
  return elapsed / kRounds;
}

}  // namespace

Result<std::vector<Measurement>> measure_programs() {
  std::vector<Measurement> list;
  for (const MicroProgram& program : micro_programs()) {
    list.push_back(TRY(measure(program.graph, ~std::uint64_t{0}).within(program.name)));
    if (!program.also_streamed) continue;
    const nn::ProgramCosts costs = list.back().costs;
    const std::uint64_t limit = costs.least_limit + (costs.unlimited_peak - costs.least_limit) / 4;
    list.push_back(TRY(measure(program.graph, limit).within(program.name)));
  }
  return list;
}

Result<Calibration> calibrate() {
  Calibration calibration;
  calibration.machine = machine_name();
  fit(TRY(measure_programs()), default_calibration(), calibration);
  const BulkRates bulk = BulkMeter().measure();
  calibration.decrypt = bulk.load;
  calibration.read = bulk.read;
  calibration.spill = bulk.spill;
  calibration.copy = measure_copy();
  calibration.process_switch = TRY(measure_switch());
  calibration.measured = true;
  return calibration;
}

Status HeapSpill::store(std::uint64_t block, Bytes plain) {
  blocks_[block].assign(plain.begin(), plain.end());
  return done();
}

Status HeapSpill::load(std::uint64_t block, MutableBytes plain) {
  const auto found = blocks_.find(block);
  if (found == blocks_.end() || found->second.size() != plain.size()) {
    return Error(ErrorCode::kInternal, "spill block " + std::to_string(block) + " is not there");
  }
  std::copy(found->second.begin(), found->second.end(), plain.begin());
  return done();
}

}  // namespace sealpack::plan
