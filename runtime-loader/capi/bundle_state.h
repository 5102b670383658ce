// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "runtime-loader/capi/fair_shared_mutex.h"
#include "runtime-loader/capi/file_map.h"
#include "runtime-loader/capi/reader_pool.h"
#include "runtime-loader/capi/session_state.h"
#include "runtime-loader/capi/tensor_index.h"

namespace sealpack::capi {

// What stands behind a sealpack_bundle: a bundle of the core's session, and readers for it.
//
// Locks: the session's for what the core does, `mutex_` for what readers use, in this order.
class BundleState {
 public:
  static Result<std::unique_ptr<BundleState>> open(std::shared_ptr<SessionState> session,
                                                   std::shared_ptr<const BlockSource> source,
                                                   const char* owner);
  ~BundleState();
  BundleState(const BundleState&) = delete;
  BundleState& operator=(const BundleState&) = delete;

  SessionState& session() const { return *session_; }
  loader::BundleId id() const { return id_; }
  // Copies, at the same place as long as this lives.
  const bundle::Content& content() const { return content_; }
  const bundle::Release& release() const { return release_; }
  const Digest& release_digest() const { return release_digest_; }
  std::uint64_t size() const { return size_; }
  bool unlocked() const;

  // Runs `unlock` with the core's session; if the bundle is open then, takes its readers into use.
  Status unlock(const std::function<Status(loader::Session&)>& unlock);
  // Runs `renew` with the core's session for a bundle that is unlocked.
  Status renew(const std::function<Status(loader::Session&)>& renew);
  // Seconds until the lease is over; nullopt: it has no end.
  Result<std::optional<std::uint64_t>> lease_left() const;
  Status add_grant(Bytes grant);
  const std::vector<bundle::Slot>& granted_slots() const { return granted_; }  // in unlock()

  Status check();  // every byte

  Result<const bundle::OriginalFile*> original(std::size_t index) const;
  std::uint64_t sealed_size(std::size_t index) const { return map_->sealed_size(index); }

  // Plaintext of original file `original`. On failure `out` is zero. Any threads at once.
  Status read(std::size_t original, std::uint64_t offset, MutableBytes out);
  // The same into a sink; the sink sees offsets less `origin`.
  Status stream(std::size_t original, std::uint64_t offset, std::uint64_t size,
                std::uint64_t origin, const sealpack_sink& sink);

  // kKeyUnavailable before it is unlocked.
  Result<const std::vector<IndexedTensor>*> tensors();

 private:
  explicit BundleState(std::shared_ptr<SessionState> session) : session_(std::move(session)) {}
  void use_readers(const unpacker::VerifiedBundle& bundle);
  Status use_open(const unpacker::OpenBundle& bundle);
  // All below: with mutex_ held, shared.
  Status check_lease() const;
  Status check_range(std::size_t original, std::uint64_t offset, std::uint64_t size) const;
  Status read_pieces(std::size_t original, std::uint64_t offset, MutableBytes out);
  Status fill(std::size_t original, std::uint64_t offset, MutableBytes out);
  std::size_t block_size(std::size_t original, std::uint64_t offset, std::uint64_t limit) const;

  std::shared_ptr<SessionState> session_;
  loader::BundleId id_ = 0;
  bundle::Content content_;
  bundle::Layout layout_;
  bundle::Release release_;
  Digest release_digest_;
  std::uint64_t size_ = 0;
  std::vector<bundle::Slot> granted_;
  slots::Binding binding_;

  mutable FairSharedMutex mutex_;
  std::optional<FileMap> map_;
  const unpacker::VerifiedBundle* verified_ = nullptr;
  const unpacker::OpenBundle* open_ = nullptr;
  std::unique_ptr<ReaderPool> readers_;
  // In boot_seconds(). Prolonged while others read, which waits for nobody.
  static constexpr std::uint64_t kNoEnd = ~std::uint64_t{0};
  std::atomic<std::uint64_t> lease_ends_{kNoEnd};
  std::mutex tensors_mutex_;
  std::optional<std::vector<IndexedTensor>> tensors_;
};

}  // namespace sealpack::capi

// NOLINTNEXTLINE: its name in the C interface
struct sealpack_bundle {
  std::unique_ptr<sealpack::capi::BundleState> state;
};
