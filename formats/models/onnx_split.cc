// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx_split.h"

#include <algorithm>
#include <map>

#include "formats/models/names.h"
#include "formats/models/onnx_external.h"
#include "formats/models/safetensors.h"

namespace sealpack::models::onnx {
namespace {

constexpr std::uint64_t kExternalAlignment = 64;
constexpr std::uint64_t kMaxConvertedTotal = std::uint64_t{1} << 30U;
// Of safetensors.
constexpr std::uint64_t kMaxHeaderSize = 100'000'000;
constexpr std::size_t kMaxMetadata = std::size_t{1} << 16U;

class Splitter {
 public:
  Splitter(const ModelFiles& files, const Message& model, const ModelIndex& index,
           const std::vector<bool>& sealed)
      : files_(files),
        model_(model),
        index_(index),
        object_sealed_(index.objects.size()),
        tensor_sealed_(sealed) {
    for (std::size_t i = 0; i < sealed.size(); ++i) {
      if (sealed[i]) object_sealed_[index.object_of[i]] = true;
    }
    for (std::size_t i = 0; i < sealed.size(); ++i) {
      tensor_sealed_[i] = object_sealed_[index.object_of[i]];
    }
  }

  Result<Split> split(bool keep_metadata) {
    TRY(check_paths());
    TRY(check_shared_bytes());
    Edits edits = TRY(plan_edits(model_, index_, object_sealed_));
    edits.drop_descriptive = !keep_metadata;
    Split split;
    std::vector<OutputFile> external = place_external(edits);
    OutputFile model{files_.model().path, {}, 0};
    model.pieces = TRY(serialize_model(files_.source(), files_.file, model_, edits));
    split.public_files.push_back(std::move(model));
    std::move(external.begin(), external.end(), std::back_inserter(split.public_files));
    split.sealed_files.push_back(TRY(sealed_tensors()));
    return split;
  }

 private:
  std::string sealed_path() const { return files_.model().path + ".safetensors"; }

  Status check_paths() const {
    for (const InputFile& input : files_.inputs) {
      if (input.path == sealed_path()) {
        return Error(ErrorCode::kUnsupported,
                     "an input is called " + shown(input.path) + ", as the sealed tensors would be")
            .with_hint("rename it");
      }
    }
    return done();
  }

  // Tensors may share bytes of an external file (tied weights). Where one of them is public, so is
  // the other.
  Status check_shared_bytes() const {
    std::vector<std::size_t> external;
    for (std::size_t i = 0; i < index_.data.size(); ++i) {
      const SourceRange* range = external_range(index_.data[i]);
      if (range != nullptr && range->size != 0) external.push_back(i);
    }
    const auto range_of = [&](std::size_t i) { return *external_range(index_.data[i]); };
    std::sort(external.begin(), external.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(range_of(a).file, range_of(a).offset) <
             std::pair(range_of(b).file, range_of(b).offset);
    });
    // By offset, the range that reaches furthest of each kind: public, sealed.
    std::optional<std::size_t> furthest[2];
    for (const std::size_t i : external) {
      const SourceRange range = range_of(i);
      const bool is_sealed = tensor_sealed_[i];
      const auto other = furthest[is_sealed ? 0 : 1];
      if (other && range_of(*other).file == range.file &&
          range_of(*other).offset + range_of(*other).size > range.offset) {
        return Error(ErrorCode::kUnsupported,
                     "the tensors " + shown(index_.tensors[i].name) + " and " +
                         shown(index_.tensors[*other].name) +
                         " share bytes of external data, but only one is to be sealed")
            .with_hint("seal both");
      }
      auto& own = furthest[is_sealed ? 1 : 0];
      if (!own || range_of(*own).file != range.file ||
          range_of(*own).offset + range_of(*own).size < range.offset + range.size) {
        own = i;
      }
    }
    return done();
  }

  // Public tensors keep the names of their files; the bytes move to where there is no gap.
  std::vector<OutputFile> place_external(Edits& edits) const {
    std::map<std::uint32_t, OutputFile> outputs;
    std::map<std::uint32_t, std::uint64_t> ends;
    std::map<std::pair<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>>, std::uint64_t>
        placed;
    for (std::size_t i = 0; i < index_.data.size(); ++i) {
      const SourceRange* range = external_range(index_.data[i]);
      if (range == nullptr || tensor_sealed_[i]) continue;
      OutputFile& output = outputs[range->file];
      output.path = files_.inputs[range->file].path;
      std::uint64_t& end = ends[range->file];
      // Nothing lies at 0, which is in every file.
      const std::uint64_t offset = range->size == 0 ? 0
                                                    : (end + kExternalAlignment - 1) /
                                                          kExternalAlignment * kExternalAlignment;
      const auto [place, is_new] =
          placed.try_emplace({range->file, {range->offset, range->size}}, offset);
      if (is_new && range->size != 0) {
        if (offset != end) {
          output.pieces.emplace_back(ByteVector(static_cast<std::size_t>(offset - end)));
        }
        output.pieces.emplace_back(*range);
        end = offset + range->size;
      }
      relocate(*index_.data[i].message, range->file, place->second, range->size, edits);
    }
    std::vector<OutputFile> files;
    files.reserve(outputs.size());
    for (auto& [file, output] : outputs) files.push_back(std::move(output));
    return files;
  }

  // Also drops a checksum, which was that of the whole old file.
  void relocate(const Message& tensor, std::uint32_t file, std::uint64_t offset, std::uint64_t size,
                Edits& edits) const {
    for (const Field& field : tensor.fields) {
      if (field.number == tensor::kExternalData) edits.dropped.insert(&field);
    }
    const std::pair<const char*, std::string> entries[] = {
        {"location", external_location(files_, file)},
        {"offset", std::to_string(offset)},
        {"length", std::to_string(size)},
    };
    for (const auto& [key, value] : entries) {
      edits.appended[&tensor].push_back(make_message_field(
          tensor::kExternalData, MessageType::kEntry, make_field(entry::kKey, std::string(key)),
          make_field(entry::kValue, value)));
    }
  }

  Result<OutputFile> sealed_tensors() const {
    std::vector<SafetensorsEntry> entries;
    std::vector<std::pair<std::string, std::string>> metadata;
    OutputFile output{sealed_path(), {}, 0};
    output.pieces.emplace_back();  // of the header
    std::uint64_t converted = 0;
    for (std::size_t i = 0; i < index_.data.size(); ++i) {
      if (!tensor_sealed_[i]) continue;
      const TensorData& data = index_.data[i];
      const std::string& name = index_.tensors[i].name;
      SafetensorsForm form = TRY(safetensors_form(data).within("tensor " + shown(name)));
      if (!form.is_native) {
        metadata.emplace_back("tensor:" + name,
                              std::string(dtype_of(data)) + ' ' + shape_text(data.dims));
      }
      add_sparse_shape(i, metadata);
      entries.push_back({name, std::move(form.dtype), std::move(form.shape), 0, 0});
      if (form.size == 0) continue;
      Piece piece = TRY(tensor_bytes(files_, data).within("tensor " + shown(name)));
      if (const auto* bytes = std::get_if<ByteVector>(&piece)) converted += bytes->size();
      if (converted > kMaxConvertedTotal) {
        return Error(ErrorCode::kLimit, "tensors in typed fields of over " +
                                            format_size(kMaxConvertedTotal) + " together")
            .with_hint("store the tensors as raw_data or external data, or seal the whole file");
      }
      output.pieces.push_back(std::move(piece));
    }
    ByteVector header = serialize_safetensors_header(entries, metadata);
    if (header.size() > kMaxHeaderSize || metadata.size() > kMaxMetadata) {
      return Error(ErrorCode::kLimit, "the header of the sealed tensors takes " +
                                          format_size(header.size()) + " with " +
                                          std::to_string(metadata.size()) +
                                          " notes, over what safetensors takes");
    }
    output.header_size = header.size();
    output.pieces.front() = std::move(header);
    return output;
  }

  // Once for the two tensors.
  void add_sparse_shape(std::size_t i,
                        std::vector<std::pair<std::string, std::string>>& metadata) const {
    const Object& object = index_.objects[index_.object_of[i]];
    const bool is_first = i == 0 || index_.object_of[i - 1] != index_.object_of[i];
    if (object.is_sparse && is_first) {
      metadata.emplace_back("sparse:" + object.input_name, shape_text(object.dims));
    }
  }

  const ModelFiles& files_;
  const Message& model_;
  const ModelIndex& index_;
  std::vector<bool> object_sealed_;
  std::vector<bool> tensor_sealed_;
};

}  // namespace

Result<Split> split_model(const ModelFiles& files, const Message& model, const ModelIndex& index,
                          const std::vector<bool>& sealed, bool keep_metadata) {
  return Splitter(files, model, index, sealed).split(keep_metadata);
}

}  // namespace sealpack::models::onnx
