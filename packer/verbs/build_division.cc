// SPDX-License-Identifier: Apache-2.0
#include "packer/verbs/build_division.h"

#include <algorithm>

#include "runtime-loader/nn/graph.h"

namespace sealpack::packer {
namespace {

bool is_sealed_onnx(const Assembly& assembly, const models::InputFile& input) {
  return input.path.ends_with(".onnx") &&
         std::any_of(assembly.entries.begin(), assembly.entries.end(), [&](const Entry& entry) {
           return entry.path == input.path && entry.where == Where::kSealed;
         });
}

Status try_to_load(const Assembly& assembly, const models::InputFile& input) {
  const std::string folder = input.path.substr(0, input.path.rfind('/') + 1);
  TRY(nn::load_graph(*input.source, [&](std::string_view location) -> Result<std::uint64_t> {
    for (const models::InputFile& other : assembly.inputs) {
      if (other.path == folder + std::string(location)) return other.source->size();
    }
    return Error(ErrorCode::kIo, "no file " + printable(location));
  }));
  return done();
}

}  // namespace

Status check_division_options(BuildOptions& options) {
  if (options.plan.empty() && options.split.empty()) {
    if (!options.accept_oracle) return done();
    return Error(ErrorCode::kUsage, "--accept-oracle without --plan or --split");
  }
  if (!options.plan.empty() && !options.split.empty()) {
    return Error(ErrorCode::kUsage, "--plan divides a model, --split takes one that is divided");
  }
  if (options.opaque) {
    return Error(ErrorCode::kUsage, "--opaque looks into no file, so that none can be divided");
  }
  if (options.split.empty()) return done();
  if (!options.model.empty() && options.model != options.split) {
    return Error(ErrorCode::kUsage, "--split " + printable(options.split) +
                                        " is the model; none other is taken beside it");
  }
  options.model = options.split;
  return done();
}

Result<std::unique_ptr<layers::LayersDivision>> load_division(
    const BuildOptions& options, std::span<const models::InputFile> inputs) {
  if (!options.plan.empty()) return layers::division_by_plan(options.plan, options.keep_metadata);
  if (!options.split.empty()) {
    return layers::division_by_folder(inputs).within(printable(options.split));
  }
  return std::unique_ptr<layers::LayersDivision>();
}

Status check_division(const layers::LayersDivision& division, const bundle::AnswerRule& answer,
                      const BuildOptions& options, cli::Terminal& terminal) {
  if (!division.runnable().ok()) {
    return Status(division.runnable())
        .within("the loader cannot run the secure part")
        .with_hint(
            "choose a division that leaves these nodes outside, or seal all of the model "
            "and run it elsewhere");
  }
  TRY(check_leaks(division.leaks(), answer, options.accept_oracle));
  const auto& leaks = division.leaks();
  if (options.accept_oracle && !(leaks.returned.empty() && leaks.answers.empty())) {
    terminal.warning("--accept-oracle: about d queries recover a secure layer of d inputs");
  }
  return done();
}

void note_what_cannot_run(const Assembly& assembly, cli::Terminal& terminal) {
  for (const models::InputFile& input : assembly.inputs) {
    if (!is_sealed_onnx(assembly, input)) continue;
    const Status status = try_to_load(assembly, input);
    if (status.ok() || status.error().code() != ErrorCode::kUnsupported) continue;
    terminal.note("'sealpack run' cannot run " + printable(input.path) + ": " +
                  status.error().message());
  }
}

}  // namespace sealpack::packer
