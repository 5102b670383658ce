// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>

#include "runtime-loader/core/counter_store.h"

namespace sealpack::capi {

// Floors by authority and product.
using Floors = std::map<std::pair<Digest, std::string>, loader::Floor>;

inline constexpr std::size_t kMaxFloors = 4096;
inline constexpr std::uint64_t kMaxCounterFileSize = std::uint64_t{64} << 20U;

// The text of a counter file: a line "sealpack-counters 1", then one line a floor, ascending:
// authority, product, counter and release, digests and product in hex, "-" for no release. One text
// per content. kMalformed, kLimit.
Result<Floors> parse_floors(std::string_view text);
std::string serialize_floors(const Floors& floors);

// Floors in a file of this machine. Whoever can write the file can turn it back: fit for tests and
// simulated TEEs alone. Several processes may use one file.
class CounterFile final : public loader::CounterStore {
 public:
  explicit CounterFile(std::filesystem::path path) : path_(std::move(path)) {}
  loader::CounterKind kind() const override { return loader::CounterKind::kFile; }
  Result<loader::Floor> floor(const Digest& authority, const std::string& product) override;
  Status raise(const Digest& authority, const std::string& product,
               const loader::Floor& floor) override;

 private:
  Result<Floors> load() const;
  std::filesystem::path path_;
};

}  // namespace sealpack::capi
