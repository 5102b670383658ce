// SPDX-License-Identifier: Apache-2.0
#include "formats/models/safetensors.h"

#include <algorithm>

#include "formats/models/split.h"

namespace sealpack::models {
namespace {

constexpr std::size_t kMaxFactSize = 100;  // longer metadata is no short description

class SafetensorsModel : public Model {
 public:
  SafetensorsModel(std::uint32_t file, InputFile input, SafetensorsHeader header)
      : file_(file), input_(std::move(input)), header_(std::move(header)) {
    tensors_.reserve(header_.entries.size());
    for (const SafetensorsEntry& entry : header_.entries) {
      tensors_.push_back({entry.name, entry.dtype, entry.shape, entry.end - entry.begin});
    }
  }

  Format format() const override { return Format::kSafetensors; }
  const std::vector<Tensor>& tensors() const override { return tensors_; }
  std::vector<std::pair<std::string, std::string>> facts() const override;
  Result<Split> split(const std::vector<bool>& sealed) const override;

 private:
  SourceRange range(const SafetensorsEntry& entry) const {
    return {file_, header_.data_offset() + entry.begin, entry.end - entry.begin};
  }
  OutputFile undivided() const;
  OutputFile half(const std::vector<bool>& sealed, bool side) const;

  std::uint32_t file_;
  InputFile input_;
  SafetensorsHeader header_;
  std::vector<Tensor> tensors_;
};

std::vector<std::pair<std::string, std::string>> SafetensorsModel::facts() const {
  std::vector<std::pair<std::string, std::string>> facts = {
      {"tensor count", std::to_string(tensors_.size())}};
  for (const auto& [key, value] : header_.metadata) {
    if (key.size() + value.size() <= kMaxFactSize) facts.emplace_back("metadata." + key, value);
  }
  std::sort(facts.begin(), facts.end());
  return facts;
}

OutputFile SafetensorsModel::undivided() const {
  OutputFile out{input_.path, {}, header_.data_offset()};
  append_range(out, {file_, 0, header_.data_offset()});
  for (const SafetensorsEntry& entry : header_.entries) append_range(out, range(entry));
  return out;
}

// The tensors whose choice is `side`, behind a header of their own.
OutputFile SafetensorsModel::half(const std::vector<bool>& sealed, bool side) const {
  std::vector<SafetensorsEntry> entries;
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    if (sealed[i] == side) entries.push_back(header_.entries[i]);
  }
  ByteVector head = serialize_safetensors_header(entries, header_.metadata);
  OutputFile out{input_.path, {}, head.size()};
  out.pieces.emplace_back(std::move(head));
  for (const SafetensorsEntry& entry : entries) append_range(out, range(entry));
  return out;
}

Result<Split> SafetensorsModel::split(const std::vector<bool>& sealed) const {
  const Selection selection = TRY(check_selection(sealed, *this));
  if (selection != Selection::kSome) return split_whole(undivided(), selection);
  Split split;
  split.public_files.push_back(half(sealed, false));
  split.sealed_files.push_back(half(sealed, true));
  return split;
}

}  // namespace

Result<std::unique_ptr<Model>> open_safetensors(std::uint32_t file, const InputFile& input) {
  SafetensorsHeader header =
      TRY(read_safetensors_header(*input.source).within(printable(input.path)));
  return std::unique_ptr<Model>(std::make_unique<SafetensorsModel>(file, input, std::move(header)));
}

}  // namespace sealpack::models
