// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "runtime-loader/nn/ops/math_tables.h"
#include "tests/runtime-loader/nn/ops/interpreter.h"

// Nodes made up at random, most of them nonsense: what infer accepts, run does.
namespace sealpack::nn {
namespace {

using testing::HeapMemory;
using testing::OwnedTensor;

constexpr std::int64_t kMaxOutput = 20000;  // elements; larger ones are typed, not run
constexpr std::size_t kMaxScratch = std::size_t{1} << 24U;

class Inventor {
 public:
  explicit Inventor(std::uint32_t seed) : random_(seed) {}

  std::int64_t number(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(random_);
  }
  bool one_in(std::int64_t count) { return number(1, count) == 1; }

  std::int64_t integer() {
    if (one_in(20)) return one_in(2) ? INT64_MAX : INT64_MIN;
    if (one_in(20)) return std::int64_t{1} << number(20, 62);
    return number(-1, 4);
  }

  Shape shape(std::size_t rank) {
    std::array<std::int64_t, kMaxRank> dims{};
    for (std::int64_t& dim : dims) dim = one_in(12) ? 0 : number(1, 4);
    return *Shape::make({dims.data(), rank});
  }

  DType dtype() {
    constexpr DType kAll[] = {DType::kF32, DType::kU8,  DType::kI8,   DType::kU16, DType::kI16,
                              DType::kI32, DType::kI64, DType::kBool, DType::kF16, DType::kF64,
                              DType::kU32, DType::kU64, DType::kBF16};
    return one_in(2) ? DType::kF32 : kAll[number(0, 12)];
  }

  Attribute attribute(std::string_view name, std::size_t rank) {
    Attribute made{std::string(name), std::int64_t{0}};
    constexpr std::string_view kTexts[] = {"auto_pad", "direction", "equation"};
    constexpr std::string_view kFloats[] = {"alpha", "beta", "bias",  "clip",     "epsilon",
                                            "gamma", "max",  "lambd", "momentum", "min"};
    if (std::ranges::find(kTexts, name) != std::end(kTexts)) {
      constexpr const char* kValues[] = {"SAME_UPPER", "VALID", "reverse", "bidirectional",
                                         "LEFT",       "ij,jk", "...,...", "ab->"};
      made.value = std::string(kValues[number(0, 7)]);
    } else if (std::ranges::find(kFloats, name) != std::end(kFloats)) {
      made.value = one_in(10) ? NAN : static_cast<float>(integer());
    } else if (name.ends_with('s') && name.find('_') == std::string_view::npos) {
      const bool is_pads = name == "pads";
      made.value = integers(one_in(8) ? rank : (is_pads ? 2 : 1) * (std::max(rank, 2UL) - 2));
    } else if (name == "kernel_shape" || name.starts_with("output_")) {
      made.value = integers(one_in(8) ? rank : std::max(rank, 2UL) - 2);
    } else {
      made.value = integer();
    }
    return made;
  }

  OwnedTensor tensor(const TensorType& type) {
    OwnedTensor made(type);
    for (std::size_t i = 0; i < type.size(); ++i) {
      made.view().data[i] = static_cast<std::uint8_t>(one_in(3) ? number(0, 255) : number(0, 2));
    }
    return made;
  }

 private:
  std::vector<std::int64_t> integers(std::size_t count) {
    std::vector<std::int64_t> values(count);
    for (std::int64_t& value : values) value = integer();
    return values;
  }

  std::mt19937 random_;
};

struct Invention {
  Node node;
  std::int64_t opset = 0;
  std::vector<OwnedTensor> tensors;
  std::vector<bool> present;
};

Invention invent(const Operator& form, Inventor& inventor) {
  Invention made;
  made.node.op = form.name;
  made.opset = inventor.number(std::max<std::int64_t>(form.first_opset, 9), form.last_opset);
  const auto least = static_cast<std::int64_t>(form.min_inputs);
  const auto most = std::min<std::int64_t>(least + 2, static_cast<std::int64_t>(form.max_inputs));
  const std::int64_t inputs = inventor.number(least, most);
  const auto rank = static_cast<std::size_t>(inventor.number(0, 5));
  const DType dtype = inventor.dtype();
  const Shape common = inventor.shape(rank);
  for (std::int64_t i = 0; i < inputs; ++i) {
    const auto own_rank = static_cast<std::size_t>(inventor.number(0, 4));
    const Shape shape = inventor.one_in(3)   ? inventor.shape(own_rank)
                        : inventor.one_in(2) ? inventor.shape(rank)
                                             : common;
    made.tensors.push_back(inventor.tensor({inventor.one_in(5) ? inventor.dtype() : dtype, shape}));
    made.present.push_back(i < least || !inventor.one_in(3));
  }
  const std::int64_t sparsity = inventor.number(1, 12);
  std::string_view names = form.attributes;
  while (!names.empty()) {
    const std::size_t space = std::min(names.find(' '), names.size());
    if (inventor.one_in(sparsity))
      made.node.attributes.push_back(inventor.attribute(names.substr(0, space), rank));
    names.remove_prefix(std::min(space + 1, names.size()));
  }
  const auto outputs = inventor.number(1, static_cast<std::int64_t>(form.max_outputs));
  for (std::int64_t i = 0; i < outputs; ++i) made.node.outputs.push_back(static_cast<ValueId>(i));
  return made;
}

// True if the node was accepted and ran to its end.
bool try_out(const Invention& made, Inventor& inventor) {
  InferContext types{made.node, made.opset, {}, {}};
  HeapMemory memory(kMaxScratch);
  RunContext context{made.node, made.opset, {}, {}, memory, no_workers()};
  for (std::size_t i = 0; i < made.tensors.size(); ++i) {
    const OwnedTensor& tensor = made.tensors[i];
    types.inputs.push_back(made.present[i] ? &tensor.type() : nullptr);
    types.constants.push_back(made.present[i] ? tensor.view() : ConstTensor{});
    context.inputs.push_back(made.present[i] ? tensor.view() : ConstTensor{});
  }
  const Result<std::vector<TensorType>> inferred = infer_node(types);
  if (!inferred.ok()) return false;
  std::vector<OwnedTensor> outputs;
  for (const TensorType& type : *inferred) {
    if (type.shape.element_count() > kMaxOutput) return false;
    outputs.emplace_back(type);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const bool is_read = outputs.size() == 1 || !inventor.one_in(3);
    context.outputs.push_back(outputs[i].view());
    if (!is_read) context.outputs[i].data = nullptr;
  }
  const Status status = run_node(context);
  if (!status.ok()) {
    EXPECT_TRUE(status.error().code() == ErrorCode::kMalformed ||
                status.error().code() == ErrorCode::kLimit)
        << status.error().message();
  }
  return status.ok();
}

TEST(HostileNodes, RunWhereverInferAcceptsThem) {
  Inventor inventor(20240607);
  for (const OperatorTable table : kMathTables) {
    for (const Operator& form : table()) {
      SCOPED_TRACE(form.name);
      int ran = 0;
      for (int i = 0; i < 2000; ++i) ran += try_out(invent(form, inventor), inventor) ? 1 : 0;
      // Some ask for more agreement among their inputs than chance gives.
      if (form.min_inputs > 2 || std::string_view(form.name) == "MaxUnpool") continue;
      EXPECT_GT(ran, 0) << form.first_opset;
    }
  }
}

}  // namespace
}  // namespace sealpack::nn
