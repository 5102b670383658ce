// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/slots/slots.h"

#include <algorithm>

#include "formats/bundle/labels.h"
#include "keymgmt/crypto/kdf.h"
#include "keymgmt/crypto/random.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::slots {
namespace {

using bundle::LengthPrefixed;
using bundle::Slot;
using bundle::SlotClass;
using bundle::SlotKind;
using crypto::SecretBytes;

constexpr std::size_t kPayloadSize = crypto::ContentKey::kSize + Digest::kSize;

Error does_not_open() {
  return {ErrorCode::kKeyUnavailable, "the slot does not open with this key"};
}

ByteVector bound_bytes(SlotKind kind, SlotClass slot_class, const Binding& binding,
                       const Digest& recipient) {
  return LengthPrefixed()
      .add(bundle::kSlotLabel)
      .add(static_cast<std::uint64_t>(kind))
      .add(static_cast<std::uint64_t>(slot_class))
      .add(Bytes(binding.uuid))
      .add(Bytes(binding.content_digest.bytes))
      .add(Bytes(binding.authority.bytes))
      .add(Bytes(recipient.bytes))
      .bytes();
}

// What is wrapped: the content key, then the digest of what it is for.
SecretBytes payload(const crypto::ContentKey& key, Bytes bound) {
  SecretBytes out(kPayloadSize);
  const MutableBytes bytes = out.reveal_for_writing();
  const Bytes key_bytes = key.reveal();
  std::copy(key_bytes.begin(), key_bytes.end(), bytes.begin());
  const Digest digest = crypto::sha256(bound);
  std::copy(digest.bytes.begin(), digest.bytes.end(), bytes.begin() + crypto::ContentKey::kSize);
  return out;
}

Result<crypto::ContentKey> check_payload(const SecretBytes& payload, Bytes bound) {
  if (payload.size() != kPayloadSize) return does_not_open();
  const Digest digest = crypto::sha256(bound);
  if (!crypto::equal_constant_time(payload.reveal().last(Digest::kSize), digest.bytes)) {
    return does_not_open();
  }
  return crypto::ContentKey::from(
      SecretBytes::copy_of(payload.reveal().first(crypto::ContentKey::kSize)));
}

std::array<std::uint8_t, 8> hint_of(Bytes salt, const Digest& recipient) {
  const Digest digest = crypto::sha256(
      LengthPrefixed().add(bundle::kSlotHintLabel).add(salt).add(Bytes(recipient.bytes)).bytes());
  std::array<std::uint8_t, 8> hint;
  std::copy_n(digest.bytes.begin(), hint.size(), hint.begin());
  return hint;
}

Slot new_slot(SlotKind kind, SlotClass slot_class, const Digest& recipient) {
  Slot slot;
  slot.kind = kind;
  slot.slot_class = slot_class;
  slot.salt = crypto::random_array<16>();
  slot.hint = hint_of(slot.salt, recipient);
  return slot;
}

}  // namespace

Digest key_commitment(const crypto::ContentKey& key) {
  return crypto::hmac_sha256(key.reveal(), as_bytes(bundle::kKeyCommitmentLabel));
}

Digest symmetric_key_id(const crypto::WrappingKey& key) {
  return crypto::hmac_sha256(key.reveal(), as_bytes(bundle::kSymmetricKeyIdLabel));
}

Result<Slot> wrap_for(const crypto::EncryptionKey& recipient, SlotClass slot_class,
                      const Binding& binding, const crypto::ContentKey& key) {
  const auto kind = [&] {
    switch (recipient.algorithm()) {
      case crypto::EncryptionAlgorithm::kX25519:
        return SlotKind::kHpkeX25519;
      case crypto::EncryptionAlgorithm::kP256:
        return SlotKind::kHpkeP256;
      case crypto::EncryptionAlgorithm::kRsa:
        return SlotKind::kRsaOaep;
    }
    die("unknown encryption algorithm");
  }();
  Slot slot = new_slot(kind, slot_class, recipient.digest());
  const ByteVector bound = bound_bytes(kind, slot_class, binding, recipient.digest());
  const SecretBytes secret = payload(key, bound);
  if (kind == SlotKind::kRsaOaep) {
    slot.wrapped = TRY(crypto::rsa_oaep_wrap(recipient, secret.reveal()));
    return slot;
  }
  crypto::HpkeSealed sealed = TRY(crypto::hpke_seal(recipient, bound, {}, secret.reveal()));
  slot.enc = std::move(sealed.enc);
  slot.wrapped = std::move(sealed.ciphertext);
  return slot;
}

Slot wrap_symmetric(const crypto::WrappingKey& recipient, SlotClass slot_class,
                    const Binding& binding, const crypto::ContentKey& key) {
  const Digest id = symmetric_key_id(recipient);
  Slot slot = new_slot(SlotKind::kAesKwp, slot_class, id);
  const ByteVector bound = bound_bytes(slot.kind, slot_class, binding, id);
  slot.wrapped = crypto::kwp_wrap(recipient, payload(key, bound).reveal());
  return slot;
}

Slot wrap_passphrase(const crypto::WrappingKey& derived, const std::array<std::uint8_t, 16>& salt,
                     std::uint32_t passes, std::uint32_t memory_kib, const Binding& binding,
                     const crypto::ContentKey& key) {
  Slot slot;
  slot.kind = SlotKind::kPassphrase;
  slot.slot_class = SlotClass::kDirect;
  slot.salt = salt;
  slot.hint = hint_of(salt, Digest{});
  slot.argon2_passes = passes;
  slot.argon2_memory_kib = memory_kib;
  const ByteVector bound = bound_bytes(slot.kind, slot.slot_class, binding, Digest{});
  slot.wrapped = crypto::kwp_wrap(derived, payload(key, bound).reveal());
  return slot;
}

bool hints_at(const Slot& slot, const Digest& recipient) {
  return slot.hint == hint_of(slot.salt, recipient);
}

Result<crypto::ContentKey> unwrap(const Slot& slot, const Binding& binding,
                                  const crypto::Decryptor& recipient) {
  const crypto::EncryptionKey& key = recipient.public_key();
  const ByteVector bound = bound_bytes(slot.kind, slot.slot_class, binding, key.digest());
  const auto open = [&]() -> Result<SecretBytes> {
    switch (key.algorithm()) {
      case crypto::EncryptionAlgorithm::kX25519:
        if (slot.kind != SlotKind::kHpkeX25519) return does_not_open();
        return recipient.hpke_open(slot.enc, bound, {}, slot.wrapped);
      case crypto::EncryptionAlgorithm::kP256:
        if (slot.kind != SlotKind::kHpkeP256) return does_not_open();
        return recipient.hpke_open(slot.enc, bound, {}, slot.wrapped);
      case crypto::EncryptionAlgorithm::kRsa:
        if (slot.kind != SlotKind::kRsaOaep) return does_not_open();
        return recipient.rsa_oaep_unwrap(slot.wrapped);
    }
    die("unknown encryption algorithm");
  };
  return check_payload(TRY(open()), bound);
}

Result<crypto::ContentKey> unwrap(const Slot& slot, const Binding& binding,
                                  const crypto::WrappingKey& recipient) {
  const bool passphrase = slot.kind == SlotKind::kPassphrase;
  if (!passphrase && slot.kind != SlotKind::kAesKwp) return does_not_open();
  const Digest id = passphrase ? Digest{} : symmetric_key_id(recipient);
  const ByteVector bound = bound_bytes(slot.kind, slot.slot_class, binding, id);
  return check_payload(TRY(crypto::kwp_unwrap(recipient, slot.wrapped)), bound);
}

}  // namespace sealpack::slots
