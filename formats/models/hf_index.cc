// SPDX-License-Identifier: Apache-2.0
#include "formats/models/hf_index.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "formats/models/json_reader.h"
#include "formats/models/names.h"

namespace sealpack::models {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kWhat = "shard index";
constexpr std::size_t kMaxSize = 100'000'000;
constexpr std::size_t kMaxMetadataSize = 65536;
constexpr std::size_t kMaxTensors = std::size_t{1} << 20U;

Error malformed(const std::string& why) {
  return {ErrorCode::kMalformed, std::string(kWhat) + ": " + why};
}

// A shard outside the folder of the index would be read from wherever its writer likes.
Status check_shard_name(const std::string& name) {
  if (name.empty() || name == "." || name == ".." ||
      name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
    return malformed("shard " + shown(name) + " is not a plain file name");
  }
  return done();
}

Status parse_weight_map(JsonReader& in, HfIndex& index) {
  TRY(in.begin_object("weight_map"));
  while (auto tensor = TRY(in.next_key())) {
    if (index.weight_map.size() == kMaxTensors) {
      return Error(ErrorCode::kLimit, std::string(kWhat) + ": more than 2^20 tensors");
    }
    std::string shard = TRY(in.string("a shard name"));
    TRY(check_shard_name(shard));
    index.weight_map.emplace_back(std::move(*tensor), std::move(shard));
  }
  std::sort(index.weight_map.begin(), index.weight_map.end());
  const auto twin =
      std::adjacent_find(index.weight_map.begin(), index.weight_map.end(),
                         [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twin == index.weight_map.end()) return done();
  return malformed("duplicate tensor " + shown(twin->first));
}

// Checked here, kept as text.
Result<std::string> parse_metadata(JsonReader& in, Bytes text) {
  if (TRY(in.peek()) != JsonReader::Kind::kObject) return in.malformed("metadata is no object");
  const std::size_t begin = in.position();
  TRY(in.skip_value());
  const std::size_t size = in.position() - begin;
  if (size > kMaxMetadataSize) {
    return Error(ErrorCode::kLimit, std::string(kWhat) + ": metadata exceeds 64 KiB");
  }
  return std::string(as_text(text.subspan(begin, size)));
}

const std::string* find_shard(const HfIndex& index, const std::string& tensor) {
  const auto at = std::lower_bound(
      index.weight_map.begin(), index.weight_map.end(), tensor,
      [](const auto& entry, const std::string& name) { return entry.first < name; });
  if (at == index.weight_map.end() || at->first != tensor) return nullptr;
  return &at->second;
}

// Every tensor of the shard is listed, and listed for this shard.
Status check_shard(const HfIndex& index, const HfShard& shard) {
  for (const Tensor& tensor : shard.model->tensors()) {
    const std::string* listed = find_shard(index, tensor.name);
    if (listed == nullptr) {
      return malformed("tensor " + shown(tensor.name) + " of " + shown(shard.name) +
                       " is not listed");
    }
    if (*listed != shard.name) {
      return malformed("tensor " + shown(tensor.name) + " is listed for " + shown(*listed) +
                       " but lies in " + shown(shard.name));
    }
  }
  return done();
}

// What check_shard proves of each tensor makes a count enough: a listed tensor that no shard has
// leaves its shard one short. Finds it for the message.
Status check_listed(const HfIndex& index, const std::vector<const HfShard*>& by_name) {
  std::vector<std::string_view> present;
  present.reserve(by_name.size());
  for (const HfShard* shard : by_name) {
    for (const Tensor& tensor : shard->model->tensors()) present.emplace_back(tensor.name);
  }
  std::sort(present.begin(), present.end());
  for (const auto& [tensor, shard] : index.weight_map) {
    if (!std::binary_search(present.begin(), present.end(), std::string_view(tensor))) {
      return malformed("tensor " + shown(tensor) + " is not in " + shown(shard));
    }
  }
  return done();
}

bool shard_before(const HfShard* a, const HfShard* b) {
  return a->name < b->name;
}

Status check_shard_set(const HfIndex& index, const std::vector<const HfShard*>& by_name) {
  std::vector<std::string_view> listed;
  for (const auto& [tensor, shard] : index.weight_map) listed.emplace_back(shard);
  std::sort(listed.begin(), listed.end());
  listed.erase(std::unique(listed.begin(), listed.end()), listed.end());
  std::vector<std::string_view> present;
  present.reserve(by_name.size());
  for (const HfShard* shard : by_name) present.emplace_back(shard->name);
  if (const auto twin = find_duplicate(present)) {
    return Error(ErrorCode::kUsage, "shard " + shown(*twin) + " is given twice");
  }
  for (const std::string_view name : listed) {
    if (!std::binary_search(present.begin(), present.end(), name)) {
      return malformed("shard " + shown(name) + " is missing");
    }
  }
  for (const std::string_view name : present) {
    if (!std::binary_search(listed.begin(), listed.end(), name)) {
      return malformed("shard " + shown(name) + " is not listed");
    }
  }
  return done();
}

}  // namespace

Result<HfIndex> parse_hf_index(Bytes text) {
  if (text.size() > kMaxSize) {
    return Error(ErrorCode::kLimit, std::string(kWhat) + ": exceeds 100 MB");
  }
  JsonReader in(text, kWhat);
  HfIndex index;
  std::vector<std::string> keys;
  TRY(in.begin_object("an object"));
  while (const auto key = TRY(in.next_key())) {
    if (std::find(keys.begin(), keys.end(), *key) != keys.end()) {
      return in.malformed("duplicate key " + shown(*key));
    }
    if (*key == "weight_map") {
      TRY(parse_weight_map(in, index));
    } else if (*key == "metadata") {
      index.metadata = TRY(parse_metadata(in, text));
    } else {
      return in.malformed("unknown key " + shown(*key));
    }
    keys.push_back(*key);
  }
  TRY(in.finish());
  if (std::find(keys.begin(), keys.end(), "weight_map") == keys.end()) {
    return malformed("weight_map is missing");
  }
  return index;
}

Status check_hf_index(const HfIndex& index, std::span<const HfShard> shards) {
  std::vector<const HfShard*> by_name;
  for (const HfShard& shard : shards) by_name.push_back(&shard);
  std::sort(by_name.begin(), by_name.end(), shard_before);
  TRY(check_shard_set(index, by_name));
  for (const HfShard* shard : by_name) TRY(check_shard(index, *shard));
  return check_listed(index, by_name);
}

Result<std::string> subset_hf_index(Bytes text, const KeptSize& kept) {
  const HfIndex index = TRY(parse_hf_index(text));
  // The weight map is written by hand: the library needs quadratic time for large ordered objects.
  std::string weight_map;
  std::uint64_t total = 0;
  for (const auto& [tensor, shard] : index.weight_map) {
    const auto size = kept(tensor);
    if (!size) continue;
    const auto sum = checked_add(total, *size);
    if (!sum) return malformed("the sizes of the tensors exceed 64 bits");
    total = *sum;
    weight_map += (weight_map.empty() ? "\n    " : ",\n    ") + Json(tensor).dump() + ": " +
                  Json(shard).dump();
  }
  Json metadata = Json::object();
  if (!index.metadata.empty()) metadata = Json::parse(index.metadata, nullptr, false);
  if (metadata.is_discarded()) return malformed("a number in metadata is out of range");
  metadata.erase("total_parameters");
  metadata["total_size"] = total;
  return "{\n  \"metadata\": " + metadata.dump() + ",\n  \"weight_map\": {" + weight_map +
         (weight_map.empty() ? "" : "\n  ") + "}\n}\n";
}

}  // namespace sealpack::models
