// SPDX-License-Identifier: Apache-2.0
#include "formats/files/folder_inputs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <climits>

#include "formats/base/path_rules.h"
#include "formats/files/system_calls.h"

namespace sealpack {
namespace {

// Raises the number of files this process may hold open as far as it may; false if it was there.
bool raise_open_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return false;
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

Result<FileDescriptor> open_entry(int folder, const std::string& name, int flags,
                                  const std::string& shown) {
  const auto open = [&] {
    return uninterrupted([&] {
      return system_calls().openat(folder, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0);
    });
  };
  FileDescriptor file(open());
  if (file.get() < 0 && errno == EMFILE && raise_open_file_limit()) file = FileDescriptor(open());
  if (file.get() >= 0) return file;
  if (errno != EMFILE) return io_error("cannot open " + shown, errno);
  rlimit limit{};
  (void)::getrlimit(RLIMIT_NOFILE, &limit);
  return Error(ErrorCode::kLimit, "cannot open " + shown + ": the input has more files than the " +
                                      std::to_string(limit.rlim_cur) +
                                      " this process may hold open")
      .with_hint("raise the hard limit of open files (`ulimit -Hn`)");
}

// The names in a folder but "." and "..".
Result<std::vector<std::string>> list_folder(int folder, const std::string& shown) {
  FileDescriptor own = TRY(open_entry(folder, ".", O_RDONLY | O_DIRECTORY, shown));
  DIR* listing = ::fdopendir(own.get());
  if (listing == nullptr) return io_error("cannot list " + shown, errno);
  (void)own.release();  // closedir closes it
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(listing)) {  // NOLINT(concurrency-mt-unsafe): own stream
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
    errno = 0;
  }
  const int error_number = errno;
  (void)::closedir(listing);
  if (error_number != 0) return io_error("cannot list " + shown, error_number);
  return names;
}

const char* kind_name(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFIFO:
      return "a FIFO";
    case S_IFSOCK:
      return "a socket";
    case S_IFCHR:
    case S_IFBLK:
      return "a device";
    default:
      return "neither a file nor a folder";
  }
}

class Walk {
 public:
  Walk(std::filesystem::path root_path, const InputOptions& options)
      : root_path_(std::move(root_path)), options_(options) {}

  Result<InputTree> run() {
    root_ = FileDescriptor(uninterrupted([&] {
      return system_calls().openat(AT_FDCWD, root_path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                   0);
    }));
    if (root_.get() < 0) {
      return io_error("cannot open the folder " + printable(root_path_.string()), errno);
    }
    TRY(find_blobs());
    TRY(visit_folder(root_.get(), ""));
    return std::move(tree_);
  }

 private:
  std::string shown(const std::string& path) const {
    return printable((root_path_ / path).string());
  }

  Status visit_folder(int folder, const std::string& prefix) {
    const std::vector<std::string> names = TRY(list_folder(folder, shown(prefix)));
    for (const std::string& name : names) {
      TRY(visit(folder, name, prefix + name));
    }
    return done();
  }

  Status visit(int folder, const std::string& name, const std::string& path) {
    if (name == ".git" || path == ".cache/huggingface") {
      tree_.skipped.push_back({path, name == ".git" ? "version control data" : "download state"});
      return done();
    }
    TRY(check_path(path).within(printable(root_path_.string())));  // bounds the depth as well
    struct stat status {};
    if (system_calls().fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return io_error("cannot examine " + shown(path), errno);
    }
    if (S_ISDIR(status.st_mode)) {
      const FileDescriptor inner =
          TRY(open_entry(folder, name, O_RDONLY | O_DIRECTORY, shown(path)));
      return visit_folder(inner.get(), path + "/");
    }
    if (S_ISLNK(status.st_mode)) return visit_link(folder, name, path);
    if (!S_ISREG(status.st_mode)) {
      return Error(ErrorCode::kIo, shown(path) + " is " + kind_name(status.st_mode));
    }
    return add_file(folder, name, path);
  }

  // FileSource refuses what has become something else than a file since it was examined.
  Status add_file(int folder, const std::string& name, const std::string& path) {
    if (tree_.files.size() >= options_.max_files) {
      return Error(ErrorCode::kLimit, printable(root_path_.string()) + " has more than " +
                                          std::to_string(options_.max_files) + " files");
    }
    FileDescriptor file = TRY(open_entry(folder, name, O_RDONLY | O_NONBLOCK, shown(path)));
    auto source = TRY(FileSource::adopt(std::move(file), shown(path)));
    tree_.files.push_back({path, std::move(source)});
    return done();
  }

  // In .../NAME/snapshots/REVISION[/...]: opens .../NAME/blobs, relative to the folder that is
  // open.
  Status find_blobs() {
    std::error_code error;
    canonical_root_ =
        std::filesystem::canonical("/proc/self/fd/" + std::to_string(root_.get()), error);
    if (error) return io_error("cannot resolve " + printable(root_path_.string()), error.value());
    std::string up = "..";
    for (auto at = canonical_root_.parent_path(); at.has_relative_path(); at = at.parent_path()) {
      up += "/..";
      if (at.filename() != "snapshots") continue;
      blobs_ = FileDescriptor(uninterrupted([&] {
        return system_calls().openat(root_.get(), (up + "/blobs").c_str(),
                                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
      }));
      if (blobs_.get() >= 0) blobs_path_ = at.parent_path() / "blobs";
      return done();
    }
    return done();
  }

  Status visit_link(int folder, const std::string& name, const std::string& path) {
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(folder, name.c_str(), target, sizeof target);
    if (size < 0) return io_error("cannot read the link " + shown(path), errno);
    const std::string_view text(target, static_cast<std::size_t>(size));
    // Every folder from the canonical root down to the link is a real one, so ".." is lexical.
    const auto resolved = ((canonical_root_ / path).parent_path() / text).lexically_normal();
    if (blobs_.get() >= 0 && resolved.has_filename() && resolved.parent_path() == blobs_path_) {
      struct stat status {};
      const std::string blob = resolved.filename().string();
      if (system_calls().fstatat(blobs_.get(), blob.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return io_error("cannot examine the target of " + shown(path), errno);
      }
      if (S_ISREG(status.st_mode)) return add_file(blobs_.get(), blob, path);
    }
    return Error(ErrorCode::kIo, shown(path) + " is a symbolic link to " + printable(text))
        .with_hint(
            "replace the link by what it points to; of a Hugging Face cache, name the folder "
            "of one revision in 'snapshots'");
  }

  std::filesystem::path root_path_;
  const InputOptions& options_;
  FileDescriptor root_;
  std::filesystem::path canonical_root_;
  FileDescriptor blobs_;  // -1 outside the cache layout
  std::filesystem::path blobs_path_;
  InputTree tree_;
};

}  // namespace

Result<InputTree> open_folder(const std::filesystem::path& path, const InputOptions& options) {
  return Walk(path, options).run();
}

}  // namespace sealpack
