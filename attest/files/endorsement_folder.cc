// SPDX-License-Identifier: Apache-2.0
#include "attest/files/endorsement_folder.h"

#include <algorithm>

#include "attest/files/endorsement_file.h"
#include "attest/files/evidence_file.h"
#include "attest/verify/endorsements.h"
#include "formats/files/file_source.h"

namespace sealpack::attest {
namespace {

constexpr std::size_t kMaxFiles = 1024;

bool is_passed_over(const std::string& name) {
  return name.starts_with('.') || name == "README" || name == "README.md" || name == "README.txt";
}

Result<std::vector<std::filesystem::path>> files_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (is_passed_over(entry->path().filename().string())) continue;
    if (files.size() == kMaxFiles) {
      return Error(ErrorCode::kLimit, "more than " + std::to_string(kMaxFiles) + " files in " +
                                          printable(folder.string()));
    }
    files.push_back(entry->path());
  }
  if (error) return io_error("cannot read " + printable(folder.string()), error.value());
  std::sort(files.begin(), files.end());
  return files;
}

bool is_evidence(Bytes content) {
  return parse_evidence_file(content, "").ok();
}

Error not_an_endorsement(const std::filesystem::path& file) {
  return Error(ErrorCode::kMalformed,
               printable(file.string()) + ": evidence, which endorsements prove")
      .with_hint("leave it out here, and give it as EVIDENCE");
}

}  // namespace

Result<Endorsements> load_endorsements(const std::filesystem::path& path) {
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(path, error);
  std::vector<std::filesystem::path> files = {path};
  if (is_folder) files = TRY(files_of(path));
  Endorsements endorsements;
  std::uint64_t left = kMaxEndorsementsSize;
  for (const std::filesystem::path& file : files) {
    const ByteVector content = TRY(load_file(file, left));
    left -= content.size();
    const Status added = add_endorsement_file(content, file.string(), endorsements);
    if (!added.ok()) return is_evidence(content) ? not_an_endorsement(file) : added.error();
  }
  return endorsements;
}

}  // namespace sealpack::attest
