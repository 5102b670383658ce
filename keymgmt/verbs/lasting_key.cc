// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/verbs/lasting_key.h"

#include <chrono>
#include <mutex>
#include <shared_mutex>

namespace sealpack::broker {
namespace {

using Instant = std::chrono::steady_clock::time_point;

// Between two attempts to reach a device that is away.
constexpr auto kPause = std::chrono::seconds(1);

// Whether a device that is asked anew may answer otherwise: what does not open, or is of another
// kind, stays so.
bool may_pass(ErrorCode code) {
  return code != ErrorCode::kKeyUnavailable && code != ErrorCode::kUnsupported &&
         code != ErrorCode::kMalformed;
}

// `Key` is crypto::Decryptor or crypto::Signer.
template <typename Key>
class Held {
 public:
  using Open = std::function<Result<std::unique_ptr<Key>>()>;

  Held(Open open, KeyReport report, std::unique_ptr<Key> key)
      : open_(std::move(open)),
        report_(std::move(report)),
        digest_(key->public_key().digest()),
        key_(std::move(key)) {}

  template <typename Use>
  auto use(const Use& operation) const -> decltype(operation(std::declval<const Key&>())) {
    std::uint64_t attempts = 0;
    {
      const std::shared_lock lock(mutex_);
      attempts = attempts_;
      if (key_) {
        auto result = operation(*key_);
        if (result.ok() || !may_pass(result.error().code())) return result;
        if (report_) report_(result.error().message());
      }
    }
    TRY(reopen(attempts));
    const std::shared_lock lock(mutex_);
    if (!key_) return away();
    auto again = operation(*key_);
    if (again.ok() || !may_pass(again.error().code())) return again;
    if (report_) report_(again.error().message());
    return away();
  }

 private:
  static Error away() { return {ErrorCode::kTryAgain, "the key's device is away"}; }

  // Whatever kept it from being opened is no fault of the operation: kTryAgain, and a report. Not
  // where another thread tried since there were `attempts`: who waited for it takes what came of
  // it, however long it took. The old session ends first: some devices have one.
  Status reopen(std::uint64_t attempts) const {
    const std::unique_lock lock(mutex_);
    const bool tried = attempts != attempts_;
    if (tried && key_) return done();
    if (tried || Instant::clock::now() < next_try_) return away();
    key_.reset();
    ++attempts_;
    auto fresh = open_();
    next_try_ = Instant::clock::now() + kPause;
    if (fresh.ok() && (*fresh)->public_key().digest() != digest_) {
      fresh = Error(ErrorCode::kRefused, "the device has another key than before");
    }
    if (report_) {
      report_(fresh.ok() ? "the key was opened anew"
                         : "not opened anew: " + fresh.error().message());
    }
    if (!fresh.ok()) return away();
    key_ = *std::move(fresh);
    return done();
  }

  Open open_;
  KeyReport report_;
  Digest digest_;
  mutable std::shared_mutex mutex_;
  mutable std::unique_ptr<Key> key_;    // null while the device is away
  mutable std::uint64_t attempts_ = 0;  // to open it anew
  mutable Instant next_try_{};
};

class LastingDecryptor final : public crypto::Decryptor {
 public:
  LastingDecryptor(OpenDecryptor open, KeyReport report, std::unique_ptr<crypto::Decryptor> key)
      : public_key_(key->public_key()), held_(std::move(open), std::move(report), std::move(key)) {}

  const crypto::EncryptionKey& public_key() const override { return public_key_; }
  Result<crypto::SecretBytes> hpke_open(Bytes enc, Bytes info, Bytes aad,
                                        Bytes ciphertext) const override {
    return held_.use(
        [&](const crypto::Decryptor& key) { return key.hpke_open(enc, info, aad, ciphertext); });
  }
  Result<crypto::SecretBytes> rsa_oaep_unwrap(Bytes wrapped) const override {
    return held_.use([&](const crypto::Decryptor& key) { return key.rsa_oaep_unwrap(wrapped); });
  }

 private:
  crypto::EncryptionKey public_key_;
  Held<crypto::Decryptor> held_;
};

class LastingSigner final : public crypto::Signer {
 public:
  LastingSigner(OpenSigner open, KeyReport report, std::unique_ptr<crypto::Signer> key)
      : public_key_(key->public_key()), held_(std::move(open), std::move(report), std::move(key)) {}

  const crypto::VerifyingKey& public_key() const override { return public_key_; }
  Result<ByteVector> sign(Bytes message) const override {
    return held_.use([&](const crypto::Signer& key) { return key.sign(message); });
  }

 private:
  crypto::VerifyingKey public_key_;
  Held<crypto::Signer> held_;
};

}  // namespace

Result<std::unique_ptr<crypto::Decryptor>> lasting_decryptor(OpenDecryptor open, KeyReport report) {
  auto key = TRY(open());
  return std::unique_ptr<crypto::Decryptor>(
      std::make_unique<LastingDecryptor>(std::move(open), std::move(report), std::move(key)));
}

Result<std::unique_ptr<crypto::Signer>> lasting_signer(OpenSigner open, KeyReport report) {
  auto key = TRY(open());
  return std::unique_ptr<crypto::Signer>(
      std::make_unique<LastingSigner>(std::move(open), std::move(report), std::move(key)));
}

}  // namespace sealpack::broker
