// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "formats/base/path_rules.h"
#include "packer/core/assembly.h"

namespace sealpack::packer {
namespace {

// A run of input bytes and the place in an output that holds a copy.
struct Copy {
  models::SourceRange source;
  bool sealed = false;
  std::size_t output = 0;  // among the public or the sealed files
  std::uint64_t offset = 0;
};

void collect(const models::OutputFile& file, bool sealed, std::size_t output,
             std::vector<std::vector<Copy>>& copies) {
  std::uint64_t offset = 0;
  for (const models::Piece& piece : file.pieces) {
    if (const auto* range = std::get_if<models::SourceRange>(&piece)) {
      if (range->size != 0) copies[range->file].push_back({*range, sealed, output, offset});
      offset += range->size;
    } else {
      offset += std::get<ByteVector>(piece).size();
    }
  }
}

// The file map of one input under construction.
struct MapBuilder {
  std::vector<Copy> extents;  // tiling the input
  models::OutputFile residue;
  std::uint64_t residue_size = 0;

  // A residue extent has output == npos until the residue has its place.
  static constexpr std::size_t kResidue = ~std::size_t{0};

  void add_residue(std::uint32_t file, std::uint64_t begin, std::uint64_t end) {
    if (begin == end) return;
    extents.push_back({{file, begin, end - begin}, true, kResidue, residue_size});
    residue.pieces.emplace_back(models::SourceRange{file, begin, end - begin});
    residue_size += end - begin;
  }
  void add_copy(const Copy& copy) {
    if (!extents.empty()) {
      Copy& last = extents.back();
      if (last.sealed == copy.sealed && last.output == copy.output &&
          last.offset + last.source.size == copy.offset) {
        last.source.size += copy.source.size;
        return;
      }
    }
    extents.push_back(copy);
  }
};

MapBuilder map_input(std::uint32_t file, std::uint64_t size, std::vector<Copy> copies) {
  std::sort(copies.begin(), copies.end(), [](const Copy& a, const Copy& b) {
    return std::pair(a.source.offset, b.source.size) < std::pair(b.source.offset, a.source.size);
  });
  MapBuilder map;
  std::uint64_t position = 0;
  for (Copy copy : copies) {
    const std::uint64_t end = copy.source.offset + copy.source.size;
    if (end <= position) continue;  // held elsewhere already
    if (copy.source.offset < position) {
      const std::uint64_t held = position - copy.source.offset;
      copy.source.offset += held;
      copy.source.size -= held;
      copy.offset += held;
    }
    map.add_residue(file, position, copy.source.offset);
    map.add_copy(copy);
    position = end;
  }
  map.add_residue(file, position, size);
  return map;
}

// The names of sealed files, compared as check_no_collisions does, to find free ones beside them.
class SealedNames {
 public:
  void add(const std::string& path) {
    const std::string name = folded(path);
    for (std::size_t at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1)) {
      folders_.insert(name.substr(0, at));
    }
    names_.insert(name);
  }

  std::string take_name_for_residue_of(const std::string& path) {
    constexpr std::string_view kLongestNumber = "131072";  // there are no more files than that
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    std::string base = path + ".residue";
    if (!check_path(base + std::string(kLongestNumber)).ok()) base = folder + "residue";
    if (!check_path(base + std::string(kLongestNumber)).ok()) base = "residue";
    std::string name = base;
    for (int i = 2; !is_free(name); ++i) name = base + std::to_string(i);
    add(name);
    return name;
  }

 private:
  static std::string folded(std::string text) {
    for (char& c : text) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
  }
  bool is_free(const std::string& path) const {
    const std::string name = folded(path);
    return !names_.contains(name) && !folders_.contains(name);
  }

  std::set<std::string> names_;
  std::set<std::string> folders_;
};

// Position of each element after sorting by path: order[old] = new.
template <typename List, typename PathOf>
std::vector<std::size_t> sort_by_path(List& list, PathOf path_of) {
  std::vector<std::size_t> old_at(list.size());
  for (std::size_t i = 0; i < old_at.size(); ++i) old_at[i] = i;
  std::sort(old_at.begin(), old_at.end(),
            [&](std::size_t a, std::size_t b) { return path_of(list[a]) < path_of(list[b]); });
  List sorted;
  std::vector<std::size_t> order(list.size());
  for (std::size_t i = 0; i < old_at.size(); ++i) {
    order[old_at[i]] = i;
    sorted.push_back(std::move(list[old_at[i]]));
  }
  list = std::move(sorted);
  return order;
}

}  // namespace

Status add_residues(Assembly& assembly, const std::vector<bool>& is_excluded) {
  std::vector<std::vector<Copy>> copies(assembly.inputs.size());
  SealedNames names;
  for (std::size_t i = 0; i < assembly.public_files.size(); ++i) {
    collect(assembly.public_files[i], false, i, copies);
  }
  for (std::size_t i = 0; i < assembly.sealed_files.size(); ++i) {
    collect(assembly.sealed_files[i].file, true, i, copies);
    names.add(assembly.sealed_files[i].file.path);
  }

  std::vector<MapBuilder> maps;
  for (std::uint32_t i = 0; i < assembly.inputs.size(); ++i) {
    MapBuilder& map = maps.emplace_back(
        is_excluded[i] ? MapBuilder{}
                       : map_input(i, assembly.inputs[i].source->size(), std::move(copies[i])));
    if (map.residue_size == 0) continue;
    map.residue.path = names.take_name_for_residue_of(assembly.inputs[i].path);
    for (Copy& extent : map.extents) {
      if (extent.output == MapBuilder::kResidue) extent.output = assembly.sealed_files.size();
    }
    assembly.sealed_files.push_back({std::move(map.residue), bundle::SealedKind::kResidue});
  }

  const auto open_order = sort_by_path(
      assembly.public_files, [](const auto& f) -> const auto& { return f.path; });
  const auto sealed_order = sort_by_path(
      assembly.sealed_files, [](const auto& f) -> const auto& { return f.file.path; });
  for (std::size_t i = 0; i < assembly.inputs.size(); ++i) {
    if (is_excluded[i]) continue;
    bundle::OriginalFile original;
    original.path = assembly.inputs[i].path;
    original.size = assembly.inputs[i].source->size();
    for (const Copy& extent : maps[i].extents) {
      const std::size_t number = extent.sealed
                                     ? assembly.public_files.size() + sealed_order[extent.output]
                                     : open_order[extent.output];
      original.extents.push_back(
          {static_cast<std::uint32_t>(number), extent.offset, extent.source.size});
    }
    assembly.originals.push_back(std::move(original));
  }
  const auto by_path = [](const auto& file) -> const auto& {
    return file.path;
  };
  (void)sort_by_path(assembly.originals, by_path);
  (void)sort_by_path(assembly.excluded, by_path);
  return done();
}

}  // namespace sealpack::packer
