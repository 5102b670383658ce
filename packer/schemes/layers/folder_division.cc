// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "formats/models/onnx.h"
#include "formats/models/onnx_external.h"
#include "packer/schemes/layers/folder_parts.h"
#include "packer/schemes/layers/layers_division.h"
#include "packer/schemes/layers/secure_graph.h"

namespace sealpack::packer::layers {
namespace {

using models::InputFile;
using sealpack::layers::Parameters;

std::optional<std::uint32_t> find_input(std::span<const InputFile> inputs, std::string_view path) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].path == path) return static_cast<std::uint32_t>(i);
  }
  return std::nullopt;
}

class FolderDivision final : public LayersDivision {
 public:
  Status load(std::span<const InputFile> inputs) {
    TRY(load_parts(inputs));
    TRY(choose_roles());
    parameters_ = TRY(
        fit_parts(before_ ? &*before_ : nullptr, *secure_, after_ ? &*after_ : nullptr, split_));
    for (const FolderPart* part : {before_ ? &*before_ : nullptr, after_ ? &*after_ : nullptr}) {
      if (part != nullptr) TRY(check_no_shared_bytes(*secure_, *part));
    }
    TRY(analyse().within(std::string(kSecureFile)));
    return done();
  }

  Result<std::optional<DividedModel>> divide(std::uint32_t file, std::span<const InputFile> inputs,
                                             const models::Model& model) override {
    const std::string& path = inputs[file].path;
    const bool sealed = path == kSecureFile;
    if (!sealed && path != kPublicFile && path != kAfterFile) return std::optional<DividedModel>();
    DividedModel out;
    out.sealed.assign(model.tensors().size(), sealed);
    auto& files = sealed ? out.split.sealed_files : out.split.public_files;
    const auto* onnx = dynamic_cast<const models::OnnxModel*>(&model);
    if (onnx == nullptr) return Error(ErrorCode::kMalformed, "not an ONNX model");
    files.push_back(models::whole_file(file, inputs[file]));
    for (const std::uint32_t external : onnx->external_files()) {
      files.push_back(models::whole_file(external, inputs[external]));
    }
    return std::optional(std::move(out));
  }

  Result<bundle::Plan> plan() const override {
    bundle::Plan out;
    out.scheme = sealpack::layers::kSchemeName;
    out.version = sealpack::layers::kVersion;
    out.parameters = serialize_parameters(parameters_);
    return out;
  }
  const Leaks& leaks() const override { return leaks_; }
  const Status& runnable() const override { return runnable_; }

 private:
  Status load_parts(std::span<const InputFile> inputs) {
    const auto secure = find_input(inputs, kSecureFile);
    const auto open = find_input(inputs, kPublicFile);
    const auto after = find_input(inputs, kAfterFile);
    if (!secure || (!open && !after)) {
      return Error(ErrorCode::kUsage,
                   "the folder has no " + std::string(secure ? kPublicFile : kSecureFile))
          .with_hint("--split takes a folder with public.onnx and secure.onnx");
    }
    const auto load = [&](const std::optional<std::uint32_t>& file,
                          std::optional<FolderPart>& part) -> Status {
      if (file) part = TRY(load_part(*file, inputs).within(printable(inputs[*file].path)));
      return done();
    };
    TRY(load(open, before_));
    TRY(load(secure, secure_));
    TRY(load(after, after_));
    if (const auto split = find_input(inputs, kSplitFile)) {
      const BlockSource& source = *inputs[*split].source;
      constexpr std::uint64_t kMaxSplitSize = std::uint64_t{1} << 20U;
      if (source.size() > kMaxSplitSize) {
        return Error(ErrorCode::kLimit, std::string(kSplitFile) + " is larger than 1 MiB");
      }
      ByteVector text(static_cast<std::size_t>(source.size()));
      TRY(source.read_at(0, text));
      split_ = TRY(parse_split(as_text(text), std::string(kSplitFile)));
    }
    return done();
  }

  // A public part that only takes what the secure part gives runs behind it.
  Status choose_roles() {
    if (!before_) return done();
    const auto reads_secure = [&](const FolderPart& part) {
      return std::any_of(part.inputs.begin(), part.inputs.end(), [&](const std::string& input) {
        const auto mapped = split_.returned.find(input);
        const std::string& name = mapped == split_.returned.end() ? input : mapped->second;
        return std::find(secure_->outputs.begin(), secure_->outputs.end(), name) !=
               secure_->outputs.end();
      });
    };
    if (!reads_secure(*before_)) return done();
    const bool feeds_secure =
        std::any_of(secure_->inputs.begin(), secure_->inputs.end(), [&](const std::string& input) {
          const auto mapped = split_.taps.find(input);
          const std::string& name = mapped == split_.taps.end() ? input : mapped->second;
          return std::find(before_->outputs.begin(), before_->outputs.end(), name) !=
                 before_->outputs.end();
        });
    if (feeds_secure || after_) {
      return Error(ErrorCode::kUnsupported, std::string(kPublicFile) + " reads what " +
                                                std::string(kSecureFile) +
                                                " gives, and would have to run before and after it")
          .with_hint("put what runs behind the secure part into " + std::string(kAfterFile));
    }
    after_ = std::move(before_);
    before_.reset();
    return done();
  }

  Status analyse() {
    const OnnxDataflow dataflow =
        TRY(onnx_dataflow(secure_->files, *secure_->model, secure_->index));
    plan::Cut cut;
    for (std::size_t i = 0; i < dataflow.flow.nodes.size(); ++i) {
      cut.secure.nodes.push_back(static_cast<std::uint32_t>(i));
    }
    for (std::size_t i = 0; i < dataflow.flow.values.size(); ++i) {
      if (!dataflow.flow.values[i].is_constant) continue;
      cut.secure.constants.push_back(static_cast<std::uint32_t>(i));
    }
    cut.secure.inputs = dataflow.flow.inputs;
    cut.secure.outputs = dataflow.flow.outputs;
    for (const auto& value : parameters_.returned) {
      cut.returned.push_back(dataflow.flow.value_of.find(value.name)->second);
    }
    leaks_ = leaks_of(dataflow.flow, cut, parameters_.taps);

    std::vector<models::OutputFile> externals;
    std::set<std::uint32_t> files;
    for (const models::onnx::TensorData& data : secure_->index.data) {
      const models::SourceRange* range = models::onnx::external_range(data);
      if (range == nullptr || !files.insert(range->file).second) continue;
      const InputFile& input = secure_->files.inputs[range->file];
      externals.push_back(models::whole_file(range->file, input));
      parameters_.externals.push_back(
          {models::onnx::external_location(secure_->files, range->file), input.path});
    }
    const models::OutputFile whole =
        models::whole_file(secure_->files.file, secure_->files.model());
    runnable_ = check_runnable(whole, externals, parameters_.externals, secure_->files.inputs);
    return done();
  }

  std::optional<FolderPart> before_;
  std::optional<FolderPart> secure_;
  std::optional<FolderPart> after_;
  SplitFile split_;
  Parameters parameters_;
  Leaks leaks_;
  Status runnable_ = done();
};

}  // namespace

Result<std::unique_ptr<LayersDivision>> division_by_folder(std::span<const InputFile> inputs) {
  auto division = std::make_unique<FolderDivision>();
  TRY(division->load(inputs));
  return std::unique_ptr<LayersDivision>(std::move(division));
}

}  // namespace sealpack::packer::layers
