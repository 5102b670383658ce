// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace sealpack::broker {

// Random names, in memory that is all taken when it is made. A name has few places where it may
// lie; where these are taken, the one that ranks lowest makes room. So a name that was entered may
// be missing: for whoever only saves work by it.
template <std::size_t kNameSize>
class ForgetfulSet {
 public:
  static_assert(kNameSize >= sizeof(std::uint64_t));
  using Name = std::array<std::uint8_t, kNameSize>;

  // For at most `capacity` names, at least one.
  explicit ForgetfulSet(std::size_t capacity)
      : ways_(std::clamp<std::size_t>(capacity, 1, kWays)),
        entries_(std::max<std::size_t>(capacity / ways_, 1) * ways_) {}

  // `rank` is not 0. False when the name is here already.
  bool insert(const Name& name, std::uint64_t rank) {
    const std::span<Entry> places = places_of(name);
    if (find(places, name) != nullptr) return false;
    *std::min_element(places.begin(), places.end(), [](const Entry& a, const Entry& b) {
      return a.rank < b.rank;
    }) = {name, rank};
    return true;
  }
  bool contains(const Name& name) { return find(places_of(name), name) != nullptr; }
  void erase(const Name& name) {
    if (Entry* entry = find(places_of(name), name)) *entry = {};
  }

 private:
  static constexpr std::size_t kWays = 8;
  struct Entry {
    Name name{};
    std::uint64_t rank = 0;  // 0: nothing is here
  };

  std::span<Entry> places_of(const Name& name) {
    std::uint64_t number = 0;
    std::memcpy(&number, name.data(), sizeof(number));
    return std::span(entries_).subspan(number % (entries_.size() / ways_) * ways_, ways_);
  }
  static Entry* find(std::span<Entry> places, const Name& name) {
    const auto at = std::find_if(places.begin(), places.end(), [&](const Entry& entry) {
      return entry.rank != 0 && entry.name == name;
    });
    return at == places.end() ? nullptr : &*at;
  }

  std::size_t ways_;
  std::vector<Entry> entries_;
};

}  // namespace sealpack::broker
