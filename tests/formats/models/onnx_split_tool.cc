// SPDX-License-Identifier: Apache-2.0
// onnx_split_tool MODEL OUTDIR GLOB...: splits an ONNX model for check_onnx_split.py. Tensors whose
// name matches a glob are sealed; "+N" matches those over N elements. Writes OUTDIR/public/...,
// OUTDIR/sealed/..., and the names, "sealed <name>" or "public <name>", to stdout. All regular
// files beside the model are its inputs. A failure prints its code and message and exits with its
// code.
#include <fnmatch.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "formats/files/file_source.h"
#include "formats/models/onnx.h"

namespace {

using namespace sealpack;
using namespace sealpack::models;
namespace fs = std::filesystem;

int fail(const Error& error) {
  std::printf("%s: %s\n", to_string(error.code()), error.message().c_str());
  return static_cast<int>(error.code());
}

bool matches(const Tensor& tensor, const std::string& glob) {
  if (!glob.starts_with('+')) return fnmatch(glob.c_str(), tensor.name.c_str(), 0) == 0;
  std::uint64_t count = 1;
  for (const std::uint64_t dim : tensor.shape) count *= dim;
  return count > std::stoull(glob.substr(1));
}

Status write_file(const fs::path& folder, const OutputFile& file,
                  std::span<const InputFile> inputs) {
  fs::create_directories((folder / file.path).parent_path());
  std::ofstream out(folder / file.path, std::ios::binary);
  for (const Piece& piece : file.pieces) {
    ByteVector bytes;
    if (const auto* range = std::get_if<SourceRange>(&piece)) {
      bytes.resize(static_cast<std::size_t>(range->size));
      TRY(inputs[range->file].source->read_at(range->offset, bytes));
    } else {
      bytes = std::get<ByteVector>(piece);
    }
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  }
  return done();
}

Status run(const fs::path& path, const fs::path& out, const std::vector<std::string>& globs) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::vector<InputFile> inputs;
  std::uint32_t file = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    if (fs::equivalent(entry.path(), path)) file = static_cast<std::uint32_t>(inputs.size());
    inputs.push_back({fs::relative(entry.path(), folder), TRY(FileSource::open(entry.path()))});
  }
  const auto model = TRY(open_onnx(file, inputs, {}));
  for (const auto& [key, value] : model->facts())
    std::printf("fact %s %s\n", key.c_str(), value.c_str());
  std::vector<bool> sealed;
  for (const Tensor& tensor : model->tensors()) {
    bool is_sealed = false;
    for (const std::string& glob : globs) is_sealed = is_sealed || matches(tensor, glob);
    sealed.push_back(is_sealed);
    std::printf("%s %s\n", is_sealed ? "sealed" : "public", tensor.name.c_str());
  }
  const Split split = TRY(model->split(sealed));
  for (const OutputFile& output : split.public_files)
    TRY(write_file(out / "public", output, inputs));
  for (const OutputFile& output : split.sealed_files)
    TRY(write_file(out / "sealed", output, inputs));
  return done();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return fail(Error(ErrorCode::kUsage, "onnx_split_tool MODEL OUTDIR GLOB..."));
  const Status status = run(argv[1], argv[2], {argv + 3, argv + argc});
  return status.ok() ? 0 : fail(status.error());
}
