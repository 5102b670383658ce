// SPDX-License-Identifier: Apache-2.0
// The bytes belong to the attacker, who may change them between any two reads.
#include <algorithm>
#include <atomic>

#include "tests/testing/result_matchers.h"
#include "tests/unpacker/whole_bundle.h"

namespace sealpack::unpacker {
namespace {

using sealpack::testing::build;
using sealpack::testing::make_keys;
using sealpack::testing::open_with_slot;
using sealpack::testing::read_everything;
using sealpack::testing::Succeeds;
using sealpack::testing::TestBundle;
using sealpack::testing::TestKeys;

using Change = std::function<void(std::uint64_t offset, MutableBytes bytes)>;

// Gives other bytes from the nth read on, or in the nth read alone.
class ChangingSource : public BlockSource {
 public:
  ChangingSource(ByteVector bytes, std::uint64_t nth, bool from_then_on, Change change)
      : inner_(std::move(bytes)),
        nth_(nth),
        from_then_on_(from_then_on),
        change_(std::move(change)) {}
  std::uint64_t reads() const { return reads_; }
  std::uint64_t size() const override { return inner_.size(); }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    const std::uint64_t read = reads_++;
    TRY(inner_.read_at(offset, out));
    if (read == nth_ || (from_then_on_ && read > nth_)) change_(offset, out);
    return done();
  }

 private:
  MemorySource inner_;
  std::uint64_t nth_;
  bool from_then_on_;
  Change change_;
  mutable std::atomic<std::uint64_t> reads_{0};
};

class ChangingBundle : public ::testing::Test {
 protected:
  ChangingBundle() {
    sealpack::testing::Recipe recipe;  // files of the same sizes, with other bytes
    for (auto& file : recipe.public_files)
      for (auto& byte : file.bytes) byte ^= 0xff;
    for (auto& file : recipe.sealed_files) {
      for (auto& segment : file.segments)
        for (auto& byte : segment) byte ^= 0xff;
    }
    other_ = build(keys_, recipe).bytes();
    other_expected_ =
        read_everything(*open_with_slot(sealpack::testing::memory(other_), keys_)).value();
    const auto source = std::make_shared<ChangingSource>(made_.bytes(), ~std::uint64_t{0}, false,
                                                         [](auto, auto) {});
    auto open = open_with_slot(source, keys_);
    expected_ = read_everything(*open).value();
    reads_ = source->reads();
  }

  // What somebody may do to one read.
  std::vector<Change> changes() const {
    return {
        [](std::uint64_t, MutableBytes bytes) {
          if (!bytes.empty()) bytes.front() ^= 1;
        },
        [](std::uint64_t, MutableBytes bytes) {
          if (!bytes.empty()) bytes.back() ^= 0x80;
        },
        [](std::uint64_t, MutableBytes bytes) {
          if (!bytes.empty()) bytes[bytes.size() / 2] ^= 4;
        },
        [](std::uint64_t, MutableBytes bytes) {
          std::fill(bytes.begin(), bytes.end(), std::uint8_t{0});
        },
        [](std::uint64_t, MutableBytes bytes) {
          std::fill(bytes.begin(), bytes.end(), std::uint8_t{0xff});
        },
        [this](std::uint64_t offset, MutableBytes bytes) {  // of another bundle by the same keys
          std::copy_n(other_.begin() + static_cast<std::ptrdiff_t>(offset), bytes.size(),
                      bytes.begin());
        },
    };
  }

  TestKeys keys_ = make_keys();
  TestBundle made_ = build(keys_);
  ByteVector other_;
  ByteVector expected_;
  ByteVector other_expected_;
  std::uint64_t reads_ = 0;
};

TEST_F(ChangingBundle, GivesTheOriginalBytesOrNone) {
  ASSERT_EQ(other_.size(), made_.source.size());
  std::size_t refused = 0;
  std::size_t unharmed = 0;
  for (const bool from_then_on : {false, true}) {
    for (const Change& change : changes()) {
      for (std::uint64_t nth = 0; nth < reads_; ++nth) {
        const auto source =
            std::make_shared<ChangingSource>(made_.bytes(), nth, from_then_on, change);
        auto open = open_with_slot(source, keys_);
        const auto read = open.ok() ? read_everything(*open) : Result<ByteVector>(open.error());
        if (read.ok() && *read != expected_) {
          // Nothing but another bundle that the vendor signed, taken as a whole: read 0 is the
          // preamble, which is the same in both.
          ASSERT_TRUE(from_then_on && nth <= 1 && *read == other_expected_) << nth;
        }
        ++(read.ok() ? unharmed : refused);
      }
    }
  }
  std::printf("%zu changed runs refused, %zu gave the original bytes\n", refused, unharmed);
  EXPECT_GT(refused, unharmed);
}

// The check of all units must not call good what a reader was given bad.
TEST_F(ChangingBundle, FailsTheCheckOfTheUnitThatSawTheChange) {
  for (const Change& change : changes()) {
    const auto clean = std::make_shared<ChangingSource>(made_.bytes(), ~std::uint64_t{0}, false,
                                                        [](auto, auto) {});
    auto open = open_with_slot(clean, keys_);
    ASSERT_THAT(open, Succeeds());
    const std::uint64_t before = clean->reads();
    EXPECT_THAT(sealpack::testing::check_units(open->verified()), Succeeds());
    const std::uint64_t after = clean->reads();
    for (std::uint64_t nth = before; nth < after; ++nth) {
      bool same = true;
      const auto changing = std::make_shared<ChangingSource>(
          made_.bytes(), nth, false, [&](std::uint64_t offset, MutableBytes bytes) {
            const ByteVector original = to_vector(bytes);
            change(offset, bytes);
            same = std::equal(bytes.begin(), bytes.end(), original.begin());
          });
      auto again = open_with_slot(changing, keys_);
      ASSERT_THAT(again, Succeeds());
      EXPECT_EQ(sealpack::testing::check_units(again->verified()).ok(), same) << nth;
    }
  }
}

}  // namespace
}  // namespace sealpack::unpacker
