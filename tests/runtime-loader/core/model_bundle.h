// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/core/session.h"
#include "tests/runtime-loader/core/host_memory.h"
#include "tests/testing/test_bundle.h"

namespace sealpack::loader::testing {

// x[batch, 16] -> MatMul w1 -> Relu -> hidden[batch, 300] -> MatMul w2 -> y[batch, 4], with inputs
// of the shape {batch, 16} where `batch` is symbolic.
struct TinyModel {
  static constexpr std::size_t kInputs = 16;
  static constexpr std::size_t kHidden = 300;
  static constexpr std::size_t kOutputs = 4;
  ByteVector onnx;
  std::vector<float> w1;
  std::vector<float> w2;

  TinyModel();
  std::vector<float> answer(const std::vector<float>& x) const;  // y for one row
};

// A bundle whose original model.onnx has its first 200 bytes in a public file and the others
// sealed.
sealpack::testing::Recipe model_recipe(const TinyModel& model);

// A counter store in memory.
class MemoryCounter final : public CounterStore {
 public:
  explicit MemoryCounter(CounterKind kind) : kind_(kind) {}
  CounterKind kind() const override { return kind_; }
  Result<Floor> floor(const Digest& authority, const std::string& product) override {
    return floors[{authority, product}];
  }
  Status raise(const Digest& authority, const std::string& product, const Floor& floor) override {
    Floor& kept = floors[{authority, product}];
    if (floor.counter >= kept.counter) kept = floor;
    return done();
  }
  std::map<std::pair<Digest, std::string>, Floor> floors;

 private:
  CounterKind kind_;
};

// Evidence that says what it is over.
class EchoEvidence final : public EvidenceCollector {
 public:
  Result<ByteVector> collect(Bytes report_data) override { return to_vector(report_data); }
};

// Keys, a bundle and what a session of it needs; change the parts before start().
struct Setting {
  Setting();
  void make_bundle(const std::function<void(bundle::Release&)>& edit_release);
  Result<Session> start();
  // Added as bundle 1, role "model".
  Status add(Session& session, BundleId id = 1);
  Status unlock(Session& session, BundleId id = 1);
  // The host holds the key and grants it.
  Status grant(Session& session, const GrantFacts& facts = {},
               const crypto::PrivateKey* signer = nullptr);
  Session ready(const LoadOptions& options = {});  // with the model loaded

  TinyModel model;
  sealpack::testing::TestKeys keys = sealpack::testing::make_keys();
  sealpack::testing::Recipe recipe;
  std::shared_ptr<const BlockSource> source;
  LaunchConfig config;
  Backend backend;
  CountingMemory memory;
  MemoryCounter counters{CounterKind::kTpm};
  VectorMemory outside{1U << 20U};
  EchoEvidence evidence;
  Challenge challenge{ByteVector(32, 1), {}};
};

ByteVector bytes_of(const std::vector<float>& values);
std::vector<float> floats_of(Bytes bytes);
std::vector<float> some_input(unsigned seed, std::size_t rows = 1);
InputTensor input_of(const ByteVector& bytes, std::int64_t rows = 1);

}  // namespace sealpack::loader::testing
