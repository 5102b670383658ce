// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/models/model.h"

namespace sealpack::models {

// model.safetensors.index.json of the Hugging Face hub: which shard holds which tensor.
struct HfIndex {
  std::vector<std::pair<std::string, std::string>> weight_map;  // tensor -> shard, sorted by tensor
  std::string metadata;                                         // JSON text of an object
};

// An object with "weight_map" (string -> string) and free-form "metadata"; no duplicate key at any
// level, shards named without a folder, at most 100 MB, 2^20 tensors and 64 KiB of metadata.
// kMalformed, kLimit.
Result<HfIndex> parse_hf_index(Bytes text);

// A safetensors file beside the index.
struct HfShard {
  std::string name;              // without the folder
  const Model* model = nullptr;  // not owned
};

// That the index and the shards agree: each listed tensor lies in the shard named for it, each
// tensor of a shard is listed, no shard is missing or extra. kMalformed, naming what differs.
Status check_hf_index(const HfIndex& index, std::span<const HfShard> shards);

// Size in bytes of a tensor that stays in the index; nullopt for one that goes.
using KeptSize = std::function<std::optional<std::uint64_t>(const std::string& tensor)>;

// The index `text` with the tensors only that `kept` has a size for, sorted by name as the hub
// writes them; metadata.total_size is the sum of the sizes. metadata.total_parameters, which no
// longer holds, is dropped; other metadata stays. kMalformed, kLimit as parse_hf_index.
Result<std::string> subset_hf_index(Bytes text, const KeptSize& kept);

}  // namespace sealpack::models
