// SPDX-License-Identifier: Apache-2.0
// What parses tiles its file; the header written again says the same; divided in any way, both
// halves parse and hold every tensor's bytes.
#include "formats/models/safetensors.h"

#include <cstdlib>

#include "tests/formats/models/split_testing.h"

namespace {

using namespace sealpack;
using namespace sealpack::models;

void require(bool condition) {
  if (!condition) std::abort();
}

bool same(const SafetensorsEntry& a, const SafetensorsEntry& b) {
  return a.name == b.name && a.dtype == b.dtype && a.shape == b.shape &&
         a.end - a.begin == b.end - b.begin;
}

void check_round_trip(const SafetensorsHeader& header, std::uint64_t file_size) {
  const ByteVector head = serialize_safetensors_header(header.entries, header.metadata);
  const std::uint64_t data = file_size - header.data_offset();
  const auto again = parse_safetensors(head, head.size() + data);
  require(again.ok() && again->metadata == header.metadata);
  require(again->entries.size() == header.entries.size());
  for (std::size_t i = 0; i < header.entries.size(); ++i) {
    require(same(again->entries[i], header.entries[i]));
    require(again->entries[i].begin == header.entries[i].begin);
  }
}

models::testing::TensorBytes tensor_bytes(const ByteVector& file) {
  const auto header = parse_safetensors(file, file.size());
  require(header.ok());
  models::testing::TensorBytes tensors;
  for (const SafetensorsEntry& entry : header->entries) {
    const Bytes data =
        Bytes(file).subspan(header->data_offset() + entry.begin, entry.end - entry.begin);
    require(tensors.emplace(entry.name, to_vector(data)).second);
  }
  return tensors;
}

void check_split(const ByteVector& file, const Model& model, std::size_t choice) {
  const std::vector<InputFile> inputs = {models::testing::memory_input("m.safetensors", file)};
  std::vector<bool> sealed;
  for (std::size_t i = 0; i < model.tensors().size(); ++i) sealed.push_back((choice >> i % 8) & 1U);
  const auto split = model.split(sealed);
  require(split.ok());
  models::testing::TensorBytes found;
  for (const auto* half : {&split->public_files, &split->sealed_files}) {
    for (const OutputFile& output : *half) {
      const ByteVector bytes = models::testing::assemble(output, inputs);
      require(bytes.size() == total_size(output));
      found.merge(tensor_bytes(bytes));
    }
  }
  require(found == tensor_bytes(file));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteVector file(data, data + size);
  const auto header = parse_safetensors(file, size);
  const InputFile input = models::testing::memory_input("m.safetensors", file);
  const auto model = open_safetensors(0, input);
  require(model.ok() == header.ok());
  if (!header.ok()) return 0;
  check_round_trip(*header, size);
  for (const std::size_t choice : {std::size_t{0}, size, std::size_t{0x55}, std::size_t{0xff}}) {
    check_split(file, **model, choice);
  }
  return 0;
}
