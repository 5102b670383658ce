// SPDX-License-Identifier: Apache-2.0
#include "packer/schemes/layers/secure_graph.h"

#include <algorithm>

#include "formats/models/onnx_external.h"
#include "packer/core/output_source.h"
#include "runtime-loader/plan/infer.h"

namespace sealpack::packer::layers {
namespace {

using sealpack::layers::Crossing;
using sealpack::layers::Dimension;

Crossing crossing_of(const plan::SymbolicType& type) {
  Crossing out;
  out.dtype = static_cast<std::uint32_t>(type.dtype);
  for (const nn::Dimension& dim : type.shape) {
    out.shape.push_back({dim.value >= 0 ? static_cast<std::uint64_t>(dim.value) : 0, dim.symbol});
  }
  return out;
}

// A tensor without elements says nothing, and crosses no border.
bool can_cross(const plan::SymbolicType& type) {
  return std::none_of(type.shape.begin(), type.shape.end(),
                      [](const nn::Dimension& dim) { return dim.value == 0; });
}

Result<ValueTypes> inferred_types(const models::onnx::ModelFiles& files) {
  std::vector<std::shared_ptr<const BlockSource>> externals;
  const auto input_at = [&](std::string_view location) -> const models::InputFile* {
    const std::string& path = files.model().path;
    const std::string wanted = path.substr(0, path.rfind('/') + 1) + std::string(location);
    for (const models::InputFile& input : files.inputs) {
      if (input.path == wanted) return &input;
    }
    return nullptr;
  };
  const nn::Graph graph =
      TRY(nn::load_graph(files.source(), [&](std::string_view location) -> Result<std::uint64_t> {
        const models::InputFile* input = input_at(location);
        if (input == nullptr) return Error(ErrorCode::kIo, "no file " + printable(location));
        return input->source->size();
      }));
  for (const std::string& location : graph.external_files) {
    const models::InputFile* input = input_at(location);
    if (input == nullptr) return Error(ErrorCode::kIo, "no file " + printable(location));
    externals.push_back(input->source);
  }
  plan::FileWeights weights(files.model().source, std::move(externals));
  const auto inferred = TRY(plan::infer_symbolic(graph, weights));
  ValueTypes types;
  for (std::size_t i = 0; i < inferred.size(); ++i) {
    if (!inferred[i] || !can_cross(*inferred[i])) continue;
    types.emplace(graph.values[i].name, crossing_of(*inferred[i]));
  }
  return types;
}

}  // namespace

ValueTypes value_types(const models::onnx::ModelFiles& files, const models::onnx::Message& model,
                       const std::vector<std::string>& names) {
  ValueTypes types;
  const ValueTypes declared = declared_types(model);
  // A graph that cannot be run outside of other runtimes can still be divided, if it says its
  // types.
  const Result<ValueTypes> inferred = inferred_types(files);
  for (const std::string& name : names) {
    const auto known = inferred.ok() ? inferred->find(name) : declared.end();
    if (inferred.ok() && known != inferred->end()) {
      types.insert(*known);
    } else if (const auto said = declared.find(name); said != declared.end()) {
      types.insert(*said);
    }
  }
  return types;
}

Status check_runnable(const models::OutputFile& file,
                      const std::vector<models::OutputFile>& externals,
                      const std::vector<sealpack::layers::External>& locations,
                      std::span<const models::InputFile> inputs) {
  const std::vector<models::InputFile> list(inputs.begin(), inputs.end());
  const OutputSource source(file, list);
  TRY(nn::load_graph(source, [&](std::string_view location) -> Result<std::uint64_t> {
    for (std::size_t i = 0; i < locations.size() && i < externals.size(); ++i) {
      if (locations[i].location == location) return models::total_size(externals[i]);
    }
    return Error(ErrorCode::kIo, "no file " + printable(location));
  }));
  return done();
}

}  // namespace sealpack::packer::layers
