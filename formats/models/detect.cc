// SPDX-License-Identifier: Apache-2.0
#include "formats/models/detect.h"

#include <algorithm>
#include <array>

#include "formats/models/gguf.h"
#include "formats/models/opaque.h"
#include "formats/models/safetensors.h"

namespace sealpack::models {
namespace {

constexpr std::uint64_t kHeadSize = 4096;
constexpr std::uint64_t kTailSize = 65536;  // where the names in a zip are, unless it has very many
constexpr std::string_view kGgufMagic = "GGUF";
constexpr std::string_view kZipMagic = "PK\x03\x04";
constexpr std::string_view kPickleMember = "data.pkl";
constexpr std::array<std::string_view, 4> kPickleExtensions = {".pt", ".pth", ".ckpt", ".pkl"};

// Lower-case, with the dot; empty without one.
std::string extension(std::string_view path) {
  const std::string_view name = path.substr(path.find_last_of('/') + 1);
  const std::size_t dot = name.find_last_of('.');
  if (dot == std::string_view::npos) return {};
  std::string out(name.substr(dot));
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

Result<std::string> load_range(const BlockSource& source, std::uint64_t begin, std::uint64_t end) {
  ByteVector bytes(static_cast<std::size_t>(end - begin));
  TRY(source.read_at(begin, bytes));
  return std::string(as_text(bytes));
}

bool contains(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

// True for what torch.save writes: a zip with a member data.pkl.
Result<bool> is_zipped_pickle(const BlockSource& source, std::string_view head) {
  if (!head.starts_with(kZipMagic)) return false;
  if (contains(head, kPickleMember)) return true;
  const std::uint64_t size = source.size();
  const std::string tail = TRY(load_range(source, size - std::min(size, kTailSize), size));
  return contains(tail, kPickleMember);
}

// A pickle of protocol 2 to 5, as torch.save wrote them before it wrote zips.
bool is_bare_pickle(std::string_view head) {
  return head.size() >= 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5;
}

Result<bool> is_pickle(const BlockSource& source, const std::string& type, std::string_view head) {
  const auto* end = kPickleExtensions.end();
  if (std::find(kPickleExtensions.begin(), end, type) != end) return true;
  if (type == ".bin" && is_bare_pickle(head)) return true;
  return TRY(is_zipped_pickle(source, head));
}

Error pickle_refused(const std::string& path) {
  return Error(ErrorCode::kUnsupported,
               printable(path) + " is a Python pickle, which can run any code when it is loaded")
      .with_hint(
          "convert it where it is trusted: python3 -c \"import torch; from safetensors.torch "
          "import save_file; save_file(torch.load('model.pt', weights_only=True), "
          "'model.safetensors')\"; or seal it whole, as an opaque file");
}

}  // namespace

Result<std::unique_ptr<Model>> open_model(std::uint32_t file, std::span<const InputFile> inputs,
                                          const DetectOptions& options) {
  if (file >= inputs.size()) {
    return Error(ErrorCode::kUsage, "no input number " + std::to_string(file));
  }
  const InputFile& input = inputs[file];
  if (options.opaque) return open_opaque(file, input);

  const std::string type = extension(input.path);
  const std::uint64_t head_size = std::min(input.source->size(), kHeadSize);
  const std::string head =
      TRY(load_range(*input.source, 0, head_size).within(printable(input.path)));
  const bool has_gguf_magic = head.starts_with(kGgufMagic);
  if (has_gguf_magic && (type == ".safetensors" || type == ".onnx")) {
    return Error(ErrorCode::kMalformed,
                 printable(input.path) + " is named " + type + ", but its content is GGUF");
  }
  if (type == ".gguf" || has_gguf_magic) return open_gguf(file, input);
  if (TRY(is_pickle(*input.source, type, head).within(printable(input.path)))) {
    return pickle_refused(input.path);
  }
  if (type == ".safetensors") return open_safetensors(file, input);
  if (type == ".onnx") {
    return std::unique_ptr<Model>(TRY(open_onnx(file, inputs, options.onnx)));
  }
  return open_opaque(file, input);
}

}  // namespace sealpack::models
