// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <variant>

#include "formats/base/block_source.h"

namespace sealpack::models {

enum class Format { kSafetensors, kOnnx, kGguf, kOpaque };
const char* to_string(Format format);  // "safetensors", "onnx", "gguf", "opaque"

// One thing that can be sealed or left public.
struct Tensor {
  std::string name;   // unique within its file; a path for nested ONNX tensors ("graph/if0/then/w")
  std::string dtype;  // safetensors spelling where one exists ("F32", "BF16", "I64"), else the
                      // format's own ("Q8_0")
  std::vector<std::uint64_t> shape;
  std::uint64_t size = 0;  // bytes that carry its data in the original
};

// Bytes of an input file, by its index in the list of inputs.
struct SourceRange {
  std::uint32_t file = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  bool operator==(const SourceRange&) const = default;
};

// An output file is a list of pieces: copied ranges and new bytes. Bulk data is always a range, so
// that nothing large is held in memory, and so that the original can be put together again from the
// outputs: every input byte that no piece copies goes into a sealed residue file. Piece ends are
// where segments may be cut (tensor boundaries).
using Piece = std::variant<SourceRange, ByteVector>;

struct OutputFile {
  std::string path;  // relative, '/' separated
  std::vector<Piece> pieces;
  std::uint64_t header_size = 0;  // leading bytes that describe the rest (own segment); 0 = none
};
std::uint64_t total_size(const OutputFile& file);

struct Split {
  std::vector<OutputFile> public_files;
  std::vector<OutputFile> sealed_files;
};

// A parsed model file. Holds structure, never weights.
class Model {
 public:
  virtual ~Model() = default;
  virtual Format format() const = 0;
  virtual const std::vector<Tensor>& tensors() const = 0;  // in file order
  // Descriptive facts for `inspect` ("architecture" -> "llama", "opset" -> "13"), sorted by key.
  virtual std::vector<std::pair<std::string, std::string>> facts() const { return {}; }

  // Divides the file: sealed[i] says that tensors()[i] is secret. Both halves are valid files of a
  // standard format. All true: the original as one sealed file, nothing public. All false: the
  // original as one public file.
  virtual Result<Split> split(const std::vector<bool>& sealed) const = 0;
};

// An input file of a model: where its bytes are and how it is called inside the model.
struct InputFile {
  std::string path;  // relative, '/' separated, checked by check_path
  std::shared_ptr<const BlockSource> source;
};

// The whole file as one output, for all-sealed and all-public splits and opaque files.
OutputFile whole_file(std::uint32_t file, const InputFile& input);

}  // namespace sealpack::models
