// SPDX-License-Identifier: Apache-2.0
#include "formats/models/gguf_header.h"

#include "formats/models/ggml_types.h"
#include "tests/formats/models/gguf_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::models {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::small_gguf;

Result<GgufHeader> parse(const GgufWriter& file) {
  return parse_gguf(MemorySource(file.bytes()));
}

// A file with one key of the type and value given.
Result<GgufHeader> parse_value(std::uint32_t type, const GgufWriter& value,
                               std::string_view key = "k") {
  GgufWriter file;
  return parse(file.start(0, 1).string(key).u32(type).raw(as_text(value.bytes())));
}

// Claims to be `size` bytes; behind `head` there are zeros.
class SparseSource : public BlockSource {
 public:
  SparseSource(ByteVector head, std::uint64_t size) : head_(std::move(head)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = offset + i < head_.size() ? head_[static_cast<std::size_t>(offset) + i] : 0;
    }
    read_ += out.size();
    return done();
  }
  mutable std::uint64_t read_ = 0;

 private:
  ByteVector head_;
  std::uint64_t size_;
};

TEST(GgufHeader, FindsKeysAndTensors) {
  const ByteVector file = small_gguf();
  const auto header = parse_gguf(MemorySource(file));
  ASSERT_THAT(header, Succeeds());
  EXPECT_EQ(header->key_count, 4U);
  EXPECT_EQ(header->architecture, "llama");
  EXPECT_EQ(header->file_type, 7U);
  EXPECT_EQ(header->alignment, 32U);
  EXPECT_FALSE(header->alignment_key.has_value());
  EXPECT_EQ(header->architecture_key->begin, GgufHeader::kKeysBegin);
  EXPECT_EQ(header->data_offset % 32, 0U);
  ASSERT_EQ(header->tensors.size(), 4U);
  EXPECT_EQ(header->tensors[0].size, 136U);
  EXPECT_EQ(header->tensors[3].size, 70U);
  EXPECT_EQ(header->tensors[3].dimensions, (std::vector<std::uint64_t>{5, 7}));
  EXPECT_EQ(parse_gguf(MemorySource(small_gguf(64)))->alignment, 64U);
}

TEST(GgufHeader, WritesTensorEntriesAsItReadsThem) {
  const ByteVector file = small_gguf();
  const auto header = parse_gguf(MemorySource(file));
  const ByteVector start = serialize_gguf_start(4, 4);
  const ByteVector entries = serialize_gguf_tensors(header->tensors);
  EXPECT_TRUE(std::equal(start.begin(), start.end(), file.begin()));
  EXPECT_TRUE(std::equal(entries.begin(), entries.end(),
                         file.begin() + static_cast<std::ptrdiff_t>(header->keys_end)));
}

TEST(GgufHeader, RefusesEveryTruncation) {
  const ByteVector file = small_gguf();
  // Behind the last tensor there is padding, which may be missing.
  const auto whole = parse_gguf(MemorySource(file));
  ASSERT_THAT(whole, Succeeds());
  const std::uint64_t end = whole->data_offset + whole->tensors[3].offset + 70;
  for (std::size_t size = 0; size < file.size(); ++size) {
    const auto header =
        parse_gguf(MemorySource({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)}));
    if (size < end) {
      EXPECT_THAT(header, Fails(ErrorCode::kMalformed)) << size;
    } else {
      EXPECT_THAT(header, Succeeds()) << size;
    }
  }
}

TEST(GgufHeader, NeverCrashesOnAChangedBit) {
  const ByteVector file = small_gguf();
  const std::size_t header = static_cast<std::size_t>(parse_gguf(MemorySource(file))->data_offset);
  for (std::size_t bit = 0; bit < header * 8; ++bit) {
    ByteVector changed = file;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1U << bit % 8));
    (void)parse_gguf(MemorySource(changed));
  }
}

TEST(GgufHeader, ReadsVersion3LittleEndianOnly) {
  EXPECT_THAT(parse(GgufWriter().start(0, 0)), Succeeds());
  for (const std::uint32_t version : {0U, 1U, 2U, 4U}) {
    EXPECT_THAT(
        parse(GgufWriter().start(0, 0, version)),
        FailsWith(ErrorCode::kUnsupported, HasSubstr("version " + std::to_string(version))));
  }
  EXPECT_THAT(parse(GgufWriter().start(0, 0, 0x03000000)),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("big-endian")));
  EXPECT_THAT(parse(GgufWriter().raw("GGML").u32(3).u64(0).u64(0)), Fails(ErrorCode::kMalformed));
}

TEST(GgufHeader, RefusesHostileCounts) {
  EXPECT_THAT(parse(GgufWriter().start(~std::uint64_t{0}, 0)), Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse(GgufWriter().start(0, ~std::uint64_t{0})), Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse(GgufWriter().start(1U << 20U, 0)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse(GgufWriter().start(0, 1U << 16U)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse(GgufWriter().start((1U << 20U) + 1, 0)), Fails(ErrorCode::kLimit));
}

TEST(GgufHeader, RefusesHostileValues) {
  for (const std::uint64_t size : {std::uint64_t{1}, std::uint64_t{1} << 32U, ~std::uint64_t{0}}) {
    EXPECT_THAT(parse_value(8, GgufWriter().u64(size)), Fails(ErrorCode::kMalformed));
    for (const std::uint32_t type : {0U, 7U, 8U, 9U, 12U}) {
      EXPECT_THAT(parse_value(9, GgufWriter().u32(type).u64(size)), Fails(ErrorCode::kMalformed));
    }
  }
  // 2^61 eight-byte elements: the product is 0 in 64 bits.
  EXPECT_THAT(parse_value(9, GgufWriter().u32(10).u64(std::uint64_t{1} << 61U)),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_value(13, GgufWriter().u64(0)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_value(9, GgufWriter().u32(13).u64(0)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_value(7, GgufWriter().raw("\2")), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_value(9, GgufWriter().u32(7).u64(2).raw("\1\2")), Fails(ErrorCode::kMalformed));
}

TEST(GgufHeader, LimitsNestingOfArrays) {
  const auto nested = [](int depth) {
    GgufWriter value;
    for (int i = 1; i < depth; ++i) value.u32(9).u64(1);
    return parse_value(9, value.u32(4).u64(0));
  };
  EXPECT_THAT(nested(4), Succeeds());
  EXPECT_THAT(nested(5), Fails(ErrorCode::kLimit));
  EXPECT_THAT(nested(100'000), Fails(ErrorCode::kLimit));
}

TEST(GgufHeader, RefusesBadKeys) {
  const auto with_key = [](std::string_view key) {
    return parse_value(4, GgufWriter().u32(1), key);
  };
  EXPECT_THAT(with_key(std::string(65535, 'k')), Succeeds());
  EXPECT_THAT(with_key(std::string(65536, 'k')), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(with_key(""), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(with_key("\xff"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(with_key(std::string_view("a\0b", 3)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse(GgufWriter().start(0, 2).key_u32("a", 1).key_u32("a", 1)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate key 'a'")));
}

TEST(GgufHeader, ChecksTheTypesOfTheKeysItUses) {
  EXPECT_THAT(parse_value(8, GgufWriter().string("32"), "general.alignment"),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_value(10, GgufWriter().u64(32), "general.alignment"),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_value(4, GgufWriter().u32(1), "general.architecture"),
              Fails(ErrorCode::kMalformed));
  for (const std::uint32_t alignment : {0U, 3U, 33U, 0xffffffffU}) {
    EXPECT_THAT(parse_value(4, GgufWriter().u32(alignment), "general.alignment"),
                Fails(ErrorCode::kMalformed));
  }
  EXPECT_THAT(parse_value(4, GgufWriter().u32(1U << 31U), "general.alignment"),
              Fails(ErrorCode::kLimit));
}

// A file with one F32 tensor of the dimensions, 64 bytes of data.
Result<GgufHeader> parse_dimensions(const std::vector<std::uint64_t>& dimensions,
                                    std::uint32_t type = 0, std::uint64_t offset = 0) {
  GgufWriter file;
  return parse(file.start(1, 0).tensor("t", dimensions, type, offset).pad().data(64));
}

TEST(GgufHeader, RefusesBadDimensions) {
  constexpr std::uint64_t kBig = std::uint64_t{1} << 32U;
  EXPECT_THAT(parse_dimensions({}), Succeeds());
  EXPECT_THAT(parse_dimensions({2, 2, 2, 2}), Succeeds());
  EXPECT_THAT(parse_dimensions({1, 1, 1, 1, 1}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_dimensions({17}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_dimensions({kBig, kBig}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_dimensions({kBig, kBig, 0}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_dimensions({std::uint64_t{1} << 62U}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_dimensions({~std::uint64_t{0}}), Fails(ErrorCode::kMalformed));
}

TEST(GgufHeader, RefusesUnknownTypesAndPartialBlocks) {
  EXPECT_THAT(parse_dimensions({32}, 2), Succeeds());
  EXPECT_THAT(parse_dimensions({16, 2}, 2), Fails(ErrorCode::kMalformed));
  for (const std::uint32_t type : {4U, 5U, 31U, 36U, 1000U, ~0U}) {
    EXPECT_THAT(parse_dimensions({32}, type), Fails(ErrorCode::kUnsupported)) << type;
  }
  EXPECT_EQ(find_ggml_type(12)->name, "Q4_K");
  EXPECT_EQ(find_ggml_type(39)->block_size, 17U);
}

TEST(GgufHeader, RefusesBadOffsets) {
  for (const std::uint64_t offset : {std::uint64_t{1}, std::uint64_t{31}, std::uint64_t{64},
                                     std::uint64_t{1} << 32U, ~std::uint64_t{31}}) {
    EXPECT_THAT(parse_dimensions({1}, 0, offset), Fails(ErrorCode::kMalformed)) << offset;
  }
  EXPECT_THAT(parse_dimensions({8}, 0, 32), Succeeds());
  const auto two = [](std::uint64_t first, std::uint64_t second) {
    GgufWriter file;
    file.start(2, 0).tensor("a", {9}, 0, first).tensor("b", {8}, 0, second);
    return parse(file.pad().data(128));
  };
  EXPECT_THAT(two(0, 64), Succeeds());
  EXPECT_THAT(two(0, 96), Succeeds());
  EXPECT_THAT(two(0, 32), FailsWith(ErrorCode::kMalformed, HasSubstr("before the end")));
  EXPECT_THAT(two(0, 0), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(two(64, 0), Fails(ErrorCode::kMalformed));
}

TEST(GgufHeader, RefusesBadTensorNames) {
  const auto named = [](const std::string& a, const std::string& b) {
    GgufWriter file;
    return parse(file.start(2, 0).tensor(a, {0}, 0, 0).tensor(b, {0}, 0, 0));
  };
  EXPECT_THAT(named("a", std::string(64, 'b')), Succeeds());
  EXPECT_THAT(named("a", std::string(65, 'b')), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(named("a", "a"), FailsWith(ErrorCode::kMalformed, HasSubstr("duplicate tensor")));
  EXPECT_THAT(named("a", ""), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(named("a", std::string("b\0", 2)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(named("a", "\xc0\x80"), Fails(ErrorCode::kMalformed));
}

TEST(GgufHeader, LimitsTheHeader) {
  GgufWriter head;
  head.start(0, 1).string("k").u32(8).u64(std::uint64_t{300} << 20U);
  const SparseSource source(head.bytes(), std::uint64_t{1} << 40U);
  EXPECT_THAT(parse_gguf(source), Fails(ErrorCode::kLimit));
  EXPECT_LE(source.read_, 1U << 20U);
}

TEST(GgufHeader, PassesOverLargeValuesWithoutReadingThem) {
  GgufWriter head;
  head.start(0, 1).string("k").u32(9).u32(0).u64(std::uint64_t{200} << 20U);
  const SparseSource source(head.bytes(), std::uint64_t{1} << 40U);
  EXPECT_THAT(parse_gguf(source), Succeeds());
  EXPECT_LE(source.read_, 1U << 20U);
}

TEST(GgufHeader, TakesSizesBeyond32Bits) {
  constexpr std::uint64_t kBig = std::uint64_t{1} << 32U;
  GgufWriter head;
  head.start(2, 0).tensor("a", {kBig, 3}, 24, 0).tensor("b", {kBig + 1}, 24, 3 * kBig).pad();
  const std::uint64_t size = head.bytes().size() + 4 * kBig + 1;
  EXPECT_THAT(parse_gguf(SparseSource(head.bytes(), size)), Succeeds());
  EXPECT_THAT(parse_gguf(SparseSource(head.bytes(), size - 1)), Fails(ErrorCode::kMalformed));
}

TEST(GgufHeader, ReadsAMillionTensorsInTime) {
  GgufWriter file;
  file.start(1'000'000, 0);
  for (int i = 0; i < 1'000'000; ++i) file.tensor(std::to_string(i), {0}, 0, 0);
  EXPECT_THAT(parse(file), Succeeds());
}

TEST(GgufHeader, ReadsALargeTokenizer) {
  GgufWriter file;
  file.start(0, 2).string("tokenizer.ggml.tokens").u32(9).u32(8).u64(300'000);
  for (int i = 0; i < 300'000; ++i) file.string("token" + std::to_string(i));
  file.key_u32("last", 1);
  const auto header = parse(file);
  ASSERT_THAT(header, Succeeds());
  EXPECT_EQ(header->keys_end, file.bytes().size());
}

}  // namespace
}  // namespace sealpack::models
