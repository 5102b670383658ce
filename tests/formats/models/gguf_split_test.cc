// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "formats/models/gguf.h"
#include "formats/models/gguf_header.h"
#include "tests/formats/models/gguf_testing.h"
#include "tests/formats/models/split_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::models {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;
using testing::assemble;
using ::testing::ElementsAre;
using testing::GgufWriter;
using testing::memory_input;
using testing::small_gguf;
using testing::TensorBytes;

// Reads a half as ggml does: tensors in order, each padded to the alignment, the last one too.
TensorBytes packed_tensors(const ByteVector& file) {
  TensorBytes tensors;
  const auto header = parse_gguf(MemorySource(file));
  EXPECT_THAT(header, Succeeds());
  if (!header.ok()) return tensors;
  std::uint64_t at = 0;
  for (const GgufTensor& tensor : header->tensors) {
    EXPECT_EQ(tensor.offset, at);
    tensors[tensor.name] =
        to_vector(Bytes(file).subspan(header->data_offset + tensor.offset, tensor.size));
    at = *checked_align(at + tensor.size, header->alignment);
  }
  EXPECT_EQ(file.size(), header->data_offset + at);
  return tensors;
}

class GgufSplit : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  void SetUp() override {
    auto opened = open_gguf(0, inputs_[0]);
    ASSERT_THAT(opened, Succeeds());
    model_ = std::move(*opened);
  }
  const ByteVector file_ = small_gguf(GetParam());
  const std::vector<InputFile> inputs_ = {memory_input("m.gguf", file_)};
  std::unique_ptr<Model> model_;
};
INSTANTIATE_TEST_SUITE_P(Alignments, GgufSplit, ::testing::Values(0U, 1U, 8U, 32U, 4096U));

TEST_P(GgufSplit, DescribesTheFile) {
  EXPECT_EQ(model_->format(), Format::kGguf);
  ASSERT_EQ(model_->tensors().size(), 4U);
  EXPECT_EQ(model_->tensors()[0].dtype, "Q8_0");
  EXPECT_EQ(model_->tensors()[0].shape, (std::vector<std::uint64_t>{2, 64}));
  EXPECT_EQ(model_->tensors()[0].size, 136U);
  EXPECT_THAT(model_->facts(), ElementsAre(std::pair("architecture", "llama"),
                                           std::pair("key count", GetParam() == 0 ? "4" : "5"),
                                           std::pair("quantization", "mostly Q8_0"),
                                           std::pair("tensor count", "4")));
}

TEST_P(GgufSplit, KeepsTheOriginalWhenAllIsOnOneSide) {
  for (const bool sealed : {true, false}) {
    const auto split = model_->split(std::vector<bool>(4, sealed));
    ASSERT_THAT(split, Succeeds());
    ASSERT_EQ(split->sealed_files.size(), sealed ? 1U : 0U);
    ASSERT_EQ(split->public_files.size(), sealed ? 0U : 1U);
    const OutputFile& out = sealed ? split->sealed_files[0] : split->public_files[0];
    EXPECT_EQ(assemble(out, inputs_), file_);
    EXPECT_EQ(std::get<SourceRange>(out.pieces[0]), (SourceRange{0, 0, out.header_size}));
    EXPECT_EQ(std::get<SourceRange>(out.pieces[1]), (SourceRange{0, out.header_size, 136}));
  }
}

TEST_P(GgufSplit, PutsEveryTensorInTheHalfItBelongsTo) {
  const TensorBytes original = packed_tensors(file_);
  const char* names[] = {"embed", "norm", "empty", "head"};
  for (unsigned choice = 1; choice < 15; ++choice) {
    std::vector<bool> sealed;
    for (unsigned i = 0; i < 4; ++i) sealed.push_back(((choice >> i) & 1U) != 0);
    const auto split = model_->split(sealed);
    ASSERT_THAT(split, Succeeds());
    TensorBytes open = packed_tensors(assemble(split->public_files.at(0), inputs_));
    const TensorBytes secret = packed_tensors(assemble(split->sealed_files.at(0), inputs_));
    for (unsigned i = 0; i < 4; ++i) {
      EXPECT_EQ(secret.contains(names[i]), sealed[i]);
      EXPECT_EQ(open.contains(names[i]), !sealed[i]);
    }
    open.insert(secret.begin(), secret.end());
    EXPECT_EQ(open, original);
  }
}

TEST_P(GgufSplit, LeavesTheKeysInThePublicHalf) {
  const auto split = model_->split({true, false, false, false});
  ASSERT_THAT(split, Succeeds());
  const ByteVector open = assemble(split->public_files[0], inputs_);
  const ByteVector secret = assemble(split->sealed_files[0], inputs_);
  const auto original = parse_gguf(MemorySource(file_));
  const auto open_header = parse_gguf(MemorySource(open));
  const auto secret_header = parse_gguf(MemorySource(secret));
  ASSERT_THAT(secret_header, Succeeds());
  EXPECT_EQ(open_header->key_count, original->key_count);
  EXPECT_TRUE(std::equal(open.begin() + 24,
                         open.begin() + static_cast<std::ptrdiff_t>(original->keys_end),
                         file_.begin() + 24));
  EXPECT_EQ(secret_header->key_count, GetParam() == 0 ? 1U : 2U);
  EXPECT_EQ(secret_header->architecture, "llama");
  EXPECT_EQ(secret_header->alignment, original->alignment);
  EXPECT_EQ(split->public_files[0].header_size, open_header->data_offset);
  EXPECT_EQ(split->sealed_files[0].header_size, secret_header->data_offset);
}

TEST_P(GgufSplit, LeavesNoSealedByteInThePublicHalf) {
  const auto split = model_->split({true, false, true, true});
  ASSERT_THAT(split, Succeeds());
  const ByteVector open = assemble(split->public_files[0], inputs_);
  for (const auto& [name, bytes] : packed_tensors(assemble(split->sealed_files[0], inputs_))) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); ++at) {
      const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(at);
      EXPECT_EQ(std::search(open.begin(), open.end(), first, first + 8), open.end()) << name;
    }
    EXPECT_EQ(as_text(open).find(name), std::string_view::npos);
  }
}

TEST_P(GgufSplit, RefusesAChoiceOfAnotherLength) {
  EXPECT_THAT(model_->split({}), Fails(ErrorCode::kUsage));
}

TEST(GgufModel, KeepsBytesBetweenAndBehindTensorsWhenUndivided) {
  GgufWriter file;
  file.start(2, 0).tensor("a", {1}, 0, 32).tensor("b", {1}, 0, 96).pad().data(200);
  const std::vector<InputFile> inputs = {memory_input("m.gguf", file.bytes())};
  const auto model = open_gguf(0, inputs[0]);
  ASSERT_THAT(model, Succeeds());
  const auto split = (*model)->split({true, true});
  EXPECT_EQ(assemble(split->sealed_files.at(0), inputs), file.bytes());
  const auto halves = (*model)->split({true, false});
  EXPECT_EQ(
      packed_tensors(assemble(halves->sealed_files.at(0), inputs)).at("a"),
      to_vector(Bytes(file.bytes()).subspan(parse_gguf(*inputs[0].source)->data_offset + 32, 4)));
}

// Claims the data that its header promises.
class ClaimingSource : public MemorySource {
 public:
  ClaimingSource(ByteVector head, std::uint64_t size)
      : MemorySource(std::move(head)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    const std::uint64_t held = MemorySource::size();
    std::fill(out.begin(), out.end(), std::uint8_t{0});
    if (offset >= held) return done();
    return MemorySource::read_at(
        offset,
        out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), held - offset))));
  }

 private:
  std::uint64_t size_;
};

TEST(GgufModel, LimitsThePaddingThatAnAlignmentAsksFor) {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
  GgufWriter head;
  head.start(300, 1).key_u32("general.alignment", kMiB);
  for (std::uint64_t i = 0; i < 300; ++i) head.tensor("t" + std::to_string(i), {1}, 24, i * kMiB);
  const InputFile input = {"m.gguf", std::make_shared<ClaimingSource>(head.bytes(), 302 * kMiB)};
  const auto model = open_gguf(0, input);
  ASSERT_THAT(model, Succeeds());
  std::vector<bool> sealed(300, true);
  EXPECT_THAT((*model)->split(sealed), Succeeds());
  sealed[0] = false;
  EXPECT_THAT((*model)->split(sealed), Fails(ErrorCode::kLimit));
}

}  // namespace
}  // namespace sealpack::models
