// SPDX-License-Identifier: Apache-2.0
#include "formats/models/safetensors.h"

#include <algorithm>
#include <random>

#include "tests/formats/models/split_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::models {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;
using testing::assemble;
using ::testing::ElementsAre;
using testing::memory_input;

const std::vector<SafetensorsEntry> kEntries = {{"embed", "F16", {4, 8}, 0, 64},
                                                {"empty", "F32", {0}, 64, 64},
                                                {"head", "U8", {33}, 64, 97},
                                                {"norm", "F32", {16}, 97, 161}};
const std::vector<std::pair<std::string, std::string>> kMetadata = {{"format", "pt"}};

ByteVector random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  ByteVector out(size);
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(random());
  return out;
}

ByteVector small_file() {
  ByteVector file = serialize_safetensors_header(kEntries, kMetadata);
  const ByteVector data = random_bytes(161, 1);
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

std::map<std::string, ByteVector> tensor_bytes(const ByteVector& file) {
  std::map<std::string, ByteVector> tensors;
  const auto header = parse_safetensors(file, file.size());
  EXPECT_THAT(header, Succeeds());
  if (!header.ok()) return tensors;
  for (const SafetensorsEntry& entry : header->entries) {
    tensors[entry.name] = to_vector(
        Bytes(file).subspan(header->data_offset() + entry.begin, entry.end - entry.begin));
  }
  return tensors;
}

class SafetensorsSplit : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_safetensors(0, inputs_[0]);
    ASSERT_THAT(opened, Succeeds());
    model_ = std::move(*opened);
  }
  const ByteVector file_ = small_file();
  const std::vector<InputFile> inputs_ = {memory_input("sub/m.safetensors", file_)};
  std::unique_ptr<Model> model_;
};

TEST_F(SafetensorsSplit, DescribesTheFile) {
  EXPECT_EQ(model_->format(), Format::kSafetensors);
  ASSERT_EQ(model_->tensors().size(), 4U);
  EXPECT_EQ(model_->tensors()[2].name, "head");
  EXPECT_EQ(model_->tensors()[2].size, 33U);
  EXPECT_EQ(model_->tensors()[0].shape, (std::vector<std::uint64_t>{4, 8}));
  EXPECT_THAT(model_->facts(),
              ElementsAre(std::pair("metadata.format", "pt"), std::pair("tensor count", "4")));
}

TEST_F(SafetensorsSplit, KeepsTheOriginalWhenAllIsOnOneSide) {
  for (const bool sealed : {true, false}) {
    const auto split = model_->split(std::vector<bool>(4, sealed));
    ASSERT_THAT(split, Succeeds());
    EXPECT_EQ(split->sealed_files.size(), sealed ? 1U : 0U);
    EXPECT_EQ(split->public_files.size(), sealed ? 0U : 1U);
    const OutputFile& out = sealed ? split->sealed_files[0] : split->public_files[0];
    EXPECT_EQ(out.path, "sub/m.safetensors");
    EXPECT_EQ(assemble(out, inputs_), file_);
    ASSERT_EQ(out.pieces.size(), 4U);  // header and three tensors with data
    EXPECT_EQ(std::get<SourceRange>(out.pieces[0]), (SourceRange{0, 0, out.header_size}));
    EXPECT_EQ(std::get<SourceRange>(out.pieces[2]), (SourceRange{0, out.header_size + 64, 33}));
  }
}

TEST_F(SafetensorsSplit, PutsEveryTensorInTheHalfItBelongsTo) {
  const auto original = tensor_bytes(file_);
  for (unsigned choice = 1; choice < 15; ++choice) {
    std::vector<bool> sealed;
    for (unsigned i = 0; i < 4; ++i) sealed.push_back(((choice >> i) & 1U) != 0);
    const auto split = model_->split(sealed);
    ASSERT_THAT(split, Succeeds());
    ASSERT_EQ(split->public_files.size(), 1U);
    ASSERT_EQ(split->sealed_files.size(), 1U);
    auto open = tensor_bytes(assemble(split->public_files[0], inputs_));
    const auto secret = tensor_bytes(assemble(split->sealed_files[0], inputs_));
    for (unsigned i = 0; i < 4; ++i) {
      EXPECT_EQ(secret.contains(kEntries[i].name), sealed[i]);
      EXPECT_EQ(open.contains(kEntries[i].name), !sealed[i]);
    }
    open.insert(secret.begin(), secret.end());
    EXPECT_EQ(open, original);
  }
}

TEST_F(SafetensorsSplit, MakesAHeaderOfItsOwnForEachHalf) {
  const auto split = model_->split({false, false, true, false});
  ASSERT_THAT(split, Succeeds());
  for (const auto* out : {&split->public_files[0], &split->sealed_files[0]}) {
    EXPECT_EQ(out->path, "sub/m.safetensors");
    EXPECT_EQ(std::get<ByteVector>(out->pieces[0]).size(), out->header_size);
    const ByteVector bytes = assemble(*out, inputs_);
    EXPECT_EQ(total_size(*out), bytes.size());
    const auto header = parse_safetensors(bytes, bytes.size());
    ASSERT_THAT(header, Succeeds());
    EXPECT_EQ(header->metadata, kMetadata);
    for (std::size_t i = 1; i < out->pieces.size(); ++i) {
      EXPECT_TRUE(std::holds_alternative<SourceRange>(out->pieces[i]));
    }
  }
}

TEST_F(SafetensorsSplit, LeavesNoSealedByteInThePublicHalf) {
  const auto split = model_->split({true, true, true, false});
  ASSERT_THAT(split, Succeeds());
  const ByteVector open = assemble(split->public_files[0], inputs_);
  const auto secret = tensor_bytes(assemble(split->sealed_files[0], inputs_));
  for (const auto& [name, bytes] : secret) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); ++at) {
      const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(at);
      EXPECT_EQ(std::search(open.begin(), open.end(), first, first + 8), open.end()) << name;
    }
    EXPECT_EQ(as_text(open).find(name), std::string_view::npos);
  }
}

TEST_F(SafetensorsSplit, RefusesAChoiceOfAnotherLength) {
  EXPECT_THAT(model_->split({}), Fails(ErrorCode::kUsage));
  EXPECT_THAT(model_->split(std::vector<bool>(5, true)), Fails(ErrorCode::kUsage));
}

// Claims to be huge behind a real header; a reader of more than the header is a bug.
class HugeSource : public BlockSource {
 public:
  HugeSource(ByteVector header, std::uint64_t size) : header_(std::move(header)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    if (offset + out.size() > header_.size()) return Error(ErrorCode::kInternal, "read the data");
    std::copy_n(header_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return done();
  }

 private:
  ByteVector header_;
  std::uint64_t size_;
};

TEST(SafetensorsModel, DividesTensorsBeyond32BitsWithoutReadingThem) {
  for (const std::uint64_t size : {(std::uint64_t{1} << 31U) - 1, std::uint64_t{1} << 31U,
                                   std::uint64_t{1} << 32U, (std::uint64_t{1} << 42U) + 1}) {
    const ByteVector head =
        serialize_safetensors_header({{"a", "U8", {size}, 0, 0}, {"b", "U8", {2, size}, 0, 0}}, {});
    const InputFile input = {"m", std::make_shared<HugeSource>(head, head.size() + 3 * size)};
    const auto model = open_safetensors(7, input);
    ASSERT_THAT(model, Succeeds());
    const auto split = (*model)->split({false, true});
    ASSERT_THAT(split, Succeeds());
    EXPECT_EQ(std::get<SourceRange>(split->sealed_files[0].pieces[1]),
              (SourceRange{7, head.size() + size, 2 * size}));
    EXPECT_EQ(total_size(split->public_files[0]), split->public_files[0].header_size + size);
  }
}

TEST(SafetensorsModel, SealsAFileWithoutTensors) {
  const ByteVector file = serialize_safetensors_header({}, {});
  const std::vector<InputFile> inputs = {memory_input("m", file)};
  const auto model = open_safetensors(0, inputs[0]);
  ASSERT_THAT(model, Succeeds());
  const auto split = (*model)->split({});
  ASSERT_THAT(split, Succeeds());
  EXPECT_TRUE(split->public_files.empty());
  EXPECT_EQ(assemble(split->sealed_files.at(0), inputs), file);
}

TEST(SafetensorsModel, NamesTheFileThatDoesNotParse) {
  EXPECT_THAT(open_safetensors(0, memory_input("x/y", {1, 2})),
              sealpack::testing::FailsWith(ErrorCode::kMalformed, ::testing::HasSubstr("'x/y'")));
}

}  // namespace
}  // namespace sealpack::models
