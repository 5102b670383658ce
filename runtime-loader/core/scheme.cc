// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/scheme.h"

#include <algorithm>

namespace sealpack::loader {
namespace {

template <typename List>
std::optional<std::uint32_t> find_path(const List& files, std::string_view path) {
  const auto found = std::lower_bound(
      files.begin(), files.end(), path,
      [](const auto& file, std::string_view wanted) { return file.path < wanted; });
  if (found == files.end() || found->path != path) return std::nullopt;
  return static_cast<std::uint32_t>(found - files.begin());
}

}  // namespace

std::uint64_t size_of(const bundle::Content& content, const ModelFile& file) {
  return file.is_original ? content.originals[file.number].size : content.file_size(file.number);
}

std::optional<ModelFile> find_original(const bundle::Content& content, std::string_view path) {
  const auto number = find_path(content.originals, path);
  if (!number) return std::nullopt;
  return ModelFile{true, *number};
}

std::optional<ModelFile> find_bundle_file(const bundle::Content& content, std::string_view path) {
  constexpr std::string_view kPublic = "public/";
  constexpr std::string_view kSealed = "sealed/";
  if (path.starts_with(kPublic)) {
    const auto number = find_path(content.public_files, path.substr(kPublic.size()));
    if (number) return ModelFile{false, *number};
  }
  if (path.starts_with(kSealed)) {
    const auto number = find_path(content.sealed_files, path.substr(kSealed.size()));
    if (number) {
      return ModelFile{false, static_cast<std::uint32_t>(content.public_files.size()) + *number};
    }
  }
  return std::nullopt;
}

ModelFileSource::ModelFileSource(const bundle::Content& content, unpacker::FileReader& reader,
                                 ModelFile file)
    : content_(&content), reader_(&reader), file_(file), size_(size_of(content, file)) {}

Status ModelFileSource::read_at(std::uint64_t offset, MutableBytes out) const {
  if (file_.is_original) {
    return reader_->read_original(content_->originals[file_.number], offset, out);
  }
  return reader_->read(file_.number, offset, out);
}

}  // namespace sealpack::loader
