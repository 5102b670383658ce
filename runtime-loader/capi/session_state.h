// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "runtime-loader/capi/callbacks.h"
#include "runtime-loader/capi/hooks.h"
#include "runtime-loader/capi/memory.h"
#include "runtime-loader/core/session.h"

namespace sealpack::capi {

// Seconds since the machine started, asleep or not: what leases end by.
std::uint64_t boot_seconds();

// What stands behind a sealpack_session: the core's session with the services it asks for. Bundles
// keep it alive.
class SessionState {
 public:
  static Result<std::shared_ptr<SessionState>> create(const sealpack_session_options& options);

  const Hooks& hooks() const { return hooks_; }
  std::size_t max_readers() const { return max_readers_; }
  std::uint64_t peak_memory() const { return memory_->peak(); }
  bool may_spill() const { return spill_ != nullptr; }
  Digest launch_digest() const { return launch_digest_; }

  // The name of the owner that a bundle is opened for: `owner`, or the only one. kUsage.
  Result<std::string> owner_name(const char* owner) const;
  // The time for a bundle of this owner.
  unpacker::Clock clock(const std::string& owner) const;

  // The core's session is for one thread at a time.
  struct Locked {
    std::unique_lock<std::mutex> lock;
    loader::Session* session;
    loader::Session* operator->() const { return session; }
    loader::Session& operator*() const { return *session; }
  };
  Locked lock() { return {std::unique_lock(mutex_), &*session_}; }
  // Null without one.
  const crypto::Decryptor* device_key() const { return device_key_.get(); }
  loader::BundleId next_id() { return ++last_id_; }  // with the lock held

 private:
  SessionState() = default;
  Status set_services(const sealpack_session_options& options);
  Status set_environment(const sealpack_environment& environment);
  Status set_counters(const sealpack_session_options& options);
  Status set_hooks(const sealpack_session_options& options);
  Result<loader::LaunchConfig> launch_config(const sealpack_session_options& options);

  Hooks hooks_;
  sealpack_clock clock_{};
  std::vector<std::pair<std::string, bool>> owners_;  // and whether the host's time is asked
  std::size_t max_readers_ = 0;
  std::unique_ptr<ModelMemory> memory_;
  std::unique_ptr<loader::CounterStore> counters_;
  std::unique_ptr<CallbackSpill> spill_;
  std::unique_ptr<CallbackEvidence> evidence_;
  std::unique_ptr<CallbackDeviceKey> device_key_;
  std::unique_ptr<nn::Workers> workers_;
  std::unique_ptr<nn::Background> background_;
  loader::Backend backend_;
  Digest launch_digest_;
  std::mutex mutex_;
  std::optional<loader::Session> session_;  // after what it uses, so destroyed before it
  loader::BundleId last_id_ = 0;
};

}  // namespace sealpack::capi

// NOLINTNEXTLINE: its name in the C interface
struct sealpack_session {
  std::shared_ptr<sealpack::capi::SessionState> state;
};
