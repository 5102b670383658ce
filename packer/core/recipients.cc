// SPDX-License-Identifier: Apache-2.0
#include "packer/core/recipients.h"

namespace sealpack::packer {

Digest recipient_id(const Recipient& recipient) {
  if (const auto* key = std::get_if<crypto::EncryptionKey>(&recipient.key)) return key->digest();
  if (const auto* key = std::get_if<crypto::WrappingKey>(&recipient.key)) {
    return slots::symmetric_key_id(*key);
  }
  return Digest{};  // passphrase slots are recognised by their kind
}

Result<bundle::Slot> wrap_slot(const Recipient& recipient, const slots::Binding& binding,
                               const crypto::ContentKey& key) {
  if (const auto* to = std::get_if<crypto::EncryptionKey>(&recipient.key)) {
    return slots::wrap_for(*to, recipient.slot_class, binding, key);
  }
  if (const auto* to = std::get_if<crypto::WrappingKey>(&recipient.key)) {
    return slots::wrap_symmetric(*to, recipient.slot_class, binding, key);
  }
  const auto& to = std::get<PassphraseKey>(recipient.key);
  return slots::wrap_passphrase(to.key, to.salt, to.passes, to.memory_kib, binding, key);
}

std::uint64_t slot_size_bound(const Recipient& recipient) {
  // Tags and lengths of eight fields, kind, class, salt and hint take less than 64 bytes; the
  // wrapped payload is 64 bytes and an authentication tag, or one RSA block.
  constexpr std::uint64_t kFixed = 64 + 64 + 16;
  if (const auto* key = std::get_if<crypto::EncryptionKey>(&recipient.key)) {
    switch (key->algorithm()) {
      case crypto::EncryptionAlgorithm::kX25519:
        return kFixed + 32;
      case crypto::EncryptionAlgorithm::kP256:
        return kFixed + 65;
      case crypto::EncryptionAlgorithm::kRsa:
        return kFixed + 512;
    }
  }
  return kFixed;
}

}  // namespace sealpack::packer
