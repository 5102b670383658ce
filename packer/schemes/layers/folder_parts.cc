// SPDX-License-Identifier: Apache-2.0
#include "packer/schemes/layers/folder_parts.h"

#include <algorithm>
#include <set>

#include "formats/models/names.h"
#include "formats/models/onnx_read.h"
#include "formats/toml/toml_table.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::packer::layers {
namespace {

using models::shown;
using sealpack::layers::Crossing;
using sealpack::layers::Dimension;
using sealpack::layers::Parameters;

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::string type_text(const Crossing& type) {
  const char* dtype = models::onnx::dtype_name(type.dtype);
  std::string text = dtype == nullptr ? "type " + std::to_string(type.dtype) : dtype;
  text += '[';
  for (std::size_t i = 0; i < type.shape.size(); ++i) {
    const Dimension& dim = type.shape[i];
    text += (i == 0 ? "" : ",") + (dim.size == 0 ? dim.symbol : std::to_string(dim.size));
  }
  return text + ']';
}

bool agree(const Crossing& a, const Crossing& b) {
  if (a.dtype != b.dtype || a.shape.size() != b.shape.size()) return false;
  for (std::size_t i = 0; i < a.shape.size(); ++i) {
    const std::uint64_t x = a.shape[i].size;
    const std::uint64_t y = b.shape[i].size;
    if (x != 0 && y != 0 && x != y) return false;
  }
  return true;
}

Error misfit(const std::string& why) {
  return {ErrorCode::kUsage, why};
}

// Puts the parts together.
class Fitter {
 public:
  Fitter(const FolderPart* before, const FolderPart& secure, const FolderPart* after,
         const SplitFile& split)
      : before_(before), secure_(secure), after_(after), split_(split) {}

  Result<Parameters> fit() {
    if (before_ != nullptr) out_.before = before_->files.model().path;
    out_.secure = secure_.files.model().path;
    TRY(check_map(split_.taps, secure_.inputs, kSecureFile, "taps"));
    for (const std::string& input : secure_.inputs) TRY(add_tap(input));
    if (before_ != nullptr && tapped_.empty()) {
      return misfit(std::string(kSecureFile) + " takes nothing that " + std::string(kPublicFile) +
                    " gives")
          .with_hint(
              "name its inputs as those outputs are named, or say in split.toml which is "
              "which: [taps] INPUT = \"OUTPUT\"");
    }
    if (after_ != nullptr) {
      out_.after = after_->files.model().path;
      TRY(check_map(split_.returned, after_->inputs, after_->files.model().path, "returned"));
      for (const std::string& input : after_->inputs) TRY(add_returned(input));
    }
    TRY(add_answers());
    TRY(add_results());
    return std::move(out_);
  }

 private:
  static Status check_map(const std::map<std::string, std::string>& map,
                          const std::vector<std::string>& inputs, std::string_view file,
                          std::string_view table) {
    for (const auto& [input, output] : map) {
      if (contains(inputs, input)) continue;
      return misfit(std::string(kSplitFile) + " [" + std::string(table) +
                    "]: " + std::string(file) + " has no input " + shown(input));
    }
    return done();
  }

  static Result<Crossing> type_of(const FolderPart& part, const std::string& name) {
    const auto type = part.types.find(name);
    if (type != part.types.end()) return type->second;
    return misfit(printable(part.files.model().path) + " does not say type and shape of " +
                  shown(name))
        .with_hint("run onnx.shape_inference over it");
  }

  static Status check_types(const FolderPart& from, const std::string& output, const FolderPart& to,
                            const std::string& input) {
    const Crossing a = TRY(type_of(from, output));
    const Crossing b = TRY(type_of(to, input));
    if (agree(a, b)) return done();
    return misfit(printable(to.files.model().path) + " takes " + shown(input) + " as " +
                  type_text(b) + ", but " + printable(from.files.model().path) + " gives " +
                  shown(output) + " as " + type_text(a));
  }

  Status add_tap(const std::string& input) {
    const auto mapped = split_.taps.find(input);
    const std::string source = mapped == split_.taps.end() ? input : mapped->second;
    Crossing tap = TRY(type_of(secure_, input));
    tap.name = input;
    const bool is_output = before_ != nullptr && contains(before_->outputs, source);
    if (is_output) {
      TRY(check_types(*before_, source, secure_, input));
      tap.source = source;
      tapped_.insert(source);
    } else if (mapped != split_.taps.end()) {
      return misfit(std::string(kSplitFile) + " [taps]: " + std::string(kPublicFile) +
                    " has no output " + shown(source));
    } else if (before_ != nullptr && contains(before_->inputs, input)) {
      TRY(check_types(*before_, input, secure_, input));
    }
    out_.taps.push_back(std::move(tap));
    return done();
  }

  Status add_returned(const std::string& input) {
    const auto mapped = split_.returned.find(input);
    const std::string name = mapped == split_.returned.end() ? input : mapped->second;
    if (contains(secure_.outputs, name)) {
      TRY(check_types(secure_, name, *after_, input));
      Crossing value = TRY(type_of(secure_, name));
      value.name = name;
      value.source = input;
      out_.returned.push_back(std::move(value));
      return done();
    }
    if (mapped != split_.returned.end()) {
      return misfit(std::string(kSplitFile) + " [returned]: " + std::string(kSecureFile) +
                    " has no output " + shown(name));
    }
    if (before_ != nullptr && contains(before_->outputs, input)) {
      tapped_.insert(input);
      return check_types(*before_, input, *after_, input);
    }
    return done();  // an input of the model
  }

  bool goes_back(const std::string& output) const {
    return std::any_of(out_.returned.begin(), out_.returned.end(),
                       [&](const Crossing& value) { return value.name == output; });
  }

  Status add_answers() {
    std::vector<std::string> answers;
    if (split_.answers) {
      answers = *split_.answers;
    } else {
      for (const std::string& output : secure_.outputs) {
        if (!goes_back(output)) answers.push_back(output);
      }
    }
    for (const std::string& name : answers) {
      if (!contains(secure_.outputs, name)) {
        return misfit(std::string(kSplitFile) + ": " + std::string(kSecureFile) +
                      " has no output " + shown(name));
      }
      Crossing answer = TRY(type_of(secure_, name));
      answer.name = name;
      out_.answers.push_back(std::move(answer));
    }
    for (const std::string& output : secure_.outputs) {
      if (contains(answers, output) || goes_back(output)) continue;
      return misfit("output " + shown(output) + " of " + std::string(kSecureFile) + " goes nowhere")
          .with_hint("list it under answers in " + std::string(kSplitFile) +
                     ", or take it out of the graph");
    }
    return done();
  }

  Status add_results() {
    std::vector<std::string> there;
    for (const Crossing& answer : out_.answers) there.push_back(answer.name);
    if (after_ != nullptr) {
      there.insert(there.end(), after_->outputs.begin(), after_->outputs.end());
    }
    std::vector<std::string> untapped;
    if (before_ != nullptr) {
      for (const std::string& output : before_->outputs) {
        if (!tapped_.contains(output)) there.push_back(output);
        if (tapped_.contains(output)) untapped.push_back(output);
      }
    }
    const std::set<std::string> distinct(there.begin(), there.end());
    if (distinct.size() != there.size()) return misfit("two parts have a result of the same name");
    out_.results = split_.results.value_or(there);
    for (const std::string& name : out_.results) {
      if (distinct.contains(name) || contains(untapped, name)) continue;
      return misfit(std::string(kSplitFile) + ": no part gives the result " + shown(name));
    }
    for (const Crossing& answer : out_.answers) {
      if (!contains(out_.results, answer.name)) out_.results.push_back(answer.name);
    }
    return done();
  }

  const FolderPart* before_;
  const FolderPart& secure_;
  const FolderPart* after_;
  const SplitFile& split_;
  std::set<std::string> tapped_;  // outputs of `before` that somebody reads
  Parameters out_;
};

Result<Digest> digest_of(const FolderPart& part, std::size_t tensor) {
  const models::Piece piece = TRY(models::onnx::tensor_bytes(part.files, part.index.data[tensor]));
  if (const auto* bytes = std::get_if<ByteVector>(&piece)) return crypto::sha256(*bytes);
  const auto& range = std::get<models::SourceRange>(piece);
  constexpr std::uint64_t kBlock = std::uint64_t{1} << 20U;
  crypto::Sha256 hash;
  ByteVector block(static_cast<std::size_t>(std::min(kBlock, range.size)));
  for (std::uint64_t at = 0; at < range.size; at += kBlock) {
    const auto size = static_cast<std::size_t>(std::min(kBlock, range.size - at));
    TRY(part.files.inputs[range.file].source->read_at(range.offset + at,
                                                      MutableBytes(block).first(size)));
    hash.update(Bytes(block).first(size));
  }
  return hash.finish();
}

bool is_weight(const models::onnx::TensorData& data) {
  return !plan::is_structure(data.type, data.count, models::onnx::stored_size(data));
}

Result<std::map<std::string, std::string>> name_map(TomlTable& root, std::string_view key) {
  std::map<std::string, std::string> map;
  auto table = TRY(root.table(key));
  if (!table) return map;
  for (const std::string& name : table->keys()) map[name] = *TRY(table->text(name));
  TRY(table->finish());
  return map;
}

}  // namespace

Result<SplitFile> parse_split(std::string_view text, const std::string& name) {
  TomlTable root = TRY(TomlTable::parse(text, name));
  SplitFile split;
  split.taps = TRY(name_map(root, "taps"));
  split.returned = TRY(name_map(root, "returned"));
  split.answers = TRY(root.text_list("answers"));
  split.results = TRY(root.text_list("results"));
  TRY(root.finish());
  return split;
}

Result<FolderPart> load_part(std::uint32_t file, std::span<const models::InputFile> inputs) {
  namespace onnx = models::onnx;
  FolderPart part;
  part.files = {file, inputs};
  part.model = TRY(onnx::parse_model(part.files.source()));
  const onnx::Message* graph = part.model->message(onnx::model::kGraph);
  if (graph == nullptr) return Error(ErrorCode::kMalformed, "an ONNX model without a graph");
  part.index = TRY(onnx::index_model(part.files, *part.model));
  part.types = declared_types(*part.model);
  std::set<std::string_view> constants;
  for (const onnx::Message* tensor : graph->messages(onnx::graph::kInitializer)) {
    constants.insert(tensor->text(onnx::tensor::kName));
  }
  for (const onnx::Message* input : graph->messages(onnx::graph::kInput)) {
    const std::string_view name = input->text(onnx::value_info::kName);
    if (!constants.contains(name)) part.inputs.emplace_back(name);
  }
  for (const onnx::Message* output : graph->messages(onnx::graph::kOutput)) {
    part.outputs.emplace_back(output->text(onnx::value_info::kName));
  }
  return part;
}

Result<Parameters> fit_parts(const FolderPart* before, const FolderPart& secure,
                             const FolderPart* after, const SplitFile& split) {
  return Fitter(before, secure, after, split).fit();
}

Status check_no_shared_bytes(const FolderPart& secure, const FolderPart& open) {
  std::map<std::uint64_t, std::vector<std::size_t>> sealed_by_size;
  for (std::size_t i = 0; i < secure.index.data.size(); ++i) {
    const models::onnx::TensorData& data = secure.index.data[i];
    if (is_weight(data)) sealed_by_size[models::onnx::stored_size(data)].push_back(i);
  }
  for (std::size_t i = 0; i < open.index.data.size(); ++i) {
    const auto found = sealed_by_size.find(models::onnx::stored_size(open.index.data[i]));
    if (found == sealed_by_size.end() || !is_weight(open.index.data[i])) continue;
    const Digest digest = TRY(digest_of(open, i));
    for (const std::size_t j : found->second) {
      if (TRY(digest_of(secure, j)) != digest) continue;
      return Error(ErrorCode::kRefused, "the secure weights " +
                                            shown(secure.index.tensors[j].name) + " are also in " +
                                            printable(open.files.model().path) + ", as " +
                                            shown(open.index.tensors[i].name))
          .with_hint("what is in a public part can be read by all: train or copy another one");
    }
  }
  return done();
}

}  // namespace sealpack::packer::layers
