// SPDX-License-Identifier: Apache-2.0
#include "packer/core/assembly.h"

#include <algorithm>
#include <map>
#include <set>

#include "formats/models/hf_index.h"
#include "packer/core/assembly_checks.h"
#include "packer/core/card_builder.h"
#include "packer/core/glob_list.h"

namespace sealpack::packer {
namespace {

// Files without weights that people and tools want to read: public unless --seal says otherwise.
// docs/USAGE.md has the same list. Everything else without a known format is sealed.
constexpr std::string_view kPublicByDefault[] = {
    "{**/,}README*",
    "{**/,}LICENSE*",
    "{**/,}LICENCE*",
    "{**/,}NOTICE*",
    "**.md",
    "{**/,}config.json",
    "{**/,}*_config.json",
    "{**/,}tokenizer.json",
    "{**/,}tokenizer.model",
    "{**/,}special_tokens_map.json",
    "{**/,}added_tokens.json",
    "{**/,}vocab.{json,txt}",
    "{**/,}merges.txt",
    "{**/,}chat_template.*",
    "**.safetensors.index.json",
};

struct OpenedModel {
  std::uint32_t file = 0;
  std::unique_ptr<models::Model> model;
  std::vector<bool> sealed;              // per tensor
  std::optional<models::Split> divided;  // by a scheme
};

class Assembler {
 public:
  Assembler(InputTree inputs, const Selection& selection, GlobList open, GlobList seal,
            GlobList exclude, std::vector<Glob> public_by_default)
      : selection_(selection),
        card_(selection.redaction),
        open_(std::move(open)),
        seal_(std::move(seal)),
        exclude_(std::move(exclude)),
        public_by_default_(std::move(public_by_default)) {
    out_.inputs = std::move(inputs.files);
    for (SkippedInput& skipped : inputs.skipped) {
      out_.excluded.push_back({std::move(skipped.path), std::move(skipped.reason)});
    }
  }

  Result<Assembly> run() {
    taken_.assign(out_.inputs.size(), false);
    exclude_files();
    for (std::uint32_t i = 0; i < out_.inputs.size(); ++i) {
      if (!taken_[i]) TRY(check_is_no_private_key(out_.inputs[i]));
    }
    TRY(open_models());
    for (OpenedModel& opened : models_) TRY(split(opened));
    for (std::uint32_t i = 0; i < out_.inputs.size(); ++i) {
      if (!taken_[i]) TRY(place_file(i));
    }
    TRY(open_.check_all_used());
    TRY(seal_.check_all_used());
    TRY(exclude_.check_all_used());
    if (out_.public_files.empty() && out_.sealed_files.empty()) {
      return Error(ErrorCode::kUsage, "every file is excluded, nothing is left to pack");
    }
    TRY(check_nothing_sealed_is_public(out_));
    TRY(add_residues(out_, excluded_));
    TRY(std::move(card_).finish(out_));
    if (selection_.division != nullptr) out_.plan = TRY(selection_.division->plan());
    return std::move(out_);
  }

 private:
  void exclude_files() {
    excluded_.assign(out_.inputs.size(), false);
    for (std::uint32_t i = 0; i < out_.inputs.size(); ++i) {
      const models::InputFile& input = out_.inputs[i];
      if (!exclude_.matches(input.path)) continue;
      excluded_[i] = taken_[i] = true;
      out_.excluded.push_back({input.path, "--exclude"});
      out_.entries.push_back({input.path, "", "", {}, input.source->size(), Where::kExcluded});
    }
  }

  Status open_models() {
    models::DetectOptions options;
    options.opaque = selection_.opaque;
    options.onnx.keep_metadata = selection_.keep_metadata;
    for (std::uint32_t i = 0; i < out_.inputs.size(); ++i) {
      if (taken_[i]) continue;
      auto model = TRY(models::open_model(i, out_.inputs, options));
      if (model->format() == models::Format::kOpaque) continue;
      OpenedModel opened;
      opened.file = i;
      opened.model = std::move(model);
      TRY(choose(opened));
      models_.push_back(std::move(opened));
    }
    return done();
  }

  bool is_sealed(const std::string& name, bool file_open, bool file_seal) {
    const bool wants_seal = seal_.matches(name) || file_seal;
    const bool wants_open = open_.matches(name) || file_open;
    if (wants_seal) return true;
    if (wants_open) return false;
    return seal_.empty() || !open_.empty();
  }

  Status choose(OpenedModel& opened) {
    if (selection_.division != nullptr) {
      auto divided = TRY(selection_.division->divide(opened.file, out_.inputs, *opened.model)
                             .within(printable(out_.inputs[opened.file].path)));
      if (divided) {
        opened.sealed = std::move(divided->sealed);
        opened.divided = std::move(divided->split);
        add_entries(opened);
        return done();
      }
    }
    choose_by_globs(opened);
    add_entries(opened);
    return done();
  }

  void choose_by_globs(OpenedModel& opened) {
    const std::string& path = out_.inputs[opened.file].path;
    const bool file_open = open_.matches(path);
    const bool file_seal = seal_.matches(path);
    for (const models::Tensor& tensor : opened.model->tensors()) {
      opened.sealed.push_back(is_sealed(tensor.name, file_open, file_seal));
    }
    if (!opened.sealed.empty()) return;
    models::Split split;
    auto& files = is_sealed(path, file_open, file_seal) ? split.sealed_files : split.public_files;
    files.push_back(models::whole_file(opened.file, out_.inputs[opened.file]));
    opened.divided = std::move(split);
  }

  void add_entries(const OpenedModel& opened) {
    const models::InputFile& input = out_.inputs[opened.file];
    for (std::size_t i = 0; i < opened.sealed.size(); ++i) {
      const models::Tensor& tensor = opened.model->tensors()[i];
      out_.entries.push_back({input.path, tensor.name, tensor.dtype, tensor.shape, tensor.size,
                              opened.sealed[i] ? Where::kSealed : Where::kPublic});
    }
    if (!opened.sealed.empty()) return;
    const bool sealed = !opened.divided->sealed_files.empty();
    out_.entries.push_back(
        {input.path, "", "", {}, input.source->size(), sealed ? Where::kSealed : Where::kPublic});
  }

  // Divides one model file and notes which output holds which tensor.
  Status split(OpenedModel& opened) {
    const std::string& path = out_.inputs[opened.file].path;
    taken_[opened.file] = true;
    if (const auto* onnx = dynamic_cast<const models::OnnxModel*>(opened.model.get())) {
      for (const std::uint32_t file : onnx->external_files()) TRY(take_external(file, path));
    }
    models::Split split =
        opened.divided ? std::move(*opened.divided) : TRY(opened.model->split(opened.sealed));
    card_.add(*opened.model, opened.sealed, split);
    for (models::OutputFile& file : split.public_files) {
      if (is_new(file, false)) out_.public_files.push_back(std::move(file));
    }
    for (models::OutputFile& file : split.sealed_files) {
      if (!is_new(file, true)) continue;
      out_.sealed_files.push_back({std::move(file), bundle::SealedKind::kModel});
    }
    return done();
  }

  // False for a whole file of external data that an earlier model brought along already.
  bool is_new(const models::OutputFile& file, bool sealed) {
    if (file.pieces.size() != 1) return true;
    const auto* range = std::get_if<models::SourceRange>(&file.pieces[0]);
    if (range == nullptr || range->size != out_.inputs[range->file].source->size()) return true;
    return whole_files_.emplace(range->file, sealed).second;
  }

  Status take_external(std::uint32_t file, const std::string& model) {
    if (excluded_[file]) {
      return Error(ErrorCode::kUsage, printable(out_.inputs[file].path) +
                                          " is excluded but holds data of " + printable(model));
    }
    taken_[file] = true;
    return done();
  }

  // A file without tensors.
  Status place_file(std::uint32_t i) {
    const models::InputFile& input = out_.inputs[i];
    const bool by_default = std::any_of(public_by_default_.begin(), public_by_default_.end(),
                                        [&](const Glob& glob) { return glob.matches(input.path); });
    const bool is_index = input.path.ends_with(".safetensors.index.json");
    const bool wants_seal = seal_.matches(input.path);
    const bool wants_open = open_.matches(input.path);
    const bool hidden = is_index && selection_.redaction != bundle::Redaction::kNone;
    const bool open = !wants_seal && !hidden && (wants_open || by_default);
    out_.entries.push_back(
        {input.path, "", "", {}, input.source->size(), open ? Where::kPublic : Where::kSealed});
    if (is_index && !selection_.opaque) TRY(check_index(i, open).within(printable(input.path)));
    if (index_done_) {
      index_done_ = false;
      return done();
    }
    models::OutputFile file = models::whole_file(i, input);
    if (open) {
      out_.public_files.push_back(std::move(file));
    } else {
      out_.sealed_files.push_back({std::move(file), bundle::SealedKind::kModel});
    }
    return done();
  }

  // Compares an index with its shards; when the shards were divided, a public index gets the public
  // tensors alone.
  Status check_index(std::uint32_t i, bool open) {
    const models::InputFile& input = out_.inputs[i];
    constexpr std::uint64_t kMaxIndexSize = 100'000'000;
    if (input.source->size() > kMaxIndexSize) return Error(ErrorCode::kLimit, "index too large");
    ByteVector text(static_cast<std::size_t>(input.source->size()));
    TRY(input.source->read_at(0, text));
    const models::HfIndex index = TRY(models::parse_hf_index(text));

    const std::size_t slash = input.path.rfind('/');
    const std::string folder = slash == std::string::npos ? "" : input.path.substr(0, slash + 1);
    std::set<std::string> listed;
    for (const auto& [tensor, shard] : index.weight_map) listed.insert(folder + shard);
    std::vector<models::HfShard> shards;
    std::map<std::string, std::uint64_t> open_sizes;
    bool any_sealed = false;
    for (const OpenedModel& opened : models_) {
      // The folder may hold other models, with indexes of their own or without.
      const std::string& path = out_.inputs[opened.file].path;
      if (!listed.contains(path) || opened.model->format() != models::Format::kSafetensors)
        continue;
      shards.push_back({path.substr(folder.size()), opened.model.get()});
      for (std::size_t t = 0; t < opened.sealed.size(); ++t) {
        const models::Tensor& tensor = opened.model->tensors()[t];
        if (opened.sealed[t]) any_sealed = true;
        if (!opened.sealed[t]) open_sizes[tensor.name] = tensor.size;
      }
    }
    TRY(models::check_hf_index(index, shards)
            .with_hint("correct the index, or leave it out with --exclude"));
    if (!open || !any_sealed || open_sizes.empty()) return done();

    const std::string subset = TRY(models::subset_hf_index(text, [&](const std::string& name) {
      const auto found = open_sizes.find(name);
      return found == open_sizes.end() ? std::nullopt : std::optional(found->second);
    }));
    out_.public_files.push_back({input.path, {to_vector(as_bytes(subset))}, 0});
    index_done_ = true;
    return done();
  }

  const Selection& selection_;
  CardBuilder card_;
  GlobList open_;
  GlobList seal_;
  GlobList exclude_;
  std::vector<Glob> public_by_default_;
  Assembly out_;
  std::vector<bool> taken_;
  std::vector<bool> excluded_;
  std::vector<OpenedModel> models_;
  std::set<std::pair<std::uint32_t, bool>> whole_files_;  // that are outputs; sealed or not
  bool index_done_ = false;
};

}  // namespace

Result<Assembly> assemble(InputTree inputs, const Selection& selection) {
  GlobList open = TRY(GlobList::parse(selection.open, "--public"));
  GlobList seal = TRY(GlobList::parse(selection.seal, "--seal"));
  GlobList exclude = TRY(GlobList::parse(selection.exclude, "--exclude"));
  std::vector<Glob> public_by_default;
  for (const std::string_view text : kPublicByDefault) {
    public_by_default.push_back(TRY(Glob::parse(text)));
  }
  return Assembler(std::move(inputs), selection, std::move(open), std::move(seal),
                   std::move(exclude), std::move(public_by_default))
      .run();
}

}  // namespace sealpack::packer
