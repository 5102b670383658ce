// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/run_files.h"

#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <tuple>

#include "formats/bundle/limits.h"
#include "formats/files/file_source.h"
#include "runtime-loader/verbs/run_arrays.h"

namespace sealpack::loader {
namespace {

namespace fs = std::filesystem;

// What two names of one file have in common: its device and inode; while there is no file, those of
// its folder, and its name in there.
using Identity = std::tuple<dev_t, ino_t, std::string>;

std::optional<Identity> identity_of(const fs::path& path) {
  struct stat file = {};
  if (::stat(path.c_str(), &file) == 0) return Identity{file.st_dev, file.st_ino, ""};
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (::stat(folder.c_str(), &file) != 0) return std::nullopt;
  return Identity{file.st_dev, file.st_ino, path.filename().string()};
}

struct UsedFile {
  std::string option;
  std::string path;
};

std::vector<UsedFile> files_read(const RunOptions& options) {
  std::vector<UsedFile> files = {{"the bundle", options.bundle},
                                 {"--passphrase-file", options.keys.passphrase_file},
                                 {"--broker-key", options.broker.key},
                                 {"--broker-ca", options.broker.ca},
                                 {"--evidence-key", options.broker.evidence_key},
                                 {"--tpm-key", options.vm.key},
                                 {"--tpm-event-log", options.vm.event_log}};
  if (options.tee == "none") files[0].option = "the model";
  const auto add = [&](const char* option, const std::vector<std::string>& paths) {
    for (const std::string& path : paths) files.push_back({option, path});
  };
  add("--trust", options.trust.paths);
  add("--key", options.keys.keys);
  add("--grant", options.keys.grants);
  for (const std::string& text : options.inputs) {
    files.push_back({"--input", parse_named_path(text).path});
  }
  std::erase_if(files, [](const UsedFile& file) { return file.path.empty() || file.path == "-"; });
  return files;
}

std::vector<UsedFile> files_written(const RunOptions& options) {
  std::vector<UsedFile> files;
  for (const std::string& text : options.outputs) {
    files.push_back({"--output", parse_named_path(text).path});
  }
  files.push_back({"--counters", options.counters});
  std::erase_if(files, [](const UsedFile& file) { return file.path.empty() || file.path == "-"; });
  return files;
}

std::string lower_extension(const std::string& path) {
  std::string text = fs::path(path).extension().string();
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// "ONNX", "GGUF" …; empty for other files.
std::string kind_of_model(const std::string& path) {
  constexpr std::pair<const char*, const char*> kKinds[] = {
      {".onnx", "ONNX"},     {".safetensors", "safetensors"},
      {".gguf", "GGUF"},     {".pt", "PyTorch"},
      {".pth", "PyTorch"},   {".ckpt", "PyTorch"},
      {".tflite", "TFLite"},
  };
  const std::string extension = lower_extension(path);
  for (const auto& [ending, kind] : kKinds) {
    if (extension == ending) return kind;
  }
  return "";
}

// By the magic of its head.
bool has_a_head(const BlockSource& file) {
  constexpr std::string_view kMagic = "sealpack bundle";
  std::array<std::uint8_t, kMagic.size()> start{};
  return file.size() >= bundle::kHeadOffset + start.size() &&
         file.read_at(bundle::kHeadOffset, start).ok() && as_text(start) == kMagic;
}

Error not_sealed(const std::string& path, const std::string& kind) {
  Error error(ErrorCode::kUsage,
              printable(path) + " is a model (" + kind + "), not a bundle: it is not sealed");
  std::string hint = "seal it: sealpack build " + printable(path) +
                     " --out MODEL.seal --signer VENDOR.key --to DEVICE.pub, and run MODEL.seal";
  if (kind == "ONNX")
    hint += "; or run it in the clear, here: --tee none, without --trust and --key";
  return std::move(error).with_hint(hint);
}

}  // namespace

Status check_model_file(const RunOptions& options) {
  if (options.bundle.empty()) return done();
  const auto file = FileSource::open(options.bundle);
  if (!file.ok()) return done();
  const bool sealed = has_a_head(**file);
  if (options.tee == "none") {
    if (!sealed) return done();
    return Error(ErrorCode::kUsage, printable(options.bundle) +
                                        " is a bundle, and --tee none runs "
                                        "models that are not sealed")
        .with_hint("leave --tee none out, and give --trust and --key");
  }
  const std::string kind = sealed ? "" : kind_of_model(options.bundle);
  if (kind.empty()) return done();
  return not_sealed(options.bundle, kind);
}

Status check_files(const RunOptions& options) {
  const std::vector<UsedFile> read = files_read(options);
  const std::vector<UsedFile> written = files_written(options);
  for (std::size_t i = 0; i < written.size(); ++i) {
    const std::optional<Identity> identity = identity_of(written[i].path);
    if (!identity) continue;  // cannot be written: said where that is tried
    for (std::size_t j = 0; j < i; ++j) {
      if (identity_of(written[j].path) != identity) continue;
      return Error(ErrorCode::kUsage, written[j].option + " " + printable(written[j].path) +
                                          " and " + written[i].option + " " +
                                          printable(written[i].path) + " are the same file");
    }
    for (const UsedFile& file : read) {
      if (identity_of(file.path) != identity) continue;
      return Error(ErrorCode::kUsage, written[i].option + " " + printable(written[i].path) +
                                          " would replace what is read: " + file.option + " " +
                                          printable(file.path));
    }
  }
  return done();
}

}  // namespace sealpack::loader
