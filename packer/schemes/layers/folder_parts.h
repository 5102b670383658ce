// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>

#include "packer/schemes/layers/part_writer.h"

namespace sealpack::packer::layers {

// Names in the folder of a model that was divided elsewhere.
inline constexpr std::string_view kPublicFile = "public.onnx";
inline constexpr std::string_view kSecureFile = "secure.onnx";
inline constexpr std::string_view kAfterFile = "after.onnx";
inline constexpr std::string_view kSplitFile = "split.toml";

// What split.toml says; all of it may be left out.
struct SplitFile {
  std::map<std::string, std::string> taps;          // input of secure.onnx -> output of public.onnx
  std::map<std::string, std::string> returned;      // input of after.onnx -> output of secure.onnx
  std::optional<std::vector<std::string>> answers;  // outputs of secure.onnx
  std::optional<std::vector<std::string>> results;  // outputs of the model, in order
};
Result<SplitFile> parse_split(std::string_view text, const std::string& name);

// One ONNX file of the folder with its inputs and outputs as it declares them.
struct FolderPart {
  models::onnx::ModelFiles files;
  models::onnx::MessagePointer model;
  models::onnx::ModelIndex index;
  ValueTypes types;
  std::vector<std::string> inputs;  // without initializers
  std::vector<std::string> outputs;
};
Result<FolderPart> load_part(std::uint32_t file, std::span<const models::InputFile> inputs);

// The parameters of a bundle for parts that fit: kUsage naming what does not. `before` or `after`
// may be nullptr.
Result<sealpack::layers::Parameters> fit_parts(const FolderPart* before, const FolderPart& secure,
                                               const FolderPart* after, const SplitFile& split);

// kRefused for weights of the secure part that a public part holds too.
Status check_no_shared_bytes(const FolderPart& secure, const FolderPart& open);

}  // namespace sealpack::packer::layers
