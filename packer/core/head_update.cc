// SPDX-License-Identifier: Apache-2.0
#include "packer/core/head_update.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "formats/bundle/encode.h"
#include "formats/files/system_calls.h"

namespace sealpack::packer {

using bundle::HeadState;

namespace {

// FORMAT.md F-14.1.6: whoever made a second name for the file did not ask for its head to change.
Status check_not_shared(const FileDescriptor& file, const std::string& name) {
  struct stat status {};
  if (system_calls().fstat(file.get(), &status) != 0)
    return io_error("cannot examine " + name, errno);
  if (!S_ISREG(status.st_mode) || status.st_nlink <= 1) return done();
  return Error(ErrorCode::kIo, name + " has " + std::to_string(status.st_nlink) +
                                   " names (hard links), all of which would change")
      .with_hint("copy it to a file of its own first");
}

}  // namespace

Result<HeadUpdate> HeadUpdate::open(const std::filesystem::path& path) {
  HeadUpdate update;
  update.name_ = printable(path.string());
  FileDescriptor file(uninterrupted([&] {
    return system_calls().openat(AT_FDCWD, path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK, 0);
  }));
  if (file.get() < 0) return io_error("cannot open " + update.name_ + " for writing", errno);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return io_error("cannot lock " + update.name_, errno);
    return Error(ErrorCode::kTryAgain, update.name_ + " is being changed by another process");
  }
  TRY(check_not_shared(file, update.name_));
  update.file_ = TRY(FileSource::adopt(std::move(file), update.name_));
  update.head_ = TRY(bundle::load_head(*update.file_).within(update.name_));
  if (update.head_.updating()) TRY(update.wipe_other_copy());
  return update;
}

Status HeadUpdate::write(std::uint64_t offset, Bytes bytes) const {
  while (!bytes.empty()) {
    const iovec vector = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    const ssize_t written = uninterrupted([&] {
      return system_calls().pwritev(file_->descriptor(), &vector, 1, static_cast<off_t>(offset));
    });
    if (written < 0) return io_error("cannot write " + name_, errno);
    if (written == 0)
      return io_error("cannot write " + name_, EIO);  // trying again might never end
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  if (uninterrupted([&] { return system_calls().fsync(file_->descriptor()); }) != 0) {
    return io_error("cannot make " + name_ + " durable", errno);
  }
  return done();
}

// F-14.1.3: a head that nobody can verify would make the bundle useless.
Status HeadUpdate::check_written(std::uint64_t offset, Bytes bytes) const {
  ByteVector found(bytes.size());
  TRY(file_->read_at(offset, found));
  if (std::equal(found.begin(), found.end(), bytes.begin())) return done();
  return Error(ErrorCode::kIo, name_ + " does not hold what was written to it");
}

// One byte: no crash leaves half of it.
Status HeadUpdate::set_state(HeadState state) {
  const auto byte = static_cast<std::uint8_t>(state);
  TRY(write(head_.layout.state_offset(), Bytes(&byte, 1)));
  head_.state = state;
  return done();
}

// Ends an update: nothing of the other copy is left, then the state says so.
Status HeadUpdate::wipe_other_copy() {
  const ByteVector zeros(static_cast<std::size_t>(head_.layout.copy_size()));
  TRY(write(head_.layout.copy_offset(!head_.in_copy_b()), zeros));
  return set_state(head_.in_copy_b() ? HeadState::kB : HeadState::kA);
}

Status HeadUpdate::replace(const bundle::Head& head) {
  const ByteVector message = bundle::serialize_head(head);
  const ByteVector copy = TRY(bundle::head_copy(head_.layout, message));
  TRY(bundle::parse_head(message).within("the head to be written"));
  const bool to_b = !head_.in_copy_b();
  TRY(set_state(to_b ? HeadState::kAUpdating : HeadState::kBUpdating));
  TRY(write(head_.layout.copy_offset(to_b), copy));
  TRY(check_written(head_.layout.copy_offset(to_b), copy));
  TRY(set_state(to_b ? HeadState::kBUpdating : HeadState::kAUpdating));  // the commit
  head_.head = head;
  return wipe_other_copy();
}

}  // namespace sealpack::packer
