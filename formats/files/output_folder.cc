// SPDX-License-Identifier: Apache-2.0
#include "formats/files/output_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "formats/base/path_rules.h"
#include "formats/files/system_calls.h"

namespace sealpack {
namespace {

FileDescriptor open_folder(int at, const std::string& name) {
  return FileDescriptor(uninterrupted([&] {
    return system_calls().openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                                 0);
  }));
}

Result<bool> is_empty_folder(const Destination& destination) {
  FileDescriptor folder = open_folder(destination.folder.get(), destination.name);
  DIR* listing = folder.get() < 0 ? nullptr : ::fdopendir(folder.get());
  if (listing == nullptr) return io_error("cannot open the folder " + destination.shown, errno);
  (void)folder.release();  // closedir closes it
  bool empty = true;
  errno = 0;
  while (const dirent* entry = ::readdir(listing)) {  // NOLINT(concurrency-mt-unsafe): own stream
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") empty = false;
  }
  const int error_number = errno;
  (void)::closedir(listing);
  if (error_number != 0) return io_error("cannot list " + destination.shown, error_number);
  return empty;
}

// Early and only for the message: commit() finds out again, then without a race.
Status check_target(const Destination& destination) {
  const auto type = TRY(type_of(destination));
  if (!type) return done();
  if (*type != S_IFDIR) return already_exists(destination);
  const bool empty = TRY(is_empty_folder(destination));
  if (empty) return done();
  return Error(ErrorCode::kIo, destination.shown + " already exists and is not empty");
}

}  // namespace

Result<OutputFolder> OutputFolder::create(const std::filesystem::path& path, mode_t mode) {
  OutputFolder folder(TRY(open_destination(path)), mode);
  TRY(check_target(folder.destination_));
  TRY(folder.make_hidden());
  return folder;
}

Status OutputFolder::make_hidden() {
  const int parent = destination_.folder.get();
  for (int attempt = 0; hidden_name_.empty() && attempt < kTemporaryNameAttempts; ++attempt) {
    const std::string name = TRY(temporary_name(destination_.name));
    if (system_calls().mkdirat(parent, name.c_str(), mode_) == 0) {
      hidden_name_ = name;
    } else if (errno != EEXIST) {
      break;
    }
  }
  if (!hidden_name_.empty()) root_ = open_folder(parent, hidden_name_);
  if (root_.get() < 0) return io_error("cannot create the folder " + destination_.shown, errno);
  return done();
}

OutputFolder::~OutputFolder() {
  if (destination_.folder.get() < 0 || hidden_name_.empty()) return;
  for (auto made = made_.rbegin(); made != made_.rend(); ++made) {
    (void)system_calls().unlinkat(root_.get(), made->path.c_str(),
                                  made->is_folder ? AT_REMOVEDIR : 0);
  }
  (void)system_calls().unlinkat(destination_.folder.get(), hidden_name_.c_str(), AT_REMOVEDIR);
}

// The folder `path` ("" for the root itself), one component at a time.
Result<FileDescriptor> OutputFolder::open_inside(const std::string& path, bool make) {
  const auto failed = [&](const std::string& reached, int error_number) {
    return io_error("cannot open " + printable(reached) + " in " + destination_.shown,
                    error_number);
  };
  FileDescriptor folder = open_folder(root_.get(), ".");
  if (folder.get() < 0) return failed(".", errno);
  for (std::size_t start = 0; start < path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string name = path.substr(start, end - start);
    const std::string reached = path.substr(0, end);
    FileDescriptor next = open_folder(folder.get(), name);
    if (next.get() < 0 && errno == ENOENT && make) {
      if (system_calls().mkdirat(folder.get(), name.c_str(), mode_) != 0) {
        return failed(reached, errno);
      }
      made_.push_back({reached, true});
      next = open_folder(folder.get(), name);
    }
    if (next.get() < 0) return failed(reached, errno);
    folder = std::move(next);
    start = end + 1;
  }
  return folder;
}

Result<OutputFile> OutputFolder::create_file(const std::string& path, mode_t mode) {
  TRY(check_path(path));
  const std::size_t slash = path.rfind('/');
  const bool at_root = slash == std::string::npos;
  Destination inside;
  inside.folder = TRY(open_inside(at_root ? "" : path.substr(0, slash), true));
  inside.name = at_root ? path : path.substr(slash + 1);
  inside.shown = printable(path) + " in " + destination_.shown;
  auto file = TRY(
      OutputFile::create_in(std::move(inside), Overwrite::kRefuse, mode, FolderSync::kByCaller));
  made_.push_back({path, false});
  return file;
}

Status OutputFolder::commit() {
  if (hidden_name_.empty()) {
    return Error(ErrorCode::kInternal, destination_.shown + " is committed twice");
  }
  const auto sync = [&](int fd) -> Status {
    if (uninterrupted([&] { return system_calls().fsync(fd); }) == 0) return done();
    return io_error("cannot finish writing " + destination_.shown, errno);
  };
  for (const Made& made : made_) {
    if (!made.is_folder) continue;
    const FileDescriptor folder = TRY(open_inside(made.path, false));
    TRY(sync(folder.get()));
  }
  TRY(sync(root_.get()));
  // Without flags: a folder replaces nothing, or an empty folder; exactly what is promised.
  const int parent = destination_.folder.get();
  if (system_calls().renameat2(parent, hidden_name_.c_str(), parent, destination_.name.c_str(),
                               0) != 0) {
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) {
      return already_exists(destination_);
    }
    return io_error("cannot create the folder " + destination_.shown, errno);
  }
  hidden_name_.clear();
  return sync(parent);
}

}  // namespace sealpack
