// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/plan_input.h"

#include <algorithm>
#include <filesystem>

#include "formats/files/file_source.h"
#include "formats/files/input_tree.h"
#include "formats/files/output_file.h"
#include "keymgmt/crypto/sha256.h"
#include "runtime-loader/plan/calibrate.h"

namespace sealpack::plan {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileSize = std::uint64_t{1} << 20U;

Result<Digest> digest_of(const BlockSource& source) {
  constexpr std::uint64_t kBlock = std::uint64_t{1} << 20U;
  crypto::Sha256 hash;
  ByteVector block(kBlock);
  for (std::uint64_t at = 0; at < source.size(); at += kBlock) {
    const auto size = static_cast<std::size_t>(std::min(kBlock, source.size() - at));
    TRY(source.read_at(at, MutableBytes(block).first(size)));
    hash.update(Bytes(block).first(size));
  }
  return hash.finish();
}

Result<const models::InputFile*> only_onnx(const InputTree& tree, const std::string& path) {
  const models::InputFile* found = nullptr;
  for (const models::InputFile& file : tree.files) {
    if (!file.path.ends_with(".onnx")) continue;
    if (found != nullptr) {
      return Error(ErrorCode::kUsage, printable(path) + " holds several models: " +
                                          printable(found->path) + ", " + printable(file.path))
          .with_hint("name the ONNX file");
    }
    found = &file;
  }
  if (found == nullptr) {
    return Error(ErrorCode::kUsage, printable(path) + " holds no .onnx file")
        .with_hint("only ONNX models say what their layers are; others are sealed whole");
  }
  return found;
}

Status store(const Calibration& calibration, const fs::path& path) {
  std::error_code failed;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), failed);
  OutputFile out = TRY(OutputFile::create(path, Overwrite::kReplace, 0644));
  TRY(out.write_at(0, as_bytes(serialize_calibration(calibration))));
  return out.commit();
}

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  while (true) {
    const std::size_t comma = line.find(',');
    std::string_view cell = line.substr(0, comma);
    while (cell.starts_with(' ')) cell.remove_prefix(1);
    while (cell.ends_with(' ') || cell.ends_with('\r')) cell.remove_suffix(1);
    cells.emplace_back(cell);
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

}  // namespace

Result<LoadedModel> load_model(const std::string& path) {
  const InputTree tree = TRY(open_inputs(path, {}));
  const models::InputFile* file = TRY(only_onnx(tree, path));
  // External data of a file that was named alone lie beside it.
  const fs::path folder = fs::path(path).parent_path();
  const std::string inner = file->path.substr(0, file->path.rfind('/') + 1);
  const auto find = [&](std::string_view location) -> Result<std::shared_ptr<const BlockSource>> {
    for (const models::InputFile& other : tree.files) {
      if (other.path == inner + std::string(location)) return other.source;
    }
    if (tree.files.size() == 1) {
      return std::shared_ptr<const BlockSource>(TRY(FileSource::open(folder / location)));
    }
    return Error(ErrorCode::kIo, "no file " + printable(location));
  };
  LoadedModel loaded;
  loaded.name = fs::path(file->path).filename();
  loaded.digest = TRY(digest_of(*file->source));
  nn::Graph graph =
      TRY(nn::load_graph(*file->source, [&](std::string_view location) -> Result<std::uint64_t> {
            return TRY(find(location))->size();
          }).within(printable(file->path)));
  std::vector<std::shared_ptr<const BlockSource>> externals;
  for (const std::string& location : graph.external_files) {
    externals.push_back(TRY(find(location)));
  }
  loaded.model.weights = std::make_shared<FileWeights>(file->source, std::move(externals));
  loaded.model.graph = std::make_shared<const nn::Graph>(std::move(graph));
  return loaded;
}

Result<LoadedCalibration> load_calibration(const PlanArguments& arguments,
                                           cli::Terminal& terminal) {
  const fs::path path =
      arguments.calibration.empty() ? calibration_path() : fs::path(arguments.calibration);
  std::error_code ignored;
  if (arguments.calibrate) {
    if (path.empty()) {
      return Error(ErrorCode::kUsage, "nowhere to keep the calibration: HOME is not set")
          .with_hint("--calibration FILE");
    }
    LoadedCalibration loaded{TRY(calibrate()), path.string()};
    TRY(store(loaded.calibration, path));
    terminal.note("calibration written to " + printable(path.string()));
    return loaded;
  }
  const bool named = !arguments.calibration.empty();
  if (named || (!path.empty() && fs::exists(path, ignored))) {
    const ByteVector text = TRY(load_file(path, kMaxFileSize));
    auto calibration = parse_calibration(as_text(text), printable(path.string()));
    if (named) return LoadedCalibration{TRY(std::move(calibration)), path.string()};
    if (calibration.ok() && calibration->machine == machine_name()) {
      return LoadedCalibration{*calibration, path.string()};
    }
    terminal.note(printable(path.string()) + " is of another machine or version");
  }
  terminal.note("measuring this machine; --calibrate keeps the result");
  return LoadedCalibration{TRY(calibrate()), "measured now"};
}

const std::vector<std::string>* Scores::find(const Choice& choice) const {
  for (const std::string& key : {choice.id, choice.candidate.id}) {
    const auto row = rows.find(key);
    if (row != rows.end()) return &row->second;
  }
  return nullptr;
}

Result<Scores> load_scores(const std::string& path) {
  const ByteVector bytes = TRY(load_file(path, kMaxFileSize));
  std::string_view text = as_text(bytes);
  if (!is_utf8(text)) return Error(ErrorCode::kMalformed, printable(path) + " is not UTF-8");
  Scores scores;
  std::size_t line_number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    if (line.empty() || line == "\r") continue;
    std::vector<std::string> cells = cells_of(line);
    const std::string key = cells[0];
    cells.erase(cells.begin());
    const auto bad = [&](const std::string& why) {
      return Error(ErrorCode::kMalformed,
                   printable(path) + " line " + std::to_string(line_number) + ": " + why);
    };
    if (scores.columns.empty()) {
      if (key != "choice" || cells.empty()) return bad("the first line is choice,COLUMN…");
      scores.columns = std::move(cells);
      continue;
    }
    if (cells.size() != scores.columns.size()) {
      return bad(std::to_string(cells.size()) + " values for " +
                 std::to_string(scores.columns.size()) + " columns");
    }
    if (!scores.rows.emplace(key, std::move(cells)).second) {
      return bad("choice " + printable(key) + " again");
    }
  }
  return scores;
}

Result<SymbolSizes> parse_sizes(const std::vector<std::string>& texts, const nn::Graph& graph) {
  const std::vector<std::string> symbols = symbols_of(graph);
  SymbolSizes sizes;
  for (const std::string& text : texts) {
    const std::size_t equals = text.rfind('=');
    const std::string name = text.substr(0, equals);
    const std::string number = equals == std::string::npos ? "" : text.substr(equals + 1);
    if (number.empty() || number.size() > 9 ||
        number.find_first_not_of("0123456789") != std::string::npos || std::stoll(number) == 0) {
      return Error(ErrorCode::kUsage, "--size " + printable(text) + " is not NAME=N");
    }
    if (std::find(symbols.begin(), symbols.end(), name) == symbols.end()) {
      std::string known;
      for (const std::string& symbol : symbols) known += " " + printable(symbol);
      return Error(ErrorCode::kUsage, "--size: the model has no open dimension " + printable(name) +
                                          ", it has" + (known.empty() ? " none" : known));
    }
    sizes[name] = std::stoll(number);
  }
  return sizes;
}

}  // namespace sealpack::plan
