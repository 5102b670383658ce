// SPDX-License-Identifier: Apache-2.0
// A subset of an index that parses is an index with exactly the kept tensors.
#include "formats/models/hf_index.h"

#include <cstdlib>

namespace {

using namespace sealpack;
using namespace sealpack::models;

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes text(data, size);
  auto index = parse_hf_index(text);
  const KeptSize kept = [](const std::string& tensor) -> std::optional<std::uint64_t> {
    if (tensor.size() % 2 != 0) return std::nullopt;
    return tensor.size();
  };
  const auto subset = subset_hf_index(text, kept);
  if (!index.ok()) {
    require(!subset.ok());
    return 0;
  }
  if (!subset.ok()) return 0;  // a number in metadata that the JSON library cannot hold
  const auto again = parse_hf_index(as_bytes(*subset));
  require(again.ok());
  std::erase_if(index->weight_map, [&](const auto& entry) { return !kept(entry.first); });
  require(again->weight_map == index->weight_map);
  const auto twice = subset_hf_index(as_bytes(*subset), kept);
  require(twice.ok() && *twice == *subset);
  return 0;
}
