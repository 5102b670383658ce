// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx.h"
#include "formats/models/onnx_read.h"
#include "formats/models/safetensors.h"
#include "tests/formats/models/onnx_builder.h"
#include "tests/formats/models/split_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::models {
namespace {

using models::testing::assemble;
using models::testing::memory_input;
using models::testing::model;
using models::testing::node;
using models::testing::pattern;
using models::testing::Proto;
using models::testing::raw_tensor;
using models::testing::small_graph;
using models::testing::typed_tensor;
using models::testing::value_info;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A model with the inputs it came from, and what a split of it looks like.
class SplitModel {
 public:
  explicit SplitModel(const Proto& proto, std::vector<InputFile> more = {},
                      OnnxOptions options = {}) {
    inputs_ = std::move(more);
    inputs_.insert(inputs_.begin(), memory_input("m.onnx", proto.get()));
    auto opened = open_onnx(0, inputs_, options);
    if (!opened.ok()) die(opened.error().message().c_str());
    model_ = std::move(opened).value();
  }

  Result<Split> split(const std::vector<std::string>& names) const {
    std::vector<bool> sealed;
    for (const Tensor& tensor : model_->tensors()) {
      sealed.push_back(std::find(names.begin(), names.end(), tensor.name) != names.end());
    }
    return model_->split(sealed);
  }

  // Splits; the public model and the sealed tensors are then at hand.
  void seal(const std::vector<std::string>& names) {
    auto result = split(names);
    ASSERT_THAT(result, Succeeds());
    split_ = std::move(result).value();
    public_ = assemble(split_.public_files.at(0), inputs_);
    auto parsed = onnx::parse_model(MemorySource(public_));
    ASSERT_THAT(parsed, Succeeds());
    message_ = std::move(parsed).value();
    const ByteVector bytes = assemble(split_.sealed_files.at(0), inputs_);
    const auto header = read_safetensors_header(MemorySource(bytes));
    ASSERT_THAT(header, Succeeds());
    metadata_ = header->metadata;
    for (const SafetensorsEntry& entry : header->entries) {
      tensors_[entry.name] = to_vector(
          Bytes(bytes).subspan(static_cast<std::size_t>(header->data_offset() + entry.begin),
                               static_cast<std::size_t>(entry.end - entry.begin)));
    }
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const Tensor& tensor : model_->tensors()) out.push_back(tensor.name);
    return out;
  }
  const onnx::Message& graph() const { return *message_->message(onnx::model::kGraph); }
  const onnx::Message& message() const { return *message_; }
  std::vector<std::string> graph_inputs() const { return value_names(onnx::graph::kInput); }
  std::vector<std::string> value_names(std::uint32_t number) const {
    std::vector<std::string> out;
    for (const onnx::Message* value : graph().messages(number)) {
      out.emplace_back(value->text(onnx::value_info::kName));
    }
    return out;
  }
  bool public_contains(std::string_view text) const {
    return as_text(public_).find(text) != std::string_view::npos;
  }

  std::vector<InputFile> inputs_;
  std::unique_ptr<OnnxModel> model_;
  Split split_;
  ByteVector public_;
  onnx::MessagePointer message_;
  models::testing::TensorBytes tensors_;
  std::vector<std::pair<std::string, std::string>> metadata_;
};

Proto attribute(std::string_view name, std::uint32_t number, const Proto& value) {
  return Proto().text(1, name).message(number, value);
}

std::vector<std::string> texts(const onnx::Message& message, std::uint32_t number) {
  std::vector<std::string> out;
  for (const std::string_view text : message.texts(number)) out.emplace_back(text);
  return out;
}

TEST(OnnxSplit, TurnsASealedInitializerIntoATypedInput) {
  SplitModel m(model(small_graph()));
  m.seal({"w"});
  EXPECT_THAT(m.graph_inputs(), ElementsAre("x", "w"));
  const onnx::Message* tensor = m.graph()
                                    .messages(onnx::graph::kInput)[1]
                                    ->message(onnx::value_info::kType)
                                    ->message(onnx::type::kTensorType);
  EXPECT_EQ(tensor->integer(onnx::tensor_type::kElemType), 1U);
  const auto dims = tensor->message(onnx::tensor_type::kShape)->messages(onnx::shape::kDim);
  ASSERT_EQ(dims.size(), 1U);
  EXPECT_EQ(dims[0]->integer(onnx::dimension::kValue), 300U);
  ASSERT_EQ(m.graph().messages(onnx::graph::kInitializer).size(), 1U);
  EXPECT_EQ(m.tensors_.size(), 1U);
  EXPECT_EQ(m.tensors_["w"], pattern(1200, 1));
  EXPECT_FALSE(m.public_contains(as_text(pattern(1200, 1)).substr(0, 64)));
  EXPECT_TRUE(m.public_contains(as_text(pattern(1200, 100))));
}

TEST(OnnxSplit, LeavesBulkDataInTheSource) {
  SplitModel m(model(small_graph()));
  m.seal({"w"});
  for (const auto* files : {&m.split_.public_files, &m.split_.sealed_files}) {
    const auto is_bulk = [](const Piece& piece) {
      const auto* range = std::get_if<SourceRange>(&piece);
      return range != nullptr && range->size == 1200;
    };
    EXPECT_EQ(std::count_if(files->at(0).pieces.begin(), files->at(0).pieces.end(), is_bulk), 1);
  }
  EXPECT_EQ(m.split_.sealed_files[0].path, "m.onnx.safetensors");
  EXPECT_NE(m.split_.sealed_files[0].header_size, 0U);
}

TEST(OnnxSplit, KeepsAFileWholeThatIsAllSealedOrAllPublic) {
  const SplitModel m(model(small_graph()));
  const auto sealed = m.split({"w", "v"});
  ASSERT_THAT(sealed, Succeeds());
  EXPECT_THAT(sealed->public_files, IsEmpty());
  EXPECT_EQ(assemble(sealed->sealed_files.at(0), m.inputs_), model(small_graph()).get());
  const auto open = m.split({});
  ASSERT_THAT(open, Succeeds());
  EXPECT_THAT(open->sealed_files, IsEmpty());
  EXPECT_EQ(assemble(open->public_files.at(0), m.inputs_), model(small_graph()).get());
  EXPECT_THAT(m.model_->split({true}), Fails(ErrorCode::kUsage));
}

TEST(OnnxSplit, StripsWhatDescribesTheModelUnlessToldToKeepIt) {
  SplitModel m(model(small_graph()));
  m.seal({"w"});
  EXPECT_FALSE(m.public_contains("secret"));
  SplitModel kept(model(small_graph()), {}, {.keep_metadata = true});
  kept.seal({"w"});
  EXPECT_TRUE(kept.public_contains("secret doc"));
  EXPECT_TRUE(kept.public_contains("secret producer"));
}

TEST(OnnxSplit, DoesNotRepeatAnInitializerThatIsAnInputAlready) {
  SplitModel m(model(small_graph().message(11, value_info("w"))));
  m.seal({"w"});
  EXPECT_THAT(m.graph_inputs(), ElementsAre("x", "w"));
}

TEST(OnnxSplit, DropsTheValueInfoOfANewInput) {
  SplitModel m(model(small_graph().message(13, value_info("w")).message(13, value_info("z"))));
  m.seal({"w"});
  EXPECT_THAT(m.value_names(onnx::graph::kValueInfo), ElementsAre("z"));
}

TEST(OnnxSplit, ConvertsTypedFieldsExactly) {
  const std::uint64_t minus_two = ~std::uint64_t{1};
  const struct {
    std::uint64_t type;
    std::uint32_t field;
    std::vector<std::uint64_t> values;
    ByteVector expected;
  } kCases[] = {
      {2, 5, {0, 255}, {0, 255}},                                // UINT8
      {3, 5, {127, minus_two}, {127, 254}},                      // INT8
      {4, 5, {1, 65535}, {1, 0, 255, 255}},                      // UINT16
      {5, 5, {258, minus_two}, {2, 1, 254, 255}},                // INT16
      {6, 5, {1, minus_two}, {1, 0, 0, 0, 254, 255, 255, 255}},  // INT32
      {6, 5, {0xfffffffe}, {254, 255, 255, 255}},                // in 5 bytes, as protobuf reads it
      {9, 5, {1, 0}, {1, 0}},                                    // BOOL
      {10, 5, {0x3c00}, {0x00, 0x3c}},                           // FLOAT16 one
      {16, 5, {0xbf80}, {0x80, 0xbf}},                           // BFLOAT16 minus one
      {17, 5, {0x38, 0xb8}, {0x38, 0xb8}},                       // FLOAT8E4M3FN
      {12, 11, {0xffffffff}, {255, 255, 255, 255}},              // UINT32
      {13, 11, {minus_two}, {254, 255, 255, 255, 255, 255, 255, 255}},  // UINT64
      {7, 7, {minus_two}, {254, 255, 255, 255, 255, 255, 255, 255}},    // INT64
  };
  for (const auto& c : kCases) {
    SplitModel m(model(small_graph().message(5, typed_tensor("t", c.type, c.field, c.values))));
    m.seal({"t"});
    EXPECT_EQ(m.tensors_["t"], c.expected) << c.type;
  }
}

TEST(OnnxSplit, RefusesNumbersThatDoNotFitTheirType) {
  const std::tuple<std::uint64_t, std::uint32_t, std::uint64_t> kCases[] = {
      {2, 5, 256}, {3, 5, 128}, {9, 5, 2}, {10, 5, 65536}, {12, 11, std::uint64_t{1} << 32U}};
  for (const auto& [type, field, value] : kCases) {
    const SplitModel m(model(small_graph().message(5, typed_tensor("t", type, field, {value}))));
    EXPECT_THAT(m.split({"t"}), FailsWith(ErrorCode::kMalformed, HasSubstr("does not fit")));
  }
}

TEST(OnnxSplit, ConvertsUnpackedFloats) {
  Proto tensor;
  tensor.integer(1, 2).integer(2, 1).fixed32(4, 0x11223344).fixed32(4, 0x55667788).text(8, "t");
  SplitModel m(model(small_graph().message(5, tensor)));
  m.seal({"t"});
  EXPECT_EQ(m.tensors_["t"], (ByteVector{0x44, 0x33, 0x22, 0x11, 0x88, 0x77, 0x66, 0x55}));
}

TEST(OnnxSplit, HoldsTypesThatSafetensorsDoesNotHaveAsBytes) {
  Proto strings;
  strings.packed(1, {2}).integer(2, 8).text(6, "ab").text(6, "").text(8, "s");
  const Proto nibbles = Proto().packed(1, {3}).integer(2, 22).packed(5, {0x21, 0x03}).text(8, "n");
  SplitModel m(model(small_graph().message(5, strings).message(5, nibbles)));
  m.seal({"s", "n"});
  EXPECT_EQ(m.tensors_["s"], (ByteVector{2, 0, 0, 0, 'a', 'b', 0, 0, 0, 0}));
  EXPECT_EQ(m.tensors_["n"], (ByteVector{0x21, 0x03}));
  EXPECT_THAT(m.metadata_,
              ElementsAre(std::pair("tensor:s", "STRING [2]"), std::pair("tensor:n", "INT4 [3]")));
}

TEST(OnnxSplit, RemovesASealedConstantNode) {
  const Proto constant =
      node("Constant", {}, "c").message(5, attribute("value", 5, raw_tensor("", 20, 9)));
  SplitModel m(model(small_graph().message(1, constant)));
  EXPECT_THAT(m.names(), ElementsAre("w", "v", "c"));
  m.seal({"c"});
  EXPECT_THAT(m.graph_inputs(), ElementsAre("x", "c"));
  EXPECT_EQ(m.graph().messages(onnx::graph::kNode).size(), 1U);
  EXPECT_EQ(m.tensors_["c"], pattern(80, 9));
}

TEST(OnnxSplit, ReadsConstantsWithoutATensor) {
  Proto floats = Proto().text(1, "value_floats");
  for (std::uint32_t i = 0; i < 3; ++i) floats.fixed32(7, i);
  SplitModel m(model(
      small_graph()
          .message(1, node("Constant", {}, "f").message(5, floats))
          .message(
              1, node("Constant", {}, "i").message(5, Proto().text(1, "value_int").integer(3, 258)))
          .message(1, node("Constant", {}, "s")
                          .message(5, Proto().text(1, "value_string").text(4, "hi")))));
  m.seal({"f", "i", "s"});
  EXPECT_EQ(m.tensors_["f"], (ByteVector{0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}));
  EXPECT_EQ(m.tensors_["i"], (ByteVector{2, 1, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(m.tensors_["s"], (ByteVector{2, 0, 0, 0, 'h', 'i'}));
}

TEST(OnnxSplit, RefusesAnAttributeThatNoInputCanReplace) {
  Proto coefficients = Proto().text(1, "coefficients");
  for (std::uint32_t i = 0; i < 17; ++i) coefficients.fixed32(7, i);
  const SplitModel m(model(
      small_graph().message(1, node("LinearRegressor", {"x"}, "l").message(5, coefficients))));
  EXPECT_THAT(m.names(), ElementsAre("w", "v", "graph/l/coefficients"));
  EXPECT_THAT(m.split({"graph/l/coefficients"}),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("'graph/l/coefficients'")));
  EXPECT_THAT(m.split({"w"}), Succeeds());
  EXPECT_THAT(m.split(m.names()), Succeeds());
}

TEST(OnnxSplit, LeavesShortListsOfOtherNodesAlone) {
  Proto kernel = Proto().text(1, "kernel_shape").packed(8, std::vector<std::uint64_t>(16, 3));
  const SplitModel m(model(small_graph().message(1, node("Conv", {"x"}, "l").message(5, kernel))));
  EXPECT_THAT(m.names(), ElementsAre("w", "v"));
}

TEST(OnnxSplit, HoistsTheTensorsOfASubgraph) {
  const Proto constant =
      node("Constant", {}, "c").message(5, attribute("value", 5, raw_tensor("", 20, 9)));
  const Proto branch = Proto()
                           .message(1, constant)
                           .message(1, node("Add", {"w", "c"}, "z"))
                           .message(5, raw_tensor("w", 30, 50))
                           .message(12, value_info("z"));
  const Proto branching = node("If", {"x"}, "if0").message(5, attribute("then_branch", 6, branch));
  SplitModel m(model(small_graph().message(1, branching)));
  const std::string inner_w = "graph/if0/then_branch/w";
  const std::string inner_c = "graph/if0/then_branch/c";
  EXPECT_THAT(m.names(), ElementsAre("w", "v", inner_c, inner_w));
  m.seal({inner_w, inner_c});
  EXPECT_THAT(m.graph_inputs(), ElementsAre("x", inner_c, inner_w));
  EXPECT_EQ(m.tensors_[inner_w], pattern(120, 50));
  const onnx::Message& graph = *m.graph()
                                    .messages(onnx::graph::kNode)[1]
                                    ->message(onnx::node::kAttribute)
                                    ->message(onnx::attribute::kG);
  EXPECT_EQ(graph.find(onnx::graph::kInitializer), nullptr);
  const auto nodes = graph.messages(onnx::graph::kNode);
  ASSERT_EQ(nodes.size(), 3U);
  for (const std::size_t i : {0U, 1U}) EXPECT_EQ(nodes[i]->text(onnx::node::kOpType), "Identity");
  EXPECT_THAT(texts(*nodes[0], onnx::node::kInput), ElementsAre(inner_w));
  EXPECT_THAT(texts(*nodes[0], onnx::node::kOutput), ElementsAre("w"));
  EXPECT_THAT(texts(*nodes[1], onnx::node::kInput), ElementsAre(inner_c));
}

TEST(OnnxSplit, NamesNoNestedTensorLikeAValueOfTheModel) {
  const Proto branch = Proto().message(5, raw_tensor("w", 30, 50));
  const Proto branching = node("If", {"x"}, "if0").message(5, attribute("then_branch", 6, branch));
  const SplitModel m(model(
      small_graph().message(1, branching).message(5, raw_tensor("graph/if0/then_branch/w", 1, 2))));
  EXPECT_THAT(m.names(),
              ElementsAre("w", "v", "graph/if0/then_branch/w~2", "graph/if0/then_branch/w"));
}

TEST(OnnxSplit, RefusesToSealTheDefaultOfASubgraphInput) {
  const Proto branch = Proto().message(5, raw_tensor("w", 30, 50)).message(11, value_info("w"));
  const Proto loop = node("Loop", {"x"}, "l").message(5, attribute("body", 6, branch));
  const SplitModel m(model(small_graph().message(1, loop)));
  EXPECT_THAT(m.split({"graph/l/body/w"}),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("default of a subgraph's input")));
}

TEST(OnnxSplit, PassesTheTensorsOfAFunctionThroughItsCalls) {
  const Proto constant =
      node("Constant", {}, "c").message(5, attribute("value", 5, raw_tensor("", 20, 9)));
  const Proto inner =
      Proto().text(1, "Inner").text(4, "a").text(5, "c").message(7, constant).text(10, "d");
  const Proto call = node("Inner", {"p"}, "q").text(7, "d");
  const Proto outer = Proto()
                          .text(1, "Outer")
                          .text(4, "p")
                          .text(4, "option")
                          .text(5, "q")
                          .message(7, call)
                          .text(10, "d");
  const Proto use = node("Outer", {"x"}, "o").text(7, "d");
  SplitModel m(model(small_graph().message(1, use)).message(25, inner).message(25, outer));
  const std::string name = "function/Inner/c";
  m.seal({name});
  EXPECT_THAT(m.graph_inputs(), ElementsAre("x", name));
  EXPECT_THAT(texts(*m.graph().messages(onnx::graph::kNode)[1], onnx::node::kInput),
              ElementsAre("x", "", name));
  const auto functions = m.message().messages(onnx::model::kFunctions);
  EXPECT_THAT(texts(*functions[0], onnx::function::kInput), ElementsAre("a", name));
  EXPECT_THAT(texts(*functions[1], onnx::function::kInput), ElementsAre("p", "option", name));
  EXPECT_THAT(texts(*functions[1]->message(onnx::function::kNode), onnx::node::kInput),
              ElementsAre("p", name));
  EXPECT_EQ(functions[0]->message(onnx::function::kNode)->text(onnx::node::kOpType), "Identity");
  EXPECT_EQ(m.tensors_[name], pattern(80, 9));
}

TEST(OnnxSplit, MakesAnInputOfWhatAnUncalledRecursiveFunctionHolds) {
  const Proto constant =
      node("Constant", {}, "c").message(5, attribute("value", 5, raw_tensor("", 20, 9)));
  const Proto itself = node("Loops", {}, "q").text(7, "d");
  SplitModel m(
      model(small_graph())
          .message(25,
                   Proto().text(1, "Loops").message(7, constant).message(7, itself).text(10, "d")));
  m.seal({"function/Loops/c"});
  EXPECT_THAT(m.graph_inputs(), ElementsAre("x", "function/Loops/c"));
}

TEST(OnnxSplit, SealsBothTensorsOfASparseOne) {
  const Proto sparse = Proto()
                           .message(1, raw_tensor("s", 3, 7))
                           .message(2, typed_tensor("", 7, 7, {1, 4, 8}))
                           .packed(3, {3, 4});
  SplitModel m(model(small_graph().message(15, sparse)));
  EXPECT_THAT(m.names(), ElementsAre("w", "v", "s.values", "s.indices"));
  m.seal({"s.indices"});
  EXPECT_EQ(m.tensors_.size(), 2U);
  EXPECT_EQ(m.tensors_["s.values"], pattern(12, 7));
  EXPECT_THAT(m.metadata_, ElementsAre(std::pair("sparse:s", "[3,4]")));
  EXPECT_THAT(m.graph_inputs(), ElementsAre("x", "s"));
  EXPECT_EQ(m.graph().find(onnx::graph::kSparseInitializer), nullptr);
}

TEST(OnnxSplit, RefusesAnInputInThePlaceOfTheSealedFile) {
  const SplitModel m(model(small_graph()), {memory_input("m.onnx.safetensors", {1})});
  EXPECT_THAT(m.split({"w"}), Fails(ErrorCode::kUnsupported));
}

}  // namespace
}  // namespace sealpack::models
