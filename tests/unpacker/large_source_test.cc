// SPDX-License-Identifier: Apache-2.0
// Sizes beyond 31, 32 and 33 bits, without the bytes: public files of zeros in a sparse source.
#include <algorithm>
#include <random>

#include "formats/bundle/encode.h"
#include "formats/bundle/tree.h"
#include "tests/testing/result_matchers.h"
#include "tests/unpacker/whole_bundle.h"

namespace sealpack::unpacker {
namespace {

using sealpack::testing::BuiltTree;
using sealpack::testing::Fails;
using sealpack::testing::make_keys;
using sealpack::testing::Recipe;
using sealpack::testing::SparseSource;
using sealpack::testing::Succeeds;
using sealpack::testing::TestBundle;
using sealpack::testing::TestKeys;
using ::testing::Each;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;

// A public file of `size` zeros, before the usual sealed files.
struct LargeBundle {
  explicit LargeBundle(std::uint64_t file_size) : size(file_size) {
    const BuiltTree tree = sealpack::testing::build_zero_tree(size);
    Recipe recipe;
    recipe.public_files = {{"zeros.bin", {}}};
    recipe.edit_content = [&](bundle::Content& content) {
      content.public_files[0].size = size;
      content.public_files[0].root = tree.root;
    };
    made = sealpack::testing::build(keys, recipe);
    for (const auto& [offset, node] : tree.nodes) {
      made.source.put(made.layout.public_tree_offsets[0] + offset, node);
    }
    source = std::make_shared<SparseSource>(made.source);
  }
  Result<OpenBundle> open() const { return sealpack::testing::open_with_slot(source, keys); }

  std::uint64_t size;
  TestKeys keys = make_keys();
  TestBundle made;
  std::shared_ptr<SparseSource> source;
};

void expect_zeros(FileReader& reader, std::uint64_t offset, std::size_t size) {
  ByteVector out(size, 0xee);
  ASSERT_THAT(reader.read(0, offset, out), Succeeds()) << offset;
  ASSERT_THAT(out, Each(0)) << offset;
}

class LargeSource : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(LargeSource, IsReadAtItsEndsAndAroundEveryPowerOfTwo) {
  const LargeBundle bundle(GetParam());
  const auto open = bundle.open();
  ASSERT_THAT(open, Succeeds());
  FileReader reader(*open);
  expect_zeros(reader, 0, 100);
  expect_zeros(reader, bundle.size - 20000, 20000);
  for (unsigned shift = 20; shift < 34; ++shift) {
    const std::uint64_t edge = std::uint64_t{1} << shift;
    if (edge + 50 <= bundle.size) expect_zeros(reader, edge - 50, 100);
  }
  ByteVector out(2, 0xee);
  EXPECT_THAT(reader.read(0, bundle.size - 1, out), Fails(ErrorCode::kUsage));
  // What lies behind it is found too.
  ByteVector sealed(50);
  EXPECT_THAT(reader.read(1, 0, sealed), Succeeds());
  EXPECT_EQ(sealed, Recipe().sealed_files[0].segments[0]);
}

TEST_P(LargeSource, HasUnitsThatCoverIt) {
  const LargeBundle bundle(GetParam());
  const auto open = bundle.open();
  ASSERT_THAT(open, Succeeds());
  const BundleCheck check(open->verified());
  FileReader reader(open->verified());
  std::uint64_t sum = 0;
  for (std::uint64_t unit = 0; unit < check.unit_count(); ++unit) sum += check.unit_size(unit);
  EXPECT_GT(sum, bundle.size);
  const std::uint64_t zeros = check.unit_count() - 5;  // four segments, and the headers
  std::mt19937_64 random(3);
  for (const std::uint64_t unit : {std::uint64_t{0}, zeros - 1, zeros, check.unit_count() - 1,
                                   random() % zeros, random() % zeros}) {
    EXPECT_THAT(check.check(unit, reader), Succeeds()) << unit;
  }
}

TEST_P(LargeSource, NoticesAByteThatIsNotZero) {
  for (const std::uint64_t from_end : {1U, 123456U}) {
    LargeBundle bundle(GetParam());
    const std::uint64_t at = bundle.size - from_end;
    const ByteVector one = {1};
    bundle.source->put(bundle.made.layout.public_offsets[0] + at, one);
    const auto open = bundle.open();
    ASSERT_THAT(open, Succeeds());
    FileReader reader(*open);
    ByteVector out(1, 0xee);
    EXPECT_THAT(reader.read(0, at, out), Fails(ErrorCode::kNotAuthentic));
    EXPECT_THAT(out, Each(0));
    expect_zeros(reader, at - 5 * bundle::kLeafSize, 10);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, LargeSource,
                         ::testing::Values(2 * kGiB - 1, 2 * kGiB, 2 * kGiB + 1, 4 * kGiB - 1,
                                           4 * kGiB, 4 * kGiB + 1, 10 * kGiB));

}  // namespace
}  // namespace sealpack::unpacker
