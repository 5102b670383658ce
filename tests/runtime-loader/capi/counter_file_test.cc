// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/capi/counter_file.h"

#include <thread>

#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::capi {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;
using sealpack::testing::TemporaryFolder;

Digest digest(std::uint8_t byte) {
  Digest out;
  out.bytes.fill(byte);
  return out;
}

TEST(CounterFile, KeepsTheHighestFloorOfEachProduct) {
  const TemporaryFolder folder;
  CounterFile file(folder / "counters");
  EXPECT_EQ(file.floor(digest(1), "a").value(), loader::Floor{});
  ASSERT_THAT(file.raise(digest(1), "a", {5, digest(9)}), Succeeds());
  ASSERT_THAT(file.raise(digest(1), "b", {3, std::nullopt}), Succeeds());
  ASSERT_THAT(file.raise(digest(2), "a", {4, digest(8)}), Succeeds());
  // Neither lower, nor another release with the same counter.
  ASSERT_THAT(file.raise(digest(1), "a", {4, digest(7)}), Succeeds());
  ASSERT_THAT(file.raise(digest(1), "a", {5, digest(7)}), Succeeds());
  CounterFile again(folder / "counters");
  EXPECT_EQ(again.floor(digest(1), "a").value(), (loader::Floor{5, digest(9)}));
  EXPECT_EQ(again.floor(digest(1), "b").value(), (loader::Floor{3, std::nullopt}));
  EXPECT_EQ(again.floor(digest(2), "a").value(), (loader::Floor{4, digest(8)}));
  EXPECT_FALSE(loader::is_protected(again.kind()));
}

TEST(CounterFile, LosesNothingWhenManyRaiseAtOnce) {
  const TemporaryFolder folder;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      CounterFile file(folder / "counters");
      for (std::uint64_t counter = 1; counter <= 10; ++counter) {
        EXPECT_THAT(file.raise(digest(1), "p" + std::to_string(i), {counter, std::nullopt}),
                    Succeeds());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CounterFile file(folder / "counters");
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(file.floor(digest(1), "p" + std::to_string(i)).value().counter, 10U);
  }
}

TEST(CounterFile, RefusesTextThatIsNotTheOneTextOfItsContent) {
  const std::string heading = "sealpack-counters 1\n";
  const std::string key = to_hex(digest(1).bytes);
  const std::string good = heading + key + " 61 5 -\n" + key + " 62 5 " + key + "\n";
  ASSERT_THAT(parse_floors(good), Succeeds());
  EXPECT_EQ(serialize_floors(*parse_floors(good)), good);
  const std::string bad[] = {
      "",
      "sealpack-counters 2\n",
      heading + key + " 61 5 -",                        // no line end
      heading + key + " 62 5 -\n" + key + " 61 5 -\n",  // order
      heading + key + " 61 5 -\n" + key + " 61 6 -\n",  // twice
      heading + key + " 61 05 -\n",                     // leading zero
      heading + key + " 61 0 -\n",                      // no counter
      heading + key + " 61 18446744073709551616 -\n",   // beyond 64 bits
      heading + key + " 61 5\n",                        // a word is missing
      heading + key + " 61 5 - \n",                     // one too many
      heading + key + "  5 -\n",                        // no product
      heading + key + " 6A 5 -\n",                      // upper case
      heading + key.substr(2) + " 61 5 -\n",            // short digest
      heading + "\n",
  };
  for (const std::string& text : bad) {
    EXPECT_THAT(parse_floors(text), Fails(ErrorCode::kMalformed)) << text;
  }
  for (std::size_t size = heading.size() + 1; size < good.size(); ++size) {
    const auto floors = parse_floors(std::string_view(good).substr(0, size));
    EXPECT_EQ(floors.ok(), good[size - 1] == '\n') << size;
  }
}

TEST(CounterFile, RefusesADamagedFileInsteadOfForgettingIt) {
  const TemporaryFolder folder;
  const auto path = folder.put("counters", "sealpack-counters 1\ngarbage\n");
  CounterFile file(path);
  EXPECT_THAT(file.floor(digest(1), "a"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(file.raise(digest(1), "a", {1, std::nullopt}), Fails(ErrorCode::kMalformed));
  EXPECT_EQ(sealpack::testing::content_of(path), "sealpack-counters 1\ngarbage\n");
}

}  // namespace
}  // namespace sealpack::capi
