// SPDX-License-Identifier: Apache-2.0
#include "formats/files/input_tree.h"

#include <algorithm>

#include "formats/base/path_rules.h"
#include "formats/files/archive_inputs.h"
#include "formats/files/folder_inputs.h"

namespace sealpack {
namespace {

Result<InputTree> open_file(const std::filesystem::path& path, const InputOptions& options) {
  std::shared_ptr<const BlockSource> source = TRY(FileSource::open(path));
  const std::string name = path.filename().string();
  const auto kind = TRY(recognise_archive(name, *source));
  if (kind) return open_archive(*kind, printable(path.string()), std::move(source), options);
  InputTree tree;
  tree.files.push_back({name, std::move(source)});
  return tree;
}

Status check_tree(InputTree& tree) {
  const auto by_path = [](const auto& a, const auto& b) { return a.path < b.path; };
  std::sort(tree.files.begin(), tree.files.end(), by_path);
  std::sort(tree.skipped.begin(), tree.skipped.end(), by_path);
  if (tree.files.empty()) return Error(ErrorCode::kUsage, "there are no files in it");
  std::vector<std::string> paths;
  for (const models::InputFile& file : tree.files) {
    TRY(check_path(file.path));
    paths.push_back(file.path);
  }
  return check_no_collisions(paths);
}

}  // namespace

Result<InputTree> open_inputs(const std::filesystem::path& path, const InputOptions& options) {
  std::error_code ignored;  // opening it will fail with the reason
  const bool is_folder = std::filesystem::is_directory(path, ignored);
  InputTree tree = TRY(is_folder ? open_folder(path, options) : open_file(path, options));
  TRY(check_tree(tree).within(printable(path.string())));
  return tree;
}

}  // namespace sealpack
