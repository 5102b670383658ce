// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime-loader/nn/ops/node_test_cases.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "runtime-loader/nn/load_attribute.h"
#include "runtime-loader/nn/ops/math_types.h"
#include "runtime-loader/nn/ops/operator_tables.h"
#include "tests/formats/models/onnx_builder.h"

namespace sealpack::nn::testing {
namespace {

namespace onnx = models::onnx;
using models::testing::Proto;
using onnx::Message;
using std::filesystem::path;

Result<ByteVector> read_file(const path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return Error(ErrorCode::kIo, "cannot read " + file.string());
  return ByteVector(std::istreambuf_iterator<char>(stream), {});
}

// A TensorProto, read as the only initializer of a model around it.
Result<OwnedTensor> read_tensor(const path& file) {
  const ByteVector bytes = TRY(read_file(file));
  const Proto graph = Proto().bytes(onnx::graph::kInitializer, bytes);
  const MemorySource source(Proto().message(onnx::model::kGraph, graph).get());
  const auto model = TRY(onnx::parse_model(source));
  const auto no_files = [](std::string_view) -> Result<std::uint64_t> {
    return Error(ErrorCode::kIo, "no external data");
  };
  const ExternalSize external_size = no_files;
  TensorLoader loader(source, external_size);
  const StoredTensor stored = TRY(loader.load(
      *model->message(onnx::model::kGraph)->messages(onnx::graph::kInitializer).front()));
  return read_stored(stored, source);
}

// Those of `prefix`_0.pb, `prefix`_1.pb, …
Result<std::vector<OwnedTensor>> read_tensors(const path& folder, const char* prefix) {
  std::vector<OwnedTensor> tensors;
  for (;;) {
    const path file = folder / (prefix + std::to_string(tensors.size()) + ".pb");
    if (!std::filesystem::exists(file)) return tensors;
    tensors.push_back(TRY(read_tensor(file).within(file.filename().string())));
  }
}

// Published data of bfloat16 are written as uint16, which the model's own declaration corrects.
void correct_types(const Message& graph, std::uint32_t list, std::vector<OwnedTensor>& tensors) {
  const auto infos = graph.messages(list);
  for (std::size_t i = 0; i < tensors.size() && i < infos.size(); ++i) {
    const std::uint64_t declared = infos[i]
                                       ->message(onnx::value_info::kType)
                                       ->message(onnx::type::kTensorType)
                                       ->integer(onnx::tensor_type::kElemType);
    TensorType type = tensors[i].type();
    if (declared != static_cast<std::uint64_t>(DType::kBF16) || type.dtype != DType::kU16) continue;
    type.dtype = DType::kBF16;
    tensors[i] = OwnedTensor(type, tensors[i].bytes());
  }
}

// The model with another opset of the default domain.
ByteVector with_opset(Bytes model, std::uint64_t opset) {
  const MemorySource source(to_vector(model));
  onnx::WireReader reader(source, {0, source.size()});
  Proto out;
  while (reader.position() < source.size()) {
    const std::uint64_t start = reader.position();
    const onnx::WireReader::Tag tag = *reader.tag();
    if (tag.type == onnx::WireType::kVarint) {
      (void)*reader.varint();
    } else {
      (void)*reader.skip(*reader.size(source.size()));
    }
    if (tag.number == onnx::model::kOpsetImport) continue;
    out.raw(model.subspan(static_cast<std::size_t>(start),
                          static_cast<std::size_t>(reader.position() - start)));
  }
  const Proto import = Proto().integer(onnx::operator_set::kVersion, opset);
  return out.message(onnx::model::kOpsetImport, import).get();
}

std::string type_reason(const Message& info) {
  const Message* type = info.message(onnx::value_info::kType);
  const Message* tensor = type == nullptr ? nullptr : type->message(onnx::type::kTensorType);
  if (tensor == nullptr) return "values that are not dense tensors";
  const std::uint64_t number = tensor->integer(onnx::tensor_type::kElemType);
  if (number == 8) return "tensors of strings";
  return to_dtype(number).ok() ? "" : "element type " + std::to_string(number);
}

std::string node_reason(const Message& node, std::int64_t opset) {
  const std::string op(node.text(onnx::node::kOpType));
  const std::string domain(node.text(onnx::node::kDomain));
  if (!domain.empty() && domain != "ai.onnx") return "domain " + domain;
  for (const Message* attribute : node.messages(onnx::node::kAttribute)) {
    if (holds_graph(*attribute)) return "control flow: " + op;
    if (attribute->text(onnx::attribute::kName) == "training_mode" &&
        attribute->integer(onnx::attribute::kI) != 0) {
      return "training: " + op;
    }
  }
  if (op == "Constant" || find_operator(op, opset) != nullptr) return "";
  return "operator not in the registry: " + op;
}

// Dropout is told to train by an input.
bool trains(const Message& graph, const std::vector<DataSet>& data) {
  for (const Message* node : graph.messages(onnx::graph::kNode)) {
    const auto names = node->texts(onnx::node::kInput);
    if (node->text(onnx::node::kOpType) != "Dropout" || names.size() < 3) continue;
    std::size_t index = 0;
    for (const Message* input : graph.messages(onnx::graph::kInput)) {
      if (input->text(onnx::value_info::kName) == names[2]) {
        return data.front().inputs[index].bytes()[0] != 0;
      }
      ++index;
    }
    return true;  // from a constant: the published tests have it for nothing else
  }
  return false;
}

Result<std::string> reason(const Message& model, std::int64_t& opset) {
  for (const Message* import : model.messages(onnx::model::kOpsetImport)) {
    const std::string domain(import->text(onnx::operator_set::kDomain));
    if (!domain.empty() && domain != "ai.onnx") return "domain " + domain;
    opset = static_cast<std::int64_t>(import->integer(onnx::operator_set::kVersion));
  }
  if (opset > kLastOpset) return "opset " + std::to_string(opset);
  opset = std::max(opset, kFirstOpset);
  const Message* graph = model.message(onnx::model::kGraph);
  if (graph == nullptr) return Error(ErrorCode::kMalformed, "no graph");
  for (const std::uint32_t list : {onnx::graph::kInput, onnx::graph::kOutput}) {
    for (const Message* info : graph->messages(list)) {
      std::string why = type_reason(*info);
      if (!why.empty()) return why;
    }
  }
  for (const Message* node : graph->messages(onnx::graph::kNode)) {
    std::string why = node_reason(*node, opset);
    if (!why.empty()) return why;
  }
  return std::string();
}

// Published data in bfloat16 are cut, not rounded: equal as bits, or next to each other.
bool are_neighbours(const OwnedTensor& actual, const OwnedTensor& expected, std::size_t index) {
  if (actual.type().dtype != DType::kBF16) return false;
  const int a = actual.view().elements<BFloat16>()[index].bits;
  const int e = expected.view().elements<BFloat16>()[index].bits;
  return std::abs(a - e) <= 1;
}

Status compare_floats(const OwnedTensor& actual, const OwnedTensor& expected) {
  const auto count = static_cast<std::size_t>(expected.type().shape.element_count());
  for (std::size_t i = 0; i < count; ++i) {
    const double a = number_at(actual.view(), i);
    const double e = number_at(expected.view(), i);
    if (a == e || (std::isnan(a) && std::isnan(e))) continue;
    if (std::fabs(a - e) <= 1e-7 + 1e-3 * std::fabs(e) && std::isfinite(e)) continue;
    if (are_neighbours(actual, expected, i)) continue;
    return Error(ErrorCode::kMalformed, "element " + std::to_string(i) + " is " +
                                            std::to_string(a) + ", not " + std::to_string(e));
  }
  return done();
}

}  // namespace

Status compare(const OwnedTensor& actual, const OwnedTensor& expected) {
  if (actual.type() != expected.type()) {
    return Error(ErrorCode::kMalformed, std::string(to_string(actual.type().dtype)) +
                                            to_string(actual.type().shape) + ", not " +
                                            to_string(expected.type().dtype) +
                                            to_string(expected.type().shape));
  }
  if (contains(FloatTypes{}, actual.type().dtype)) return compare_floats(actual, expected);
  const Bytes a = actual.bytes();
  const Bytes e = expected.bytes();
  const auto difference = std::mismatch(a.begin(), a.end(), e.begin(), e.end());
  if (difference.first == a.end()) return done();
  const auto index =
      static_cast<std::size_t>(difference.first - a.begin()) / element_size(actual.type().dtype);
  return Error(ErrorCode::kMalformed, "element " + std::to_string(index) + " is " +
                                          std::to_string(number_at(actual.view(), index)) +
                                          ", not " +
                                          std::to_string(number_at(expected.view(), index)));
}

Result<NodeTestOrReason> load_node_test(const path& folder) {
  NodeTest test;
  test.name = folder.filename().string();
  // Its indices count in another shape than output_shape, so that what MaxPool says could not be
  // undone (onnx/onnx#2398).
  if (test.name == "test_maxunpool_export_with_output_shape") {
    return NodeTestOrReason{std::nullopt, "expected output is wrong: MaxUnpool"};
  }
  test.model = TRY(read_file(folder / "model.onnx"));
  const MemorySource source(test.model);
  const auto model = TRY(onnx::parse_model(source));
  std::int64_t opset = 0;
  std::string why_not = TRY(reason(*model, opset));
  if (!why_not.empty()) return NodeTestOrReason{std::nullopt, std::move(why_not)};
  for (std::size_t i = 0;; ++i) {
    const path data = folder / ("test_data_set_" + std::to_string(i));
    if (!std::filesystem::exists(data)) break;
    DataSet set = {TRY(read_tensors(data, "input_")), TRY(read_tensors(data, "output_"))};
    const Message& graph = *model->message(onnx::model::kGraph);
    correct_types(graph, onnx::graph::kInput, set.inputs);
    correct_types(graph, onnx::graph::kOutput, set.outputs);
    test.data.push_back(std::move(set));
  }
  if (test.data.empty()) return Error(ErrorCode::kMalformed, "no data");
  if (trains(*model->message(onnx::model::kGraph), test.data)) {
    return NodeTestOrReason{std::nullopt, "training: Dropout"};
  }
  // A test is written for the newest form of its operator. One that is older than opset 9 is that
  // of opset 9 as well.
  test.model = with_opset(test.model, static_cast<std::uint64_t>(opset));
  return NodeTestOrReason{std::move(test), ""};
}

}  // namespace sealpack::nn::testing
