// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "formats/files/file_source.h"
#include "formats/models/onnx_read.h"
#include "keymgmt/crypto/sha256.h"
#include "packer/schemes/layers/layers_division.h"
#include "packer/schemes/layers/secure_graph.h"
#include "runtime-loader/plan/plan_file.h"

namespace sealpack::packer::layers {
namespace {

using models::onnx::Message;
using models::onnx::ModelFiles;
using models::onnx::ModelIndex;
using sealpack::layers::Crossing;
using sealpack::layers::Parameters;

constexpr std::uint64_t kMaxPlanSize = std::uint64_t{1} << 20U;

Result<Digest> digest_of(const BlockSource& source) {
  constexpr std::size_t kBlock = std::size_t{1} << 20U;
  crypto::Sha256 hash;
  ByteVector block(kBlock);
  for (std::uint64_t at = 0; at < source.size(); at += kBlock) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, source.size() - at));
    TRY(source.read_at(at, MutableBytes(block).first(size)));
    hash.update(Bytes(block).first(size));
  }
  return hash.finish();
}

// "a/net.onnx" -> "a/net.secure.onnx".
std::string with_word(const std::string& path, std::string_view word) {
  constexpr std::string_view kExtension = ".onnx";
  const bool has = path.size() > kExtension.size() && path.ends_with(kExtension);
  const std::string stem = has ? path.substr(0, path.size() - kExtension.size()) : path;
  return stem + "." + std::string(word) + std::string(kExtension);
}

class PlanDivision final : public LayersDivision {
 public:
  PlanDivision(plan::PlanFile plan, std::string path, bool keep_metadata)
      : plan_(std::move(plan)), path_(std::move(path)), keep_metadata_(keep_metadata) {}

  Result<std::optional<DividedModel>> divide(std::uint32_t file,
                                             std::span<const models::InputFile> inputs,
                                             const models::Model& model) override {
    if (model.format() != models::Format::kOnnx || found_) return std::optional<DividedModel>();
    if (TRY(digest_of(*inputs[file].source)) != plan_.digest) return std::optional<DividedModel>();
    found_ = true;
    if (plan_.whole) {
      DividedModel all;
      all.sealed.assign(model.tensors().size(), true);
      all.split = TRY(model.split(all.sealed));
      return std::optional(std::move(all));
    }
    return std::optional(TRY(divide_graph({file, inputs}, model)));
  }

  Result<bundle::Plan> plan() const override {
    if (!found_) {
      return Error(ErrorCode::kUsage, path_ + " is a plan for another model: no input has sha256:" +
                                          to_hex(plan_.digest.bytes))
          .with_hint("make a plan for this model: sealpack plan MODEL --choose N --out P.plan");
    }
    if (plan_.whole) return bundle::Plan();
    bundle::Plan out;
    out.scheme = sealpack::layers::kSchemeName;
    out.version = sealpack::layers::kVersion;
    out.parameters = serialize_parameters(parameters_);
    return out;
  }

  const Leaks& leaks() const override { return leaks_; }
  const Status& runnable() const override { return runnable_; }

 private:
  Result<DividedModel> divide_graph(const ModelFiles& files, const models::Model& model) {
    const auto message = TRY(models::onnx::parse_model(files.source()));
    const ModelIndex index = TRY(models::onnx::index_model(files, *message));
    const OnnxDataflow dataflow = TRY(onnx_dataflow(files, *message, index));
    const plan::Cut cut = TRY(cut_apart(dataflow.flow, TRY(secure_nodes(dataflow.flow))));
    const ValueTypes types = value_types(files, *message, border_names(dataflow.flow, cut));
    DividedModel out;
    TRY(write_parts(files, *message, index, dataflow, cut, types, out));
    for (std::size_t i = 0; i < model.tensors().size(); ++i) {
      out.sealed.push_back(!holds_tensor(dataflow, index, cut.before, i) &&
                           !holds_tensor(dataflow, index, cut.after, i));
    }
    TRY(describe(dataflow.flow, cut, types));
    parameters_.model = files.model().path;
    leaks_ = leaks_of(dataflow.flow, cut, parameters_.taps);
    return out;
  }

  Result<std::vector<bool>> secure_nodes(const plan::Dataflow& flow) const {
    std::vector<bool> secure(flow.nodes.size());
    for (const std::string& name : plan_.secure) {
      const auto value = flow.value_of.find(name);
      const std::uint32_t node =
          value == flow.value_of.end() ? plan::kNobody : flow.values[value->second].producer;
      if (node == plan::kNobody) {
        return Error(ErrorCode::kUsage,
                     path_ + " names a node " + printable(name) + " that the model does not have");
      }
      secure[node] = true;
    }
    return secure;
  }

  static std::vector<std::string> border_names(const plan::Dataflow& flow, const plan::Cut& cut) {
    std::vector<std::string> names;
    for (const plan::Part* part : {&cut.before, &cut.secure, &cut.after}) {
      for (const auto* list : {&part->inputs, &part->outputs}) {
        for (const std::uint32_t value : *list) names.push_back(flow.values[value].name);
      }
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

  Status write_parts(const ModelFiles& files, const Message& message, const ModelIndex& index,
                     const OnnxDataflow& dataflow, const plan::Cut& cut, const ValueTypes& types,
                     DividedModel& out) {
    const std::string& path = files.model().path;
    std::vector<std::uint32_t> shared;
    for (const plan::Part* open : {&cut.before, &cut.after}) {
      std::set_intersection(cut.secure.constants.begin(), cut.secure.constants.end(),
                            open->constants.begin(), open->constants.end(),
                            std::back_inserter(shared));
    }
    if (!cut.before.empty()) {
      PartFiles part = TRY(write_part(files, message, index, dataflow, cut.before, types,
                                      {path, "", shared}, keep_metadata_));
      parameters_.before = path;
      append(std::move(part.files), out.split.public_files);
    }
    if (!cut.after.empty()) {
      parameters_.after = with_word(path, "after");
      PartFiles part = TRY(write_part(files, message, index, dataflow, cut.after, types,
                                      {parameters_.after, ".after", shared}, keep_metadata_));
      append(std::move(part.files), out.split.public_files);
    }
    parameters_.secure = with_word(path, "secure");
    PartFiles part = TRY(write_part(files, message, index, dataflow, cut.secure, types,
                                    {parameters_.secure, "", shared}, keep_metadata_));
    const std::vector<models::OutputFile> externals(part.files.begin() + 1, part.files.end());
    runnable_ = check_runnable(part.files[0], externals, part.externals, files.inputs);
    parameters_.externals = std::move(part.externals);
    append(std::move(part.files), out.split.sealed_files);
    return done();
  }

  static void append(std::vector<models::OutputFile> files, std::vector<models::OutputFile>& to) {
    std::move(files.begin(), files.end(), std::back_inserter(to));
  }

  // What crosses, for the bundle's plan.
  Status describe(const plan::Dataflow& flow, const plan::Cut& cut, const ValueTypes& types) {
    const auto contains = [](const std::vector<std::uint32_t>& list, std::uint32_t value) {
      return std::find(list.begin(), list.end(), value) != list.end();
    };
    const auto crossing = [&](std::uint32_t value) -> Result<Crossing> {
      const std::string& name = flow.values[value].name;
      const auto type = types.find(name);
      if (type == types.end()) {
        return Error(ErrorCode::kUnsupported, "the type of " + printable(name) + " is not known");
      }
      Crossing out = type->second;
      out.name = name;
      return out;
    };
    for (const std::uint32_t value : cut.secure.inputs) {
      Crossing tap = TRY(crossing(value));
      if (!flow.values[value].is_input) tap.source = tap.name;
      parameters_.taps.push_back(std::move(tap));
    }
    for (const std::uint32_t value : cut.secure.outputs) {
      Crossing output = TRY(crossing(value));
      if (flow.values[value].is_output) parameters_.answers.push_back(output);
      if (!contains(cut.returned, value)) continue;
      output.source = output.name;
      parameters_.returned.push_back(std::move(output));
    }
    for (const std::uint32_t value : flow.outputs) {
      parameters_.results.push_back(flow.values[value].name);
    }
    return done();
  }

  plan::PlanFile plan_;
  std::string path_;
  bool keep_metadata_;
  bool found_ = false;
  Parameters parameters_;
  Leaks leaks_;
  Status runnable_ = done();
};

}  // namespace

Result<std::unique_ptr<LayersDivision>> division_by_plan(const std::string& plan_path,
                                                         bool keep_metadata) {
  const ByteVector text = TRY(load_file(plan_path, kMaxPlanSize));
  plan::PlanFile plan = TRY(plan::parse_plan(as_text(text), printable(plan_path)));
  return std::unique_ptr<LayersDivision>(
      std::make_unique<PlanDivision>(std::move(plan), printable(plan_path), keep_metadata));
}

}  // namespace sealpack::packer::layers
