// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime-loader/core/model_bundle.h"

#include <algorithm>
#include <cstring>

#include "tests/runtime-loader/nn/ops/graph_models.h"

namespace sealpack::loader::testing {
namespace {

using models::testing::Proto;

constexpr std::size_t kPublicPart = 200;
constexpr std::size_t kSegment = 12000;

std::vector<float> weights(std::size_t count, unsigned seed) {
  std::vector<float> out(count);
  std::uint64_t state = seed;
  for (float& value : out) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    value = static_cast<float>(static_cast<double>(state >> 40U) / (1U << 24U) - 0.5);
  }
  return out;
}

Proto raw_floats(std::string_view name, const std::vector<float>& values, std::size_t rows) {
  return nn::testing::raw(name, 1, {rows, values.size() / rows}, bytes_of(values));
}

}  // namespace

ByteVector bytes_of(const std::vector<float>& values) {
  ByteVector bytes(values.size() * sizeof(float));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<float> floats_of(Bytes bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::vector<float> some_input(unsigned seed, std::size_t rows) {
  return weights(TinyModel::kInputs * rows, seed + 77);
}

InputTensor input_of(const ByteVector& bytes, std::int64_t rows) {
  return {"x", {nn::DType::kF32, nn::Shape{rows, TinyModel::kInputs}}, bytes};
}

TinyModel::TinyModel() : w1(weights(kInputs * kHidden, 1)), w2(weights(kHidden * kOutputs, 2)) {
  const Proto graph = Proto()
                          .message(1, nn::testing::make_node("MatMul", {"x", "w1"}, {"before"}))
                          .message(1, nn::testing::make_node("Relu", {"before"}, {"hidden"}))
                          .message(1, nn::testing::make_node("MatMul", {"hidden", "w2"}, {"y"}))
                          .text(2, "tiny")
                          .message(5, raw_floats("w1", w1, kInputs))
                          .message(5, raw_floats("w2", w2, kHidden))
                          .message(11, nn::testing::tensor_info("x", 1, {-1, kInputs}))
                          .message(12, nn::testing::tensor_info("y", 1, {-1, kOutputs}))
                          .message(12, nn::testing::tensor_info("hidden", 1, {-1, kHidden}));
  onnx = models::testing::model(graph).get();
}

std::vector<float> TinyModel::answer(const std::vector<float>& x) const {
  std::vector<double> hidden(kHidden);
  for (std::size_t j = 0; j < kHidden; ++j) {
    for (std::size_t i = 0; i < kInputs; ++i) {
      hidden[j] += static_cast<double>(x[i]) * static_cast<double>(w1[i * kHidden + j]);
    }
    hidden[j] = std::max(hidden[j], 0.0);
  }
  std::vector<float> out;
  for (std::size_t j = 0; j < kOutputs; ++j) {
    double sum = 0;
    for (std::size_t i = 0; i < kHidden; ++i) {
      sum += hidden[i] * static_cast<double>(w2[i * kOutputs + j]);
    }
    out.push_back(static_cast<float>(sum));
  }
  return out;
}

sealpack::testing::Recipe model_recipe(const TinyModel& model) {
  sealpack::testing::Recipe recipe;
  const Bytes onnx = model.onnx;
  recipe.public_files = {{"head.bin", to_vector(onnx.first(kPublicPart))}};
  sealpack::testing::TestSealedFile sealed{"tail.bin", bundle::SealedKind::kResidue, {}};
  for (std::size_t at = kPublicPart; at < onnx.size(); at += kSegment) {
    sealed.segments.push_back(to_vector(onnx.subspan(at, std::min(kSegment, onnx.size() - at))));
  }
  recipe.sealed_files = {sealed};
  const std::uint64_t size = onnx.size();
  recipe.edit_content = [size](bundle::Content& content) {
    content.plan = {};
    content.card = {};
    content.originals = {{"model.onnx", size, {{0, 0, kPublicPart}, {1, 0, size - kPublicPart}}}};
  };
  return recipe;
}

Setting::Setting() : recipe(model_recipe(model)) {
  make_bundle([](bundle::Release&) {});
  Owner owner;
  owner.name = "vendor";
  owner.trust = sealpack::testing::trust_in(keys);
  config.owners = {owner};
  backend.tee = "simulated";
  backend.host_holds_keys = true;
}

void Setting::make_bundle(const std::function<void(bundle::Release&)>& edit_release) {
  recipe.edit_release = edit_release;
  source = sealpack::testing::memory(sealpack::testing::build(keys, recipe).bytes());
}

Result<Session> Setting::start() {
  Services services{memory, counters};
  services.spill = &outside;
  services.evidence = &evidence;
  return Session::create(serialize_launch(config), backend, services);
}

Status Setting::add(Session& session, BundleId id) {
  AddBundle how;
  how.owner = "vendor";
  how.host_time.unix_seconds = 1700000000;
  return session.add_bundle(id, source, how);
}

Status Setting::unlock(Session& session, BundleId id) {
  return session.unlock(id, *keys.recipient.decryptor().value());
}

Status Setting::grant(Session& session, const GrantFacts& facts, const crypto::PrivateKey* signer) {
  const KeyRequest request = TRY(session.request_key(1, challenge));
  const auto signing = signer == nullptr ? nullptr : TRY(signer->signer());
  return session.accept_grant(1, TRY(make_key_grant(request, keys.content, facts, signing.get())));
}

Session Setting::ready(const LoadOptions& options) {
  Session session = start().value();
  const auto check = [](const Status& status) {
    if (!status.ok()) die(status.error().message().c_str());
  };
  check(add(session));
  check(unlock(session));
  const auto loaded = session.load(1, options);
  if (!loaded.ok()) die(loaded.error().message().c_str());
  return session;
}

}  // namespace sealpack::loader::testing
