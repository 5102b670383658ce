// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime-loader/nn/ops/graph_models.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>

#include "tests/testing/result_matchers.h"

namespace sealpack::nn::testing {
namespace {

using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr ErrorCode kMalformed = ErrorCode::kMalformed;
constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

// A graph that returns the initializer `tensor`, named "t".
Proto returning(const Proto& tensor) {
  return Proto()
      .message(1, make_node("Identity", {"t"}, {"y"}))
      .message(5, tensor)
      .message(12, tensor_info("y", 0, {}));
}
Result<StoredTensor> loaded(const Proto& tensor) {
  const Graph graph = TRY(load(make_model(returning(tensor))));
  return *graph.values[*graph.find("t")].stored;
}

Proto external(std::uint64_t count, std::string_view location, std::string_view offset,
               std::string_view length) {
  Proto proto = Proto().packed(1, {count}).integer(2, 1).text(8, "t").integer(14, 1);
  const auto add = [&proto](std::string_view key, std::string_view value) {
    if (!value.empty()) proto.message(13, Proto().text(1, key).text(2, value));
  };
  add("location", location);
  add("offset", offset);
  add("length", length);
  return proto;
}
Result<Graph> load_external(const Proto& tensor) {
  const MemorySource source(make_model(returning(tensor)).get());
  return load_graph(source, [](std::string_view path) -> Result<std::uint64_t> {
    if (path == "w.bin") return std::uint64_t{4096};
    return Error(ErrorCode::kIo, "no file " + printable(path));
  });
}

TEST(LoadGraph, ReadsNodesValuesAndDeclaredShapes) {
  const auto graph = load(make_model(relu_graph()));
  ASSERT_THAT(graph, Succeeds());
  EXPECT_EQ(graph->opset, 13);
  ASSERT_EQ(graph->nodes.size(), 1U);
  EXPECT_EQ(graph->nodes[0].op, "Relu");
  EXPECT_EQ(graph->nodes[0].name, "act");
  ASSERT_EQ(graph->inputs.size(), 1U);
  const Value& x = graph->values[graph->inputs[0]];
  EXPECT_EQ(x.name, "x");
  EXPECT_EQ(x.dtype, DType::kF32);
  ASSERT_EQ(x.dimensions->size(), 2U);
  EXPECT_EQ((*x.dimensions)[0].value, -1);
  EXPECT_EQ((*x.dimensions)[0].symbol, "N");
  EXPECT_EQ((*x.dimensions)[1].value, 3);
  EXPECT_EQ(graph->values[graph->outputs[0]].name, "y");
}

TEST(LoadGraph, TakesTheWrittenOutNameOfTheDefaultDomain) {
  const Proto node = make_node("Relu", {"x"}, {"y"}).text(7, "ai.onnx");
  const Proto graph = Proto()
                          .message(1, node)
                          .message(11, tensor_info("x", 1, {3}))
                          .message(12, tensor_info("y", 1, {3}));
  const Proto model = Proto()
                          .integer(1, 8)
                          .message(8, Proto().text(1, "ai.onnx").integer(2, 11))
                          .message(8, Proto().text(1, "com.microsoft").integer(2, 1))
                          .message(7, graph);
  EXPECT_THAT(load(model), Succeeds());
}

TEST(LoadGraph, AnInitializerThatIsAlsoAnInputIsAnInitializer) {
  Proto graph = relu_graph();
  graph.message(5, floats("w", {1, 2, 3})).message(11, tensor_info("w", 1, {3}));
  const auto loaded = load(make_model(graph, 9, 3));
  ASSERT_THAT(loaded, Succeeds());
  EXPECT_EQ(loaded->inputs.size(), 1U);
  EXPECT_TRUE(loaded->values[*loaded->find("w")].stored);
}

TEST(LoadGraph, LeavesBulkInTheFileAndKeepsWhatIsSmall) {
  const auto small = loaded(floats("t", {1, 2, 3}));
  ASSERT_THAT(small, Succeeds());
  EXPECT_TRUE(small->is_inline);
  EXPECT_EQ(small->bytes.size(), 12U);

  const Proto model = make_model(returning(floats("t", std::vector<float>(100, 0.5F))));
  const auto graph = load(model);
  ASSERT_THAT(graph, Succeeds());
  const StoredTensor& large = *graph->values[*graph->find("t")].stored;
  EXPECT_FALSE(large.is_inline);
  EXPECT_TRUE(large.bytes.empty());
  EXPECT_EQ(large.file, 0U);
  const float half = 0.5F;
  EXPECT_EQ(std::memcmp(model.get().data() + large.offset, &half, 4), 0);
  EXPECT_EQ(std::memcmp(model.get().data() + large.offset + 396, &half, 4), 0);
}

TEST(LoadGraph, PackedFloatDataIsARangeOfTheFile) {
  Proto values;
  for (std::uint32_t i = 0; i < 100; ++i) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(static_cast<float>(i));
    values.raw(Bytes(reinterpret_cast<const std::uint8_t*>(&bits), 4));
  }
  const Proto tensor = Proto().packed(1, {100}).integer(2, 1).message(4, values).text(8, "t");
  const Proto model = make_model(returning(tensor));
  const auto graph = load(model);
  ASSERT_THAT(graph, Succeeds());
  const StoredTensor& stored = *graph->values[*graph->find("t")].stored;
  ASSERT_FALSE(stored.is_inline);
  EXPECT_EQ(std::memcmp(model.get().data() + stored.offset, values.get().data(), 400), 0);
}

TEST(LoadGraph, DecodesFloatDataThatIsNotPacked) {
  Proto tensor = Proto().packed(1, {100}).integer(2, 1).text(8, "t");
  for (std::uint32_t i = 0; i < 100; ++i) {
    tensor.fixed32(4, std::bit_cast<std::uint32_t>(static_cast<float>(i)));
  }
  const auto stored = loaded(tensor);
  ASSERT_THAT(stored, Succeeds());
  EXPECT_TRUE(stored->is_inline);
  float last = 0;
  std::memcpy(&last, stored->bytes.data() + 396, 4);
  EXPECT_EQ(last, 99);
}

TEST(LoadGraph, DecodesIntegersOfEveryWidth) {
  const std::uint64_t minus = ~std::uint64_t{0};
  const auto bytes_of = [](std::uint64_t type, std::uint32_t field,
                           const std::vector<std::uint64_t>& values) {
    const auto stored = loaded(models::testing::typed_tensor("t", type, field, values));
    return stored.ok() ? stored->bytes : ByteVector();
  };
  EXPECT_THAT(bytes_of(3, 5, {1, minus, 127}), ElementsAre(1, 0xff, 127));
  EXPECT_THAT(bytes_of(2, 5, {255}), ElementsAre(0xff));
  EXPECT_THAT(bytes_of(10, 5, {0x3c00}), ElementsAre(0, 0x3c));
  EXPECT_THAT(bytes_of(6, 5, {minus}), ElementsAre(0xff, 0xff, 0xff, 0xff));
  EXPECT_THAT(bytes_of(7, 7, {2}), ElementsAre(2, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THAT(bytes_of(12, 11, {0xffffffff}), ElementsAre(0xff, 0xff, 0xff, 0xff));
  EXPECT_THAT(bytes_of(9, 5, {1, 0}), ElementsAre(1, 0));
}

TEST(LoadGraph, RefusesElementsOutsideTheirType) {
  using models::testing::typed_tensor;
  const std::uint64_t minus = ~std::uint64_t{0};
  EXPECT_THAT(loaded(typed_tensor("t", 3, 5, {128})), FailsWith(kMalformed, HasSubstr("of 128")));
  EXPECT_THAT(loaded(typed_tensor("t", 2, 5, {minus})), FailsWith(kMalformed, HasSubstr("of -1")));
  EXPECT_THAT(loaded(typed_tensor("t", 10, 5, {0x10000})),
              FailsWith(kMalformed, HasSubstr("65536")));
  EXPECT_THAT(loaded(typed_tensor("t", 9, 5, {2})), FailsWith(kMalformed, HasSubstr("of 2")));
  EXPECT_THAT(loaded(typed_tensor("t", 12, 11, {std::uint64_t{1} << 32U})),
              FailsWith(kMalformed, HasSubstr("32 bits")));
  const ByteVector two = {2};
  EXPECT_THAT(loaded(raw("t", 9, {1}, two)), FailsWith(kMalformed, HasSubstr("a bool of 2")));
}

TEST(LoadGraph, RefusesTensorsThatContradictThemselves) {
  const ByteVector eight(8);
  EXPECT_THAT(loaded(raw("t", 1, {3}, eight)),
              FailsWith(kMalformed, AllOf(HasSubstr("float32[3]"), HasSubstr("8 bytes"))));
  EXPECT_THAT(loaded(Proto().packed(1, {2}).integer(2, 1).text(8, "t")),
              FailsWith(kMalformed, HasSubstr("without data")));
  EXPECT_THAT(loaded(raw("t", 1, {2}, eight).packed(7, {1, 2})),
              FailsWith(kMalformed, HasSubstr("two fields")));
  EXPECT_THAT(loaded(models::testing::typed_tensor("t", 1, 7, {1, 2})),
              FailsWith(kMalformed, HasSubstr("int64_data")));
  EXPECT_THAT(loaded(Proto().packed(1, {5}).integer(2, 7).packed(7, {1, 2}).text(8, "t")),
              FailsWith(kMalformed, HasSubstr("2 elements")));
  EXPECT_THAT(loaded(raw("t", 1, {2}, eight).integer(14, 7)),
              FailsWith(kMalformed, HasSubstr("data_location 7")));
  EXPECT_THAT(loaded(raw("t", 1, {2}, eight).integer(14, 1)),
              FailsWith(kMalformed, HasSubstr("do not agree")));
}

TEST(LoadGraph, NamesTheInitializerThatItRefuses) {
  EXPECT_THAT(loaded(Proto().packed(1, {1}).integer(2, 8).text(8, "t")),
              FailsWith(kUnsupported, AllOf(HasSubstr("initializer 't'"), HasSubstr("type 8"))));
}

TEST(LoadGraph, RefusesShapesOutOfBounds) {
  const std::uint64_t huge = std::uint64_t{1} << 40U;
  EXPECT_THAT(loaded(raw("t", 1, {huge, 2}, {})),
              FailsWith(ErrorCode::kLimit, HasSubstr("elements")));
  EXPECT_THAT(loaded(raw("t", 1, {huge, huge, huge, 0}, {})),
              FailsWith(ErrorCode::kLimit, HasSubstr("elements")));
  EXPECT_THAT(loaded(raw("t", 1, {~std::uint64_t{0}}, {})),
              FailsWith(kMalformed, HasSubstr("a dimension of -1")));
  EXPECT_THAT(loaded(raw("t", 1, std::vector<std::uint64_t>(9, 1), ByteVector(4))),
              FailsWith(ErrorCode::kLimit, HasSubstr("9 elements")));
}

TEST(LoadGraph, FindsExternalData) {
  const auto graph = load_external(external(1000, "w.bin", "96", "4000"));
  ASSERT_THAT(graph, Succeeds());
  EXPECT_THAT(graph->external_files, ElementsAre("w.bin"));
  const StoredTensor& stored = *graph->values[*graph->find("t")].stored;
  EXPECT_FALSE(stored.is_inline);
  EXPECT_EQ(stored.file, 1U);
  EXPECT_EQ(stored.offset, 96U);
}

TEST(LoadGraph, ExternalDataStayInsideTheirFile) {
  EXPECT_THAT(load_external(external(1000, "w.bin", "97", "")),
              FailsWith(kMalformed, HasSubstr("past the end of 'w.bin'")));
  EXPECT_THAT(load_external(external(1000, "w.bin", "18446744073709551615", "")),
              FailsWith(kMalformed, HasSubstr("past the end")));
  EXPECT_THAT(load_external(external(1000, "w.bin", "18446744073709551616", "")),
              FailsWith(kMalformed, HasSubstr("offset")));
  EXPECT_THAT(load_external(external(1000, "w.bin", "-1", "")),
              FailsWith(kMalformed, HasSubstr("offset")));
  EXPECT_THAT(load_external(external(1000, "w.bin", "0", "3999")),
              FailsWith(kMalformed, HasSubstr("3999")));
  EXPECT_THAT(load_external(external(1000, "", "0", "4000")),
              FailsWith(kMalformed, HasSubstr("without a location")));
}

TEST(LoadGraph, ExternalDataStayBesideTheModel) {
  for (const char* escape : {"/etc/passwd", "../w.bin", "a/../../w.bin", "./w.bin", "a//w.bin",
                             "C:w.bin", "a\\w.bin", "w.bin/"}) {
    EXPECT_THAT(load_external(external(10, escape, "", "")),
                FailsWith(kMalformed, HasSubstr("external data")))
        << escape;
  }
  EXPECT_THAT(load_external(external(10, "v.bin", "", "")),
              FailsWith(ErrorCode::kIo, HasSubstr("no file 'v.bin'")));
}

TEST(LoadGraph, ConstantNodesBecomeStoredValues) {
  const Proto graph =
      Proto()
          .message(1, make_node("Constant", {}, {"c"}, {tensor_of("value", floats("", {1, 2}))}))
          .message(1, make_node("Constant", {}, {"i"}, {int_of("value_int", -7)}))
          .message(1, make_node("Constant", {}, {"l"}, {ints_of("value_ints", {4, 5})}))
          .message(1, make_node("Identity", {"c"}, {"y"}))
          .message(12, tensor_info("y", 1, {2}));
  const auto loaded = load(make_model(graph));
  ASSERT_THAT(loaded, Succeeds());
  EXPECT_EQ(loaded->nodes.size(), 1U);
  const Value& i = loaded->values[*loaded->find("i")];
  EXPECT_EQ(i.stored->type, (TensorType{DType::kI64, Shape{}}));
  EXPECT_EQ(i.stored->bytes[0], 0xf9);
  EXPECT_EQ(loaded->values[*loaded->find("l")].stored->type, (TensorType{DType::kI64, Shape{2}}));
}

TEST(LoadGraph, RefusesAConstantOfNothingOrOfTexts) {
  const auto with = [](const std::vector<Proto>& attributes) {
    return load(make_model(Proto()
                               .message(1, make_node("Constant", {}, {"y"}, attributes))
                               .message(12, tensor_info("y", 1, {}))));
  };
  EXPECT_THAT(with({}), FailsWith(kMalformed, HasSubstr("one attribute")));
  EXPECT_THAT(with({Proto().text(1, "value_string").text(4, "abc").integer(20, 3)}),
              FailsWith(kUnsupported, HasSubstr("value_string")));
  EXPECT_THAT(with({int_of("value_float", 1)}), FailsWith(kUnsupported, HasSubstr("value_float")));
}

TEST(LoadGraph, RefusesVersionsOutOfRange) {
  EXPECT_THAT(load(make_model(relu_graph(), 8)), FailsWith(kUnsupported, HasSubstr("opset 8")));
  EXPECT_THAT(load(make_model(relu_graph(), 18)), FailsWith(kUnsupported, HasSubstr("opset 18")));
  EXPECT_THAT(load(make_model(relu_graph(), 13, 2)),
              FailsWith(kUnsupported, HasSubstr("IR version 2")));
  EXPECT_THAT(load(make_model(relu_graph(), 13, 11)),
              FailsWith(kUnsupported, HasSubstr("IR version 11")));
  EXPECT_THAT(load(make_model(relu_graph()).message(8, Proto().integer(2, 12))),
              FailsWith(kMalformed, HasSubstr("two opsets")));
  EXPECT_THAT(load(Proto().integer(1, 8).message(7, relu_graph())),
              FailsWith(kMalformed, HasSubstr("no opset")));
  EXPECT_THAT(load(Proto().integer(1, 8).message(8, Proto().integer(2, 13))),
              FailsWith(kMalformed, HasSubstr("no graph")));
}

TEST(LoadGraph, RefusesWhatIsNoPlainGraph) {
  EXPECT_THAT(load(make_model(relu_graph()).message(20, Proto())),
              FailsWith(kUnsupported, HasSubstr("training_info")));
  EXPECT_THAT(load(make_model(relu_graph()).message(25, Proto().text(1, "f"))),
              FailsWith(kUnsupported, HasSubstr("functions")));
  EXPECT_THAT(load(make_model(relu_graph().message(15, Proto()))),
              FailsWith(kUnsupported, HasSubstr("sparse")));
}

TEST(LoadGraph, NamesEveryUnsupportedOperatorAtOnce) {
  const Proto body = Proto().text(1, "then_branch").message(6, relu_graph()).integer(20, 5);
  const Proto graph =
      Proto()
          .message(1, make_node("Frobnicate", {"x"}, {"a"}, {}, "first"))
          .message(1, make_node("Frobnicate", {"a"}, {"b"}, {}, "second"))
          .message(1, make_node("If", {"b"}, {"c"}, {body}, "branch"))
          .message(1, make_node("Gelu", {"c"}, {"y"}, {}, "act").text(7, "com.acme"))
          .message(11, tensor_info("x", 1, {3}))
          .message(12, tensor_info("y", 1, {3}));
  EXPECT_THAT(
      load(make_model(graph)),
      FailsWith(kUnsupported, AllOf(HasSubstr("'Frobnicate' of opset 13 (node 'first' and 1 more)"),
                                    HasSubstr("'If' of opset 13 (node 'branch')"),
                                    HasSubstr("'Gelu' of domain 'com.acme' (node 'act')"))));
}

TEST(LoadGraph, NamesAtMostTwentyOperators) {
  Proto graph = Proto().message(12, tensor_info("y", 1, {3}));
  for (int i = 10; i < 35; ++i) {
    graph.message(1, make_node("Odd" + std::to_string(i), {}, {"v" + std::to_string(i)}));
  }
  EXPECT_THAT(load(make_model(graph)),
              FailsWith(kUnsupported, AllOf(HasSubstr("'Odd29'"), Not(HasSubstr("'Odd30'")),
                                            HasSubstr("and 5 other operators"))));
}

}  // namespace
}  // namespace sealpack::nn::testing
