// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/candidates.h"

#include <set>

#include "tests/runtime-loader/plan/flows.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::plan {
namespace {

using namespace testing;  // NOLINT: builders
using ::sealpack::testing::Fails;
using ::testing::ElementsAre;

std::vector<std::string> chosen(const Dataflow& flow, const Candidate& candidate) {
  std::vector<std::string> list;
  for (std::uint32_t i = 0; i < flow.nodes.size(); ++i) {
    if (candidate.secure[i]) list.push_back(flow.key(i));
  }
  return list;
}

std::vector<std::string> protect(const Dataflow& flow, const std::string& text,
                                 const std::string& match = "") {
  const auto parsed = parse_protect(text);
  EXPECT_TRUE(parsed.ok());
  const auto candidate = candidate_for(
      flow, *parsed, [&](const std::string& name) { return !match.empty() && name == match; });
  EXPECT_TRUE(candidate.ok());
  return candidate.ok() ? chosen(flow, *candidate) : std::vector<std::string>();
}

TEST(Protect, CountsLayersThatHaveWeights) {
  const Dataflow flow = chain();
  EXPECT_THAT(protect(flow, "last:1"), ElementsAre("y"));
  EXPECT_THAT(protect(flow, "last:2"), ElementsAre("c2", "flat", "y"));
  EXPECT_THAT(protect(flow, "first:1"), ElementsAre("c1", "r1"));
  EXPECT_THAT(protect(flow, "all"), ElementsAre("c1", "r1", "c2", "flat", "y"));
  EXPECT_THAT(protect(flow, "last:3"), ElementsAre("c1", "r1", "c2", "flat", "y"));
}

TEST(Protect, TakesOnlyWhatFollowsTheLastLayers) {
  // The last two of the order are wb2 and wf: branch a stays outside.
  EXPECT_THAT(protect(branches(), "last:2"), ElementsAre("b2", "sum", "y"));
}

TEST(Protect, MatchesNodesValuesAndWeightsAndTakesWhatLiesBetween) {
  const Dataflow flow = chain();
  EXPECT_THAT(protect(flow, "glob", "w2"), ElementsAre("c2"));
  EXPECT_THAT(protect(flow, "glob", "node_r1"), ElementsAre("r1"));
  EXPECT_THAT(protect(flow, "glob", "flat"), ElementsAre("flat"));
  const auto parsed = parse_protect("glob");
  const auto ends = candidate_for(
      flow, *parsed, [](const std::string& name) { return name == "w1" || name == "w3"; });
  ASSERT_TRUE(ends.ok());
  EXPECT_EQ(chosen(flow, *ends).size(), 5U);
}

TEST(Protect, RefusesWhatIsNotThere) {
  const Dataflow flow = chain();
  EXPECT_THAT(candidate_for(flow, *parse_protect("last:4"), nullptr), Fails(ErrorCode::kUsage));
  EXPECT_THAT(candidate_for(flow, *parse_protect("glob"), [](const std::string&) { return false; }),
              Fails(ErrorCode::kUsage));
  for (const char* text : {"last:", "last:0", "last:-1", "first:1x", "last:99999999999999999999"}) {
    EXPECT_THAT(parse_protect(text), Fails(ErrorCode::kUsage)) << text;
  }
}

TEST(Enumerate, GivesAllFirstAndEachSetOnce) {
  const Dataflow flow = branches();
  const auto list = enumerate(flow, 96);
  ASSERT_FALSE(list.empty());
  EXPECT_TRUE(list[0].whole);
  std::set<std::string> ids;
  for (const Candidate& candidate : list) EXPECT_TRUE(ids.insert(candidate.id).second);
}

TEST(Enumerate, CutsBranchesAtDifferentDepths) {
  const Dataflow flow = branches();
  std::set<std::vector<std::string>> sets;
  for (const Candidate& candidate : enumerate(flow, 96)) sets.insert(chosen(flow, candidate));
  EXPECT_TRUE(sets.contains({"a2", "sum", "y"}));
  EXPECT_TRUE(sets.contains({"a2", "b1", "b2", "sum", "y"}));
  EXPECT_TRUE(sets.contains({"a1", "a2", "b2", "sum", "y"}));
  EXPECT_TRUE(sets.contains({"s"})) << "one whose output goes back";
}

TEST(Enumerate, GivesOnlyWhatCanBeCut) {
  for (const Dataflow& flow : {chain(), branches()}) {
    for (const Candidate& candidate : enumerate(flow, 96)) {
      if (candidate.whole) continue;
      EXPECT_TRUE(cut(flow, candidate.secure).ok()) << candidate.label;
    }
  }
}

TEST(Enumerate, KeepsToItsLimit) {
  FlowBuilder builder;
  builder.input("v0");
  for (int i = 0; i < 300; ++i) {
    const std::string number = std::to_string(i);
    builder.weight("w" + number)
        .node("Gemm", {"v" + number, "w" + number}, {"v" + std::to_string(i + 1)});
  }
  const Dataflow flow = builder.output("v300").done();
  EXPECT_LE(enumerate(flow, 48).size(), 49U);
}

}  // namespace
}  // namespace sealpack::plan
