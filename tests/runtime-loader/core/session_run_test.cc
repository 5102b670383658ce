// SPDX-License-Identifier: Apache-2.0
// Models of a session: loading, running, what leaves.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "runtime-loader/core/messages.h"
#include "runtime-loader/core/sealed_output.h"
#include "tests/runtime-loader/core/model_bundle.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::make_key;
using sealpack::testing::Succeeds;
using testing::bytes_of;
using testing::floats_of;
using ::testing::HasSubstr;
using testing::input_of;
using testing::Setting;
using testing::some_input;
using testing::TinyModel;

class Running : public ::testing::Test {
 protected:
  Result<Answer> run(Session& session, const std::vector<float>& x, std::int64_t rows = 1) {
    const ByteVector bytes = bytes_of(x);
    const InputTensor input = input_of(bytes, rows);
    return session.run(1, std::span(&input, 1));
  }
  void expect_scores(const Answer& answer, const std::vector<float>& x) {
    ASSERT_FALSE(answer.tensors.empty());
    EXPECT_EQ(answer.tensors[0].port.name, "y");
    const auto scores = floats_of(answer.tensors[0].bytes);
    const auto expected = setting_.model.answer(x);
    ASSERT_EQ(scores.size(), expected.size());
    for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], 1e-3);
  }
  void rule(bundle::AnswerForm form, std::uint32_t decimals, std::uint64_t budget) {
    setting_.make_bundle([=](bundle::Release& release) {
      release.answer = {form, decimals, budget};
    });
  }
  Setting setting_;
};

TEST_F(Running, GivesTheAnswersOfTheModel) {
  Session session = setting_.ready();
  const ModelInfo& info = *session.model(1);
  ASSERT_EQ(info.inputs.size(), 1U);
  EXPECT_EQ(info.inputs[0].name, "x");
  EXPECT_EQ(info.outputs.size(), 2U);
  for (unsigned seed = 0; seed < 3; ++seed) {
    const auto x = some_input(seed);
    const auto answer = run(session, x);
    ASSERT_THAT(answer, Succeeds());
    expect_scores(*answer, x);
  }
}

TEST_F(Running, GivesTheSameBitsUnderEveryLimit) {
  Session free = setting_.ready();
  const auto x = some_input(4);
  const auto expected = run(free, x).value().tensors[0].bytes;
  const std::uint64_t least = free.model(1)->least_limit;
  const std::uint64_t most = free.model(1)->unlimited_peak;
  ASSERT_LT(least, most);
  for (const std::uint64_t limit : {least, (least + most) / 2, most}) {
    LoadOptions options;
    options.memory_limit = limit;
    Setting capped;
    capped.source = setting_.source;
    capped.keys = std::move(setting_.keys);
    capped.config = setting_.config;
    Session session = capped.ready(options);
    setting_.keys = std::move(capped.keys);
    EXPECT_EQ(run(session, x).value().tensors[0].bytes, expected) << limit;
    EXPECT_LE(capped.memory.peak(), limit);
    EXPECT_LE(session.model(1)->peak, limit);
  }
}

TEST_F(Running, SaysWhatALimitThatIsTooSmallWouldHaveToBe) {
  Session session = setting_.ready();
  const std::uint64_t least = session.model(1)->least_limit;
  LoadOptions options;
  options.memory_limit = least - 1;
  EXPECT_THAT(session.load(1, options), Fails(ErrorCode::kLimit));
  EXPECT_EQ(session.last_refusal(), (Refusal{ErrorCode::kLimit, Stage::kLoad, least}));
  options.memory_limit = least;
  EXPECT_THAT(session.load(1, options), Succeeds());
}

TEST_F(Running, KeepsTheLimitOfTheLaunchConfiguration) {
  setting_.config.memory_limit = 1000;
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  ASSERT_THAT(setting_.unlock(session), Succeeds());
  EXPECT_THAT(session.load(1, {}), Fails(ErrorCode::kLimit));
}

TEST_F(Running, ReturnsAllMemoryWhenTheBundleIsClosed) {
  Session session = setting_.ready();
  ASSERT_THAT(run(session, some_input(1)), Succeeds());
  EXPECT_GT(setting_.memory.used(), 0U);
  session.close_bundle(1);
  EXPECT_EQ(setting_.memory.used(), 0U);
}

TEST_F(Running, NeedsAKeyAndAModel) {
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  EXPECT_THAT(session.load(1, {}), Fails(ErrorCode::kKeyUnavailable));
  ASSERT_THAT(setting_.unlock(session), Succeeds());
  EXPECT_THAT(run(session, some_input(1)), Fails(ErrorCode::kUsage));
}

TEST_F(Running, RefusesABundleWithoutAGraph) {
  setting_.recipe = {};  // weights alone
  const auto edit = setting_.recipe.edit_content;
  setting_.recipe.edit_content = [](bundle::Content& content) {
    content.plan = {};
    content.card = {};
  };
  setting_.make_bundle([](bundle::Release&) {});
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  ASSERT_THAT(setting_.unlock(session), Succeeds());
  EXPECT_THAT(session.load(1, {}),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("'model.safetensors'")));
  LoadOptions options;
  options.model = "elsewhere.onnx";
  EXPECT_THAT(session.load(1, options), Fails(ErrorCode::kUsage));
  options.model = "model.safetensors";
  EXPECT_THAT(session.load(1, options), Fails(ErrorCode::kUnsupported));
}

TEST_F(Running, RefusesASchemeItDoesNotKnow) {
  const auto edit = setting_.recipe.edit_content;
  setting_.recipe.edit_content = [edit](bundle::Content& content) {
    edit(content);
    content.plan.scheme = "moonlight";
  };
  setting_.make_bundle([](bundle::Release&) {});
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  ASSERT_THAT(setting_.unlock(session), Succeeds());
  EXPECT_THAT(session.load(1, {}), FailsWith(ErrorCode::kUnsupported, HasSubstr("moonlight")));
}

// ---- inputs

TEST_F(Running, RefusesInputsThatDoNotFit) {
  Session session = setting_.ready();
  const ByteVector bytes = bytes_of(some_input(1, 2));
  InputTensor input = input_of(Bytes(bytes).size() != 0 ? bytes : bytes, 2);
  EXPECT_THAT(session.run(1, std::span(&input, 1)), Fails(ErrorCode::kMalformed));
  input = input_of(bytes, 1);  // twice the bytes
  EXPECT_THAT(session.run(1, std::span(&input, 1)), Fails(ErrorCode::kMalformed));
  input.type.dtype = nn::DType::kI32;
  EXPECT_THAT(session.run(1, std::span(&input, 1)), Fails(ErrorCode::kMalformed));
  input.name = "w1";
  EXPECT_THAT(session.run(1, std::span(&input, 1)), Fails(ErrorCode::kUsage));
  EXPECT_THAT(session.run(1, {}), Fails(ErrorCode::kUsage));
  const ByteVector one = bytes_of(some_input(1));
  const std::vector<InputTensor> twice = {input_of(one), input_of(one)};
  EXPECT_THAT(session.run(1, twice), Fails(ErrorCode::kUsage));
  EXPECT_FALSE(session.is_running());
  EXPECT_THAT(run(session, some_input(1)), Succeeds());
}

TEST_F(Running, RefusesInputsThatAreNotFinite) {
  Session session = setting_.ready();
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    auto x = some_input(1);
    x[7] = bad;
    EXPECT_THAT(run(session, x), FailsWith(ErrorCode::kRefused, HasSubstr("finite")));
    EXPECT_EQ(session.last_refusal().stage, Stage::kInput);
  }
}

TEST_F(Running, TakesBatches) {
  LoadOptions options;
  options.input_shapes["x"] = nn::Shape{3, TinyModel::kInputs};
  Session session = setting_.ready(options);
  const auto x = some_input(5, 3);
  const auto answer = run(session, x, 3);
  ASSERT_THAT(answer, Succeeds());
  const auto scores = floats_of(answer->tensors[0].bytes);
  for (std::size_t row = 0; row < 3; ++row) {
    const auto at = x.begin() + static_cast<std::ptrdiff_t>(row * TinyModel::kInputs);
    const auto expected = setting_.model.answer({at, at + TinyModel::kInputs});
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(scores[row * 4 + i], expected[i], 1e-3);
  }
}

// ---- what leaves

TEST_F(Running, GivesTheIndexAloneUnderTopOne) {
  rule(bundle::AnswerForm::kTop1, 0, 0);
  setting_.config.answer.outputs = {"y"};
  Session session = setting_.ready();
  const auto x = some_input(2);
  const auto answer = run(session, x).value();
  ASSERT_EQ(answer.tensors.size(), 1U);
  ASSERT_EQ(answer.tensors[0].bytes.size(), 8U);
  std::int64_t index = -1;
  std::memcpy(&index, answer.tensors[0].bytes.data(), 8);
  const auto scores = setting_.model.answer(x);
  EXPECT_EQ(index, std::max_element(scores.begin(), scores.end()) - scores.begin());
}

TEST_F(Running, RoundsAsTheReleaseSays) {
  rule(bundle::AnswerForm::kRounded, 1, 0);
  Session session = setting_.ready();
  const auto answer = run(session, some_input(2)).value();
  for (const float score : floats_of(answer.tensors[0].bytes)) {
    EXPECT_EQ(score, static_cast<float>(std::round(static_cast<double>(score) * 10) / 10));
  }
}

// The model has no biases, so its outputs grow with its inputs.
TEST_F(Running, TellsNoFurtherDigitsOfInputsScaledUp) {
  rule(bundle::AnswerForm::kRounded, 1, 0);
  Session session = setting_.ready();
  auto x = some_input(2);
  for (float& value : x) value *= 1e6F;
  const auto answer = run(session, x).value();
  for (const auto& tensor : answer.tensors) {
    const auto scores = floats_of(tensor.bytes);
    float largest = 0;
    for (const float score : scores) largest = std::max(largest, std::abs(score));
    ASSERT_GT(largest, 1e3F);
    // Three digits of the largest.
    const double step = std::pow(10.0, std::floor(std::log10(static_cast<double>(largest))) - 2);
    for (const float score : scores) {
      EXPECT_NEAR(std::remainder(static_cast<double>(score), step) / step, 0, 1e-4) << score;
    }
  }
}

TEST_F(Running, GivesOnlyTheOutputsThatTheLaunchConfigurationLeaves) {
  setting_.config.answer.outputs = {"hidden"};
  Session session = setting_.ready();
  const auto answer = run(session, some_input(2)).value();
  ASSERT_EQ(answer.tensors.size(), 1U);
  EXPECT_EQ(answer.tensors[0].port.name, "hidden");
}

TEST_F(Running, RefusesAnOutputThatIsNotThere) {
  setting_.config.answer.outputs = {"w1"};
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  ASSERT_THAT(setting_.unlock(session), Succeeds());
  EXPECT_THAT(session.load(1, {}), Fails(ErrorCode::kRefused));
}

TEST_F(Running, CountsAnswersAgainstTheBudget) {
  rule(bundle::AnswerForm::kScores, 0, 3);
  Session session = setting_.ready();
  for (std::uint64_t left : {2U, 1U, 0U}) {
    const auto answer = run(session, some_input(1));
    ASSERT_THAT(answer, Succeeds());
    EXPECT_EQ(answer->counters.answers_left, left);
  }
  EXPECT_THAT(run(session, some_input(1)), Fails(ErrorCode::kRefused));
  EXPECT_EQ(session.last_refusal(), (Refusal{ErrorCode::kRefused, Stage::kAnswer, 0}));
  // Loading again is not opening again.
  ASSERT_THAT(session.load(1, {}), Succeeds());
  EXPECT_THAT(run(session, some_input(1)), Fails(ErrorCode::kRefused));
  EXPECT_EQ(verify_receipt(session.receipt(1, {}).value(), session.tee_key()).value().answers, 3U);
}

TEST_F(Running, CountsEveryRowOfABatch) {
  rule(bundle::AnswerForm::kScores, 0, 5);
  LoadOptions options;
  options.input_shapes["x"] = nn::Shape{3, TinyModel::kInputs};
  Session session = setting_.ready(options);
  EXPECT_THAT(run(session, some_input(1, 3), 3), Succeeds());
  EXPECT_THAT(run(session, some_input(1, 3), 3), Fails(ErrorCode::kRefused));
  EXPECT_EQ(session.last_refusal().number, 2U);
}

TEST_F(Running, NarrowsTheBudgetOfTheRelease) {
  rule(bundle::AnswerForm::kScores, 0, 3);
  setting_.config.answer.query_budget = 1;
  Session session = setting_.ready();
  EXPECT_THAT(run(session, some_input(1)), Succeeds());
  EXPECT_THAT(run(session, some_input(1)), Fails(ErrorCode::kRefused));
}

TEST_F(Running, SealsAnswersForTheirOwner) {
  const auto owner = make_key(crypto::KeyType::kX25519);
  setting_.config.answer_key = crypto::EncryptionKey::from_spki(owner.spki()).value();
  Session session = setting_.ready();
  EXPECT_TRUE(session.model(1)->sealed_answers);
  const auto x = some_input(3);
  const auto answer = run(session, x).value();
  EXPECT_TRUE(answer.tensors.empty());
  const auto opened =
      open_sealed_output(answer.sealed, *owner.decryptor().value(), session.tee_key());
  ASSERT_THAT(opened, Succeeds());
  EXPECT_EQ(opened->label.kind, "answer");
  EXPECT_EQ(opened->label.number, 1U);
  std::uint64_t head = 0;
  std::memcpy(&head, opened->plain.data(), 8);
  const auto message = parse_tee_message(Bytes(opened->plain).subspan(8, head)).value();
  const auto& tensors = std::get<AnswerMessage>(message).tensors;
  ASSERT_EQ(tensors.size(), 2U);
  Answer clear;
  clear.tensors.push_back(
      {tensors[0].port,
       to_vector(
           Bytes(opened->plain).subspan(8 + head + tensors[0].range.at, tensors[0].range.size))});
  expect_scores(clear, x);
}

// ---- a source that its owner changes

class MovingSource final : public BlockSource {
 public:
  explicit MovingSource(ByteVector bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    const std::uint64_t read = reads_++;
    if (read >= cut_) return Error(ErrorCode::kIo, "the file was cut short");
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    if (read >= first_ && read <= last_ && !out.empty()) out[out.size() / 2] ^= 0x10;
    return done();
  }
  void change(std::uint64_t first, std::uint64_t last) {
    first_ = first;
    last_ = last;
  }
  void cut_after(std::uint64_t reads) { cut_ = reads; }
  std::uint64_t reads() const { return reads_; }

 private:
  ByteVector bytes_;
  std::uint64_t first_ = ~std::uint64_t{0};
  std::uint64_t last_ = 0;
  std::uint64_t cut_ = ~std::uint64_t{0};
  mutable std::atomic<std::uint64_t> reads_{0};
};

// Opens, loads under the least limit and runs; the scores, or why not.
class MovingBundle : public Running {
 protected:
  MovingBundle() : bytes_(sealpack::testing::build(setting_.keys, setting_.recipe).bytes()) {
    setting_.source = std::make_shared<MovingSource>(bytes_);
    Session session = setting_.ready();
    least_ = session.model(1)->least_limit;
  }
  Result<ByteVector> everything(const std::shared_ptr<MovingSource>& source) {
    setting_.source = source;
    Session session = TRY(setting_.start());
    TRY(setting_.add(session));
    TRY(setting_.unlock(session));
    LoadOptions options;
    options.memory_limit = least_;
    TRY(session.load(1, options));
    return TRY(run(session, some_input(1))).tensors[0].bytes;
  }
  ByteVector bytes_;
  std::uint64_t least_ = 0;
};

TEST_F(MovingBundle, GivesTheAnswerOrNoneWhateverReadIsChanged) {
  const auto clean = std::make_shared<MovingSource>(bytes_);
  const ByteVector expected = everything(clean).value();
  std::uint64_t refused = 0;
  for (std::uint64_t nth = 0; nth < clean->reads(); ++nth) {
    for (const std::uint64_t last : {nth, ~std::uint64_t{0}}) {
      const auto source = std::make_shared<MovingSource>(bytes_);
      source->change(nth, last);
      const auto answer = everything(source);
      if (answer.ok()) {
        EXPECT_EQ(*answer, expected) << nth;
      } else {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, clean->reads());
}

TEST_F(MovingBundle, RefusesASourceThatIsCutShort) {
  const auto clean = std::make_shared<MovingSource>(bytes_);
  ASSERT_THAT(everything(clean), Succeeds());
  for (std::uint64_t reads = 0; reads < clean->reads(); ++reads) {
    const auto source = std::make_shared<MovingSource>(bytes_);
    source->cut_after(reads);
    EXPECT_FALSE(everything(source).ok()) << reads;
  }
}

TEST_F(MovingBundle, StaysReadyAfterABlockWasTamperedWithDuringARun) {
  const auto source = std::make_shared<MovingSource>(bytes_);
  setting_.source = source;
  LoadOptions options;
  options.memory_limit = least_;
  Session session = setting_.ready(options);
  const auto x = some_input(1);
  ASSERT_GT(session.model(1)->streamed, 0U);
  ASSERT_THAT(run(session, x), Succeeds());
  source->change(source->reads(), ~std::uint64_t{0});
  EXPECT_THAT(run(session, x), Fails(ErrorCode::kNotAuthentic));
  EXPECT_EQ(session.last_refusal().stage, Stage::kRun);
  EXPECT_FALSE(session.is_running());
  source->change(~std::uint64_t{0}, 0);
  const auto answer = run(session, x);
  ASSERT_THAT(answer, Succeeds());
  expect_scores(*answer, x);
}

}  // namespace
}  // namespace sealpack::loader
