// SPDX-License-Identifier: Apache-2.0
#include "formats/models/model.h"

#include <algorithm>

#include "formats/models/split.h"

namespace sealpack::models {

const char* to_string(Format format) {
  switch (format) {
    case Format::kSafetensors:
      return "safetensors";
    case Format::kOnnx:
      return "onnx";
    case Format::kGguf:
      return "gguf";
    case Format::kOpaque:
      return "opaque";
  }
  return "opaque";
}

std::uint64_t piece_size(const Piece& piece) {
  if (const auto* range = std::get_if<SourceRange>(&piece)) return range->size;
  return std::get_if<ByteVector>(&piece)->size();
}

std::uint64_t total_size(const OutputFile& file) {
  std::uint64_t size = 0;
  for (const Piece& piece : file.pieces) size += piece_size(piece);
  return size;
}

OutputFile whole_file(std::uint32_t file, const InputFile& input) {
  OutputFile out{input.path, {}, 0};
  append_range(out, {file, 0, input.source->size()});
  return out;
}

void append_range(OutputFile& out, const SourceRange& range) {
  if (range.size != 0) out.pieces.emplace_back(range);
}

Result<Selection> check_selection(const std::vector<bool>& sealed, const Model& model) {
  if (sealed.size() != model.tensors().size()) {
    return Error(ErrorCode::kUsage, "a choice of " + std::to_string(sealed.size()) +
                                        " tensors for a model of " +
                                        std::to_string(model.tensors().size()));
  }
  if (std::find(sealed.begin(), sealed.end(), false) == sealed.end()) return Selection::kAll;
  if (std::find(sealed.begin(), sealed.end(), true) == sealed.end()) return Selection::kNone;
  return Selection::kSome;
}

Split split_whole(OutputFile file, Selection selection) {
  Split split;
  auto& half = selection == Selection::kNone ? split.public_files : split.sealed_files;
  half.push_back(std::move(file));
  return split;
}

}  // namespace sealpack::models
