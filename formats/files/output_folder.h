// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "formats/files/output_file.h"

namespace sealpack {

// A folder with all that is in it, which appears under its name complete or not at all. It grows as
// ".NAME.partial-XXXXXX" beside its destination; destruction without commit() removes that (SIGKILL
// leaves it behind, under that name). For one thread; the files may be written from any.
class OutputFolder {
 public:
  // `mode`, subject to the umask, is for this folder and those inside: 0700 keeps out others from
  // the start. Fails at once when the name is taken by anything but an empty folder.
  static Result<OutputFolder> create(const std::filesystem::path& path, mode_t mode = 0700);

  OutputFolder(OutputFolder&&) noexcept = default;
  OutputFolder& operator=(OutputFolder&&) = delete;
  ~OutputFolder();

  // A file inside; `path` must pass check_path and be new. Makes the folders on its way and follows
  // no symbolic link. To be committed or destroyed before the folder is.
  Result<OutputFile> create_file(const std::string& path, mode_t mode);

  // Makes everything durable and gives the folder its name. Replaces an empty folder, nothing else.
  Status commit();

 private:
  struct Made {
    std::string path;
    bool is_folder;
  };
  OutputFolder(Destination destination, mode_t mode)
      : destination_(std::move(destination)), mode_(mode) {}
  Status make_hidden();
  Result<FileDescriptor> open_inside(const std::string& path, bool make);

  Destination destination_;
  mode_t mode_;
  std::string hidden_name_;  // empty before it is made and after commit
  FileDescriptor root_;
  std::vector<Made> made_;  // in the order of making
};

}  // namespace sealpack
