// SPDX-License-Identifier: Apache-2.0
// Running a sealed model through the C interface.
#include <atomic>
#include <cstdlib>
#include <limits>
#include <thread>

#include "runtime-loader/core/receipt.h"
#include "runtime-loader/core/sealed_output.h"
#include "tests/runtime-loader/capi/capi_testing.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::testing {
namespace {

// The trained classifier of examples/fashion-mnist, sealed whole.
class SealedClassifier : public ::testing::Test {
 protected:
  SealedClassifier() {
    const std::string file =
        content_of(std::string(SEALPACK_SOURCE) + "/examples/fashion-mnist/fashion-cnn.onnx");
    const ByteVector bytes(file.begin(), file.end());
    Recipe recipe;
    recipe.public_files = {};
    recipe.sealed_files = {{"fashion-cnn.onnx",
                            bundle::SealedKind::kModel,
                            {ByteVector(bytes.begin(), bytes.begin() + 1000),
                             ByteVector(bytes.begin() + 1000, bytes.end())}}};
    recipe.edit_content = [size = bytes.size()](bundle::Content& content) {
      content.originals = {{"fashion-cnn.onnx", size, {{0, 0, size}}}};
      content.card.tensors = {};
      content.card.sealed_parameters = 0;
      content.plan.parameters = {};
    };
    recipe.edit_release = [this](bundle::Release& release) { release.answer = answer_; };
    make_ = [this, recipe] { memory_.bytes = build(keys_, recipe).bytes(); };
    for (std::size_t i = 0; i < image_.size(); ++i) {
      image_[i] = static_cast<float>((i * 37) % 100) / 100.0F;
    }
  }

  void open(sealpack_session_options options = SEALPACK_INIT(sealpack_session_options)) {
    make_();
    session_ = session_with(options, trust_.get());
    bundle_ = open_in(session_.get(), memory_);
    ASSERT_CODE(SEALPACK_OK, unlock(bundle_.get(), keys_.recipient, &error));
  }
  int load(sealpack_error* error, std::uint64_t memory_limit = 0) {
    sealpack_model_options options = SEALPACK_INIT(sealpack_model_options);
    options.memory_limit = memory_limit;
    return sealpack_model_load(bundle_.get(), &options, &info_, error);
  }

  sealpack_value input() {
    sealpack_value value = SEALPACK_INIT(sealpack_value);
    EXPECT_CODE(SEALPACK_OK, sealpack_model_input(bundle_.get(), 0, &value, &error));
    EXPECT_EQ(value.size, image_.size() * sizeof(float));
    value.data = image_.data();
    return value;
  }
  // The answer, or the code of the failure.
  int run(std::vector<float>& scores, sealpack_error* error = nullptr) {
    const sealpack_value given = input();
    sealpack_value output = SEALPACK_INIT(sealpack_value);
    EXPECT_EQ(sealpack_model_output(bundle_.get(), 0, &output, nullptr), SEALPACK_OK);
    scores.assign(output.size / sizeof(float), 1.0F);
    output.data = scores.data();
    return sealpack_model_run(bundle_.get(), &given, 1, &output, 1, &counters_, error);
  }
  static bool is_zero(const std::vector<float>& scores) {
    return std::all_of(scores.begin(), scores.end(), [](float score) { return score == 0; });
  }

  TestKeys keys_ = make_keys();
  bundle::AnswerRule answer_;
  std::function<void()> make_;
  MemoryBundle memory_;
  Owned<sealpack_trust> trust_ = trust_for(keys_);
  Owned<sealpack_session> session_;
  Owned<sealpack_bundle> bundle_;
  sealpack_model_info info_ = SEALPACK_INIT(sealpack_model_info);
  sealpack_run_counters counters_ = SEALPACK_INIT(sealpack_run_counters);
  std::vector<float> image_ = std::vector<float>(28 * 28);
};

TEST_F(SealedClassifier, AnswersTheSameUnderEveryLimitAndNumberOfThreads) {
  open();
  ASSERT_CODE(SEALPACK_OK, load(&error));
  EXPECT_EQ(info_.input_count, 1U);
  EXPECT_EQ(info_.output_count, 1U);
  std::vector<float> expected;
  ASSERT_CODE(SEALPACK_OK, run(expected, &error));
  ASSERT_EQ(expected.size(), 10U);
  EXPECT_FALSE(is_zero(expected));
  EXPECT_EQ(counters_.answers_left, UINT64_MAX);
  std::uint64_t peak = 0;
  ASSERT_CODE(SEALPACK_OK, sealpack_session_peak_memory(session_.get(), &peak, &error));
  EXPECT_GT(peak, 0U);
  EXPECT_LE(peak, info_.peak);

  const std::uint64_t least = info_.least_limit;
  for (const std::uint64_t limit : {least, (least + info_.peak) / 2}) {
    ASSERT_CODE(SEALPACK_OK, load(&error, limit));
    EXPECT_LE(info_.peak, limit);
    std::vector<float> scores;
    ASSERT_CODE(SEALPACK_OK, run(scores, &error));
    EXPECT_EQ(scores, expected) << limit;
  }
  EXPECT_CODE(SEALPACK_LIMIT, load(&error, least / 2));
  std::vector<float> none;
  const sealpack_value given = SEALPACK_INIT(sealpack_value);
  EXPECT_CODE(SEALPACK_USAGE,
              sealpack_model_run(bundle_.get(), &given, 0, nullptr, 0, nullptr, &error));

  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.threads = 3;
  open(options);
  ASSERT_CODE(SEALPACK_OK, load(&error));
  std::vector<float> scores;
  ASSERT_CODE(SEALPACK_OK, run(scores, &error));
  EXPECT_EQ(scores, expected);
}

TEST_F(SealedClassifier, RefusesInputsAndOutputsOfOtherTypes) {
  open();
  ASSERT_CODE(SEALPACK_OK, load(&error));
  std::vector<float> scores(10, 1.0F);
  sealpack_value output = SEALPACK_INIT(sealpack_value);
  ASSERT_CODE(SEALPACK_OK, sealpack_model_output(bundle_.get(), 0, &output, &error));
  output.data = scores.data();
  const auto refuses = [&](const sealpack_value& given, const sealpack_value& out) {
    sealpack_value changed = out;
    const int code = sealpack_model_run(bundle_.get(), &given, 1, &changed, 1, nullptr, nullptr);
    const std::size_t cleared = out.size / sizeof(float);
    EXPECT_TRUE(std::all_of(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(cleared),
                            [](float score) { return score == 0; }));
    scores.assign(10, 1.0F);
    return code;
  };
  const sealpack_value good = input();
  sealpack_value bad = good;
  bad.name = "another";
  EXPECT_NE(refuses(bad, output), SEALPACK_OK);
  bad = good;
  bad.size -= 4;
  EXPECT_EQ(refuses(bad, output), SEALPACK_USAGE);
  bad = good;
  bad.dtype = SEALPACK_I32;
  EXPECT_NE(refuses(bad, output), SEALPACK_OK);
  bad = good;
  bad.dtype = 8;
  EXPECT_NE(refuses(bad, output), SEALPACK_OK);
  bad = good;
  bad.rank = 9;
  EXPECT_EQ(refuses(bad, output), SEALPACK_LIMIT);
  bad = good;
  bad.data = nullptr;
  EXPECT_EQ(refuses(bad, output), SEALPACK_USAGE);
  image_[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(refuses(good, output), SEALPACK_OK);
  image_[5] = 0;
  sealpack_value small = output;
  small.size = 36;
  EXPECT_EQ(refuses(good, small), SEALPACK_USAGE);
  EXPECT_EQ(sealpack_model_run(bundle_.get(), nullptr, 0, &output, 1, nullptr, nullptr),
            SEALPACK_USAGE);  // the input is missing
  // After all that it still answers.
  EXPECT_CODE(SEALPACK_OK, run(scores, &error));
}

TEST_F(SealedClassifier, GivesNoMoreThanTheReleaseAllows) {
  answer_ = {bundle::AnswerForm::kTop1, 0, 2};
  open();
  ASSERT_CODE(SEALPACK_OK, load(&error));
  const sealpack_value given = input();
  sealpack_value output = SEALPACK_INIT(sealpack_value);
  ASSERT_CODE(SEALPACK_OK, sealpack_model_output(bundle_.get(), 0, &output, &error));
  EXPECT_EQ(output.dtype, SEALPACK_I64);
  ASSERT_EQ(output.size, sizeof(std::int64_t));
  std::int64_t best = -1;
  output.data = &best;
  ASSERT_CODE(SEALPACK_OK,
              sealpack_model_run(bundle_.get(), &given, 1, &output, 1, &counters_, &error));
  EXPECT_TRUE(best >= 0 && best < 10) << best;
  EXPECT_EQ(counters_.answers_left, 1U);
  ASSERT_CODE(SEALPACK_OK,
              sealpack_model_run(bundle_.get(), &given, 1, &output, 1, &counters_, &error));
  best = 7;
  EXPECT_CODE(SEALPACK_REFUSED,
              sealpack_model_run(bundle_.get(), &given, 1, &output, 1, nullptr, &error));
  EXPECT_EQ(best, 0);
  // Loading again gives no new answers. Names of ports end with the model before.
  ASSERT_CODE(SEALPACK_OK, load(&error));
  const sealpack_value given_again = input();
  ASSERT_CODE(SEALPACK_OK, sealpack_model_output(bundle_.get(), 0, &output, &error));
  output.data = &best;
  EXPECT_CODE(SEALPACK_REFUSED,
              sealpack_model_run(bundle_.get(), &given_again, 1, &output, 1, nullptr, &error));
}

TEST_F(SealedClassifier, MayBeNarrowedAndNeverWidened) {
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.answer_form = SEALPACK_ANSWER_TOP1;
  open(options);
  ASSERT_CODE(SEALPACK_OK, load(&error));
  sealpack_value output = SEALPACK_INIT(sealpack_value);
  ASSERT_CODE(SEALPACK_OK, sealpack_model_output(bundle_.get(), 0, &output, &error));
  EXPECT_EQ(output.dtype, SEALPACK_I64);
  answer_ = {bundle::AnswerForm::kTop1, 0, 0};
  options.answer_form = SEALPACK_ANSWER_SCORES;
  make_();
  session_ = session_with(options, trust_.get());
  const sealpack_source source = memory_.source();
  sealpack_bundle* bundle = nullptr;
  EXPECT_CODE(SEALPACK_REFUSED,
              sealpack_bundle_open_source(session_.get(), &source, nullptr, &bundle, &error));
}

TEST_F(SealedClassifier, SealsAnswersToTheirOwner) {
  const crypto::PrivateKey owner = make_key(crypto::KeyType::kX25519);
  const sealpack_public_key key = public_key(owner, nullptr);
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.answer_key = &key;
  open(options);
  ASSERT_CODE(SEALPACK_OK, load(&error));
  EXPECT_EQ(info_.sealed_answers, 1);
  std::vector<float> scores;
  EXPECT_CODE(SEALPACK_USAGE, run(scores, &error));
  const sealpack_value given = input();
  ByteVector out(8192);
  std::size_t size = 16;
  EXPECT_CODE(SEALPACK_LIMIT, sealpack_model_run_sealed(bundle_.get(), &given, 1, out.data(), &size,
                                                        nullptr, &error));
  size = out.size();
  ASSERT_CODE(SEALPACK_OK, sealpack_model_run_sealed(bundle_.get(), &given, 1, out.data(), &size,
                                                     nullptr, &error));
  ByteVector nonce(16384);
  std::size_t receipt_size = nonce.size();
  ASSERT_CODE(SEALPACK_OK,
              sealpack_bundle_receipt(bundle_.get(), "", 0, nonce.data(), &receipt_size, &error));
  const auto receipt = loader::parse_receipt(Bytes(nonce).first(receipt_size)).value();
  const auto tee_key = crypto::VerifyingKey::from_spki(receipt.key).value();
  const auto opened =
      loader::open_sealed_output(Bytes(out).first(size), *owner.decryptor().value(), tee_key);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->label.kind, "answer");
}

// ---- The caller's memory and hooks

struct Heap {
  std::atomic<int> left{1 << 30};  // allocations until it says no
  std::atomic<std::int64_t> held{0};
  std::atomic<int> count{0};
  std::atomic<bool> wiped{true};

  sealpack_allocator allocator() {
    sealpack_allocator allocator = SEALPACK_INIT(sealpack_allocator);
    allocator.context = this;
    allocator.allocate = [](void* context, std::size_t size) -> void* {
      auto* self = static_cast<Heap*>(context);
      if (self->left-- <= 0) return nullptr;
      ++self->count;
      self->held += static_cast<std::int64_t>(size);
      return std::aligned_alloc(64, (size + 63) / 64 * 64);
    };
    allocator.release = [](void* context, void* memory, std::size_t size) {
      auto* self = static_cast<Heap*>(context);
      self->held -= static_cast<std::int64_t>(size);
      const auto* bytes = static_cast<const std::uint8_t*>(memory);
      if (!all_zero(ByteVector(bytes, bytes + size))) self->wiped = false;
      std::free(memory);
    };
    return allocator;
  }
};

TEST_F(SealedClassifier, TakesItsMemoryFromTheCallerAndWipesItBeforeItGoesBack) {
  Heap heap;
  const sealpack_allocator allocator = heap.allocator();
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.allocator = &allocator;
  open(options);
  ASSERT_CODE(SEALPACK_OK, load(&error));
  std::vector<float> scores;
  ASSERT_CODE(SEALPACK_OK, run(scores, &error));
  EXPECT_GT(heap.held, 0);
  bundle_.reset();
  session_.reset();
  EXPECT_GT(heap.count, 0);
  EXPECT_EQ(heap.held, 0);
  EXPECT_TRUE(heap.wiped);
}

TEST_F(SealedClassifier, SurvivesAnAllocatorThatFailsAnywhere) {
  Heap heap;
  const sealpack_allocator allocator = heap.allocator();
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.allocator = &allocator;
  open(options);
  const auto load_and_run = [&] {
    std::vector<float> scores;
    int code = load(nullptr);
    if (code == SEALPACK_OK) {
      code = run(scores);
      EXPECT_EQ(is_zero(scores), code != SEALPACK_OK);
    }
    return code;
  };
  heap.count = 0;
  ASSERT_EQ(load_and_run(), SEALPACK_OK);
  const int needed = heap.count;
  for (int allowed = 0; allowed < needed; ++allowed) {
    heap.left = allowed;
    EXPECT_EQ(load_and_run(), SEALPACK_LIMIT) << allowed << " of " << needed;
  }
  heap.left = needed;
  EXPECT_EQ(load_and_run(), SEALPACK_OK);
  bundle_.reset();
  EXPECT_EQ(heap.held, 0);
  EXPECT_TRUE(heap.wiped);
}

TEST_F(SealedClassifier, StopsBetweenSteps) {
  struct Context {
    std::atomic<int> left{1 << 30};
  } context;
  sealpack_hooks hooks = SEALPACK_INIT(sealpack_hooks);
  hooks.context = &context;
  hooks.cancel = [](void* given) { return static_cast<Context*>(given)->left-- <= 0 ? 1 : 0; };
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.hooks = &hooks;
  open(options);
  ASSERT_CODE(SEALPACK_OK, load(&error));
  std::vector<float> expected;
  ASSERT_CODE(SEALPACK_OK, run(expected, &error));
  for (const int left : {0, 1, 2}) {
    context.left = left;
    std::vector<float> scores;
    EXPECT_CODE(SEALPACK_CANCELLED, run(scores, &error));
    EXPECT_TRUE(is_zero(scores)) << left;
  }
  context.left = 1 << 30;
  std::vector<float> scores;
  ASSERT_CODE(SEALPACK_OK, run(scores, &error));
  EXPECT_EQ(scores, expected);
}

// A changed block of weights during a run: no answer.
TEST_F(SealedClassifier, RefusesToRunOnChangedWeights) {
  open();
  ASSERT_CODE(SEALPACK_OK, load(&error));
  ASSERT_CODE(SEALPACK_OK, load(&error, info_.least_limit));  // weights are read again in each run
  std::vector<float> expected;
  ASSERT_CODE(SEALPACK_OK, run(expected, &error));
  if (counters_.weights_read == 0) GTEST_SKIP() << "the least limit keeps all weights";
  memory_.change = [](auto, MutableBytes out) {
    out[out.size() / 3] ^= 4;
    return 0;
  };
  std::vector<float> scores;
  EXPECT_CODE(SEALPACK_NOT_AUTHENTIC, run(scores, &error));
  EXPECT_TRUE(is_zero(scores));
  memory_.change = [](auto, auto) { return 0; };
  ASSERT_CODE(SEALPACK_OK, run(scores, &error));
  EXPECT_EQ(scores, expected);
}

TEST_F(SealedClassifier, RunsAndReadsInManyThreads) {
  open();
  ASSERT_CODE(SEALPACK_OK, load(&error));
  std::vector<float> expected;
  ASSERT_CODE(SEALPACK_OK, run(expected, &error));
  const sealpack_value given = input();
  sealpack_value port = SEALPACK_INIT(sealpack_value);
  ASSERT_CODE(SEALPACK_OK, sealpack_model_output(bundle_.get(), 0, &port, &error));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10; ++j) {
        std::vector<float> scores(10);
        sealpack_value output = port;
        output.data = scores.data();
        if (sealpack_model_run(bundle_.get(), &given, 1, &output, 1, nullptr, nullptr) !=
                SEALPACK_OK ||
            scores != expected) {
          ++wrong;
        }
        ByteVector bytes(5000);
        if (sealpack_file_pread(bundle_.get(), 0, 500, bytes.data(), bytes.size(), nullptr) !=
            SEALPACK_OK) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(SealedClassifier, HasItsInitializersAsTensors) {
  open();
  std::size_t count = 0;
  ASSERT_CODE(SEALPACK_OK, sealpack_tensor_count(bundle_.get(), &count, &error));
  EXPECT_GT(count, 4U);
  for (std::size_t i = 0; i < count; ++i) {
    sealpack_tensor tensor = SEALPACK_INIT(sealpack_tensor);
    ASSERT_CODE(SEALPACK_OK, sealpack_tensor_describe(bundle_.get(), i, &tensor, &error));
    ByteVector bytes(tensor.size);
    EXPECT_CODE(SEALPACK_OK,
                sealpack_tensor_pread(bundle_.get(), i, 0, bytes.data(), bytes.size(), &error));
  }
}

}  // namespace
}  // namespace sealpack::testing
