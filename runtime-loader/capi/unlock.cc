// SPDX-License-Identifier: Apache-2.0
#include <mutex>

#include "keymgmt/keystore/key_file.h"
#include "runtime-loader/capi/handles.h"

namespace sealpack::capi {
namespace {

using keystore::Role;

// Keys whose holders must see evidence first (broker, device) do not open here by being there.
const std::vector<Role> kRoles = {Role::kRecipient, Role::kEscrow};

class CallbackPassphrase final : public keystore::PassphraseSource {
 public:
  explicit CallbackPassphrase(const sealpack_passphrase& source) : source_(source) {}

  Result<crypto::SecretBytes> passphrase(const std::string& what) override {
    if (source_.get == nullptr) {
      return usage(what + " is encrypted, and no passphrase is given");
    }
    crypto::SecretBytes room(keystore::kMaxPassphraseSize);
    const MutableBytes bytes = room.reveal_for_writing();
    const std::int64_t size = source_.get(source_.context, what.c_str(),
                                          reinterpret_cast<char*>(bytes.data()), bytes.size());
    if (size < 0) return cancelled();
    if (size == 0 || static_cast<std::uint64_t>(size) > bytes.size()) {
      return usage("a passphrase has 1 to " + std::to_string(bytes.size()) + " bytes, not " +
                   std::to_string(size));
    }
    return crypto::SecretBytes::copy_of(bytes.first(static_cast<std::size_t>(size)));
  }
  Result<crypto::SecretBytes> new_passphrase(const std::string&) override {
    return usage("no key is made here");
  }

 private:
  sealpack_passphrase source_;
};

// One key file is open at a time: the secure heap is small, and a passphrase takes 128 MiB to try.
std::mutex& key_file_mutex() {
  static std::mutex mutex;
  return mutex;
}

// Anybody can add slots to a bundle, and each that seems to be for a key costs a computation.
constexpr std::size_t kMaxHintedAttempts = 16;

// Finds the slot that a key opens: among those that hint at it, or where none does among all direct
// ones of its kind, for hints are short. Slots of grants come before those of the bundle.
template <typename Key>
class SlotSearch {
 public:
  SlotSearch(BundleState& state, loader::Session& session, const Key& key, const Digest& key_id,
             bundle::SlotKind kind)
      : state_(state), session_(session), key_(key), key_id_(key_id), kind_(kind) {}

  Status run() {
    std::size_t hinted = 0;
    for (std::size_t i = 0; i < count() && hinted < kMaxHintedAttempts; ++i) {
      if (slot(i).kind != kind_ || !slots::hints_at(slot(i), key_id_)) continue;
      ++hinted;
      if (TRY(opens(i))) return done();
    }
    for (std::size_t i = 0; i < count() && hinted == 0; ++i) {
      if (slot(i).kind != kind_ || slot(i).slot_class != bundle::SlotClass::kDirect) continue;
      if (TRY(opens(i))) return done();
    }
    if (obstacle_) return std::move(*obstacle_);
    return Error(ErrorCode::kKeyUnavailable, "the key opens none of the bundle's slots")
        .with_hint("ask the vendor for a grant, or for a bundle sealed to your key");
  }

 private:
  std::size_t count() const {
    return state_.granted_slots().size() + session_.verified(state_.id())->slots().size();
  }
  const bundle::Slot& slot(std::size_t i) const {
    const std::vector<bundle::Slot>& granted = state_.granted_slots();
    if (i < granted.size()) return granted[i];
    return session_.verified(state_.id())->slots()[i - granted.size()];
  }

  Result<bool> opens(std::size_t i) {
    const bundle::Slot tried = slot(i);  // a copy: opening moves the bundle's
    Status status = done();
    if (tried.slot_class == bundle::SlotClass::kAttested) {
      status = Error(ErrorCode::kRefused,
                     "the slot is attested: it opens through a key source, not with a key in hand");
    } else {
      status = session_.unlock_with(state_.id(), tried, key_);
    }
    if (status.ok()) return true;
    if (status.error().code() == ErrorCode::kKeyUnavailable) return false;
    if (status.error().code() != ErrorCode::kRefused) return std::move(status).take_error();
    if (!obstacle_) obstacle_ = std::move(status).take_error();
    return false;
  }

  BundleState& state_;
  loader::Session& session_;
  const Key& key_;
  Digest key_id_;
  bundle::SlotKind kind_;
  std::optional<Error> obstacle_;  // why a slot that seems to fit may not be used
};

template <typename Key>
Status unlock_with(BundleState& state, const Key& key, const Digest& key_id,
                   bundle::SlotKind kind) {
  return state.unlock([&](loader::Session& session) {
    return SlotSearch<Key>(state, session, key, key_id, kind).run();
  });
}

Status unlock_with_key(BundleState& state, const crypto::WrappingKey& key) {
  return unlock_with(state, key, slots::symmetric_key_id(key), bundle::SlotKind::kAesKwp);
}

bundle::SlotKind kind_for(crypto::EncryptionAlgorithm algorithm) {
  switch (algorithm) {
    case crypto::EncryptionAlgorithm::kX25519:
      return bundle::SlotKind::kHpkeX25519;
    case crypto::EncryptionAlgorithm::kP256:
      return bundle::SlotKind::kHpkeP256;
    case crypto::EncryptionAlgorithm::kRsa:
      return bundle::SlotKind::kRsaOaep;
  }
  die("unknown encryption algorithm");
}

Status unlock_with_key(BundleState& state, const crypto::PrivateKey& key) {
  if (key.type() == crypto::KeyType::kAes256) {
    return unlock_with_key(state, TRY(key.wrapping_key()));
  }
  const std::unique_ptr<crypto::Decryptor> decryptor = TRY(key.decryptor());
  const crypto::EncryptionKey& public_key = decryptor->public_key();
  return unlock_with<crypto::Decryptor>(state, *decryptor, public_key.digest(),
                                        kind_for(public_key.algorithm()));
}

}  // namespace
}  // namespace sealpack::capi

using namespace sealpack;

int sealpack_bundle_unlock_key_file(sealpack_bundle* bundle, const char* path,
                                    const sealpack_passphrase* passphrase, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    capi::CallbackPassphrase source(TRY(capi::take_optional(passphrase, "passphrase")));
    const std::lock_guard one_at_a_time(capi::key_file_mutex());
    const keystore::LoadedPrivateKey loaded =
        TRY(keystore::load_private_key(TRY(capi::text_of(path, "path")), capi::kRoles, source));
    return capi::unlock_with_key(*state, loaded.key);
  });
}

int sealpack_bundle_unlock_key_bytes(sealpack_bundle* bundle, const void* bytes, size_t size,
                                     const sealpack_passphrase* passphrase, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    TRY(capi::require(bytes, "bytes"));
    if (size > keystore::kMaxKeyFileSize) {
      return Error(ErrorCode::kLimit, "a key file has at most 64 KiB");
    }
    capi::CallbackPassphrase source(TRY(capi::take_optional(passphrase, "passphrase")));
    const std::lock_guard one_at_a_time(capi::key_file_mutex());
    const keystore::LoadedPrivateKey loaded = TRY(keystore::parse_private_key(
        {static_cast<const char*>(bytes), size}, "the key", capi::kRoles, source));
    return capi::unlock_with_key(*state, loaded.key);
  });
}

int sealpack_bundle_unlock_aes256(sealpack_bundle* bundle, const uint8_t key[32],
                                  sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    TRY(capi::require(key, "key"));
    const auto wrapping = TRY(
        crypto::WrappingKey::from(crypto::SecretBytes::copy_of({key, crypto::WrappingKey::kSize})));
    return capi::unlock_with_key(*state, wrapping);
  });
}

int sealpack_bundle_add_grant(sealpack_bundle* bundle, const void* bytes, size_t size,
                              sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    TRY(capi::require(bytes, "bytes"));
    if (size > bundle::kMaxGrantSize) {
      return Error(ErrorCode::kLimit, "a grant has at most " +
                                          std::to_string(bundle::kMaxGrantSize) + " bytes, not " +
                                          std::to_string(size));
    }
    return state->add_grant({static_cast<const std::uint8_t*>(bytes), size});
  });
}

int sealpack_bundle_unlock_source(sealpack_bundle* bundle, const sealpack_key_source* source,
                                  sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    const sealpack_key_source taken = TRY(capi::take(source, "source"));
    if (taken.grant == nullptr) return capi::usage("source: grant is NULL");
    const auto exchange = [&](loader::Session& session) {
      return capi::exchange_key(session, state->id(), taken);
    };
    return state->unlocked() ? state->renew(exchange) : state->unlock(exchange);
  });
}

int sealpack_bundle_unlock_device(sealpack_bundle* bundle, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    const crypto::Decryptor* key = state->session().device_key();
    if (key == nullptr) {
      return Error(ErrorCode::kUnsupported, "the session's environment has no device key");
    }
    return state->unlock(
        [&](loader::Session& session) { return session.unlock_device(state->id(), *key); });
  });
}

int sealpack_bundle_lease_left(sealpack_bundle* bundle, uint64_t* seconds, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    TRY(capi::require(seconds, "seconds"));
    *seconds = TRY(state->lease_left()).value_or(UINT64_MAX);
    return done();
  });
}
