// SPDX-License-Identifier: Apache-2.0
#include "packer/schemes/layers/part_writer.h"

#include <algorithm>
#include <set>

#include "formats/models/names.h"
#include "formats/models/onnx_external.h"
#include "formats/models/onnx_write.h"

namespace sealpack::packer::layers {
namespace {

using namespace models::onnx;  // NOLINT: field numbers
using sealpack::layers::Crossing;
using sealpack::layers::Dimension;

constexpr std::uint32_t kQuantizationAnnotation = 14;  // GraphProto
constexpr std::uint64_t kExternalAlignment = 64;

Field value_field(std::uint32_t number, std::string_view name, const Crossing& type) {
  std::vector<Field> dims;
  for (const Dimension& dim : type.shape) {
    dims.push_back(make_message_field(
        shape::kDim, MessageType::kDimension,
        dim.symbol.empty() ? make_field(dimension::kValue, dim.size)
                           : make_field(dimension::kParam, std::string(dim.symbol))));
  }
  Field shape = make_field(tensor_type::kShape, make_message(MessageType::kShape, std::move(dims)));
  Field tensor = make_message_field(type::kTensorType, MessageType::kTensorType,
                                    make_field(tensor_type::kElemType, std::uint64_t{type.dtype}),
                                    std::move(shape));
  return make_message_field(
      number, MessageType::kValueInfo, make_field(value_info::kName, std::string(name)),
      make_message_field(value_info::kType, MessageType::kType, std::move(tensor)));
}

std::set<std::string_view> names_of(const plan::Dataflow& flow,
                                    const std::vector<std::uint32_t>& values) {
  std::set<std::string_view> names;
  for (const std::uint32_t value : values) names.insert(flow.values[value].name);
  return names;
}

class PartWriter {
 public:
  PartWriter(const ModelFiles& files, const Message& model, const ModelIndex& index,
             const OnnxDataflow& dataflow, const plan::Part& part, const ValueTypes& types,
             const PartNames& names)
      : files_(files),
        model_(model),
        graph_(*model.message(model::kGraph)),
        index_(index),
        dataflow_(dataflow),
        flow_(dataflow.flow),
        part_(part),
        types_(types),
        names_(names) {}

  Result<PartFiles> write(bool keep_metadata) {
    edits_.drop_descriptive = !keep_metadata;
    drop_fields();
    TRY(add_border(graph::kInput, part_.inputs));
    TRY(add_border(graph::kOutput, part_.outputs));
    TRY(write_shared_anew());
    PartFiles result;
    std::vector<models::OutputFile> external = TRY(place_external(result.externals));
    models::OutputFile file{names_.path, {}, 0};
    file.pieces = TRY(serialize_model(files_.source(), files_.file, model_, edits_));
    result.files.push_back(std::move(file));
    std::move(external.begin(), external.end(), std::back_inserter(result.files));
    return result;
  }

 private:
  void drop_fields() {
    std::set<const Field*> kept_nodes;
    std::vector<std::uint32_t> made;
    for (const std::uint32_t node : part_.nodes) {
      kept_nodes.insert(dataflow_.node_fields[node]);
      made.insert(made.end(), flow_.nodes[node].makes.begin(), flow_.nodes[node].makes.end());
    }
    const std::set<std::string_view> constants = names_of(flow_, part_.constants);
    const std::set<std::string_view> inputs = names_of(flow_, part_.inputs);
    const std::set<std::string_view> outputs = names_of(flow_, part_.outputs);
    const std::set<std::string_view> inner = names_of(flow_, made);
    for (const Field& field : graph_.fields) {
      const auto* child = std::get_if<MessagePointer>(&field.value);
      if (child == nullptr) continue;
      const Message& message = **child;
      bool keep = true;
      switch (field.number) {
        case graph::kNode:
          keep = kept_nodes.contains(&field);
          break;
        case graph::kInitializer:
          keep = constants.contains(message.text(tensor::kName));
          break;
        case graph::kSparseInitializer: {
          const Message* values = message.message(sparse_tensor::kValues);
          keep = values != nullptr && constants.contains(values->text(tensor::kName));
          break;
        }
        case graph::kInput: {
          const std::string_view name = message.text(value_info::kName);
          keep = inputs.contains(name) || constants.contains(name);
          if (keep) declared_.insert({graph::kInput, name});
          break;
        }
        case graph::kOutput: {
          const std::string_view name = message.text(value_info::kName);
          keep = outputs.contains(name);
          if (keep) declared_.insert({graph::kOutput, name});
          break;
        }
        case graph::kValueInfo: {
          const std::string_view name = message.text(value_info::kName);
          keep = inner.contains(name) && !outputs.contains(name);
          break;
        }
        case kQuantizationAnnotation:
          keep = false;
          break;
        default:
          break;
      }
      if (!keep) edits_.dropped.insert(&field);
    }
  }

  // Declares what the model itself does not declare on this side.
  Status add_border(std::uint32_t number, const std::vector<std::uint32_t>& values) {
    for (const std::uint32_t value : values) {
      const std::string& name = flow_.values[value].name;
      if (declared_.contains({number, name})) continue;
      const auto type = types_.find(name);
      if (type == types_.end()) {
        return Error(ErrorCode::kUnsupported,
                     "the type of " + models::shown(name) + ", which crosses, is not known")
            .with_hint("run onnx.shape_inference over the model, or divide it elsewhere");
      }
      edits_.appended[&graph_].push_back(value_field(number, name, type->second));
    }
    return done();
  }

  // Short fields are written anew in any case.
  Status write_shared_anew() {
    for (std::size_t i = 0; i < index_.data.size(); ++i) {
      const TensorData& data = index_.data[i];
      const Field* raw = data.message == nullptr ? nullptr : data.message->find(tensor::kRawData);
      if (raw == nullptr || !is_shared(i)) continue;
      const ByteRange range = std::get<ByteRange>(raw->value);
      std::string bytes(static_cast<std::size_t>(range.size), '\0');
      TRY(files_.source().read_at(
          range.offset, MutableBytes(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size())));
      edits_.replaced.emplace(raw, make_field(tensor::kRawData, std::move(bytes)));
    }
    return done();
  }

  // As split_model does: bytes of this part's tensors alone, at new offsets.
  Result<std::vector<models::OutputFile>> place_external(
      std::vector<sealpack::layers::External>& externals) {
    std::map<std::uint32_t, models::OutputFile> outputs;
    std::map<std::uint32_t, std::uint64_t> ends;
    std::map<std::uint32_t, std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t>>
        placed;
    for (std::size_t i = 0; i < index_.data.size(); ++i) {
      const models::SourceRange* range = external_range(index_.data[i]);
      if (range == nullptr || !holds_tensor(dataflow_, index_, part_, i)) continue;
      models::OutputFile& output = outputs[range->file];
      std::uint64_t& end = ends[range->file];
      const std::uint64_t offset = range->size == 0 ? 0
                                                    : (end + kExternalAlignment - 1) /
                                                          kExternalAlignment * kExternalAlignment;
      const auto [place, is_new] =
          placed[range->file].try_emplace({range->offset, range->size}, offset);
      if (is_new && range->size != 0) {
        if (offset != end) {
          output.pieces.emplace_back(ByteVector(static_cast<std::size_t>(offset - end)));
        }
        output.pieces.push_back(TRY(piece_of(*range, is_shared(i))));
        end = offset + range->size;
      }
      relocate(*index_.data[i].message, range->file, place->second, range->size);
    }
    std::vector<models::OutputFile> files;
    for (auto& [file, output] : outputs) {
      output.path = files_.inputs[file].path + names_.external_suffix;
      externals.push_back({external_location(files_, file) + names_.external_suffix, output.path});
      files.push_back(std::move(output));
    }
    return files;
  }

  // A constant that the other side has as well.
  bool is_shared(std::size_t i) const {
    const auto value = flow_.value_of.find(index_.objects[index_.object_of[i]].value_name);
    return dataflow_.holders[i] == plan::kNobody && value != flow_.value_of.end() &&
           std::find(names_.shared.begin(), names_.shared.end(), value->second) !=
               names_.shared.end();
  }

  Result<models::Piece> piece_of(const models::SourceRange& range, bool shared) const {
    if (!shared) return models::Piece(range);
    ByteVector bytes(static_cast<std::size_t>(range.size));
    TRY(files_.inputs[range.file].source->read_at(range.offset, bytes));
    return models::Piece(std::move(bytes));
  }

  void relocate(const Message& tensor, std::uint32_t file, std::uint64_t offset,
                std::uint64_t size) {
    for (const Field& field : tensor.fields) {
      if (field.number == tensor::kExternalData) edits_.dropped.insert(&field);
    }
    const std::pair<const char*, std::string> entries[] = {
        {"location", external_location(files_, file) + names_.external_suffix},
        {"offset", std::to_string(offset)},
        {"length", std::to_string(size)},
    };
    for (const auto& [key, value] : entries) {
      edits_.appended[&tensor].push_back(make_message_field(
          tensor::kExternalData, MessageType::kEntry, make_field(entry::kKey, std::string(key)),
          make_field(entry::kValue, value)));
    }
  }

  const ModelFiles& files_;
  const Message& model_;
  const Message& graph_;
  const ModelIndex& index_;
  const OnnxDataflow& dataflow_;
  const plan::Dataflow& flow_;
  const plan::Part& part_;
  const ValueTypes& types_;
  const PartNames& names_;
  Edits edits_;
  std::set<std::pair<std::uint32_t, std::string_view>> declared_;
};

}  // namespace

ValueTypes declared_types(const Message& model) {
  ValueTypes types;
  const Message& graph = *model.message(model::kGraph);
  for (const std::uint32_t number : {graph::kInput, graph::kOutput, graph::kValueInfo}) {
    for (const Message* value : graph.messages(number)) {
      const Message* type = value->message(value_info::kType);
      const Message* tensor = type == nullptr ? nullptr : type->message(type::kTensorType);
      const Message* shape = tensor == nullptr ? nullptr : tensor->message(tensor_type::kShape);
      if (shape == nullptr) continue;
      const std::string name(value->text(value_info::kName));
      Crossing crossing;
      crossing.dtype = static_cast<std::uint32_t>(tensor->integer(tensor_type::kElemType));
      for (const Message* dim : shape->messages(shape::kDim)) {
        Dimension dimension;
        dimension.size = dim->integer(dimension::kValue);
        if (dimension.size == 0) {
          dimension.symbol = dim->text(dimension::kParam);
          if (dimension.symbol.empty()) {
            dimension.symbol = name + "_" + std::to_string(crossing.shape.size());
          }
        }
        crossing.shape.push_back(std::move(dimension));
      }
      types.emplace(name, std::move(crossing));
    }
  }
  return types;
}

Result<PartFiles> write_part(const ModelFiles& files, const Message& model, const ModelIndex& index,
                             const OnnxDataflow& dataflow, const plan::Part& part,
                             const ValueTypes& types, const PartNames& names, bool keep_metadata) {
  return PartWriter(files, model, index, dataflow, part, types, names).write(keep_metadata);
}

}  // namespace sealpack::packer::layers
