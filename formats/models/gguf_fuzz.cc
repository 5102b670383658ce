// SPDX-License-Identifier: Apache-2.0
// What parses lies inside its file; divided in any way, both halves parse and hold every tensor's
// bytes; undivided, the pieces are the file.
#include "formats/models/gguf.h"

#include <cstdlib>

#include "formats/models/gguf_header.h"
#include "tests/formats/models/split_testing.h"

namespace {

using namespace sealpack;
using namespace sealpack::models;

void require(bool condition) {
  if (!condition) std::abort();
}

models::testing::TensorBytes tensor_bytes(const ByteVector& file) {
  const auto header = parse_gguf(MemorySource(file));
  require(header.ok());
  models::testing::TensorBytes tensors;
  for (const GgufTensor& tensor : header->tensors) {
    ByteVector bytes;
    if (tensor.size != 0) {
      require(header->data_offset + tensor.offset + tensor.size <= file.size());
      bytes = to_vector(Bytes(file).subspan(header->data_offset + tensor.offset, tensor.size));
    }
    require(tensors.emplace(tensor.name, std::move(bytes)).second);
  }
  return tensors;
}

void check_split(const ByteVector& file, const Model& model, std::size_t choice) {
  const std::vector<InputFile> inputs = {models::testing::memory_input("m.gguf", file)};
  std::vector<bool> sealed;
  for (std::size_t i = 0; i < model.tensors().size(); ++i) sealed.push_back((choice >> i % 8) & 1U);
  const auto split = model.split(sealed);
  if (!split.ok()) {
    require(split.error().code() == ErrorCode::kLimit);
    return;
  }
  const std::size_t count = split->public_files.size() + split->sealed_files.size();
  models::testing::TensorBytes found;
  for (const auto* half : {&split->public_files, &split->sealed_files}) {
    for (const OutputFile& output : *half) {
      const ByteVector bytes = models::testing::assemble(output, inputs);
      require(bytes.size() == total_size(output));
      if (count == 1) require(bytes == file);
      found.merge(tensor_bytes(bytes));
    }
  }
  require(found == tensor_bytes(file));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteVector file(data, data + size);
  const auto model = open_gguf(0, models::testing::memory_input("m.gguf", file));
  if (!model.ok()) return 0;
  for (const std::size_t choice : {std::size_t{0}, size, std::size_t{0x55}, std::size_t{0xff}}) {
    check_split(file, **model, choice);
  }
  return 0;
}
