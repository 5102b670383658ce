// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/capi/bundle_state.h"

#include "keymgmt/crypto/secret_bytes.h"
#include "unpacker/core/bundle_check.h"
#include "unpacker/core/card_check.h"

namespace sealpack::capi {
namespace {

constexpr std::uint64_t kMaxRead = std::uint64_t{256} << 10U;  // between two calls of the hooks
constexpr std::size_t kMinBlock = std::size_t{32} << 10U;

// An original file as a source, read with the locks of the bundle held.
class OriginalFileSource final : public BlockSource {
 public:
  using Read = std::function<Status(std::uint64_t offset, MutableBytes out)>;
  OriginalFileSource(std::uint64_t size, Read read) : size_(size), read_(std::move(read)) {}
  std::uint64_t size() const override { return size_; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    if (offset > size_ || out.size() > size_ - offset) {
      return Error(ErrorCode::kIo, "a read past the end of the file");
    }
    return read_(offset, out);
  }

 private:
  std::uint64_t size_;
  Read read_;
};

Error gone() {
  return usage("the bundle was refused: close it");
}

}  // namespace

Result<std::unique_ptr<BundleState>> BundleState::open(std::shared_ptr<SessionState> session,
                                                       std::shared_ptr<const BlockSource> source,
                                                       const char* owner) {
  loader::AddBundle how;
  how.owner = TRY(session->owner_name(owner));
  how.host_time = session->clock(how.owner);
  std::unique_ptr<BundleState> state(new BundleState(session));
  state->size_ = source->size();
  auto core = session->lock();
  const loader::BundleId id = session->next_id();
  TRY(core->add_bundle(id, std::make_shared<WatchedSource>(std::move(source), session->hooks()),
                       how));
  state->id_ = id;
  const unpacker::VerifiedBundle& verified = *core->verified(id);
  state->content_ = verified.content();
  state->layout_ = verified.layout();
  state->release_ = verified.release();
  state->release_digest_ = verified.release_digest();
  state->binding_ = verified.slot_binding();
  state->map_.emplace(state->content_, state->layout_);
  state->use_readers(verified);
  session->hooks().log(SEALPACK_LOG_INFO, "verified " + printable(state->release_.product) +
                                              " version " + printable(state->release_.version) +
                                              ", counter " +
                                              std::to_string(state->release_.counter));
  return state;
}

BundleState::~BundleState() {
  readers_.reset();
  if (id_ != 0) session_->lock()->close_bundle(id_);
}

void BundleState::use_readers(const unpacker::VerifiedBundle& bundle) {
  verified_ = &bundle;
  readers_ = std::make_unique<ReaderPool>(bundle, session_->max_readers());
}

// A card that disagrees with what is sealed lies to somebody (FORMAT.md §5): nothing is read then.
Status BundleState::use_open(const unpacker::OpenBundle& bundle) {
  auto readers = std::make_unique<ReaderPool>(bundle, session_->max_readers());
  {
    auto reader = readers->lease();
    TRY(unpacker::check_card(content_, *reader));
  }
  verified_ = &bundle.verified();
  open_ = &bundle;
  readers_ = std::move(readers);
  return done();
}

bool BundleState::unlocked() const {
  const std::shared_lock lock(mutex_);
  return open_ != nullptr;
}

Status BundleState::unlock(const std::function<Status(loader::Session&)>& unlock) {
  auto core = session_->lock();
  const std::unique_lock lock(mutex_);
  if (open_ != nullptr) return usage("the bundle is unlocked already");
  if (readers_ == nullptr) return gone();
  readers_.reset();  // the core may move what they read
  const Status unlocked = unlock(*core);
  const unpacker::VerifiedBundle* verified = core->verified(id_);
  if (!unlocked.ok()) {
    if (verified != nullptr) use_readers(*verified);
    return unlocked;
  }
  const unpacker::OpenBundle* opened = core->opened(id_);
  if (opened == nullptr) return Error(ErrorCode::kInternal, "an unlocked bundle is not open");
  TRY(use_open(*opened));
  lease_ends_ = core->lease_ends_at(id_).value_or(kNoEnd);
  session_->hooks().log(SEALPACK_LOG_INFO, "unlocked " + printable(release_.product));
  return done();
}

Status BundleState::renew(const std::function<Status(loader::Session&)>& renew) {
  auto core = session_->lock();
  TRY(renew(*core));
  lease_ends_ = core->lease_ends_at(id_).value_or(kNoEnd);
  return done();
}

Result<std::optional<std::uint64_t>> BundleState::lease_left() const {
  const std::shared_lock lock(mutex_);
  if (open_ == nullptr) return Error(ErrorCode::kKeyUnavailable, "the bundle is locked");
  const std::uint64_t end = lease_ends_;
  if (end == kNoEnd) return std::optional<std::uint64_t>();
  const std::uint64_t now = boot_seconds();
  return std::optional(now < end ? end - now : 0);
}

Status BundleState::check_lease() const {
  const std::uint64_t end = lease_ends_;
  if (end == kNoEnd || boot_seconds() < end) return done();
  return Error(ErrorCode::kRefused, "the lease is over").with_hint("ask the broker to prolong it");
}

Status BundleState::add_grant(Bytes bytes) {
  bundle::Grant grant = TRY(bundle::parse_grant(bytes));
  if (grant.uuid != binding_.uuid || grant.content_digest != binding_.content_digest) {
    return Error(ErrorCode::kKeyUnavailable, "the grant is for another bundle");
  }
  const auto core = session_->lock();
  granted_.push_back(std::move(grant.slot));
  return done();
}

Status BundleState::check() {
  const std::shared_lock lock(mutex_);
  if (readers_ == nullptr) return gone();
  const unpacker::BundleCheck check(*verified_);
  auto reader = readers_->lease();
  std::uint64_t checked = 0;
  std::uint64_t total = 0;
  for (std::uint64_t unit = 0; unit < check.unit_count(); ++unit) total += check.unit_size(unit);
  for (std::uint64_t unit = 0; unit < check.unit_count(); ++unit) {
    TRY(check.check(unit, *reader));
    checked += check.unit_size(unit);
    session_->hooks().progress(checked, total);
  }
  return done();
}

Result<const bundle::OriginalFile*> BundleState::original(std::size_t index) const {
  if (index < content_.originals.size()) return &content_.originals[index];
  return usage("the model has " + std::to_string(content_.originals.size()) +
               " files, there is no file " + std::to_string(index));
}

Status BundleState::check_range(std::size_t index, std::uint64_t offset, std::uint64_t size) const {
  const bundle::OriginalFile* file = TRY(original(index));
  if (readers_ == nullptr) return gone();
  if (offset <= file->size && size <= file->size - offset) return done();
  return usage("bytes " + std::to_string(offset) + " + " + std::to_string(size) + " of " +
               printable(file->path) + ", which has " + std::to_string(file->size));
}

Status BundleState::fill(std::size_t index, std::uint64_t offset, MutableBytes out) {
  auto reader = readers_->lease();
  while (!out.empty()) {
    const Piece piece = map_->piece(index, offset, out.size());
    TRY(reader->read(piece.file, piece.offset, out.first(piece.size)));
    out = out.subspan(piece.size);
    offset += piece.size;
  }
  return done();
}

Status BundleState::read_pieces(std::size_t index, std::uint64_t offset, MutableBytes out) {
  auto reader = readers_->lease();
  std::uint64_t filled = 0;
  while (filled < out.size()) {
    const Piece piece =
        map_->piece(index, offset + filled, std::min<std::uint64_t>(kMaxRead, out.size() - filled));
    const MutableBytes part = out.subspan(filled, piece.size);
    TRY(reader->read(piece.file, piece.offset, part));
    filled += piece.size;
    session_->hooks().progress(filled, out.size());
  }
  return done();
}

Status BundleState::read(std::size_t index, std::uint64_t offset, MutableBytes out) {
  const std::shared_lock lock(mutex_);
  const auto checked = [&]() -> Status {
    TRY(check_lease());
    TRY(check_range(index, offset, out.size()));
    return read_pieces(index, offset, out);
  };
  Status status = checked();
  if (!status.ok()) crypto::wipe(out);
  return status;
}

// Bytes of the next block for a sink: small extents are put together, large ones cut where blocks
// of the bundle end.
std::size_t BundleState::block_size(std::size_t index, std::uint64_t offset,
                                    std::uint64_t limit) const {
  std::uint64_t size = 0;
  bool more = true;
  while (more && size < limit) {
    const Piece piece = map_->piece(index, offset + size, limit - size);
    size += piece.size;
    more = piece.ends_extent;
  }
  return static_cast<std::size_t>(size);
}

Status BundleState::stream(std::size_t index, std::uint64_t offset, std::uint64_t size,
                           std::uint64_t origin, const sealpack_sink& sink) {
  if (sink.deliver == nullptr) return usage("sink: deliver is NULL");
  const std::uint64_t limit = sink.max_block == 0 ? kMaxRead : sink.max_block;
  if (limit < kMinBlock) return usage("sink: max_block is below 32 KiB");
  const std::shared_lock lock(mutex_);
  TRY(check_range(index, offset, size));
  TRY(check_lease());
  ByteVector lent(sink.acquire == nullptr ? static_cast<std::size_t>(std::min(limit, size)) : 0);
  for (std::uint64_t sent = 0; sent < size;) {
    const std::size_t count = block_size(index, offset + sent, std::min(limit, size - sent));
    const std::uint64_t at = offset + sent - origin;
    void* room = sink.acquire == nullptr ? lent.data() : sink.acquire(sink.context, at, count);
    if (room == nullptr) return cancelled();
    const MutableBytes block(static_cast<std::uint8_t*>(room), count);
    Status filled = fill(index, offset + sent, block);
    if (!filled.ok()) {
      crypto::wipe(block);
      if (sink.acquire != nullptr && sink.discard != nullptr) {
        sink.discard(sink.context, room, count);
      }
      return filled;
    }
    const int stopped = sink.deliver(sink.context, at, room, count);
    if (sink.acquire == nullptr) crypto::wipe(block);
    if (stopped != 0) return cancelled();
    sent += count;
    session_->hooks().progress(sent, size);
  }
  return done();
}

Result<const std::vector<IndexedTensor>*> BundleState::tensors() {
  const std::shared_lock lock(mutex_);
  if (open_ == nullptr) {
    return Error(ErrorCode::kKeyUnavailable, "tensors need an unlocked bundle");
  }
  const std::lock_guard tensors_lock(tensors_mutex_);
  if (!tensors_) {
    const auto source = [this](std::size_t index) {
      return std::make_unique<OriginalFileSource>(
          content_.originals[index].size, [this, index](std::uint64_t offset, MutableBytes out) {
            return fill(index, offset, out);
          });
    };
    tensors_ = TRY(index_tensors(content_, source, [this](const Error& error) {
      session_->hooks().log(SEALPACK_LOG_WARNING, "no tensors: " + error.message());
    }));
  }
  return &*tensors_;
}

}  // namespace sealpack::capi
