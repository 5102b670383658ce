// SPDX-License-Identifier: Apache-2.0
#include "packer/schemes/layers/layers_division.h"

#include "keymgmt/crypto/sha256.h"
#include "packer/core/piece_reader.h"
#include "runtime-loader/plan/plan_file.h"
#include "tests/packer/external_onnx.h"

namespace sealpack::packer {
namespace {

using namespace testing;  // NOLINT: builders
using models::testing::node;
using models::testing::Proto;
using models::testing::value_info;

Proto noisy_tensor(std::string_view name, std::uint64_t seed) {
  return Proto().packed(1, {300}).integer(2, 1).text(8, name).bytes(9, noise(1200, seed));
}

// a = x + w1, b = relu(a), y = b + w2, z = y + tied, all of 300; `tied` is read twice if asked.
ByteVector model_file(bool tied) {
  Proto graph;
  graph.message(1, node("Add", {"x", "w1"}, "a"))
      .message(1, node("Relu", {"a"}, "b"))
      .message(1, node("Add", {"b", "w2"}, "y"));
  if (tied) {
    graph.message(1, node("Add", {"y", "w1"}, "z"));
  }
  graph.text(2, "g")
      .message(5, noisy_tensor("w1", 1))
      .message(5, noisy_tensor("w2", 2))
      .message(5, noisy_tensor("unused", 3))
      .message(11, value_info("x"))
      .message(12, value_info(tied ? "z" : "y"));
  return models::testing::model(graph).get();
}

class LayersDivisionTest : public ::testing::Test {
 protected:
  // A plan for `model` with these nodes inside.
  std::string put_plan(const ByteVector& model, const std::vector<std::string>& nodes) {
    plan::PlanFile file;
    file.model = "net.onnx";
    file.digest = crypto::sha256(model);
    file.secure = nodes;
    return folder_.put("p.plan", plan::serialize_plan(file)).string();
  }

  Result<Assembly> divide(const Files& files, const std::vector<std::string>& nodes) {
    const auto division =
        TRY(layers::division_by_plan(put_plan(files.at("net.onnx"), nodes), false));
    Selection selection;
    selection.division = division.get();
    return assemble(tree_of(files), selection);
  }

  static ByteVector content(const models::OutputFile& file, const Assembly& assembly) {
    const PieceReader reader(file, assembly.inputs);
    ByteVector bytes(static_cast<std::size_t>(models::total_size(file)));
    EXPECT_THAT(reader.read(0, bytes), Succeeds());
    return bytes;
  }

  Keys keys_;
  TemporaryFolder folder_;
};

TEST_F(LayersDivisionTest, PutsEachWeightIntoOneHalf) {
  const auto assembly = divide({{"net.onnx", model_file(false)}}, {"y"});
  ASSERT_THAT(assembly, Succeeds());
  EXPECT_EQ(assembly->plan.scheme, "layers");
  ASSERT_EQ(assembly->public_files.size(), 1U);
  const ByteVector open = content(assembly->public_files[0], *assembly);
  EXPECT_TRUE(contains(open, noise(1200, 1)));
  EXPECT_FALSE(contains(open, noise(1200, 2)));
  EXPECT_FALSE(contains(open, noise(1200, 3))) << "a weight that nothing reads is not public";
  EXPECT_FALSE(contains(open, bytes_of("w2")));
  EXPECT_FALSE(contains(open, bytes_of("secret doc")));
  for (const SealedOutput& sealed : assembly->sealed_files) {
    if (sealed.file.path != "net.secure.onnx") continue;
    const ByteVector secure = content(sealed.file, *assembly);
    EXPECT_TRUE(contains(secure, noise(1200, 2)));
    EXPECT_FALSE(contains(secure, noise(1200, 1)));
  }
}

TEST_F(LayersDivisionTest, GivesTheOriginalBack) {
  const Files files = {{"net.onnx", model_file(false)}, {"notes.txt", bytes_of("mine")}};
  const auto assembly = divide(files, {"y"});
  ASSERT_THAT(assembly, Succeeds());
  ASSERT_THAT(build_bundle(*assembly, request_for(keys_, folder_ / "b.seal")), Succeeds());
  const auto opened = open_whole(keys_, folder_ / "b.seal");
  ASSERT_THAT(opened, Succeeds());
  const auto originals = read_originals(*opened);
  ASSERT_THAT(originals, Succeeds());
  EXPECT_EQ(*originals, files);
}

TEST_F(LayersDivisionTest, DividesExternalData) {
  ByteVector weights = noise(4000, 5);
  const Files files = {{"net.onnx", external_onnx({{"w", 300, 0}, {"v", 300, 2000}}, "w.bin")},
                       {"w.bin", weights}};
  const auto assembly = divide(files, {"y"});
  ASSERT_THAT(assembly, Succeeds());
  // The one node is inside, so that nothing runs outside.
  EXPECT_TRUE(assembly->public_files.empty());
  const auto parameters = sealpack::layers::parse_parameters(assembly->plan.parameters);
  ASSERT_THAT(parameters, Succeeds());
  ASSERT_EQ(parameters->externals.size(), 1U);
  EXPECT_EQ(parameters->externals[0].location, "w.bin");
  EXPECT_EQ(parameters->externals[0].path, "w.bin");
  ASSERT_THAT(build_bundle(*assembly, request_for(keys_, folder_ / "b.seal")), Succeeds());
  const auto originals = read_originals(open_whole(keys_, folder_ / "b.seal").value());
  ASSERT_THAT(originals, Succeeds());
  EXPECT_EQ(*originals, files);
}

TEST_F(LayersDivisionTest, RefusesAWeightThatBothHalvesRead) {
  EXPECT_THAT(divide({{"net.onnx", model_file(true)}}, {"y", "z"}),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("'w1'")));
  EXPECT_THAT(divide({{"net.onnx", model_file(true)}}, {"a", "b", "y", "z"}), Succeeds());
}

TEST_F(LayersDivisionTest, RefusesAPlanThatFitsNoInput) {
  const auto division = layers::division_by_plan(put_plan(model_file(true), {"y"}), false);
  ASSERT_THAT(division, Succeeds());
  Selection selection;
  selection.division = division->get();
  EXPECT_THAT(assemble(tree_of({{"net.onnx", model_file(false)}}), selection),
              FailsWith(ErrorCode::kUsage, HasSubstr("another model")));
}

TEST_F(LayersDivisionTest, LeavesOtherModelsOfTheFolderToTheGlobs) {
  Files files = {{"net.onnx", model_file(false)}, {"other.onnx", model_file(true)}};
  const auto assembly = divide(files, {"y"});
  ASSERT_THAT(assembly, Succeeds());
  for (const models::OutputFile& file : assembly->public_files) EXPECT_EQ(file.path, "net.onnx");
}

TEST(CheckLeaks, GoesByTheAnswerRule) {
  layers::Leaks leaks;
  leaks.answers = {"y"};
  leaks.inputs = 100;
  bundle::AnswerRule rule;
  EXPECT_THAT(layers::check_leaks(leaks, rule, false),
              FailsWith(ErrorCode::kRefused, HasSubstr("101 queries")));
  EXPECT_THAT(layers::check_leaks(leaks, rule, true), Succeeds());
  rule.query_budget = 100;
  EXPECT_THAT(layers::check_leaks(leaks, rule, false), Fails(ErrorCode::kRefused))
      << "a budget counts the answers of one opening";
  rule.form = bundle::AnswerForm::kRounded;
  EXPECT_THAT(layers::check_leaks(leaks, rule, false), Fails(ErrorCode::kRefused));
  rule.form = bundle::AnswerForm::kTop1;
  EXPECT_THAT(layers::check_leaks(leaks, rule, false), Succeeds());
}

TEST(CheckLeaks, NeverLetsShapedValuesGoBack) {
  layers::Leaks leaks;
  leaks.returned = {"h"};
  bundle::AnswerRule rule;
  EXPECT_THAT(layers::check_leaks(leaks, rule, false), Fails(ErrorCode::kRefused));
  EXPECT_THAT(layers::check_leaks(leaks, rule, true), Succeeds());
  rule.form = bundle::AnswerForm::kTop1;
  EXPECT_THAT(layers::check_leaks(leaks, rule, true), Fails(ErrorCode::kRefused));
}

}  // namespace
}  // namespace sealpack::packer
