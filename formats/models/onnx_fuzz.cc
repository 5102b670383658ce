// SPDX-License-Identifier: Apache-2.0
// Whatever opens can be described and divided: undivided, the pieces are the file; with every
// tensor over 16 elements sealed, the public half opens again without any such tensor, and the
// sealed half is safetensors.
#include <cstdlib>

#include "formats/models/onnx.h"
#include "formats/models/safetensors.h"
#include "tests/formats/models/split_testing.h"

namespace {

using namespace sealpack;
using namespace sealpack::models;

constexpr std::uint64_t kClearElements = 16;

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_large(const Tensor& tensor) {
  std::uint64_t count = 1;
  for (const std::uint64_t dim : tensor.shape) count *= dim;
  return count > kClearElements;
}

// Opens the public half as a model of its own.
void check_public_half(const Split& split, std::span<const InputFile> inputs) {
  std::vector<InputFile> outputs;
  for (const OutputFile& file : split.public_files) {
    ByteVector bytes = models::testing::assemble(file, inputs);
    require(bytes.size() == total_size(file));
    outputs.push_back(models::testing::memory_input(file.path, std::move(bytes)));
  }
  const auto model = open_onnx(0, outputs, {});
  require(model.ok());
  for (const Tensor& tensor : (*model)->tensors()) require(!is_large(tensor));
}

void check_split(const OnnxModel& model, std::span<const InputFile> inputs) {
  std::vector<bool> sealed;
  for (const Tensor& tensor : model.tensors()) sealed.push_back(is_large(tensor));
  const auto split = model.split(sealed);
  if (!split.ok()) {
    const ErrorCode code = split.error().code();
    require(code == ErrorCode::kUnsupported || code == ErrorCode::kMalformed ||
            code == ErrorCode::kLimit);
    return;
  }
  if (!split->public_files.empty()) check_public_half(*split, inputs);
  for (const OutputFile& file : split->sealed_files) {
    if (!file.path.ends_with(".safetensors")) continue;
    require(read_safetensors_header(MemorySource(models::testing::assemble(file, inputs))).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteVector file(data, data + size);
  const std::vector<InputFile> inputs = {
      models::testing::memory_input("m.onnx", file),
      models::testing::memory_input("w.bin", ByteVector(256, 0x5a)),
  };
  const auto model = open_onnx(0, inputs, {});
  if (!model.ok()) return 0;
  (void)(*model)->facts();
  const auto whole = (*model)->split(std::vector<bool>((*model)->tensors().size(), true));
  require(whole.ok() && models::testing::assemble(whole->sealed_files[0], inputs) == file);
  check_split(**model, inputs);
  return 0;
}
