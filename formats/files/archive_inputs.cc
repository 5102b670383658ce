// SPDX-License-Identifier: Apache-2.0
#include "formats/files/archive_inputs.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <algorithm>
#include <cerrno>

#include "formats/base/path_rules.h"
#include "formats/files/scratch_file.h"

namespace sealpack {
namespace {

constexpr std::size_t kTarBlockSize = 512;

// libarchive converts names to the locale of the thread; whatever the user's is, names are UTF-8.
class ScopedUtf8Locale {
 public:
  ScopedUtf8Locale()
      : utf8_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{})),
        before_(utf8_ == locale_t{} ? locale_t{} : ::uselocale(utf8_)) {}
  ScopedUtf8Locale(const ScopedUtf8Locale&) = delete;
  ScopedUtf8Locale& operator=(const ScopedUtf8Locale&) = delete;
  ~ScopedUtf8Locale() {
    if (utf8_ == locale_t{}) return;
    (void)::uselocale(before_);
    ::freelocale(utf8_);
  }

 private:
  locale_t utf8_;
  locale_t before_;
};

// Part of a source.
class SliceSource : public BlockSource {
 public:
  SliceSource(std::shared_ptr<const BlockSource> whole, std::uint64_t start, std::uint64_t size)
      : whole_(std::move(whole)), start_(start), size_(size) {}
  std::uint64_t size() const override { return size_; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    const MutableBytes pieces[] = {out};
    return read_scattered(offset, pieces);
  }
  Status read_scattered(std::uint64_t offset, std::span<const MutableBytes> pieces) const override {
    std::uint64_t size = 0;
    for (const MutableBytes piece : pieces) size += piece.size();
    if (offset > size_ || size > size_ - offset) {
      return Error(ErrorCode::kIo, "read beyond the end of an archive's entry");
    }
    return whole_->read_scattered(start_ + offset, pieces);
  }

 private:
  std::shared_ptr<const BlockSource> whole_;
  std::uint64_t start_;
  std::uint64_t size_;
};

// Feeds libarchive from a BlockSource and keeps the error that made reading fail.
class Feed {
 public:
  explicit Feed(const BlockSource& source) : source_(source), buffer_(std::size_t{256} << 10U) {}

  static la_ssize_t read(archive* handle, void* self, const void** data) {
    Feed& feed = *static_cast<Feed*>(self);
    const std::uint64_t left = feed.source_.size() - feed.position_;
    const MutableBytes chunk =
        MutableBytes(feed.buffer_).first(std::min<std::uint64_t>(left, feed.buffer_.size()));
    Status status = feed.source_.read_at(feed.position_, chunk);
    if (!status.ok()) {
      feed.error_ = std::move(status).take_error();
      archive_set_error(handle, EIO, "reading failed");
      return -1;
    }
    feed.position_ += chunk.size();
    *data = chunk.data();
    return static_cast<la_ssize_t>(chunk.size());
  }

  static la_int64_t seek(archive*, void* self, la_int64_t offset, int whence) {
    Feed& feed = *static_cast<Feed*>(self);
    const auto size = static_cast<la_int64_t>(feed.source_.size());
    const la_int64_t base = whence == SEEK_SET   ? 0
                            : whence == SEEK_CUR ? static_cast<la_int64_t>(feed.position_)
                                                 : size;
    la_int64_t target = 0;
    if (__builtin_add_overflow(base, offset, &target)) return ARCHIVE_FATAL;
    target = std::clamp<la_int64_t>(target, 0, size);
    feed.position_ = static_cast<std::uint64_t>(target);
    return target;
  }

  const std::optional<Error>& error() const { return error_; }

 private:
  const BlockSource& source_;
  ByteVector buffer_;
  std::uint64_t position_ = 0;
  std::optional<Error> error_;
};

class Unpacker {
 public:
  Unpacker(ArchiveKind kind, std::string shown, const BlockSource& source,
           const InputOptions& options)
      : kind_(kind),
        shown_(std::move(shown)),
        packed_size_(source.size()),
        options_(options),
        feed_(source),
        handle_(archive_read_new(), &archive_read_free) {}

  Result<InputTree> run() {
    if (handle_ == nullptr) return Error(ErrorCode::kInternal, "libarchive does not start");
    TRY(open());
    ScratchFile scratch = TRY(create_scratch());
    for (std::uint64_t count = 0;; ++count) {
      archive_entry* entry = nullptr;
      const bool more = TRY(next(&entry));
      if (!more) break;
      if (count >= options_.max_files) {
        return Error(ErrorCode::kLimit,
                     shown_ + " has more than " + std::to_string(options_.max_files) + " entries");
      }
      TRY(visit(entry, scratch));
    }
    strip_common_folder();
    return slices(std::move(scratch));
  }

 private:
  struct Entry {
    std::string path;
    std::uint64_t start;
    std::uint64_t size;
  };

  Result<ScratchFile> create_scratch() const {
    if (!options_.scratch_folder.empty()) return ScratchFile::create(options_.scratch_folder);
    std::error_code error;
    const auto folder = std::filesystem::temp_directory_path(error);
    if (error) return io_error("cannot find the system's temporary folder", error.value());
    return ScratchFile::create(folder);
  }

  archive* handle() const { return handle_.get(); }

  Error failed() const {
    if (feed_.error()) return *feed_.error();
    const char* why = archive_error_string(handle());
    return {ErrorCode::kMalformed,
            shown_ + " is not a valid archive: " + printable(why == nullptr ? "unknown" : why)};
  }
  Error refused(ErrorCode code, const std::string& path, const std::string& why) const {
    return {code, shown_ + ", entry " + printable(path) + ": " + why};
  }

  // One format and one filter, those of the extension: no chains of filters, no guessing.
  Status open() {
    int result = kind_ == ArchiveKind::kZip ? archive_read_support_format_zip_seekable(handle())
                                            : archive_read_support_format_tar(handle());
    if (kind_ == ArchiveKind::kTarGzip) result |= archive_read_support_filter_gzip(handle());
    if (kind_ == ArchiveKind::kTarZstd) result |= archive_read_support_filter_zstd(handle());
    if (kind_ == ArchiveKind::kTarXz) result |= archive_read_support_filter_xz(handle());
    if (result != ARCHIVE_OK) {
      return Error(ErrorCode::kUnsupported, shown_ + ": libarchive cannot read this kind here");
    }
    (void)archive_read_set_read_callback(handle(), &Feed::read);
    (void)archive_read_set_seek_callback(handle(), &Feed::seek);
    (void)archive_read_set_callback_data(handle(), &feed_);
    if (archive_read_open1(handle()) != ARCHIVE_OK) return failed();
    return done();
  }

  // False at the end. A tar file ends with two blocks of zeros: without them it has been cut, maybe
  // between two entries, which libarchive takes for the end.
  Result<bool> next(archive_entry** entry) {
    const la_int64_t before = archive_filter_bytes(handle(), 0);
    const int result = archive_read_next_header(handle(), entry);
    if (result == ARCHIVE_OK) return true;
    if (result != ARCHIVE_EOF) return failed();
    const la_int64_t end_size = archive_filter_bytes(handle(), 0) - before;
    if (kind_ != ArchiveKind::kZip && end_size < la_int64_t{kTarBlockSize}) {
      return Error(ErrorCode::kMalformed, shown_ + " ends without the mark of a complete archive");
    }
    return false;
  }

  Status visit(archive_entry* entry, ScratchFile& scratch) {
    const char* raw_name = archive_entry_pathname(entry);
    if (raw_name == nullptr)
      return Error(ErrorCode::kMalformed, shown_ + " has an unreadable name");
    std::string path = raw_name;
    const bool is_folder = archive_entry_filetype(entry) == AE_IFDIR;
    // What `tar -c .` writes, and the mark of a folder.
    if (path.starts_with("./")) path.erase(0, 2);
    if (is_folder && path.ends_with('/')) path.pop_back();
    if (is_folder && (path.empty() || path == ".")) return done();
    TRY(check_path(path).within(shown_));
    if (archive_entry_is_encrypted(entry) != 0) {
      return refused(ErrorCode::kUnsupported, path, "is encrypted");
    }
    if (archive_entry_hardlink(entry) != nullptr) {
      return refused(ErrorCode::kMalformed, path, "is a hard link");
    }
    if (is_folder) return done();
    if (archive_entry_filetype(entry) == AE_IFLNK) {
      return refused(ErrorCode::kMalformed, path, "is a symbolic link");
    }
    if (archive_entry_filetype(entry) != AE_IFREG) {
      return refused(ErrorCode::kMalformed, path, "is neither a file nor a folder");
    }
    if (archive_entry_sparse_count(entry) > 0) {
      return refused(ErrorCode::kUnsupported, path, "is a sparse file");
    }
    return unpack(entry, path, scratch);
  }

  Status unpack(archive_entry* entry, const std::string& path, ScratchFile& scratch) {
    const std::uint64_t start = scratch.size();
    const bool size_is_known = archive_entry_size_is_set(entry) != 0;
    const auto stated =
        static_cast<std::uint64_t>(std::max<la_int64_t>(0, archive_entry_size(entry)));
    if (size_is_known) TRY(check_total(start, stated));
    for (;;) {
      const void* data = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int result = archive_read_data_block(handle(), &data, &size, &offset);
      if (result == ARCHIVE_EOF) break;
      if (result != ARCHIVE_OK) return failed();
      if (size == 0) continue;
      if (static_cast<std::uint64_t>(offset) != scratch.size() - start) {
        return refused(ErrorCode::kUnsupported, path, "is a sparse file");
      }
      TRY(check_total(scratch.size(), size));
      TRY(scratch.append({static_cast<const std::uint8_t*>(data), size}));
    }
    const std::uint64_t size = scratch.size() - start;
    if (size_is_known && size != stated) {
      return refused(ErrorCode::kMalformed, path,
                     "has " + std::to_string(size) + " bytes and states " + std::to_string(stated));
    }
    entries_.push_back({path, start, size});
    return done();
  }

  Status check_total(std::uint64_t unpacked, std::uint64_t more) const {
    constexpr std::uint64_t kBombRatio = 1000;
    const auto total = checked_add(unpacked, more);
    if (!total || *total > options_.max_unpacked) {
      return Error(ErrorCode::kLimit,
                   shown_ + " unpacks to more than " + format_size(options_.max_unpacked));
    }
    if (*total > options_.bomb_threshold && *total / kBombRatio > packed_size_) {
      return Error(ErrorCode::kLimit, shown_ + " unpacks to more than " +
                                          std::to_string(kBombRatio) + " times its size of " +
                                          format_size(packed_size_));
    }
    return done();
  }

  void strip_common_folder() {
    if (entries_.empty()) return;
    const std::size_t size = entries_.front().path.find('/') + 1;  // 0 where there is no folder
    if (size == 0) return;
    const std::string folder = entries_.front().path.substr(0, size);
    const bool common = std::all_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return entry.path.starts_with(folder);
    });
    if (!common) return;
    for (Entry& entry : entries_) entry.path.erase(0, size);
  }

  Result<InputTree> slices(ScratchFile scratch) {
    const std::shared_ptr<const BlockSource> whole = TRY(std::move(scratch).finish());
    InputTree tree;
    for (Entry& entry : entries_) {
      tree.files.push_back(
          {std::move(entry.path), std::make_shared<SliceSource>(whole, entry.start, entry.size)});
    }
    return tree;
  }

  ArchiveKind kind_;
  std::string shown_;
  std::uint64_t packed_size_;
  const InputOptions& options_;
  Feed feed_;
  std::unique_ptr<archive, int (*)(archive*)> handle_;
  std::vector<Entry> entries_;
};

// A tar header is known by its checksum: all bytes added up, those of the checksum as spaces.
bool is_tar_header(Bytes block) {
  constexpr std::size_t kSumStart = 148;
  constexpr std::size_t kSumEnd = 156;
  if (block.size() < kTarBlockSize) return false;
  unsigned sum = 0;
  unsigned stated = 0;
  for (std::size_t i = 0; i < kTarBlockSize; ++i) {
    const bool in_sum = i >= kSumStart && i < kSumEnd;
    sum += in_sum ? std::uint8_t{' '} : block[i];
    if (in_sum && block[i] >= '0' && block[i] <= '7') stated = stated * 8 + (block[i] & 7U);
  }
  return sum == stated;
}

std::optional<ArchiveKind> kind_by_name(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (lower.ends_with(".zip")) return ArchiveKind::kZip;
  if (lower.ends_with(".tar")) return ArchiveKind::kTar;
  if (lower.ends_with(".tar.gz") || lower.ends_with(".tgz")) return ArchiveKind::kTarGzip;
  if (lower.ends_with(".tar.zst")) return ArchiveKind::kTarZstd;
  if (lower.ends_with(".tar.xz")) return ArchiveKind::kTarXz;
  return std::nullopt;
}

}  // namespace

Result<std::optional<ArchiveKind>> recognise_archive(std::string_view name,
                                                     const BlockSource& source) {
  const auto kind = kind_by_name(name);
  if (!kind) return kind;
  ByteVector start(std::min<std::uint64_t>(kTarBlockSize, source.size()));
  TRY(source.read_at(0, start));
  const std::string_view text = as_text(start);
  bool holds = false;
  switch (*kind) {
    case ArchiveKind::kZip:
      holds = text.starts_with("PK\3\4") || text.starts_with("PK\5\6");
      break;
    case ArchiveKind::kTar:
      holds = is_tar_header(start);
      break;
    case ArchiveKind::kTarGzip:
      holds = text.starts_with("\x1f\x8b");
      break;
    case ArchiveKind::kTarZstd:
      holds = text.starts_with("\x28\xb5\x2f\xfd");
      break;
    case ArchiveKind::kTarXz:
      holds = text.starts_with(
          "\xfd"
          "7zXZ");
      break;
  }
  return holds ? kind : std::nullopt;
}

Result<InputTree> open_archive(ArchiveKind kind, const std::string& shown,
                               const std::shared_ptr<const BlockSource>& source,
                               const InputOptions& options) {
  const ScopedUtf8Locale utf8;
  return Unpacker(kind, shown, *source, options).run();
}

}  // namespace sealpack
