// SPDX-License-Identifier: Apache-2.0
#include "formats/models/gguf.h"

#include <algorithm>

#include "formats/models/ggml_types.h"
#include "formats/models/gguf_header.h"
#include "formats/models/split.h"

namespace sealpack::models {
namespace {

// Padding is held in memory, and the alignment is the file's word.
constexpr std::uint64_t kMaxPadding = std::uint64_t{256} << 20U;

class GgufModel : public Model {
 public:
  GgufModel(std::uint32_t file, InputFile input, GgufHeader header)
      : file_(file), input_(std::move(input)), header_(std::move(header)) {
    tensors_.reserve(header_.tensors.size());
    for (const GgufTensor& tensor : header_.tensors) {
      tensors_.push_back({tensor.name,
                          std::string(find_ggml_type(tensor.type)->name),
                          {tensor.dimensions.rbegin(), tensor.dimensions.rend()},
                          tensor.size});
    }
  }

  Format format() const override { return Format::kGguf; }
  const std::vector<Tensor>& tensors() const override { return tensors_; }
  std::vector<std::pair<std::string, std::string>> facts() const override;
  Result<Split> split(const std::vector<bool>& sealed) const override;

 private:
  SourceRange range(std::uint64_t begin, std::uint64_t end) const {
    return {file_, begin, end - begin};
  }
  std::uint64_t padding_after(std::uint64_t position) const {
    return (header_.alignment - position % header_.alignment) % header_.alignment;
  }
  OutputFile undivided() const;
  std::vector<SourceRange> keys(bool sealed_half) const;
  Result<OutputFile> half(const std::vector<bool>& sealed, bool side) const;

  std::uint32_t file_;
  InputFile input_;
  GgufHeader header_;
  std::vector<Tensor> tensors_;
};

std::vector<std::pair<std::string, std::string>> GgufModel::facts() const {
  std::vector<std::pair<std::string, std::string>> facts = {
      {"key count", std::to_string(header_.key_count)},
      {"tensor count", std::to_string(tensors_.size())}};
  if (!header_.architecture.empty()) facts.emplace_back("architecture", header_.architecture);
  if (header_.file_type) {
    const std::string_view name = ggml_file_type_name(*header_.file_type);
    facts.emplace_back("quantization", name.empty() ? "type " + std::to_string(*header_.file_type)
                                                    : std::string(name));
  }
  std::sort(facts.begin(), facts.end());
  return facts;
}

// Header, tensors and what lies between and behind them, each a piece.
OutputFile GgufModel::undivided() const {
  const std::uint64_t size = input_.source->size();
  std::uint64_t at = std::min(header_.data_offset, size);
  OutputFile out{input_.path, {}, at};
  append_range(out, range(0, at));
  for (const GgufTensor& tensor : header_.tensors) {
    if (tensor.size == 0) continue;
    const std::uint64_t begin = header_.data_offset + tensor.offset;
    append_range(out, range(at, begin));
    at = begin + tensor.size;
    append_range(out, range(begin, at));
  }
  append_range(out, range(at, size));
  return out;
}

// The public half describes the model; the sealed half needs only what tells a reader what it is.
std::vector<SourceRange> GgufModel::keys(bool sealed_half) const {
  if (!sealed_half) return {range(GgufHeader::kKeysBegin, header_.keys_end)};
  std::vector<SourceRange> ranges;
  for (const auto& key : {header_.architecture_key, header_.alignment_key}) {
    if (key) ranges.push_back(range(key->begin, key->end));
  }
  return ranges;
}

Result<OutputFile> GgufModel::half(const std::vector<bool>& sealed, bool side) const {
  std::vector<GgufTensor> chosen;
  std::uint64_t offset = 0;
  std::uint64_t padding = 0;
  OutputFile data{input_.path, {}, 0};
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    if (sealed[i] != side) continue;
    GgufTensor tensor = header_.tensors[i];
    const std::uint64_t begin = header_.data_offset + tensor.offset;
    append_range(data, range(begin, begin + tensor.size));
    tensor.offset = offset;
    offset += tensor.size;
    if (const std::uint64_t gap = padding_after(offset); gap != 0) {
      padding += gap;
      if (padding > kMaxPadding) {
        return Error(ErrorCode::kLimit, printable(input_.path) + ": alignment " +
                                            std::to_string(header_.alignment) +
                                            " needs more than 256 MiB of padding");
      }
      data.pieces.emplace_back(ByteVector(static_cast<std::size_t>(gap)));
      offset += gap;
    }
    chosen.push_back(std::move(tensor));
  }

  const std::vector<SourceRange> key_ranges = keys(side);
  OutputFile out{input_.path, {}, 0};
  out.pieces.emplace_back(
      serialize_gguf_start(chosen.size(), side ? key_ranges.size() : header_.key_count));
  for (const SourceRange& keys : key_ranges) append_range(out, keys);
  ByteVector entries = serialize_gguf_tensors(chosen);
  entries.resize(entries.size() +
                 static_cast<std::size_t>(padding_after(total_size(out) + entries.size())));
  out.pieces.emplace_back(std::move(entries));
  out.header_size = total_size(out);
  std::move(data.pieces.begin(), data.pieces.end(), std::back_inserter(out.pieces));
  return out;
}

Result<Split> GgufModel::split(const std::vector<bool>& sealed) const {
  const Selection selection = TRY(check_selection(sealed, *this));
  if (selection != Selection::kSome) return split_whole(undivided(), selection);
  Split split;
  split.public_files.push_back(TRY(half(sealed, false)));
  split.sealed_files.push_back(TRY(half(sealed, true)));
  return split;
}

}  // namespace

Result<std::unique_ptr<Model>> open_gguf(std::uint32_t file, const InputFile& input) {
  GgufHeader header = TRY(parse_gguf(*input.source).within(printable(input.path)));
  return std::unique_ptr<Model>(std::make_unique<GgufModel>(file, input, std::move(header)));
}

}  // namespace sealpack::models
