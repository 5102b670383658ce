// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx.h"

#include <algorithm>

#include "formats/models/names.h"
#include "formats/models/onnx_facts.h"
#include "formats/models/onnx_objects.h"
#include "formats/models/onnx_read.h"
#include "formats/models/onnx_split.h"
#include "formats/models/split.h"

namespace sealpack::models {
namespace {

constexpr std::uint64_t kLatestIrVersion = 10;

Status check_model(const onnx::Message& model) {
  const std::uint64_t version = model.integer(onnx::model::kIrVersion);
  if (version == 0) return Error(ErrorCode::kMalformed, "not an ONNX model: no ir_version");
  if (version > kLatestIrVersion) {
    return Error(ErrorCode::kUnsupported, "IR version " + std::to_string(version) + ", over " +
                                              std::to_string(kLatestIrVersion))
        .with_hint("convert the model to IR version 10 or older, or seal it as an opaque file");
  }
  if (model.message(onnx::model::kGraph) == nullptr) {
    return Error(ErrorCode::kMalformed, "an ONNX model without a graph");
  }
  return done();
}

class ParsedOnnxModel : public OnnxModel {
 public:
  ParsedOnnxModel(std::uint32_t file, std::span<const InputFile> inputs, const OnnxOptions& options)
      : inputs_(inputs.begin(), inputs.end()), files_{file, inputs_}, options_(options) {}

  Status load() {
    model_ = TRY(onnx::parse_model(files_.source()));
    TRY(check_model(*model_));
    index_ = TRY(onnx::index_model(files_, *model_));
    for (const onnx::TensorData& data : index_.data) {
      const SourceRange* range = onnx::external_range(data);
      if (range != nullptr) external_files_.push_back(range->file);
    }
    std::sort(external_files_.begin(), external_files_.end());
    const auto end = std::unique(external_files_.begin(), external_files_.end());
    external_files_.erase(end, external_files_.end());
    return done();
  }

  Format format() const override { return Format::kOnnx; }
  const std::vector<Tensor>& tensors() const override { return index_.tensors; }
  const std::vector<std::uint32_t>& external_files() const override { return external_files_; }
  std::vector<std::pair<std::string, std::string>> facts() const override {
    return onnx::describe_model(*model_, index_);
  }

  Result<Split> split(const std::vector<bool>& sealed) const override {
    const Selection selection = TRY(check_selection(sealed, *this));
    if (selection != Selection::kSome) return whole(selection);
    return onnx::split_model(files_, *model_, index_, sealed, options_.keep_metadata)
        .within(shown(files_.model().path));
  }

 private:
  // All files on one side.
  Split whole(Selection selection) const {
    Split split = split_whole(whole_file(files_.file, files_.model()), selection);
    auto& half = split.sealed_files.empty() ? split.public_files : split.sealed_files;
    for (const std::uint32_t file : external_files_) {
      half.push_back(whole_file(file, inputs_[file]));
    }
    return split;
  }

  std::vector<InputFile> inputs_;
  onnx::ModelFiles files_;  // views inputs_
  OnnxOptions options_;
  onnx::MessagePointer model_;
  onnx::ModelIndex index_;
  std::vector<std::uint32_t> external_files_;
};

}  // namespace

Result<std::unique_ptr<OnnxModel>> open_onnx(std::uint32_t file, std::span<const InputFile> inputs,
                                             const OnnxOptions& options) {
  if (file >= inputs.size()) {
    return Error(ErrorCode::kUsage,
                 "input " + std::to_string(file) + " of " + std::to_string(inputs.size()));
  }
  auto model = std::make_unique<ParsedOnnxModel>(file, inputs, options);
  TRY(model->load().within(shown(inputs[file].path)));
  return std::unique_ptr<OnnxModel>(std::move(model));
}

}  // namespace sealpack::models
